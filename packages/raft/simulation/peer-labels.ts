import { unreachable } from '@flotilla/platform';
import type { NodeId, PeerMessage } from '../src/core/types.ts';
import { frameHeaderBytes, preface } from '../src/host/frame.ts';
import { decodeBatch } from '../src/host/messages.ts';
import type { HostMessage } from '../src/host/messages.ts';

const batchKind = 4;
/** Of one write. */
const labelledMessagesMax = 4;

/** What members say to each other in one write, for people; null: something else shares the port. */
export function labelPeerMessages(bytes: Uint8Array): string | null {
  let position = startsWithPreface(bytes) ? preface.length : 0;
  const labels: string[] = position > 0 ? ['hello'] : [];
  while (bytes.length - position >= frameHeaderBytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + position);
    const end = position + frameHeaderBytes + view.getUint32(0);
    if (end > bytes.length) break;
    if (bytes[position + 8] === batchKind) {
      const body = bytes.subarray(position + frameHeaderBytes, end);
      decodeBatch(body, 1 as NodeId, 2 as NodeId, (message) => labels.push(hostLabel(message)));
    }
    position = end;
  }
  if (labels.length === 0) return null;
  const more = labels.length - labelledMessagesMax;
  const shown = labels.slice(0, labelledMessagesMax).join(', ');
  return more > 0 ? `${shown} and ${more} more` : shown;
}

function startsWithPreface(bytes: Uint8Array): boolean {
  return bytes.length >= preface.length && preface.every((byte, i) => byte === bytes[i]);
}

function hostLabel(message: HostMessage): string {
  if (message.type === 'raft') return labelRaftMessage(message.message);
  return message.type === 'heartbeat' ? 'beat of the host' : message.type;
}

/** One message between cores, for people. */
export function labelRaftMessage(message: PeerMessage): string {
  const { type, term } = message;
  switch (type) {
    case 'pre-vote':
    case 'vote':
      return `asks for a ${type} in term ${term}`;
    case 'pre-vote-response':
    case 'vote-response': {
      const what = type === 'vote-response' ? 'vote' : 'pre-vote';
      return `${message.granted ? 'gives' : 'refuses'} its ${what} in term ${term}`;
    }
    case 'append': {
      const { previousIndex, entries } = message;
      const which =
        entries.length === 0 ? 'nothing' : `${previousIndex + 1}–${previousIndex + entries.length}`;
      return `append ${which}, term ${term}, commit ${message.commit}`;
    }
    case 'append-response':
      return message.rejected
        ? `refuses to append after ${message.index}, term ${term}`
        : `has up to ${message.index}, term ${term}`;
    case 'heartbeat':
    case 'heartbeat-response':
    case 'install-snapshot':
    case 'propose':
    case 'read-index':
    case 'read-index-response':
    case 'transfer-leader':
    case 'timeout-now':
      return `${type}, term ${term}`;
    default:
      return unreachable(message);
  }
}
