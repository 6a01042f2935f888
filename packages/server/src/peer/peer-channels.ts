import { type Address, type Connection, FlotillaError, type Platform } from '@flotilla/platform';
import type { NodeId, Transport } from '@flotilla/raft';
import { limits } from '../limits.ts';
import { type ChannelHandler, IncomingChannel } from './incoming-channel.ts';
import { OutgoingChannel } from './outgoing-channel.ts';

/** Who this member is to the others, and who they are. */
export interface ChannelIdentity {
  readonly nodeId: NodeId;
  readonly clusterId: bigint;
  /** Where a member listens; null: nobody has told. */
  readonly addressOf: (node: NodeId) => Address | null;
  /** Whether it is a member of the cluster, as far as this one knows. */
  readonly isPeer: (node: NodeId) => boolean;
}

/**
 * Questions that the members of one cluster ask each other all the time, many at once on a connection that stays:
 * each member dials the others when it has something to ask, and answers on the connections that they dial. What
 * members ask before they know each other goes over `PeerCalls`.
 *
 * ```
 *  ask ─▶ OutgoingChannel ─▶ outbox ═ frames ═▶ IncomingChannel ─▶ handler of the path
 *     ◀─ answer ◀── inbox ◀══════════ frames ═══ outbox ◀───────────────┘
 * ```
 *
 * @example
 * channels.handle('/shard/report', (body, from) => takeReport(body, from));
 * const answer = await channels.ask(2, '/shard/report', encode(report), 1_000);
 */
export class PeerChannels {
  readonly #platform: Platform;
  readonly #transport: Transport;
  readonly #handlers = new Map<string, ChannelHandler>();
  readonly #outgoing = new Map<NodeId, OutgoingChannel>();
  readonly #incoming = new Set<IncomingChannel>();
  #identity: ChannelIdentity | null = null;
  #closed = false;

  /** `transport`: the one that members meet over. */
  constructor(platform: Platform, transport: Transport) {
    this.#platform = platform;
    this.#transport = transport;
  }

  /** Nobody is asked, and nobody answered, before it is known who is who. */
  open(identity: ChannelIdentity): void {
    this.#identity = identity;
  }

  /** From now on `handler` answers what is asked under `path`. A path has one handler. */
  handle(path: string, handler: ChannelHandler): void {
    this.#handlers.set(path, handler);
  }

  /**
   * Asks a member. Rejects at once with `FLOTILLA_PEER_CALL_FAILED` when it cannot be reached, the connection is lost, or
   * too much waits for it already; so when it does not answer in time, or its handler fails. `FLOTILLA_PEER_CALL_UNKNOWN`:
   * it does not know the path. `FLOTILLA_STOPPED`: this member stops.
   */
  async ask(node: NodeId, path: string, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return await this.#to(node).ask(path, body, timeoutMs);
  }

  /** Says something that nobody answers, and that may be lost. */
  tell(node: NodeId, path: string, body: Uint8Array): void {
    if (!this.#closed) this.#to(node).tell(path, body);
  }

  /** Whether it was tried in vain a moment ago. */
  isUnreachable(node: NodeId): boolean {
    return this.#outgoing.get(node)?.isUnreachable ?? false;
  }

  /** Takes a connection whose first bytes were those of a channel. */
  accept(connection: Connection): void {
    const identity = this.#identity;
    if (this.#closed || identity === null || this.#incoming.size >= limits.channels) {
      connection.destroy();
      return;
    }
    const channel: IncomingChannel = new IncomingChannel(
      {
        platform: this.#platform,
        transport: this.#transport,
        nodeId: identity.nodeId,
        clusterId: identity.clusterId,
        handlers: this.#handlers,
        isPeer: identity.isPeer,
        closed: () => this.#incoming.delete(channel),
      },
      connection,
    );
    this.#incoming.add(channel);
  }

  /** Whoever waits hears so. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const stopped = new FlotillaError('FLOTILLA_STOPPED', 'this member stops');
    for (const channel of this.#outgoing.values()) channel.close(stopped);
    for (const channel of this.#incoming) channel.destroy();
  }

  #to(node: NodeId): OutgoingChannel {
    const identity = this.#identity;
    if (this.#closed || identity === null) {
      throw new FlotillaError('FLOTILLA_STOPPED', 'this member stops, or has not started');
    }
    let channel = this.#outgoing.get(node);
    if (channel === undefined) {
      channel = new OutgoingChannel({
        platform: this.#platform,
        transport: this.#transport,
        random: this.#platform.random.fork(`channel-${node}`),
        nodeId: identity.nodeId,
        clusterId: identity.clusterId,
        peer: node,
        address: () => identity.addressOf(node),
      });
      this.#outgoing.set(node, channel);
    }
    return channel;
  }
}
