import { unreachable } from '@flotilla/platform';
import { decodeMembershipChange } from '../../src/core/membership-codec.ts';
import type { Entry, MembershipChange, PeerMessage } from '../../src/core/types.ts';
import { quoted } from './describe.ts';
import { describeSteps } from './membership-text.ts';
import { scriptMessage } from './script-message.ts';
import type { ScriptEntry, ScriptMessage } from './script-message.ts';

/** Marks a change that the script proposed in etcd's older form, which is printed under another name. */
const olderForm = new Uint8Array([1]);

export function changeContext(older: boolean): MembershipChange['context'] {
  return older ? olderForm : new Uint8Array(0);
}

/** Answers that promise something: etcd holds exactly these back until the batch with them is written. */
export function isPromise(message: PeerMessage): boolean {
  const { type } = message;
  return type === 'append-response' || type === 'vote-response' || type === 'pre-vote-response';
}

/** A message between members, in the fields of the scripts. Forwarded proposals become a message each. */
export function toScriptMessages(message: PeerMessage): readonly ScriptMessage[] {
  const { from, to, term } = message;
  const common = { from, to, term, delivery: { type: 'peer', message } } as const;
  switch (message.type) {
    case 'vote':
    case 'pre-vote': {
      const type = message.type === 'vote' ? 'MsgVote' : 'MsgPreVote';
      return [scriptMessage({ ...common, type, logTerm: message.lastTerm, index: message.lastIndex })];
    }
    case 'vote-response':
    case 'pre-vote-response': {
      const type = message.type === 'vote-response' ? 'MsgVoteResp' : 'MsgPreVoteResp';
      return [scriptMessage({ ...common, type, rejected: !message.granted })];
    }
    case 'append': {
      const { previousTerm: logTerm, previousIndex: index, commit } = message;
      const entries = message.entries.map(toScriptEntry);
      return [scriptMessage({ ...common, type: 'MsgApp', logTerm, index, commit, entries })];
    }
    case 'append-response': {
      const { index, rejected, hintTerm: logTerm, hintIndex: hint } = message;
      return [scriptMessage({ ...common, type: 'MsgAppResp', logTerm, index, rejected, hint })];
    }
    case 'heartbeat':
      return [scriptMessage({ ...common, type: 'MsgHeartbeat', commit: message.commit })];
    case 'heartbeat-response':
      return [scriptMessage({ ...common, type: 'MsgHeartbeatResp' })];
    case 'install-snapshot':
      return [scriptMessage({ ...common, type: 'MsgSnap', snapshot: message.snapshot })];
    case 'propose':
      return forwardedProposals(message);
    case 'read-index':
      return [scriptMessage({ ...common, type: 'MsgReadIndex', term: 0 })];
    case 'read-index-response':
      return [scriptMessage({ ...common, type: 'MsgReadIndexResp', index: message.index })];
    case 'transfer-leader':
      // There the sender of the wish is the one who is to lead.
      return [scriptMessage({ ...common, type: 'MsgTransferLeader', from: message.transferee })];
    case 'timeout-now':
      return [scriptMessage({ ...common, type: 'MsgTimeoutNow' })];
    default:
      return unreachable(message);
  }
}

/** They carry no term there, and no position in the log yet. */
function forwardedProposals(message: Extract<PeerMessage, { type: 'propose' }>): readonly ScriptMessage[] {
  const { from, to, kind } = message;
  return message.payloads.map((payload) => {
    const entry = { kind, payload, term: 0, index: 0 } as Entry;
    const delivery = { type: 'peer', message: { ...message, payloads: [payload] } } as const;
    return scriptMessage({ from, to, type: 'MsgProp', entries: [toScriptEntry(entry)], delivery });
  });
}

export function toScriptEntry({ term, index, kind, payload }: Entry): ScriptEntry {
  if (kind !== 'membership') return { term, index, type: 'EntryNormal', text: quoted(payload) };
  const { steps, context } = decodeMembershipChange(payload);
  const type = context.length === 0 ? 'EntryConfChangeV2' : 'EntryConfChange';
  return { term, index, type, text: describeSteps(steps) };
}
