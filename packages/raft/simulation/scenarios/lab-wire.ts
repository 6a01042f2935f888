import type { Connection, Platform } from '@flotilla/platform';
import type { Tape } from '@flotilla/sim';
import type { NodeId, PeerMessage } from '../../src/core/types.ts';
import { ByteWriter } from '../../src/host/bytes.ts';
import { beginFrame, endFrame, frameHeaderBytes, preface } from '../../src/host/frame.ts';
import { decodeBatch, encodeHostMessage, encodeRaftMessage } from '../../src/host/messages.ts';
import type { HostMessage } from '../../src/host/messages.ts';
import type { TransportFactory } from '../../src/transport/types.ts';
import { RelayedConnection } from '../relayed-connection.ts';

/** How the courses' network treats single messages. */
export interface WireFaults {
  /** Out of 1,000 requests, and of 1,000 answers, how many are lost. */
  readonly lossPerMille: number;
  /** Each message takes up to so much longer than the link. */
  readonly delayMaxMs: number;
  /** Out of 1,000 answers, how many are 200 to 2,200 ms late. */
  readonly latePerMille: number;
}

export const reliableWire: WireFaults = { lossPerMille: 0, delayMaxMs: 0, latePerMille: 0 };
export const unreliableWire: WireFaults = { lossPerMille: 100, delayMaxMs: 26, latePerMille: 0 };
export const reorderingWire: WireFaults = { ...unreliableWire, latePerMille: 667 };

/** What went over the wires between hosts. */
export interface WireCounts {
  /** What asks or tells: in the courses' terms, a call of a remote procedure. Handshakes among them. */
  requests: number;
  /** What answers something: in the courses part of the call, and not counted. */
  answers: number;
  heartbeats: number;
  /** Everything that was written to a connection, framing and handshakes included. */
  bytes: number;
  snapshotChunks: number;
}

export type MessageListener = (from: NodeId, to: NodeId, message: HostMessage) => void;

/**
 * The network of the courses' test harnesses, between hosts and the simulated sockets: counts messages and bytes, and
 * loses, delays and overtakes single messages, which a byte stream cannot.
 *
 * ```text
 *  host ─ frames ─▶ cut into messages ─▶ counted ─┬─ stream's own ──────────────────▶ socket
 *                                                 └─ raft, sign of life ─ fate ─ later, or never
 * ```
 *
 * Only what is meant to bear it is lost or overtaken: the cores' messages (forwarded proposals excepted, which rely on
 * being delivered at most once and in order) and signs of life. What hosts say on an ordered stream (handshakes, who
 * leads, snapshots in chunks) comes in order; instead, a chunk that is lost breaks its connection. A late message
 * takes the connection that its two members have by then, so it may arrive in another connection than it left in.
 */
export class LabWire {
  faults: WireFaults = reliableWire;
  readonly counts: WireCounts = { requests: 0, answers: 0, heartbeats: 0, bytes: 0, snapshotChunks: 0 };
  readonly tape: Tape;
  readonly listeners: MessageListener[] = [];

  constructor(tape: Tape) {
    this.tape = tape;
  }

  /** One life's way onto this wire. */
  readonly transport: TransportFactory = (platform) => {
    const end: WireEnd = { wire: this, platform, current: new Map() };
    return {
      listen: (address, accept) =>
        platform.network.listen(address, {}, (connection) =>
          accept(new LabConnection(end, connection, connection.remote.host)),
        ),
      connect: (address, { timeoutMs }) =>
        platform.network
          .connect(address, { timeoutMs })
          .then((connection) => new LabConnection(end, connection, address.host)),
    };
  };

  get lossy(): boolean {
    return this.faults !== reliableWire;
  }

  /** After how many milliseconds the message travels on; null: never. */
  fate(message: HostMessage): number | null {
    const { lossPerMille, delayMaxMs, latePerMille } = this.faults;
    const answer = isAnswer(message);
    if (this.tape.chance(lossPerMille, 1000, answer ? 'lose an answer' : 'lose a request')) return null;
    const delayMs = this.tape.choose(delayMaxMs + 1, 'delay of a message');
    if (!answer || !this.tape.chance(latePerMille, 1000, 'late answer')) return delayMs;
    return delayMs + 200 + this.tape.choose(1 + this.tape.choose(2000, 'bound of lateness'), 'lateness');
  }
}

