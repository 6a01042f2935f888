import { describeRequest, describeResponse } from '@flotilla/check';
import type { EtcdRequest, EtcdResponse } from '@flotilla/check';
import { labelPeerMessages } from '@flotilla/raft/simulation';
import type { NodeState, RecordedCall, World } from '@flotilla/sim';
import { clientPort, peerPort } from './member-node.ts';
import type { MemberNode } from './member-node.ts';

/** Tells a recorder, when there is one, what members are and what travels between them. */
export function recordCluster(world: World, members: readonly MemberNode[]): void {
  const { recorder, network } = world;
  if (recorder === null) return;
  network.labelMessages(peerPort, labelPeerMessages);
  network.labelMessages(clientPort, labelCall);
  for (const member of members) recorder.describe(member.name, () => stateOf(member));
}

/** And what its clients did, when the run is over. */
export function recordCalls(world: World, calls: readonly RecordedCall<EtcdRequest, EtcdResponse>[]): void {
  world.recorder?.history(calls, {
    // The one that reads everything at the end comes after all others.
    client: (number) => (world.nodes.has(`c${number + 1}`) ? `c${number + 1}` : 'last'),
    call: describeRequest,
    result: describeResponse,
  });
}

function stateOf({ member }: MemberNode): NodeState | null {
  if (member === null) return { role: 'starting' };
  const { role, term, leader, commit, applied, lastIndex, failure, diskStalled } = member.group.status();
  const { revision, compactRevision } = member.database;
  return {
    role,
    term,
    leader,
    commit,
    applied,
    last: lastIndex,
    revision,
    compacted: compactRevision,
    ...(failure === null ? {} : { failure }),
    ...(diskStalled ? { disk: 'stalled' } : {}),
  };
}

/** Of the framed transport: four bytes of length, four of the call, one of the kind. */
const headBytes = 9;

function labelCall(bytes: Uint8Array): string | null {
  const labels: string[] = [];
  for (let position = 0; bytes.length - position >= headBytes;) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + position);
    const end = position + 4 + view.getUint32(0);
    if (end > bytes.length) break;
    const label = frameLabel(view.getUint8(8), bytes.subarray(position + headBytes, end));
    if (label !== null) labels.push(label);
    position = end;
  }
  return labels.length === 0 ? null : [...new Set(labels)].join(', ');
}

function frameLabel(kind: number, payload: Uint8Array): string | null {
  switch (kind) {
    case 1: {
      const { path } = JSON.parse(new TextDecoder().decode(payload)) as { readonly path: string };
      return path.slice(path.lastIndexOf('/') + 1);
    }
    case 2:
      return 'body';
    case 4:
      return 'cancelled';
    case 5:
      return payload[0] === 0
        ? 'ok'
        : `error ${payload[0] ?? ''}: ${new TextDecoder().decode(payload.subarray(1))}`;
    case 7:
      return 'go away';
    default:
      return null;
  }
}
