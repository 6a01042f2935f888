import type { Address, Connection, Listener, Platform, Random, Timer } from '@flotilla/platform';
import { FlotillaError, isFlotillaError, messageOf } from '@flotilla/platform';
import type { NodeId } from '../core/types.ts';
import type { Transport } from '../transport/types.ts';
import type { FrameKind } from './frame.ts';
import {
  decodeHello,
  decodeRefusal,
  decodeWelcome,
  encodeHello,
  encodeRefusal,
  encodeWelcome,
  isOther,
  judgeHello,
  judgeWelcome,
  otherInstance,
  removal,
  protocolVersions,
} from './handshake.ts';
import type { HandshakePolicy, Hello, Refusal, Welcome } from './handshake.ts';
import type { HostLimits } from './limits.ts';
import { decodeBatch } from './messages.ts';
import type { HostMessage } from './messages.ts';
import type { HostMetrics } from './metrics.ts';
import { PeerConnection } from './peer-connection.ts';
import { PeerLink } from './peer-link.ts';
import type { GroupId } from './types.ts';

export interface PeerNetworkOptions {
  readonly platform: Platform;
  readonly clusterId: bigint;
  readonly nodeId: NodeId;
  readonly incarnation: number;
  readonly instance: bigint;
  /** The instance that a peer is known by; null: none is known. */
  readonly instanceOf: (peer: NodeId) => bigint | null;
  /** Null: what a peer with this data sends may count. Otherwise to be asked again then. */
  readonly meet: (peer: NodeId, instance: bigint) => Promise<void> | null;
  /** Whether one that is no peer may connect, and is one from then on. */
  readonly admits: (peer: NodeId) => boolean;
  /** The groups here that have removed it, when none has it as a member. */
  readonly removedFrom: (peer: NodeId) => readonly GroupId[];
  /** Where the others listen. */
  readonly peers: ReadonlyMap<NodeId, Address>;
  readonly transport: Transport;
  readonly limits: HostLimits;
  readonly metrics: HostMetrics;
  /** A connection on which nothing comes for this long is closed: silence and a broken connection are one thing. */
  readonly silenceMs: number;
  readonly handler: PeerNetworkHandler;
}

export interface PeerNetworkHandler {
  /** Bytes came, from whomever. Called before they are read. */
  received(nowMs: number): void;
  message(link: PeerLink, message: HostMessage): void;
  /**
   * `forwardsArrived`: how many of the forwarded proposals that were ever written to this life of the peer have
   * arrived there. Null: nobody knows, because the peer begins to count only now.
   */
  connected(link: PeerLink, forwardsArrived: number | null): void;
  disconnected(link: PeerLink, reason: Error): void;
  drained(link: PeerLink): void;
  /** A peer knows this member with other data, and will have nothing to do with this one. */
  disowned(error: FlotillaError): void;
  /** A peer says that these groups have removed this member. */
  removed(link: PeerLink, groups: readonly GroupId[]): void;
}

/**
 * One connection per pair of members.
 *
 * The member with the lower id dials. One connection for both directions, rather than one for each, because then the
 * connection *is* the liveness of the pair: both sides send heartbeats on it, whoever hears nothing for the election
 * time-out closes it, and the other side sees that at once. A cut in one direction only (A reaches B, B does not reach
 * A) becomes a cut in both, which is the kind that Raft's elections are good at; with two connections A would look alive
 * to B for ever. And two members that dial each other at the same time need no tie-break. The price: a member that comes
 * back with a higher id waits for the next attempt of its peers, at most {@link HostLimits.reconnectMaxMs}.
 */
export class PeerNetwork {
  readonly #links = new Map<NodeId, PeerLink>();
  readonly #addresses = new Map<NodeId, Address>();
  readonly #options: PeerNetworkOptions;
  readonly #policy: HandshakePolicy;
  readonly #random: Random;
  readonly #dialers = new Map<NodeId, Dialer>();
  /** Of members that should dial: when they were last connected or knocked at. */
  readonly #knocks = new Map<NodeId, { readonly atMs: number; readonly dialer: Dialer | null }>();
  /** Dial on for a while after {@link PeerNetwork.removePeer}, to tell a removed member that it was removed. */
  readonly #farewells = new Map<NodeId, Dialer>();
  readonly #strangers = new Set<PeerConnection>();
  #listener: Listener | null = null;
  #closed = false;
  #closing: Promise<void> | null = null;

