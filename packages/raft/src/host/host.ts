import { assert, FlotillaError, messageOf } from '@flotilla/platform';
import type { Address, Platform } from '@flotilla/platform';
import type { Index, NodeId, Write } from '../core/types.ts';
import type { LogRecord, OpenedLog, RecoveredGroup, WriteAheadLog } from '../log/types.ts';
import { membersOf } from '../core/quorum.ts';
import { openLog } from '../log/open-log.ts';
import { tcp } from '../transport/tcp.ts';
import { resolveConfig } from './config.ts';
import type { ResolvedConfig } from './config.ts';
import type { AnyGroup, SnapshotWish } from './group-context.ts';
import { refusedGroups } from './handshake.ts';
import { HostTimers } from './host-timers.ts';
import type { HostTimersOwner } from './host-timers.ts';
import { HostTurn } from './host-turn.ts';
import type { HostTurnOwner } from './host-turn.ts';
import { HostedGroup } from './hosted-group.ts';
import { beginLife } from './incarnation.ts';
import type { Life } from './incarnation.ts';
import { KnownInstances } from './known-instances.ts';
import { LeadershipNews } from './leadership-news.ts';
import { Leases } from './lease.ts';
import type { MakePromise } from './lease.ts';
import { MemberLife } from './member-life.ts';
import type { HostMessage } from './messages.ts';
import { createMetrics } from './metrics.ts';
import type { HostMetrics } from './metrics.ts';
import { originBound } from './origin.ts';
import type { PeerLink } from './peer-link.ts';
import { PeerNetwork } from './peer-network.ts';
import { restoration } from './restore.ts';
import { SnapshotSends } from './snapshot-sends.ts';
import type { Group, GroupId, GroupOptions, Host, HostOptions, HostStatus } from './types.ts';

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
  const opened = await (options.openLog ?? openLog)(platform, {
    directory: `${directory}/log`,
    clusterId,
    nodeId,
    limits: config.logLimits,
  });
  try {
    // After the log's lock is held: two processes that count at once would live under one number.
    const life = await beginLife(platform, directory, config.leases ? Math.ceil(config.electionMs) : 0);
    const incarnation = options.incarnation ?? life.incarnation;
    assert(incarnation >= 0 && incarnation < originBound, 'an incarnation is below 2^48');
    const host = new RaftHost(options, config, opened, { ...life, incarnation });
    await host.start();
    return host;
  } catch (error) {
    await opened.log.close();
    throw error;
  }
}

class RaftHost implements Host, HostTurnOwner, HostTimersOwner {
  readonly platform: Platform;
  readonly nodeId: NodeId;
  readonly incarnation: number;
  readonly config: ResolvedConfig;
  readonly metrics: HostMetrics = createMetrics();
  readonly log: WriteAheadLog;
  readonly links: ReadonlyMap<NodeId, PeerLink>;
  readonly leases: Leases | null;
  readonly formerPromiseMs: number;
  readonly #options: HostOptions;
  readonly #recovered: Map<GroupId, RecoveredGroup>;
  /** Removed here, and neither readmitted nor forgotten. */
  readonly #removed: Set<GroupId>;
  readonly #removing = new Map<GroupId, Promise<void>>();
  /** Of groups that were removed in this life: what a proposal of theirs is not numbered with again. */
  readonly #firstSequences = new Map<GroupId, number>();
  #instances: KnownInstances | null = null;
  readonly #network: PeerNetwork;
  readonly #groups = new Map<GroupId, AnyGroup>();
  readonly #opening = new Set<GroupId>();
  /** Of the log, and not open yet. */
  readonly #unopened: Set<GroupId>;
  #toldGroups = 0;
  readonly #turn: HostTurn;
  readonly #timers: HostTimers;
  readonly #sends: SnapshotSends;
  readonly #news: LeadershipNews;
  #address: Address;
  /** Groups that want to hear of each heartbeat: idle ones cost nothing, however many there are. */
  readonly #beating = new Set<AnyGroup>();
  #diskStalled = false;
  #keepsLogShort = false;
  #failure: Error | null = null;
  readonly #fatalListeners: ((error: Error) => void)[] = [];
  #closing: Promise<void> | null = null;