type Answer = Extract<PeerMessage['type'], `${string}-response`>;

const answers: ReadonlySet<string> = new Set<Answer | HostMessage['type']>([
  'pre-vote-response',
  'vote-response',
  'append-response',
  'heartbeat-response',
  'read-index-response',
  'propose-refused',
  'snapshot-progress',
  'snapshot-result',
]);

function isAnswer(message: HostMessage): boolean {
  return answers.has(message.type === 'raft' ? message.message.type : message.type);
}

/** Whether consensus must bear that this message is lost, late or overtaken. */
function bearsLoss(message: HostMessage): boolean {
  if (message.type === 'heartbeat') return message.leads === null;
  return message.type === 'raft' && message.message.type !== 'propose';
}

interface WireEnd {
  readonly wire: LabWire;
  readonly platform: Platform;
  /** The newest connection with each peer, by the name of its node. */
  readonly current: Map<string, LabConnection>;
}

/** One host's end of a connection. */
class LabConnection extends RelayedConnection {
  readonly #end: WireEnd;
  readonly #peer: string;
  readonly #from: NodeId;
  readonly #to: NodeId;
  #prefaceLeft = preface.length;
  #greeted = false;

  constructor(end: WireEnd, inner: Connection, peer: string) {
    super(inner);
    this.#end = end;
    this.#peer = peer;
    this.#from = idOf(end.platform.nodeName);
    this.#to = idOf(peer);
  }

  /** Hosts write whole frames, and the preface alone. */
  write(bytes: Uint8Array): boolean {
    const { wire } = this.#end;
    wire.counts.bytes += bytes.length;
    if (this.#prefaceLeft > 0) {
      this.#prefaceLeft -= bytes.length;
      return this.inner.write(bytes);
    }
    if (!this.#greeted) {
      // The handshake: one frame each way, and the member with the lower id begins.
      this.#greeted = true;
      this.#end.current.set(this.#peer, this);
      if (this.#from < this.#to) wire.counts.requests += 1;
      else wire.counts.answers += 1;
      return this.inner.write(bytes);
    }
    const { lossy } = wire;
    for (let at = 0; at < bytes.length;) {
      const length = new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0) + frameHeaderBytes;
      const body = bytes.subarray(at + frameHeaderBytes, at + length);
      at += length;
      decodeBatch(body, this.#from, this.#to, (message) => this.#message(message, lossy));
    }
    return lossy ? this.inner.bufferedBytes === 0 : this.inner.write(bytes);
  }

  #message(message: HostMessage, lossy: boolean): void {
    const { wire, platform } = this.#end;
    count(wire.counts, message);
    for (const listener of wire.listeners) listener(this.#from, this.#to, message);
    if (!lossy) return;
    if (!bearsLoss(message)) {
      if (
        message.type === 'snapshot-chunk' &&
        wire.tape.chance(wire.faults.lossPerMille, 1000, 'lose a snapshot chunk')
      ) {
        this.inner.destroy();
        return;
      }
      this.inner.write(frameOf(platform, message));
      return;
    }
    const delayMs = wire.fate(message);
    if (delayMs === null) return;
    const frame = frameOf(platform, message);
    if (delayMs === 0) this.inner.write(frame);
    else platform.timer(delayMs, 'lab-wire', () => this.#end.current.get(this.#peer)?.late(frame));
  }

  /** A frame that left in this connection, or in one before it. */
  late(frame: Uint8Array): void {
    this.inner.write(frame);
  }
}

function count(counts: WireCounts, message: HostMessage): void {
  if (isAnswer(message)) counts.answers += 1;
  else counts.requests += 1;
  if (message.type === 'heartbeat') counts.heartbeats += 1;
  else if (message.type === 'snapshot-chunk') counts.snapshotChunks += 1;
}

/** The message in a frame of its own, so that it can go its own way. */
function frameOf(platform: Platform, message: HostMessage): Uint8Array {
  const writer = new ByteWriter(256);
  const start = beginFrame(writer, 'batch');
  if (message.type === 'raft') encodeRaftMessage(writer, message.group, message.message);
  else encodeHostMessage(writer, message);
  endFrame(writer, start, (bytes, seed) => platform.checksum(bytes, seed));
  return writer.take();
}

export function nameOf(id: number): string {
  return `n${id}`;
}

function idOf(name: string): NodeId {
  return Number(name.slice(1)) as NodeId;
}