  constructor(options: PeerNetworkOptions) {
    this.#options = options;
    const { platform, nodeId } = options;
    this.#random = platform.random.fork('peer-network');
    this.#policy = {
      clusterId: options.clusterId,
      nodeId,
      isPeer: (id) => this.#links.has(id) || options.admits(id),
      removedFrom: options.removedFrom,
      instanceOf: options.instanceOf,
    };
    for (const [id, address] of options.peers) if (id !== nodeId) this.setPeer(id, address);
  }

  /** The peers of this moment. */
  get links(): ReadonlyMap<NodeId, PeerLink> {
    return this.#links;
  }

  /** Those that were let in and that nobody has told of. */
  get guests(): readonly PeerLink[] {
    if (this.#links.size === this.#addresses.size) return [];
    return [...this.#links.values()].filter(({ id }) => !this.#addresses.has(id));
  }

  /** Rejects with the platform's error when the address cannot be listened on. */
  async start(address: Address): Promise<Address> {
    const { transport } = this.#options;
    this.#listener = await transport.listen(address, (connection) => this.#accept(connection));
    for (const link of this.#links.values()) this.#dial(link);
    return this.#listener.address;
  }

  /**
   * Known under that address from now on; where it was known before it is hung up on. Its link stays, and with it the
   * count of what it has forwarded: it is the same life of the same peer, which must not take that for lost.
   */
  setPeer(id: NodeId, address: Address): void {
    const former = this.#addresses.get(id);
    // Whatever else an address says is for the transport: the same port may speak TLS from now on.
    if (former !== undefined && JSON.stringify(former) === JSON.stringify(address)) return;
    this.#farewells.get(id)?.stop();
    this.#farewells.delete(id);
    // One that was admitted has connected, and will again: that is as good as being told of it.
    const link = this.#links.get(id) ?? this.#addLink(id);
    this.#addresses.set(id, address);
    if (former !== undefined) this.#hangUp(link, `member ${id} has another address`)?.stop();
    if (this.#listener !== null) this.#dial(link);
  }

  #addLink(id: NodeId): PeerLink {
    const { platform, limits, metrics } = this.#options;
    const link = new PeerLink(id, platform, limits, metrics);
    this.#links.set(id, link);
    return link;
  }

  /** What is queued for it is dropped. */
  removePeer(id: NodeId): void {
    const link = this.#links.get(id);
    if (link === undefined) return;
    const told = this.tellRemoved(link);
    const dialer = this.#hangUp(link, `member ${id} is no peer any more`);
    this.#links.delete(id);
    this.#addresses.delete(id);
    if (dialer === null) return;
    // Of two members this one dials: a removed member that is away now would never hear of it.
    if (this.#policy.removedFrom(id).length > 0 && !told && !this.#closed) this.#sayFarewell(id, dialer);
    else dialer.stop();
  }

  /** Answers the dialer, which goes on until it is stopped; null: of the two the other one dials. */
  #hangUp(link: PeerLink, reason: string): Dialer | null {
    link.connection?.close(new FlotillaError('FLOTILLA_PEER_CLOSED', reason));
    this.#knocks.get(link.id)?.dialer?.stop();
    this.#knocks.delete(link.id);
    const dialer = this.#dialers.get(link.id) ?? null;
    this.#dialers.delete(link.id);
    return dialer;
  }

  /** Ends the connection with a word why. False: there is none. */
  tellRemoved(link: PeerLink): boolean {
    const { connection } = link;
    if (connection === null) return false;
    const groups = this.#policy.removedFrom(link.id);
    if (groups.length === 0) return false;
    link.flush();
    dismiss(connection, removal(link.id, groups));
    return true;
  }

  /** The handshake's judgement of instances, passed again: more may be known by now than when a connection began. */
  judgeInstances(): void {
    for (const link of this.links.values()) {
      const { connection, id, instance } = link;
      // Asked for those that are away, too: what is known of them is remembered.
      const other = isOther({ from: id, instance }, this.#policy);
      if (connection === null || !other) continue;
      dismiss(connection, { code: 'FLOTILLA_PEER_OTHER_INSTANCE', message: otherInstance(id) });
    }
  }

  #dial(link: PeerLink): void {
    const address = this.#addresses.get(link.id);
    if (address === undefined || link.id < this.#options.nodeId || this.#closed) return;
    const dialer = new Dialer(this.#options, link, address, this.#policy, this.#random, this.#tie, true);
    this.#dialers.set(link.id, dialer);
    dialer.dial();
  }

  #sayFarewell(id: NodeId, dialer: Dialer): void {
    this.#farewells.set(id, dialer);
    this.#options.platform.timer(this.#options.limits.farewellMs, 'peer-farewell', () => {
      dialer.stop();
      if (this.#farewells.get(id) === dialer) this.#farewells.delete(id);
    });
  }

  /** Closes every connection whose other side has been silent for too long. */
  closeSilent(): void {
    const { platform, silenceMs } = this.#options;
    const now = platform.now();
    for (const link of this.links.values()) {
      const connection = link.connection;
      if (connection === null || now - connection.lastReceivedMs <= silenceMs) continue;
      connection.close(
        new FlotillaError('FLOTILLA_PEER_SILENT', `nothing came from member ${link.id} for ${silenceMs} ms`),
      );
    }
  }

  /**
   * Of two members the one with the lower id dials. One that is behind may not know yet that the other is there: nobody
   * would ever tell it, if that one leads by now and those it knows are gone. So who should be dialed dials, too, when
   * nothing comes for long (membership simulation, seed 73).
   */
  knock(): void {
    const { platform, limits, nodeId } = this.#options;
    const now = platform.now();
    for (const link of this.links.values()) {
      const address = this.#addresses.get(link.id);
      if (link.id > nodeId || address === undefined) continue;
      const last = this.#knocks.get(link.id);
      if (link.connection !== null || last === undefined) {
        this.#knocks.set(link.id, { atMs: now, dialer: last?.dialer ?? null });
      } else if (now - last.atMs >= limits.knockMs) {
        last.dialer?.stop();
        const dialer = new Dialer(this.#options, link, address, this.#policy, this.#random, this.#tie, false);
        this.#knocks.set(link.id, { atMs: now, dialer });
        dialer.dial();
      }
    }
  }

  /** After this process was stopped: what is buffered in sockets is old, and no peer waits for us any more. */
  closeAll(reason: Error): void {
    for (const link of this.links.values()) link.connection?.close(reason);
    for (const stranger of this.#strangers) stranger.close(reason);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#closed = true;
    for (const dialer of this.#dialers.values()) dialer.stop();
    for (const dialer of this.#farewells.values()) dialer.stop();
    for (const { dialer } of this.#knocks.values()) dialer?.stop();
    this.closeAll(new FlotillaError('FLOTILLA_STOPPED', 'this member stops'));
    await this.#listener?.close();
  }

  #accept(raw: Connection): void {
    const { platform, limits, metrics } = this.#options;
    if (this.#closed || this.#strangers.size >= limits.pendingHandshakes) {
      raw.destroy();
      return;
    }
    let link: PeerLink | null = null;
    let hello: Hello | null = null;
    const connection = new PeerConnection(platform, raw, limits, metrics, limits.handshakeTimeoutMs, {
      received: (nowMs) => this.#options.handler.received(nowMs),
      frame: (kind, body) => {
        if (link !== null) this.#receive(link, kind, body);
        else if (hello !== null) {
          throw new FlotillaError('FLOTILLA_PEER_MALFORMED', `a ${kind} frame before the welcome`);
        } else {
          const first = helloIn(kind, body);
          hello = first;
          this.#met(connection, first, () => (link = this.#greet(raw, connection, first)));
        }
      },
      drained: () => {
        if (link !== null) this.#options.handler.drained(link);
      },
      closed: (reason) => {
        this.#strangers.delete(connection);
        if (link !== null) this.#untie(link, connection, reason);
        else if (!this.#closed) {
          platform.log.warn('closed a connection before it said who it is', {
            remote: connection.remote,
            reason: messageOf(reason),
            code: isFlotillaError(reason) ? reason.code : 'unknown',
          });
        }
      },
    });
    this.#strangers.add(connection);
    connection.start();
  }

  /** Greets when it is known for good whose data the dialer has. It waits for its welcome: nothing comes before. */
  #met(connection: PeerConnection, hello: Hello, greet: () => void): void {
    const writing =
      typeof judgeHello(hello, this.#policy) === 'number'
        ? this.#options.meet(hello.from, hello.instance)
        : null;
    if (writing === null) return greet();
    void writing.then(() => {
      if (connection.closed) return;
      if (this.#closed || this.#options.meet(hello.from, hello.instance) !== null)
        connection.close(notWritten());
      else connection.guard(greet);
    });
  }

  /** The accepting side of the handshake. Null: the connection was refused. */
  #greet(raw: Connection, connection: PeerConnection, hello: Hello): PeerLink | null {
    const verdict = judgeHello(hello, this.#policy);
    if (typeof verdict !== 'number') return this.#refuse(connection, verdict);
    const impostor = impostorAt(this.#options.transport, raw, hello.from);
    if (impostor !== null) return this.#refuse(connection, impostor);
    if (hello.from > this.#options.nodeId && this.#addresses.has(hello.from)) {
      return this.#refuse(connection, {
        code: 'FLOTILLA_PEER_REFUSED',
        message: 'of two members the one with the lower id dials',
      });
    }
    const link = this.#links.get(hello.from) ?? this.#addLink(hello.from);
    const former = link.connection;
    if (former !== null) {
      if (hello.incarnation !== link.incarnation) {
        // Either the peer was started anew and the end of its former life has not been noticed yet, or two processes
        // run under one name. In the first case the old connection falls silent and the next attempt succeeds; in the
        // second, the one that is alive keeps its place instead of both cutting each other off for ever.
        return this.#refuse(connection, {
          code: 'FLOTILLA_PEER_DUPLICATE_ID',
          message: `another process is connected here as member ${hello.from}`,
        });
      }
      former.close(new FlotillaError('FLOTILLA_PEER_CLOSED', `member ${hello.from} has dialed again`));
    }
    // From before this connection: a link that begins to count with it must not pass for one that has heard nothing.
    const knows = link.incarnation;
    this.#strangers.delete(connection);
    connection.handshakeDone();
    link.attach(connection, hello.incarnation, hello.instance);
    connection.writeHandshake('welcome', (writer) =>
      encodeWelcome(writer, {
        version: verdict,
        clusterId: this.#options.clusterId,
        from: this.#options.nodeId,
        incarnation: this.#options.incarnation,
        instance: this.#options.instance,
        knows,
        forwardsReceived: link.forwardsReceived,
      }),
    );
    this.#tied(link, connection, this.#arrivedAt(hello));
    return link;
  }

  #refuse(connection: PeerConnection, refusal: Refusal): null {
    this.#options.metrics.handshakesRefused += 1;
    connection.writeHandshake('refusal', (writer) => encodeRefusal(writer, refusal));
    connection.closeGently(new FlotillaError(refusal.code, refusal.message));
    return null;
  }

  /** The dialing side of the handshake: `welcome` was found good. */
  readonly #tie = (link: PeerLink, connection: PeerConnection, welcome: Welcome): ConnectionOwner => {
    connection.handshakeDone();
    link.attach(connection, welcome.incarnation, welcome.instance);
    this.#tied(link, connection, this.#arrivedAt(welcome));
    return {
      frame: (kind, body) => this.#receive(link, kind, body),
      drained: () => this.#options.handler.drained(link),
      closed: (reason) => this.#untie(link, connection, reason),
    };
  };

  /**
   * How many of our forwarded proposals the sender of `greeting` has received; null: it has not counted all of them. It
   * meets this life for the first time, or had removed this member from its peers for a while. The one cannot be told
   * from the other, and in the second case they may have arrived.
   */
  #arrivedAt(greeting: Pick<Hello, 'knows' | 'forwardsReceived'>): number | null {
    return greeting.knows === this.#options.incarnation ? greeting.forwardsReceived : null;
  }

  #tied(link: PeerLink, connection: PeerConnection, forwardsArrived: number | null): void {
    this.#options.metrics.connectionsOpened += 1;
    this.#options.platform.log.info('peer connected', { peer: link.id, remote: connection.remote });
    // Who begins to count begins at zero.
    link.forwardsSent = forwardsArrived ?? 0;
    this.#options.handler.connected(link, forwardsArrived);
  }

  #untie(link: PeerLink, connection: PeerConnection, reason: Error): void {
    if (link.connection !== connection) return;
    link.detach();
    this.#options.metrics.connectionsLost += 1;
    if (!this.#closed) {
      this.#options.platform.log.warn('peer disconnected', {
        peer: link.id,
        reason: messageOf(reason),
        code: isFlotillaError(reason) ? reason.code : 'unknown',
      });
    }
    this.#options.handler.disconnected(link, reason);
  }

  #receive(link: PeerLink, kind: FrameKind, body: Uint8Array): void {
    if (kind === 'refusal') throw refusalOf(link, body, this.#options.handler);
    if (kind !== 'batch') {
      throw new FlotillaError('FLOTILLA_PEER_MALFORMED', `a ${kind} frame after the handshake`);
    }
    const { metrics, handler, nodeId } = this.#options;
    metrics.framesReceived += 1;
    decodeBatch(body, link.id, nodeId, (message) => {
      metrics.messagesReceived += 1;
      if (message.type === 'raft' && message.message.type === 'propose') link.forwardsReceived += 1;
      handler.message(link, message);
    });
  }
}

