import type { FrameRule } from '@flotilla/sim';
import type { NodeId } from '../src/core/types.ts';
import { frameHeaderBytes, preface } from '../src/host/frame.ts';
import { decodeBatch } from '../src/host/messages.ts';

const batchKind = 4;

/**
 * How the simulated network finds the cores' messages in the streams between hosts, so that it can duplicate, reorder
 * and re-deliver them: consensus must bear that, whatever carries it. What the hosts say to each other for themselves
 * (life, snapshots in chunks, forwarded proposals with their numbers) is made for an ordered stream and left alone.
 */
export const peerFrames: FrameRule = {
  prefaceBytes: preface.length,
  // Others share the port: what they say is made for an ordered stream.
  isFramed: (bytes) => bytes.every((byte, i) => byte === preface[i]),
  handshakeFrames: 1,
  frameBytes(bytes, position) {
    if (bytes.length - position < frameHeaderBytes) return 0;
    const view = new DataView(bytes.buffer, bytes.byteOffset + position);
    return frameHeaderBytes + view.getUint32(0);
  },
  mayRepeat(frame) {
    if (frame[8] !== batchKind) return false;
    let may = true;
    decodeBatch(frame.subarray(frameHeaderBytes), 1 as NodeId, 2 as NodeId, (message) => {
      may &&= message.type === 'raft' && message.message.type !== 'propose';
    });
    return may;
  },
};
