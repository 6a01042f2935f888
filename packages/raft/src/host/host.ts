import { assert, FlotillaError, messageOf } from '@flotilla/platform';
import type { Address, Platform, Timer, TlsOptions } from '@flotilla/platform';
import type { Configuration, Index, NodeId, Term, Write } from '../core/types.ts';
import type { LogRecord, LogStats, OpenedLog, RecoveredGroup, WriteAheadLog } from '../log/types.ts';
import { openLog } from '../log/open-log.ts';
import { resolveConfig } from './config.ts';
import type { HostConfig, ResolvedConfig } from './config.ts';
import { nextIncarnation } from './incarnation.ts';
import type { HostMessage, Leadership } from './messages.ts';
import { createMetrics } from './metrics.ts';
import type { HostMetrics } from './metrics.ts';
import { originBound } from './origin.ts';
import type { PeerLink } from './peer-link.ts';
import { PeerNetwork } from './peer-network.ts';
import { Replica } from './replica.ts';
import type { AnyReplica, ReplicaContext, SnapshotWish } from './replica.ts';
import { restoration } from './restore.ts';
import { SnapshotSend } from './snapshot-send.ts';
import type { Group, GroupId, GroupStatus, StateMachine } from './types.ts';

export interface HostOptions {
  readonly platform: Platform;
  /** From 1 to 2^32 - 1, and never used again by another member of this cluster. */
  readonly nodeId: NodeId;
  /** An unsigned 64-bit number: members of other clusters are refused. */
  readonly clusterId: bigint;
  /** Holds the log and nothing else; created when it is not there. One host at a time. */
  readonly directory: string;
  /** Where each member listens; this one may be among them. */
  readonly peers: ReadonlyMap<NodeId, Address>;
  readonly listen: Address;
  readonly tls?: TlsOptions;
  readonly config?: HostConfig;
  /**
   * Unlike in any other life of this member, below 2^48. From {@link nextIncarnation} unless given. One that was used
   * before can answer a proposal with the result of another.
   */
  readonly incarnation?: number;
  /**
   * An unsigned 64-bit number of this member's data, chosen when the data was made. With {@link HostOptions.instanceOf}
   * a member that comes back without its data, and without its votes, is kept out: it stops.
   */
  readonly instance?: bigint;
  /** The instance that a peer is known by; null: none is known yet, and any is welcome. */
  readonly instanceOf?: (peer: NodeId) => bigint | null;
}

export interface PeerStatus {
  readonly id: NodeId;
  readonly alive: boolean;
  readonly incarnation: number;
  readonly queuedBytes: number;
}

export interface HostStatus {
  readonly nodeId: NodeId;
  readonly incarnation: number;
  /** Why the host has stopped, or null. */
  readonly failure: string | null;
  readonly peers: readonly PeerStatus[];
  readonly groups: readonly (GroupStatus & { readonly group: GroupId })[];
  readonly log: LogStats;
}

export interface GroupOptions<Result> {
  readonly id: GroupId;
  readonly stateMachine: StateMachine<Result>;
  /** In force until the log says otherwise. Equal at every member, and at every start until the first compaction. */
  readonly initialConfiguration: Configuration;
}

/**
 * Runs many Raft groups over one log and one connection per peer.
 *
 * @example
 * const host = await createHost({ platform, nodeId, clusterId, directory: 'data/raft', peers, listen });
 * const group = await host.openGroup({ id: 0, stateMachine, initialConfiguration });
 * const result = await group.propose(payload, { timeoutMs: 5_000 });
 */