interface ConnectionOwner {
  frame(kind: FrameKind, body: Uint8Array): void;
  drained(): void;
  closed(reason: Error): void;
}

interface HeldFrame {
  readonly kind: FrameKind;
  readonly body: Uint8Array;
}

type Tie = (link: PeerLink, connection: PeerConnection, welcome: Welcome) => ConnectionOwner;

/** Keeps one outgoing connection: dials, greets, and, unless it only knocks, dials again after a pause when it breaks. */
class Dialer {
  readonly #options: PeerNetworkOptions;
  readonly #link: PeerLink;
  readonly #address: Address;
  readonly #policy: HandshakePolicy;
  readonly #random: Random;
  readonly #tie: Tie;
  readonly #again: boolean;
  #pauseMs: number;
  #timer: Timer | null = null;
  #stopped = false;
  #lastComplaint = '';
  #current: PeerConnection | null = null;

  constructor(
    options: PeerNetworkOptions,
    link: PeerLink,
    address: Address,
    policy: HandshakePolicy,
    random: Random,
    tie: Tie,
    again: boolean,
  ) {
    this.#options = options;
    this.#link = link;
    this.#address = address;
    this.#policy = policy;
    this.#random = random;
    this.#tie = tie;
    this.#again = again;
    this.#pauseMs = options.limits.reconnectMinMs;
  }

