import type { Platform } from '@flotilla/platform';
import type { NodeId, PeerMessage, Term } from '../core/types.ts';
import { ByteWriter } from './bytes.ts';
import { beginFrame, endFrame } from './frame.ts';
import type { HostLimits } from './limits.ts';
import { encodeHostMessage, encodeRaftMessage } from './messages.ts';
import type { HostMessage, Leadership } from './messages.ts';
import type { HostMetrics } from './metrics.ts';
import type { PeerConnection } from './peer-connection.ts';
import type { GroupId } from './types.ts';

/** One peer as this member sees it, over all its connections: what waits to be sent, and what it last said. */
export class PeerLink {
  readonly id: NodeId;
  /** The life that the connection goes to. */
  incarnation = 0;
  /** Of the peer's data, as it has said on the connection. */
  instance = 0n;
  /** Of the platform's clock; null: there is no connection. */
  connectedSinceMs: number | null = null;
  /** The peer is alive: it has a connection and has been heard on it. */
  alive = false;
  /** Which groups the peer says it leads, and in which term. Empty while it is silent. */
  leads: ReadonlyMap<GroupId, Term> = noLeads;
  /** What our last heartbeat on this connection said, so that an unchanged list need not travel again. */
  leadsTold: readonly Leadership[] | null = null;
  /**
   * Forwarded proposals (messages) written to the peer's current life, and how many came from it. The handshake
   * compares them: what was written and did not arrive before a connection broke is lost for sure, so its proposals may
   * be proposed again without any risk of being applied twice. A peer that was removed and set again counts anew, and
   * what was on its way before then may have arrived.
   */
  forwardsSent = 0;
  forwardsReceived = 0;
  /** Refusals of forwarded proposals: the one that a broken connection has taken is said again on the next. */
  #refusals: ForwardRefusal[] = [];
  #refusedSequences = 0;
  readonly #platform: Platform;
  readonly #limits: HostLimits;
  readonly #metrics: HostMetrics;
  readonly #writer = new ByteWriter();
  #connection: PeerConnection | null = null;
  /** Of connections that are gone. */
  #pastBytesSent = 0;
  #pastBytesReceived = 0;
  #frameStart = -1;
  #bufferedBytes = 0;

  constructor(id: NodeId, platform: Platform, limits: HostLimits, metrics: HostMetrics) {
    this.id = id;
    this.#platform = platform;
    this.#limits = limits;
    this.#metrics = metrics;
  }

  get connection(): PeerConnection | null {
    return this.#connection;
  }

  /** Over all connections. */
  get bytesSent(): number {
    return this.#pastBytesSent + (this.#connection?.bytesSent ?? 0);
  }

  get bytesReceived(): number {
    return this.#pastBytesReceived + (this.#connection?.bytesReceived ?? 0);
  }

  /** The handshake is over on `connection`. */
  attach(connection: PeerConnection, incarnation: number, instance: bigint): void {
    this.#connection = connection;
    this.connectedSinceMs = this.#platform.now();
    this.instance = instance;
    if (incarnation !== this.incarnation) {
      this.forwardsSent = 0;
      this.forwardsReceived = 0;
      this.#refusals = [];
      this.#refusedSequences = 0;
    }
    this.incarnation = incarnation;
    this.leadsTold = null;
    this.#discard();
    for (const refusal of this.#refusals) this.sendHost(refusal);
  }

  detach(): void {
    this.#pastBytesSent = this.bytesSent;
    this.#pastBytesReceived = this.bytesReceived;
    this.#connection = null;
    this.connectedSinceMs = null;
    this.alive = false;
    this.leads = noLeads;
    this.#discard();
  }

  /** Queues a core's message for the end of the turn. False: it was dropped, and nobody will ever see it. */
  send(group: GroupId, message: PeerMessage): boolean {
    if (!this.#hasRoom()) {
      this.#metrics.messagesDropped += 1;
      return false;
    }
    this.#beginMessage();
    encodeRaftMessage(this.#writer, group, message);
    if (message.type === 'propose') this.forwardsSent += 1;
    return true;
  }

  /** Queues a message of the host. Small ones, and snapshot chunks that are paced by a window: never dropped for room. */
  sendHost(message: Exclude<HostMessage, { type: 'raft' }>): void {
    if (this.#connection === null) return;
    this.#beginMessage();
    encodeHostMessage(this.#writer, message);
  }

  /** Tells the peer that its forwarded message was not taken. A refusal that it knows already does no harm there. */
  refuseForward(refusal: ForwardRefusal): void {
    this.#refusals.push(refusal);
    this.#refusedSequences += refusal.sequences.length;
    while (this.#refusedSequences > this.#limits.rememberedRefusals) {
      this.#refusedSequences -= this.#refusals.shift()?.sequences.length ?? 0;
    }
    this.sendHost(refusal);
  }

  /** Bytes that wait for the socket. */
  get queuedBytes(): number {
    return this.#writer.length + (this.#connection?.bufferedBytes ?? 0);
  }

  /** Everything that was queued in this turn leaves in one write. */
  flush(): void {
    if (this.#frameStart < 0) return;
    this.#endFrame();
    const bytes = this.#writer.take();
    this.#connection?.write(bytes);
  }

  #hasRoom(): boolean {
    if (this.#connection === null) return false;
    // Asked once a turn: the socket takes nothing while a turn runs.
    if (this.#frameStart < 0) this.#bufferedBytes = this.#connection.bufferedBytes;
    return this.#bufferedBytes + this.#writer.length <= this.#limits.sendQueueBytes;
  }

  #beginMessage(): void {
    this.#metrics.messagesSent += 1;
    if (this.#frameStart >= 0) {
      if (this.#writer.length - this.#frameStart < this.#limits.frameTargetBytes) return;
      this.#endFrame();
    }
    this.#frameStart = beginFrame(this.#writer, 'batch');
  }

  #endFrame(): void {
    endFrame(this.#writer, this.#frameStart, this.#checksum);
    this.#metrics.framesSent += 1;
    this.#frameStart = -1;
  }

  readonly #checksum = (bytes: Uint8Array, seed?: number): number => this.#platform.checksum(bytes, seed);

  #discard(): void {
    this.#writer.rewind(0);
    this.#frameStart = -1;
  }
}

type ForwardRefusal = Extract<HostMessage, { type: 'propose-refused' }>;

const noLeads: ReadonlyMap<GroupId, Term> = new Map();