export interface Host {
  /** Where it really listens. */
  readonly address: Address;
  readonly incarnation: number;
  readonly metrics: Readonly<HostMetrics>;
  /** Rejects with `FLOTILLA_GROUP_EXISTS` when it is open already, and `FLOTILLA_STOPPED`. */
  openGroup<Result>(options: GroupOptions<Result>): Promise<Group<Result>>;
  status(): HostStatus;
  /**
   * Called once, when the host stops because going on could lose data: a failed disk, a state machine that threw, a
   * broken assertion. Nothing is acknowledged any more, and every pending call has been rejected.
   */
  onFatal(listener: (error: Error) => void): void;
  /** Rejects every pending call with `FLOTILLA_STOPPED`, and lets go of the log and the port. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens the log and listens. Rejects with `FLOTILLA_CONFIG_INVALID`, with the log's errors (`FLOTILLA_LOG_DAMAGED`,
 * `FLOTILLA_LOG_FOREIGN`, `FLOTILLA_DISK_LOCKED`, …) and with the network's (`FLOTILLA_ADDRESS_IN_USE`, …).
 */
export async function createHost(options: HostOptions): Promise<Host> {
  const { platform, nodeId, directory, clusterId } = options;
  const config = resolveConfig(options.config ?? {});
  if (nodeId < 1 || nodeId > 0xffff_ffff) {
    throw new FlotillaError('FLOTILLA_CONFIG_INVALID', 'nodeId must be between 1 and 2^32 - 1');
  }
  const opened = await openLog(platform, {
    directory: `${directory}/log`,
    clusterId,
    nodeId,
    limits: config.logLimits,
  });
  try {
    // After the log's lock is held: two processes that count at once would live under one number.
    const incarnation = options.incarnation ?? (await nextIncarnation(platform, directory));
    assert(incarnation >= 0 && incarnation < originBound, 'an incarnation is below 2^48');
    const host = new RaftHost(options, config, opened, incarnation);
    await host.start();
    return host;
  } catch (error) {
    await opened.log.close();
    throw error;
  }
}

class RaftHost implements Host, ReplicaContext {
  readonly platform: Platform;
  readonly nodeId: NodeId;
  readonly incarnation: number;
  readonly config: ResolvedConfig;
  readonly metrics: HostMetrics = createMetrics();
  readonly log: WriteAheadLog;
  readonly links: ReadonlyMap<NodeId, PeerLink>;
  readonly #options: HostOptions;
  readonly #recovered: ReadonlyMap<GroupId, RecoveredGroup>;
  readonly #network: PeerNetwork;
  readonly #replicas = new Map<GroupId, AnyReplica>();
  readonly #opening = new Set<GroupId>();
  #address: Address;
  #ready: AnyReplica[] = [];
  #turnScheduled = false;
  #records: LogRecord[] = [];
  readonly #sends = new Map<number, SnapshotSend>();
  #nextTransfer = 1;
  #leads: readonly Leadership[] = [];
  #leadershipDue = false;
  #beatTimer: Timer | null = null;
  #lastBeatMs: number;
  #tickTimer: Timer | null = null;
  #lastTickMs = 0;
  #sweepTimer: Timer | null = null;
  /** Replicas that may want ticks, and that have deadlines: idle groups cost nothing, however many there are. */
  readonly #ticking = new Set<AnyReplica>();
  readonly #watched = new Set<AnyReplica>();
  #failure: Error | null = null;
  readonly #fatalListeners: ((error: Error) => void)[] = [];
  #closing: Promise<void> | null = null;