  dial(): void {
    this.#options.transport.connect(this.#address, { peer: this.#link.id, timeoutMs: this.#timeoutMs }).then(
      (connection) => this.#connected(connection),
      (error: unknown) => this.#lost(error),
    );
  }

  /** A peer that takes longer than an election to say hello is no better than a silent one, and is tried anew. */
  get #timeoutMs(): number {
    return Math.min(this.#options.silenceMs, this.#options.limits.handshakeTimeoutMs);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#current?.close(new FlotillaError('FLOTILLA_STOPPED', 'this member stops'));
  }

  #connected(raw: Connection): void {
    if (this.#stopped) {
      raw.destroy();
      return;
    }
    const { platform, limits, metrics, transport } = this.#options;
    if (!this.#again && this.#link.connection !== null) {
      raw.destroy();
      return;
    }
    const impostor = impostorAt(transport, raw, this.#link.id);
    const timeoutMs = this.#timeoutMs;
    let owner: ConnectionOwner | null = null;
    /** What comes before it is known for good whose data the peer has. */
    let held: HeldFrame[] | null = null;
    const connection = new PeerConnection(platform, raw, limits, metrics, timeoutMs, {
      received: (nowMs) => this.#options.handler.received(nowMs),
      frame: (kind, body) => {
        if (owner !== null) return owner.frame(kind, body);
        if (held !== null) return void held.push({ kind, body: body.slice() });
        const welcome = this.#answered(connection, kind, body);
        if (welcome === null) return;
        const frames: HeldFrame[] = [];
        held = frames;
        this.#met(connection, welcome, () => {
          owner = this.#tie(this.#link, connection, welcome);
          this.#pauseMs = limits.reconnectMinMs;
          this.#lastComplaint = '';
          for (const frame of frames) if (!connection.closed) owner.frame(frame.kind, frame.body);
        });
      },
      drained: () => owner?.drained(),
      closed: (reason) => {
        this.#current = null;
        owner?.closed(reason);
        this.#lost(reason);
      },
    });
    this.#current = connection;
    if (impostor !== null) {
      // It hears why, so that its own log says it, too.
      connection.start();
      connection.writeHandshake('refusal', (writer) => encodeRefusal(writer, impostor));
      connection.closeGently(new FlotillaError(impostor.code, impostor.message));
      return;
    }
    // One by which the other side has knocked: what hello says to have received must be all that was.
    this.#link.connection?.close(
      new FlotillaError('FLOTILLA_PEER_CLOSED', `member ${this.#link.id} is dialed`),
    );
    connection.start();
    connection.writeHandshake('hello', (writer) =>
      encodeHello(writer, {
        minVersion: protocolVersions.min,
        maxVersion: protocolVersions.max,
        clusterId: this.#options.clusterId,
        from: this.#options.nodeId,
        to: this.#link.id,
        incarnation: this.#options.incarnation,
        instance: this.#options.instance,
        knows: this.#link.incarnation,
        forwardsReceived: this.#link.forwardsReceived,
      }),
    );
  }

  /** The other side goes on as if it were met: it is not read from meanwhile. */
  #met(connection: PeerConnection, { from, instance }: Welcome, tie: () => void): void {
    const writing = this.#options.meet(from, instance);
    if (writing === null) return tie();
    connection.pause();
    void writing.then(() => {
      if (connection.closed) return;
      connection.guard(() => {
        if (this.#options.meet(from, instance) !== null) throw notWritten();
        if (this.#link.connection !== null) throw dialedMeanwhile(this.#link);
        tie();
        connection.resume();
      });
    });
  }

  #answered(connection: PeerConnection, kind: FrameKind, body: Uint8Array): Welcome | null {
    if (kind === 'refusal') throw refusalOf(this.#link, body, this.#options.handler);
    if (kind !== 'welcome') {
      throw new FlotillaError('FLOTILLA_PEER_MALFORMED', `answered hello with a ${kind} frame`);
    }
    const welcome = decodeWelcome(body);
    if (this.#link.connection !== null) {
      throw dialedMeanwhile(this.#link);
    }
    try {
      judgeWelcome(welcome, this.#link.id, this.#policy);
      return welcome;
    } catch (error) {
      const code = isFlotillaError(error) ? error.code : null;
      if (code !== 'FLOTILLA_PEER_OTHER_INSTANCE' && code !== 'FLOTILLA_PEER_REMOVED') throw error;
      // The other side believes to be welcome: it must hear that it is not.
      const groups = this.#policy.removedFrom(this.#link.id);
      const refusal: Refusal = { code, message: messageOf(error), groups };
      connection.writeFrame('refusal', (writer) => encodeRefusal(writer, refusal));
      connection.closeGently(new FlotillaError(code, messageOf(error)));
      return null;
    }
  }

  #lost(reason: unknown): void {
    if (this.#stopped || !this.#again) return;
    const { platform, limits, metrics } = this.#options;
    const mismatch = isFlotillaError(reason) && lastingCodes.has(reason.code);
    if (mismatch) metrics.handshakesRefused += 1;
    const complaint = messageOf(reason);
    // Said once, not at every attempt.
    if (complaint !== this.#lastComplaint) {
      this.#lastComplaint = complaint;
      const fields = {
        peer: this.#link.id,
        reason: complaint,
        code: isFlotillaError(reason) ? reason.code : 'unknown',
      };
      if (mismatch) platform.log.error('peer refused', fields);
      else platform.log.info('peer cannot be reached', fields);
    }
    let pauseMs = mismatch ? limits.refusedRetryMs : this.#pauseMs;
    // It applies the entry that adds us soon.
    if (isFlotillaError(reason, 'FLOTILLA_PEER_UNKNOWN')) pauseMs = limits.unknownRetryMs;
    this.#pauseMs = Math.min(this.#pauseMs * 2, limits.reconnectMaxMs);
    // Jitter, so that members that lost each other together do not knock together.
    const jitteredMs = pauseMs * (0.5 + this.#random.float() / 2);
    this.#timer?.cancel();
    this.#timer = platform.timer(jitteredMs, 'peer-dial', () => this.dial());
  }
}

function helloIn(kind: FrameKind, body: Uint8Array): Hello {
  if (kind === 'refusal') {
    const { code, message } = decodeRefusal(body);
    throw new FlotillaError(code, `remote error: ${message}`);
  }
  if (kind !== 'hello') {
    throw new FlotillaError('FLOTILLA_PEER_MALFORMED', `the first frame is a ${kind}, not a hello`);
  }
  return decodeHello(body);
}

function dialedMeanwhile({ id }: PeerLink): FlotillaError {
  return new FlotillaError('FLOTILLA_PEER_CLOSED', `member ${id} has dialed meanwhile`);
}

function notWritten(): FlotillaError {
  return new FlotillaError('FLOTILLA_PEER_CLOSED', 'it is being written down whose data the peer has');
}

/** Ends the connection with a word why. */
function dismiss(connection: PeerConnection, refusal: Refusal): void {
  connection.writeFrame('refusal', (writer) => encodeRefusal(writer, refusal));
  connection.closeGently(new FlotillaError(refusal.code, refusal.message));
}

/** Null: the other end is `peer`, as far as the transport can tell. */
function impostorAt(transport: Transport, connection: Connection, peer: NodeId): Refusal | null {
  try {
    transport.authenticate?.(connection, peer);
    return null;
  } catch (error) {
    return { code: 'FLOTILLA_PEER_CERTIFICATE', message: messageOf(error) };
  }
}

function refusalOf(link: PeerLink, body: Uint8Array, handler: PeerNetworkHandler): FlotillaError {
  const refusal = decodeRefusal(body);
  const error = new FlotillaError(refusal.code, `member ${link.id} refused: ${refusal.message}`);
  if (refusal.code === 'FLOTILLA_PEER_OTHER_INSTANCE') handler.disowned(error);
  else if (refusal.code === 'FLOTILLA_PEER_REMOVED') handler.removed(link, refusal.groups ?? []);
  return error;
}

/** Refusals that only somebody's configuration can change. */
const lastingCodes: ReadonlySet<string> = new Set([
  'FLOTILLA_PEER_REFUSED',
  'FLOTILLA_PEER_VERSION',
  'FLOTILLA_PEER_CLUSTER_MISMATCH',
  'FLOTILLA_PEER_ID_MISMATCH',
  'FLOTILLA_PEER_REMOVED',
  'FLOTILLA_PEER_OTHER_INSTANCE',
  'FLOTILLA_PEER_CERTIFICATE',
  'FLOTILLA_TLS_UNTRUSTED',
]);
