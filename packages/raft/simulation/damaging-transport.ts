import type { Connection } from '@flotilla/platform';
import type { World } from '@flotilla/sim';
import type { NodeId } from '../src/core/types.ts';
import { ByteWriter } from '../src/host/bytes.ts';
import { beginFrame, endFrame, frameHeaderBytes } from '../src/host/frame.ts';
import { decodeBatch, encodeHostMessage, encodeRaftMessage } from '../src/host/messages.ts';
import type { HostMessage } from '../src/host/messages.ts';
import type { TransportFactory } from '../src/transport/types.ts';
import { peerFrames } from './peer-frames.ts';
import { RelayedConnection } from './relayed-connection.ts';

const batchKind = 4;

/**
 * TCP on which chunks of snapshots change their content on the way, as in the memory of a sick machine: the frame around
 * a damaged chunk is whole, so only the checks of the snapshot itself can notice.
 */
export function damagingTransport(world: World, perMille: () => number): TransportFactory {
  return (platform) => {
    const checksum = (bytes: Uint8Array, seed?: number): number => platform.checksum(bytes, seed);
    const damaging = (connection: Connection): Connection => new DamagingConnection(connection, rewrite);
    const rewrite = (bytes: Uint8Array): Uint8Array => {
      if (perMille() === 0 || !isBatches(bytes)) return bytes;
      const messages = messagesOf(bytes);
      const damaged = messages.map((message) => maybeDamage(world, perMille(), message));
      if (damaged.every((message, i) => message === messages[i])) return bytes;
      world.fault('chunk damaged', 'a chunk of a snapshot is damaged');
      return encode(damaged, checksum);
    };
    return {
      listen: (address, accept) =>
        platform.network.listen(address, {}, (connection) => accept(damaging(connection))),
      connect: (address, { timeoutMs }) => platform.network.connect(address, { timeoutMs }).then(damaging),
    };
  };
}

function maybeDamage(world: World, perMille: number, message: HostMessage): HostMessage {
  if (message.type !== 'snapshot-chunk' || message.bytes.length === 0) return message;
  if (!world.tape.chance(perMille, 1000, 'damage a chunk')) return message;
  const bytes = message.bytes.slice();
  const at = world.tape.choose(bytes.length, 'damaged byte');
  bytes[at] = (bytes[at] ?? 0) ^ (1 << world.tape.choose(8, 'damaged bit'));
  return { ...message, bytes };
}

/** What a host writes at once is whole frames, or the beginning of a connection. */
function isBatches(bytes: Uint8Array): boolean {
  return bytes.length > frameHeaderBytes && bytes[8] === batchKind;
}

function messagesOf(bytes: Uint8Array): readonly HostMessage[] {
  const messages: HostMessage[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = peerFrames.frameBytes(bytes, at);
    const body = bytes.subarray(at + frameHeaderBytes, at + length);
    decodeBatch(body, 1 as NodeId, 2 as NodeId, (message) => messages.push(message));
    at += length;
  }
  return messages;
}

function encode(
  messages: readonly HostMessage[],
  checksum: (bytes: Uint8Array, seed?: number) => number,
): Uint8Array {
  const writer = new ByteWriter(256);
  const start = beginFrame(writer, 'batch');
  for (const message of messages) {
    if (message.type === 'raft') encodeRaftMessage(writer, message.group, message.message);
    else encodeHostMessage(writer, message);
  }
  endFrame(writer, start, checksum);
  return writer.take();
}

class DamagingConnection extends RelayedConnection {
  readonly #rewrite: (bytes: Uint8Array) => Uint8Array;

  constructor(inner: Connection, rewrite: (bytes: Uint8Array) => Uint8Array) {
    super(inner);
    this.#rewrite = rewrite;
  }

  write(bytes: Uint8Array): boolean {
    return this.inner.write(this.#rewrite(bytes));
  }
}