  constructor(options: HostOptions, config: ResolvedConfig, opened: OpenedLog, life: Life) {
    const { incarnation, formerPromiseMs } = life;
    this.#options = options;
    this.platform = options.platform;
    this.nodeId = options.nodeId;
    this.incarnation = incarnation;
    this.formerPromiseMs = formerPromiseMs;
    this.config = config;
    this.log = opened.log;
    this.#recovered = new Map(opened.groups);
    this.#removed = new Set(opened.removed);
    this.#unopened = new Set(opened.groups.keys());
    this.#address = options.listen;
    this.#network = new PeerNetwork({
      platform: options.platform,
      clusterId: options.clusterId,
      nodeId: options.nodeId,
      incarnation,
      instance: options.instance ?? 0n,
      instanceOf: (peer) => this.#instances?.of(peer) ?? null,
      meet: (peer, instance) => this.#instances?.meet(peer, instance) ?? null,
      admits: (peer) => this.#admits(peer),
      removedFrom: (peer) => this.#removedFrom(peer),
      peers: options.peers,
      transport: (options.transport ?? tcp())(options.platform),
      limits: config.limits,
      metrics: this.metrics,
      silenceMs: config.electionMs,
      handler: {
        received: (nowMs) => this.#timers.noticePause(nowMs),
        message: (link, message) => this.guard(() => this.#receive(link, message)),
        connected: (link, arrived) => this.guard(() => this.#connected(link, arrived)),
        disconnected: (link) => this.guard(() => this.#disconnected(link)),
        drained: () => undefined,
        disowned: (error) => this.fail(error),
        removed: (link, groups) => this.guard(() => this.#removedBy(link, groups)),
      },
    });
    this.links = this.#network.links;
    this.#turn = new HostTurn(this);
    this.#timers = new HostTimers(this);
    this.#sends = new SnapshotSends(this);
    this.leases = config.leases ? new Leases({ platform: this.platform, ...config }, this.#promise) : null;
    this.#news = new LeadershipNews(this.#groups, this.links, this.leases);
    this.flushSoon = this.#turn.soon;
    this.log.onFailure((error) => this.fail(error));
  }

  get address(): Address {
    return this.#address;
  }

  async start(): Promise<void> {
    const { platform, directory, instanceOf } = this.#options;
    // Before anybody can connect.
    this.#instances = await KnownInstances.open({ platform, directory, instanceOf, failed: this.fail });
    this.#address = await this.#network.start(this.#options.listen);
    this.#timers.start();
  }

  async openGroup<Result>(options: GroupOptions<Result>): Promise<Group<Result>> {
    const { id, stateMachine, initialConfiguration } = options;
    this.#requireRunning();
    if (this.#groups.has(id) || this.#opening.has(id)) {
      throw new FlotillaError('FLOTILLA_GROUP_EXISTS', `group ${id} is open already`);
    }
    if (this.#removed.has(id) || this.#removing.has(id)) throw groupRemoved(id);
    this.#opening.add(id);
    const life = new MemberLife();
    try {
      const { restored, repair, joining } = restoration(
        this.#recovered.get(id),
        stateMachine,
        initialConfiguration,
      );
      if (repair !== null) await this.log.append([{ group: id, write: repair }]);
      this.#requireRunning();
      const isKnownToLog = this.#recovered.has(id);
      const group = new HostedGroup<Result>({
        context: this,
        id,
        stateMachine,
        restored,
        life,
        joining,
        isKnownToLog,
        membersMayReturn: options.membersMayReturn ?? false,
        firstSequence: this.#firstSequences.get(id) ?? 1,
      });
      this.#groups.set(id, group);
      this.#unopened.delete(id);
      for (const link of this.links.values()) {
        if (link.alive) group.peerAlive(link.id, link.leads.get(id) ?? null);
      }
      group.campaignIfAlone();
      this.schedule(group);
      return group;
    } catch (error) {
      if (life.state === 'opening') life.fire(this.#closing === null ? 'fail' : 'close');
      throw error;
    } finally {
      this.#opening.delete(id);
      if (!this.stopped) this.membershipChanged();
    }
  }

  removeGroup(id: GroupId): Promise<void> {
    let removing = this.#removing.get(id);
    if (removing === undefined) {
      removing = this.#removed.has(id) ? Promise.resolve() : this.#removeGroup(id);
      this.#removing.set(id, removing);
      const over = (): void => void this.#removing.delete(id);
      removing.then(over, over);
    }
    return removing;
  }

  async #removeGroup(id: GroupId): Promise<void> {
    const { log } = this;
    this.#requireRunning();
    if (this.#opening.has(id))
      throw new FlotillaError('FLOTILLA_GROUP_EXISTS', `group ${id} is being opened`);
    if (log.remove === undefined) {
      throw new FlotillaError('FLOTILLA_CONFIG_INVALID', 'this log cannot let go of a group');
    }
    // Not in the middle of a turn: what it has to write in this one comes before its removal.
    await new Promise<void>((resolve) => this.platform.defer(resolve));
    this.#requireRunning();
    const group = this.#groups.get(id);
    if (group !== undefined) {
      this.#groups.delete(id);
      this.#beating.delete(group);
      this.#firstSequences.set(id, group.nextSequence);
      const released = group.close(groupRemoved(id), 'close');
      this.#sends.groupRemoved(id);
      this.leadershipChanged();
      this.flushSoon();
      await released;
    }
    await log.remove(id);
    this.#recovered.delete(id);
    this.#unopened.delete(id);
    this.#removed.add(id);
  }

  async forgetGroup(id: GroupId): Promise<void> {
    this.#requireRunning();
    if (!this.#removed.has(id)) return;
    await this.log.forget?.(id);
    this.#removed.delete(id);
  }

  async readmitGroup(id: GroupId): Promise<void> {
    this.#requireRunning();
    if (!this.#removed.has(id)) return;
    const { log } = this;
    if (log.readmit === undefined) {
      throw new FlotillaError('FLOTILLA_CONFIG_INVALID', 'this log cannot take a group back');
    }
    this.#recovered.set(id, await log.readmit(id));
    this.#removed.delete(id);
  }

  get removedGroups(): readonly GroupId[] {
    return [...this.#removed];
  }

  hears(peer: NodeId): boolean {
    return this.links.get(peer)?.alive ?? false;
  }

  knows(peer: NodeId): boolean {
    return (this.#instances?.of(peer) ?? null) !== null;
  }

  status(): HostStatus {
    return {
      nodeId: this.nodeId,
      incarnation: this.incarnation,
      failure: this.#failure?.message ?? null,
      peers: [...this.links.values()].map((link) => ({
        id: link.id,
        alive: link.alive,
        connectedSinceMs: link.connectedSinceMs,
        incarnation: link.incarnation,
        queuedBytes: link.queuedBytes,
        bytesSent: link.bytesSent,
        bytesReceived: link.bytesReceived,
      })),
      groups: [...this.#groups.values()].map((group) => ({ group: group.id, ...group.status() })),
      appendOutstandingMs: Math.round(this.#turn.outstandingMs(this.platform.now())),
      log: this.log.stats(),
    };
  }

  setPeer(id: NodeId, address: Address): void {
    this.#requireRunning();
    if (id < 1 || id > 0xffff_ffff) {
      throw new FlotillaError('FLOTILLA_CONFIG_INVALID', 'the id of a peer must be between 1 and 2^32 - 1');
    }
    if (id !== this.nodeId) this.#network.setPeer(id, address);
  }

  removePeer(id: NodeId): void {
    const link = this.links.get(id);
    if (link === undefined || this.stopped) return;
    this.#network.removePeer(id);
    this.#sends.removed(link);
  }

  judgePeers(): void {
    if (!this.stopped) this.guard(() => this.#network.judgeInstances());
  }

  keepLogShort(short: boolean): void {
    this.#keepsLogShort = short;
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
    this.#timers.stop();
    const released = [...this.#groups.values()].map((group) => group.close(stopped, 'close'));
    this.#sends.stop();
    await this.#network.close();
    await Promise.all(released);
    await this.#instances?.close();
    // After a failure the log has nothing more to say.
    await this.log.close().catch((error: unknown) => {
      if (this.#failure === null) throw error;
    });
  }

  // What groups call.

  readonly flushSoon: () => void;

  schedule(group: AnyGroup): void {
    this.#turn.schedule(group);
  }

  watchDeadlines(group: AnyGroup): void {
    this.#timers.watchDeadlines(group);
  }

  append(group: GroupId, write: Write): void {
    this.#turn.append(group, write);
  }

  leadershipChanged(): void {
    this.#news.changed();
  }

  oldestSnapshotSend(group: GroupId): Index | null {
    return this.#sends.oldest(group);
  }

  sendSnapshot(wish: SnapshotWish): void {
    this.#sends.send(wish);
  }

  get diskStalled(): boolean {
    return this.#diskStalled;
  }

  membershipChanged(): void {
    for (const link of this.links.values()) this.#network.tellRemoved(link);
  }

  /** Going on could lose data or lie. Nothing is answered after this. */
  readonly fail = (error: unknown): void => {
    if (this.stopped) return;
    const failure =
      error instanceof Error ? error : new FlotillaError('FLOTILLA_ASSERTION', messageOf(error));
    this.#failure = failure;
    this.platform.log.error('this member stops', { reason: failure.message });
    this.#timers.stop();
    const stopped = this.#stoppedError();
    for (const group of this.#groups.values()) void group.close(stopped, 'fail');
    this.#sends.stop();
    // The others should see the silence at once and elect another leader.
    this.#network.close().catch(() => undefined);
    for (const listener of this.#fatalListeners) listener(failure);
  };

  // What a turn of the event loop brings.

  ran(group: AnyGroup): void {
    if (this.#groups.get(group.id) !== group) return;
    if (group.wantsTicks) this.#timers.tick(group);
    if (group.wantsBeats) this.#beating.add(group);
  }

  flush(): void {
    this.#news.announce();
    for (const link of this.links.values()) link.flush();
  }

  persisted(records: readonly LogRecord[]): void {
    for (const { group, write } of records) this.#groups.get(group)?.persisted(write);
  }

  ended(): void {
    this.#timers.armTicks();
  }

  // What peers say.

  #receive(link: PeerLink, message: HostMessage): void {
    if (this.stopped) return;
    switch (message.type) {
      case 'raft':
        this.#groups.get(message.group)?.receive(link, message.message);
        return;
      case 'heartbeat':
        this.#news.heard(link, message.leads, message.lease);
        return;
      case 'propose-refused':
        this.#groups.get(message.group)?.forwardRefused(link, message);
        return;
      case 'snapshot-request':
        this.#groups.get(message.group)?.snapshotRequested(link, message.minIndex, message.lags);
        return;
      case 'snapshot-begin':
        this.#snapshotBegins(link, message);
        return;
      case 'snapshot-chunk':
      case 'snapshot-end':
        this.#incoming(link, message.transfer)?.offer(message);
        return;
      case 'snapshot-cancel':
        this.#incoming(link, message.transfer)?.abort(message.failure);
        return;
      case 'snapshot-progress':
        this.#sends.progressed(link, message.transfer, message.chunks);
        return;
      case 'snapshot-resume':
        this.#sends.resumed(link, message.transfer, message.chunks, message.sizeBytes);
        return;
      case 'snapshot-result':
        this.#sends.finished(link, message.transfer, message.failure);
        return;
      default:
        message satisfies never;
    }
  }

  #connected(link: PeerLink, forwardsArrived: number | null): void {
    if (this.stopped) return;
    this.leases?.reset(link.id);
    this.#news.sendHeartbeat(link);
    this.flushSoon();
    for (const group of this.#groups.values()) group.peerConnected(link, forwardsArrived);
    this.#sends.connected(link);
  }

  /** A broken connection is silence at once. */
  #disconnected(link: PeerLink): void {
    this.#sends.disconnected(link);
    if (this.stopped) return;
    this.leases?.reset(link.id);
    for (const group of this.#groups.values()) group.peerSilent(link);
  }

  #snapshotBegins(link: PeerLink, message: Extract<HostMessage, { type: 'snapshot-begin' }>): void {
    const group = this.#groups.get(message.group);
    if (group !== undefined) {
      group.snapshotBegins(link, message);
      return;
    }
    const failure = 'FLOTILLA_SNAPSHOT_REFUSED';
    link.sendHost({ type: 'snapshot-result', transfer: message.transfer, failure });
    this.flushSoon();
  }

  #incoming(link: PeerLink, transfer: number): AnyGroup['incoming'] {
    for (const { incoming } of this.#groups.values()) {
      if (incoming?.link === link && incoming.begin.transfer === transfer) return incoming;
    }
    return null;
  }

  readonly #promise: MakePromise = (group, leader, term, untilMs) =>
    this.#groups.get(group)?.promise(leader, term, untilMs) ?? false;

  // What time brings.

  beat(nowMs: number): void {
    this.#network.closeSilent();
    this.#network.knock();
    this.#network.judgeInstances();
    this.#dismissGuests();
    this.#noticeStall(nowMs);
    for (const link of this.links.values()) this.#news.sendHeartbeat(link);
    const boundBytes = this.#keepsLogShort
      ? Math.min(this.config.limits.shortLogBytes, this.config.logBytes)
      : this.config.logBytes;
    const logIsFull = this.log.stats().liveBytes > boundBytes;
    this.#beatGroups(nowMs, logIsFull);
    this.flushSoon();
  }

  /** A member that hears of no leader may be behind, and whoever leads by now a member that it was not told of. */
  #admits(peer: NodeId): boolean {
    return (this.#options.admits?.(peer) ?? false) || !this.#hearsLeaders;
  }

  /** Who was let in because this member might be behind stays as long as it might, or is what it seemed to be. */
  #dismissGuests(): void {
    for (const { id } of this.#network.guests) {
      if (!this.#admits(id) && !this.#isMember(id)) this.removePeer(id);
    }
  }

  #isMember(peer: NodeId): boolean {
    for (const { view } of this.#groups.values()) {
      if (view.leader === peer || membersOf(view.configuration).includes(peer)) return true;
    }
    return false;
  }

  get #hearsLeaders(): boolean {
    for (const group of this.#groups.values()) if (!group.hearsLeader) return false;
    return this.#groups.size > 0;
  }

  /** Only a log that is full concerns groups that have nothing to do. */
  #beatGroups(nowMs: number, logIsFull: boolean): void {
    if (logIsFull) {
      for (const group of this.#groups.values()) group.beat(nowMs, true);
      return;
    }
    for (const group of this.#beating) {
      group.beat(nowMs, false);
      if (!group.wantsBeats) this.#beating.delete(group);
    }
  }

  /** A leader that cannot write serves nobody, and keeps others from leading. */
  #noticeStall(nowMs: number): void {
    const outstandingMs = this.#turn.outstandingMs(nowMs);
    const stalled = outstandingMs > this.config.diskStallMs;
    if (stalled !== this.#diskStalled) {
      this.#diskStalled = stalled;
      if (stalled) this.metrics.diskStalls += 1;
      const fields = { outstandingMs: Math.round(outstandingMs) };
      if (stalled) this.platform.log.warn('the disk stalls: an append to the log is outstanding', fields);
      else this.platform.log.info('the disk takes appends again', fields);
    }
    if (stalled) for (const group of this.#groups.values()) group.diskStalls();
  }

  /**
   * The groups here that had it as a member, when none has now. Nobody can tell before every group is open: it may be a
   * member of one that is not.
   */
  #removedFrom(peer: NodeId): readonly GroupId[] {
    if (this.#unopened.size > 0 || this.#opening.size > 0) return nowhere;
    const groups: GroupId[] = [];
    for (const { id, view } of this.#groups.values()) {
      const { configuration } = view;
      if (membersOf(configuration).includes(peer)) return nowhere;
      if (configuration.removed.includes(peer)) groups.push(id);
    }
    if (groups.length <= refusedGroups) return groups;
    // A refusal has no room for all of them: the next one names others.
    this.#toldGroups = (this.#toldGroups + refusedGroups) % groups.length;
    return [...groups.slice(this.#toldGroups), ...groups.slice(0, this.#toldGroups)];
  }

  /** A peer says that these groups have removed this member, for ever. Its word counts where it is a member itself. */
  #removedBy(link: PeerLink, groups: readonly GroupId[]): void {
    for (const id of groups) this.#groups.get(id)?.removedBy(link.id);
  }

  paused(lateMs: number): void {
    this.metrics.pauses += 1;
    this.platform.log.warn('this process was stopped', { lateMs: Math.round(lateMs) });
    this.#network.closeAll(
      new FlotillaError('FLOTILLA_PEER_SILENT', `this process was stopped for ${Math.round(lateMs)} ms`),
    );
  }

  get stopped(): boolean {
    return this.#failure !== null || this.#closing !== null;
  }

  #requireRunning(): void {
    if (this.stopped) throw this.#stoppedError();
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
  guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.fail(error);
    }
  }
}

function groupRemoved(id: GroupId): FlotillaError {
  return new FlotillaError('FLOTILLA_GROUP_REMOVED', `group ${id} was removed from this member`);
}

const nowhere: readonly GroupId[] = [];