  constructor(options: HostOptions, config: ResolvedConfig, opened: OpenedLog, incarnation: number) {
    this.#options = options;
    this.platform = options.platform;
    this.nodeId = options.nodeId;
    this.incarnation = incarnation;
    this.config = config;
    this.log = opened.log;
    this.#recovered = opened.groups;
    this.#address = options.listen;
    this.#lastBeatMs = options.platform.now();
    this.#network = new PeerNetwork({
      platform: options.platform,
      clusterId: options.clusterId,
      nodeId: options.nodeId,
      incarnation,
      instance: options.instance ?? 0n,
      instanceOf: options.instanceOf ?? (() => null),
      peers: options.peers,
      ...(options.tls === undefined ? {} : { tls: options.tls }),
      limits: config.limits,
      metrics: this.metrics,
      silenceMs: config.electionMs,
      handler: {
        received: (nowMs) => this.#noticePause(nowMs),
        message: (link, message) => this.#guard(() => this.#receive(link, message)),
        connected: (link, arrived) => this.#guard(() => this.#connected(link, arrived)),
        disconnected: (link) => this.#guard(() => this.#disconnected(link)),
        drained: () => undefined,
        disowned: (error) => this.fail(error),
      },
    });
    this.links = this.#network.links;
    this.log.onFailure((error) => this.fail(error));
  }

  get address(): Address {
    return this.#address;
  }

  async start(): Promise<void> {
    this.#address = await this.#network.start(this.#options.listen);
    this.#armBeat();
  }

  async openGroup<Result>(options: GroupOptions<Result>): Promise<Group<Result>> {
    const { id, stateMachine, initialConfiguration } = options;
    this.#requireRunning();
    if (this.#replicas.has(id) || this.#opening.has(id)) {
      throw new FlotillaError('FLOTILLA_GROUP_EXISTS', `group ${id} is open already`);
    }
    this.#opening.add(id);
    try {
      const { restored, repair } = restoration(
        this.#recovered.get(id),
        stateMachine.applied,
        initialConfiguration,
      );
      if (repair !== null) await this.log.append([{ group: id, write: repair }]);
      this.#requireRunning();
      const replica = new Replica<Result>(this, id, stateMachine, restored);
      this.#replicas.set(id, replica);
      for (const link of this.links.values()) {
        if (link.alive) replica.peerAlive(link.id, link.leads.get(id) ?? null);
      }
      replica.campaignIfAlone();
      this.schedule(replica);
      return replica;
    } finally {
      this.#opening.delete(id);
    }
  }

  status(): HostStatus {
    return {
      nodeId: this.nodeId,
      incarnation: this.incarnation,
      failure: this.#failure?.message ?? null,
      peers: [...this.links.values()].map(({ id, alive, incarnation, queuedBytes }) => ({
        id,
        alive,
        incarnation,
        queuedBytes,
      })),
      groups: [...this.#replicas.values()].map((replica) => ({ group: replica.id, ...replica.status() })),
      log: this.log.stats(),
    };
  }

  onFatal(listener: (error: Error) => void): void {
    if (this.#failure === null) this.#fatalListeners.push(listener);
    else listener(this.#failure);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const stopped = this.#stoppedError();
    this.#stopTimers();
    const released = [...this.#replicas.values()].map((replica) => replica.close(stopped));
    for (const send of this.#sends.values()) send.finished(false);
    await this.#network.close();
    await Promise.all(released);
    // After a failure the log has nothing more to say.
    await this.log.close().catch((error: unknown) => {
      if (this.#failure === null) throw error;
    });
  }

  // What replicas call.

  schedule(replica: AnyReplica): void {
    if (!replica.scheduled) {
      replica.scheduled = true;
      this.#ready.push(replica);
    }
    this.flushSoon();
  }

  readonly flushSoon = (): void => {
    if (this.#turnScheduled || this.#stopped) return;
    this.#turnScheduled = true;
    this.platform.defer(this.#turn);
  };

  watchDeadlines(replica: AnyReplica): void {
    this.#watched.add(replica);
    this.#armSweep();
  }

  append(group: GroupId, write: Write): void {
    this.#records.push({ group, write });
  }

  leadershipChanged(): void {
    this.#leadershipDue = true;
  }

  oldestSnapshotSend(group: GroupId): Index | null {
    let oldest: Index | null = null;
    for (const send of this.#sends.values()) {
      if (send.group === group && (oldest === null || send.meta.index < oldest)) oldest = send.meta.index;
    }
    return oldest;
  }

  sendSnapshot(wish: SnapshotWish): void {
    const { replica, link, term, session, meta } = wish;
    const asked = session > 0;
    const busy = [...this.#sends.values()].some((send) => send.group === replica.id && send.link === link);
    if (busy || !link.alive || this.#sends.size >= this.config.limits.snapshotSends) {
      if (asked) replica.snapshotSent(link.id, false);
      return;
    }
    const transfer = this.#nextTransfer;
    this.#nextTransfer += 1;
    const send = new SnapshotSend({
      platform: this.platform,
      limits: this.config.limits,
      metrics: this.metrics,
      link,
      group: replica.id,
      transfer,
      term,
      session,
      meta,
      source: replica.snapshotSource(),
      flushSoon: this.flushSoon,
    });
    this.#sends.set(transfer, send);
    this.platform.log.info('sending a snapshot', { group: replica.id, peer: link.id, index: meta.index });
    send.run().then((ok) => {
      this.#sends.delete(transfer);
      if (this.#stopped) return;
      if (!ok) this.platform.log.warn('a snapshot was not taken in', { group: replica.id, peer: link.id });
      if (asked) this.#guard(() => replica.snapshotSent(link.id, ok));
    }, this.fail);
  }

  /** Going on could lose data or lie. Nothing is answered after this. */
  readonly fail = (error: unknown): void => {
    if (this.#stopped) return;
    const failure =
      error instanceof Error ? error : new FlotillaError('FLOTILLA_ASSERTION', messageOf(error));
    this.#failure = failure;
    this.platform.log.error('this member stops', { reason: failure.message });
    this.#stopTimers();
    const stopped = this.#stoppedError();
    for (const replica of this.#replicas.values()) void replica.close(stopped);
    for (const send of this.#sends.values()) send.finished(false);
    // The others should see the silence at once and elect another leader.
    this.#network.close().catch(() => undefined);
    for (const listener of this.#fatalListeners) listener(failure);
  };

  // One turn of the event loop.

  readonly #turn = (): void => {
    this.#turnScheduled = false;
    if (this.#stopped) return;
    this.#guard(() => {
      this.metrics.turns += 1;
      const deadline = this.platform.now() + this.config.limits.turnMs;
      const ready = this.#ready;
      this.#ready = [];
      for (const replica of ready) {
        replica.scheduled = false;
        replica.turn(deadline);
        if (replica.wantsTicks) this.#ticking.add(replica);
      }
      if (this.#leadershipDue) this.#announceLeadership();
      // Messages leave before the write: followers write while this member does (dissertation, section 10.2.1).
      for (const link of this.links.values()) link.flush();
      this.#appendRecords();
      this.#armTicks();
    });
  };

  #appendRecords(): void {
    if (this.#records.length === 0) return;
    const records = this.#records;
    this.#records = [];
    this.metrics.logAppends += 1;
    this.metrics.logRecords += records.length;
    for (const { write } of records) this.metrics.entriesAppended += write.entries.length;
    this.log.append(records).then(() => this.#persisted(records), this.fail);
  }

  #persisted(records: readonly LogRecord[]): void {
    if (this.#stopped) return;
    this.#guard(() => {
      for (const { group, write } of records) this.#replicas.get(group)?.persisted(write);
    });
  }

  // What peers say.

  #receive(link: PeerLink, message: HostMessage): void {
    if (this.#stopped) return;
    switch (message.type) {
      case 'raft':
        this.#replicas.get(message.group)?.receive(link, message.message);
        return;
      case 'heartbeat':
        this.#heard(link, message.leads);
        return;
      case 'propose-refused':
        this.#replicas.get(message.group)?.forwardRefused(link, message.forward, message.sequences);
        return;
      case 'snapshot-request':
        this.#replicas.get(message.group)?.snapshotRequested(link, message.minIndex);
        return;
      case 'snapshot-begin':
        this.#snapshotBegins(link, message);
        return;
      case 'snapshot-chunk':
      case 'snapshot-end':
        this.#incoming(link, message.transfer)?.offer(message);
        return;
      case 'snapshot-cancel':
        this.#incoming(link, message.transfer)?.abort();
        return;
      case 'snapshot-progress':
        this.#outgoing(link, message.transfer)?.progressed(message.chunks);
        return;
      case 'snapshot-result':
        this.#outgoing(link, message.transfer)?.finished(message.ok);
        return;
      default:
        message satisfies never;
    }
  }

  #heard(link: PeerLink, told: readonly Leadership[] | null): void {
    const first = !link.alive;
    link.alive = true;
    if (!first && told === null) return;
    const before = link.leads;
    const leads = new Map<GroupId, Term>();
    for (const { group, term } of told ?? []) leads.set(group, term);
    link.leads = leads;
    for (const replica of this.#replicas.values()) {
      const leadsTerm = leads.get(replica.id) ?? null;
      if (first || leadsTerm !== (before.get(replica.id) ?? null)) replica.peerAlive(link.id, leadsTerm);
    }
  }

  #connected(link: PeerLink, forwardsArrived: number): void {
    if (this.#stopped) return;
    this.#sendHeartbeat(link);
    this.flushSoon();
    for (const replica of this.#replicas.values()) replica.peerConnected(link, forwardsArrived);
  }

  /** A broken connection is silence at once. */
  #disconnected(link: PeerLink): void {
    for (const send of this.#sends.values()) if (send.link === link) send.finished(false);
    if (this.#stopped) return;
    for (const replica of this.#replicas.values()) replica.peerSilent(link);
  }

  #snapshotBegins(link: PeerLink, message: Extract<HostMessage, { type: 'snapshot-begin' }>): void {
    const replica = this.#replicas.get(message.group);
    if (replica !== undefined) {
      replica.snapshotBegins(link, message);
      return;
    }
    link.sendHost({ type: 'snapshot-result', transfer: message.transfer, ok: false });
    this.flushSoon();
  }

  #incoming(link: PeerLink, transfer: number): AnyReplica['incoming'] {
    for (const { incoming } of this.#replicas.values()) {
      if (incoming?.link === link && incoming.begin.transfer === transfer) return incoming;
    }
    return null;
  }

  #outgoing(link: PeerLink, transfer: number): SnapshotSend | null {
    const send = this.#sends.get(transfer);
    return send?.link === link ? send : null;
  }

  // Time.

  #armBeat(): void {
    this.#beatTimer = this.platform.timer(this.config.heartbeatMs, 'raft-heartbeat', this.#beat);
  }

  readonly #beat = (): void => {
    if (this.#stopped) return;
    this.#guard(() => {
      const now = this.platform.now();
      this.#noticePause(now);
      this.#lastBeatMs = now;
      this.#network.closeSilent();
      for (const link of this.links.values()) this.#sendHeartbeat(link);
      const logIsFull = this.log.stats().liveBytes > this.config.logBytes;
      for (const replica of this.#replicas.values()) replica.beat(now, logIsFull);
      this.flushSoon();
      this.#armBeat();
    });
  };

  /**
   * A process that was stopped, or whose event loop was blocked, for an election time-out must trust nothing that it
   * believed before: its peers have taken it for dead, and what waits in its sockets was said to somebody who was a
   * leader then. It starts over with every peer.
   */
  #noticePause(nowMs: number): void {
    const late = nowMs - this.#lastBeatMs;
    if (late <= this.config.electionMs) return;
    this.#lastBeatMs = nowMs;
    this.metrics.pauses += 1;
    this.platform.log.warn('this process was stopped', { lateMs: Math.round(late) });
    this.#network.closeAll(
      new FlotillaError('FLOTILLA_PEER_SILENT', `this process was stopped for ${Math.round(late)} ms`),
    );
  }

  #sendHeartbeat(link: PeerLink): void {
    const unchanged = link.leadsTold === this.#leads;
    link.sendHost({ type: 'heartbeat', leads: unchanged ? null : this.#leads });
    if (link.connection !== null) link.leadsTold = this.#leads;
  }

  /** A new leader says so at once: its followers stop waiting for one. */
  #announceLeadership(): void {
    this.#leadershipDue = false;
    const leads: Leadership[] = [];
    for (const replica of this.#replicas.values()) {
      const term = replica.leadsTerm;
      if (term !== null) leads.push({ group: replica.id, term });
    }
    this.#leads = leads;
    for (const link of this.links.values()) this.#sendHeartbeat(link);
  }

  #armSweep(): void {
    if (this.#sweepTimer !== null || this.#stopped || this.#watched.size === 0) return;
    this.#sweepTimer = this.platform.timer(this.config.limits.sweepMs, 'raft-sweep', this.#sweep);
  }

  #armTicks(): void {
    if (this.#tickTimer !== null || this.#ticking.size === 0) return;
    this.#lastTickMs = this.platform.now();
    this.#tickTimer = this.platform.timer(this.config.tickMs, 'raft-tick', this.#tick);
  }

  readonly #tick = (): void => {
    this.#tickTimer = null;
    if (this.#stopped) return;
    this.#guard(() => {
      const { tickMs, core } = this.config;
      const elapsed = Math.floor((this.platform.now() - this.#lastTickMs) / tickMs);
      // A late timer means that the time has passed; one election time-out of it is as good as any.
      const count = Math.max(1, Math.min(elapsed, core.electionTicks));
      for (const replica of this.#ticking) {
        if (replica.wantsTicks) {
          this.metrics.ticks += count;
          replica.tick(count);
        } else {
          this.#ticking.delete(replica);
        }
      }
      this.#armTicks();
    });
  };

  readonly #sweep = (): void => {
    this.#sweepTimer = null;
    if (this.#stopped) return;
    this.#guard(() => {
      const now = this.platform.now();
      for (const replica of this.#watched) {
        replica.sweep(now);
        if (!replica.hasDeadlines) this.#watched.delete(replica);
      }
      this.#armSweep();
    });
  };

  #stopTimers(): void {
    this.#beatTimer?.cancel();
    this.#tickTimer?.cancel();
    this.#sweepTimer?.cancel();
  }

  get #stopped(): boolean {
    return this.#failure !== null || this.#closing !== null;
  }

  #requireRunning(): void {
    if (this.#stopped) throw this.#stoppedError();
  }

  /** Says why: a member whose disk fails while it starts ends with the disk's error, not with a riddle. */
  #stoppedError(): FlotillaError {
    const failure = this.#failure;
    if (failure === null) return new FlotillaError('FLOTILLA_STOPPED', 'this member has stopped');
    return new FlotillaError('FLOTILLA_STOPPED', `this member has stopped: ${failure.message}`, {
      cause: failure,
    });
  }

  /** Whatever is thrown inside the host is a broken assertion or a state machine's: the member stops. */
  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.fail(error);
    }
  }
}
