import type { Platform } from '@flotilla/platform';
import type { Group, Host, NodeId } from '@flotilla/raft';
import {
  type AnsweredKind,
  type Answers,
  type ApplyResult,
  type Database,
  orderErrors,
  rulesToldBytes,
  encodeProposal,
  encodeSessionExpiry,
  levelOf,
  noOrigin,
  type Origin,
  type ProposalKind,
  type WatchHub,
} from '@flotilla/store';
import {
  etcdErrors,
  type RangeRequest,
  type RangeResponse,
  type ResponseHeader,
  RpcError,
  Status,
  type TxnRequest,
  type TxnResponse,
} from '@flotilla/wire';
import { Access } from '../auth/access.ts';
import type { AuthAdapters } from '../auth/adapters.ts';
import type { Configuration } from '../configuration/configuration.ts';
import { limits } from '../limits.ts';
import type { RequestCounts, StateFigures } from '../metrics/member-metrics.ts';
import type { Meters } from '../metrics/meters.ts';
import type { Sample } from '../metrics/registry.ts';
import type { PeerPort } from '../peer/peer-port.ts';
import type { ApiSettings, Backend, BackendMember, BackendStatus } from './backend.ts';
import type { DataDirectory } from './data-directory.ts';
import { AppliedOperations } from '../shards/applied-operations.ts';
import { isSharded, ShardedBackend } from '../shards/sharded-backend.ts';
import { ShardWatches } from '../shards/watch/shard-watches.ts';
import type { ShardNode } from '../shards/types.ts';
import { toEtcdError } from './failures.ts';
import type { Keyspace } from './keyspace.ts';
import { Leadership } from './leadership.ts';
import type { Membership } from './membership.ts';
import { Reconfiguration } from './reconfiguration.ts';
import { MemberLeases } from './member-leases.ts';
import { MemberOperations } from './member-operations.ts';
import { SessionExpiry } from './session-expiry.ts';
import { ShardedKeyspace } from './sharded-keyspace.ts';
import { WholeKeyspace } from './whole-keyspace.ts';

export interface GroupBackendParts {
  readonly platform: Platform;
  readonly configuration: Configuration;
  readonly directory: DataDirectory;
  readonly database: Database;
  readonly host: Host;
  readonly group: Group<ApplyResult>;
  readonly peerPort: PeerPort;
  readonly membership: Membership;
  readonly auth: AuthAdapters;
  readonly meters: Meters;
}

/** What the API reaches: group 0, and the shards of the cluster where it has any. */
export class GroupBackend implements Backend {
  readonly settings: ApiSettings;
  readonly access: Access;
  readonly leases: MemberLeases;
  readonly operations: MemberOperations;
  readonly reconfiguration: Reconfiguration;
  readonly #platform: Platform;
  readonly #configuration: Configuration;
  readonly #directory: DataDirectory;
  readonly #database: Database;
  readonly #host: Host;
  readonly #group: Group<ApplyResult>;
  readonly #membership: Membership;
  readonly #leadership: Leadership;
  readonly #counts: RequestCounts;
  readonly #sessions: SessionExpiry;
  /** Shared by every request: nothing is allocated for a time-out that hardly ever comes. */
  readonly #timeout: { readonly timeoutMs: number };
  readonly #whole: WholeKeyspace;
  /** Null: this member runs no shards. */
  #shards: ShardedKeyspace | null = null;
  #operations: AppliedOperations | null = null;
  #shardWatches: ShardWatches | null = null;
  #requestId = 0;

  constructor(parts: GroupBackendParts) {
    const { platform, configuration, directory, database, group } = parts;
    this.#platform = platform;
    this.#configuration = configuration;
    this.#directory = directory;
    this.#database = database;
    this.#host = parts.host;
    this.#group = group;
    this.#membership = parts.membership;
    this.#leadership = new Leadership(platform, group, configuration.electionTimeoutMs);
    this.#counts = parts.meters.requests;
    this.#countLeaders();
    this.reconfiguration = new Reconfiguration({
      ...parts,
      leadership: this.#leadership,
      recall: (request, origin) => this.write('cluster', request, origin),
    });
    this.access = new Access({
      platform,
      database,
      adapters: parts.auth,
      tokenLifetimeMs: configuration.authTokenLifetimeMs,
      trustsCertificates: configuration.clientTls.clientCertAuth,
      readBarrier: () => this.readBarrier(),
      keysOfLease: (id) => this.#keyspace.keysOfLease(id),
    });
    this.leases = new MemberLeases({
      platform,
      database,
      group,
      electionTimeoutMs: configuration.electionTimeoutMs,
      propose: (kind, request, origin) => this.#propose(kind, request, origin),
      keysOf: (id) => this.#keyspace.keysOfLease(id),
      calls: parts.peerPort.calls,
      leaderUrl: () => {
        const { id, leader } = group.status();
        return leader === id ? null : (this.#membership.byNodeId(leader)?.peerUrls[0] ?? null);
      },
    });
    this.#sessions = new SessionExpiry({
      platform,
      idleMs: limits.sessionIdleMs,
      appliedIndex: () => database.applied.index,
      uses: () => database.sessionUses(),
      // Those of a sharded cluster end by their uses at all members.
      leads: () => this.#sharded === null && group.status().role === 'leader',
      expire: async (uses) => {
        await this.#propose('session-expire', encodeSessionExpiry(uses), noOrigin);
      },
    });
    this.operations = new MemberOperations({
      platform,
      database,
      dataDirectory: configuration.dataDirectory,
      quotaBytes: configuration.quotaBytes,
      members: () => this.members(),
      sharded: () => this.#sharded,
      memberId: () => directory.self.memberId,
      lowersAlarmsFor: (memberId) =>
        memberId === directory.self.memberId ||
        (group.status().role === 'leader' && !this.#isConnected(memberId)),
      propose: (kind, request) => this.write(kind, request, noOrigin),
      spareDisk: (spare) => parts.host.keepLogShort(spare),
    });
    this.#timeout = { timeoutMs: limits.requestBaseMs + 2 * configuration.electionTimeoutMs };
    const pieceBytes = configuration.maxRequestBytes;
    this.#whole = new WholeKeyspace({ database, group, timeout: this.#timeout, pieceBytes });
    this.settings = {
      maxRequestBytes: configuration.maxRequestBytes,
      maxTransactionOperations: configuration.maxTransactionOperations,
      electionTimeoutMs: configuration.electionTimeoutMs,
    };
  }

  /** From now on requests go to shards whenever the cluster is sharded. */
  attach(node: ShardNode): void {
    const shards = new ShardedBackend({
      platform: this.#platform,
      node,
      timeoutMs: this.#timeout.timeoutMs,
      pieceBytes: this.#configuration.maxRequestBytes,
      isCurrent: (user) => user?.authRevision === this.#database.auth.revision,
      renewed: (user) => this.access.renewed({ user, session: null })?.user ?? null,
      mayEverything: (user) => this.access.auth.isRoot(user),
      requireKeys: (user, keys) => {
        if (this.access.auth.enabled) this.access.requireKeys(user, 'write', keys);
      },
    });
    this.#shards = new ShardedKeyspace({
      database: this.#database,
      shards,
      inWords: (error, startMs) => toEtcdError(error, this.#leadership, startMs),
      now: () => this.#platform.now(),
    });
    this.#operations = new AppliedOperations(node, this.#database.counts);
    const { changes } = shards.services;
    const hub = this.#database.watches;
    this.#shardWatches = new ShardWatches({ platform: this.#platform, node, changes, hub });
  }

  /** By kind, and whether several shards had their keys. */
  get shardRequests(): Iterable<Sample> {
    return this.#shards?.shards.services.counts.samples() ?? [];
  }

  /** Null: the cluster is not sharded, as far as this member has applied. */
  get #sharded(): ShardedKeyspace | null {
    return this.#shards?.shards.isOn === true ? this.#shards : null;
  }

  get #keyspace(): Keyspace {
    return this.#sharded ?? this.#whole;
  }

  get revision(): number {
    return this.#keyspace.revision;
  }

  get compactRevision(): number {
    return this.#keyspace.compactRevision;
  }

  get hasLeader(): boolean {
    return this.#leadership.known;
  }

  get takesSessions(): boolean {
    return this.#membership.level >= sessionLevel;
  }

  get watches(): WatchHub {
    return this.#database.watches;
  }

  onLeaderChange(listener: () => void): () => void {
    return this.#leadership.onChange(listener);
  }

  onLeaderLost(patienceMs: number, listener: () => void): () => void {
    return this.#leadership.onLost(patienceMs, listener);
  }

  stamp(header: ResponseHeader | null): ResponseHeader {
    return {
      clusterId: this.#directory.identity.clusterId,
      memberId: this.#directory.self.memberId,
      revision: header === null ? this.revision : header.revision,
      raftTerm: this.#leadership.raftTerm,
    };
  }

  status(): BackendStatus {
    const status = this.#group.status();
    const stats = this.#database.stats;
    return {
      memberId: this.#directory.self.memberId,
      leaderId: this.#memberIdOf(status.leader),
      term: status.term,
      commitIndex: status.commit,
      appliedIndex: status.applied,
      isLearner: this.isLearner,
      storageBytes: stats.storageBytes,
      liveBytes: stats.liveBytes,
      quotaBytes: this.#configuration.quotaBytes,
    };
  }

  get figures(): StateFigures {
    return this.#keyspace.figures;
  }

  get isLearner(): boolean {
    return this.#membership.self?.isLearner ?? false;
  }

  members(): readonly BackendMember[] {
    return this.#membership.members;
  }

  async write<Kind extends AnsweredKind>(
    kind: Kind,
    request: Uint8Array,
    origin: Origin,
  ): Promise<Answers[Kind]> {
    // The disk is behind: more would only wait in memory.
    if (this.#database.overloaded) throw etcdErrors.tooManyRequests;
    const result = await this.#proposeAs(kind, request, origin);
    if (result.kind === 'error') throw result.error;
    if (result.kind === kind) return result.response as Answers[Kind];
    throw new RpcError(Status.INTERNAL, `a ${kind} was answered as a ${result.kind}`);
  }

  /** Who was identified by an auth state that changed while the proposal was on its way is identified again. */
  async #proposeAs(kind: ProposalKind, request: Uint8Array, origin: Origin): Promise<ApplyResult> {
    for (let attempt = 1, caller = origin; ; attempt += 1) {
      const result = await this.#propose(kind, request, caller);
      if (result.kind !== 'error' || result.error !== etcdErrors.authOldRevision) return result;
      const renewed = attempt < limits.authAttempts ? this.access.renewed(caller) : null;
      if (renewed === null) return result;
      caller = renewed;
    }
  }

  async #propose(kind: ProposalKind, request: Uint8Array, origin: Origin): Promise<ApplyResult> {
    if (levelOf(kind, origin) > this.#membership.level) throw etcdErrors.notCapable;
    this.leases.proposeRenewals();
    const startMs = this.#platform.now();
    this.#counts.proposalsPending += 1;
    try {
      const sharded = this.#sharded?.shards ?? null;
      if (sharded !== null && isSharded(kind)) return await sharded.execute(kind, request, origin);
      if (sharded !== null && kind === 'auth') await this.#requireTellable(request, origin);
      const result = await this.#proposeToGroup(kind, request, origin);
      // The cluster was sharded while it was on its way, and nothing was done.
      const isLate = result.kind === 'error' && result.error === orderErrors.sharded && isSharded(kind);
      if (isLate && this.#sharded !== null) return await this.#sharded.shards.execute(kind, request, origin);
      if (kind === 'alarm' || kind === 'auth') {
        await this.#sharded?.shards.everywhere(kind === 'alarm' ? 'alarms' : 'users');
      }
      return result;
    } catch (error) {
      this.#counts.proposalsFailed += 1;
      throw toEtcdError(error, this.#leadership, startMs);
    } finally {
      this.#counts.proposalsPending -= 1;
    }
  }

  #proposeToGroup(kind: ProposalKind, request: Uint8Array, origin: Origin): Promise<ApplyResult> {
    this.#requestId += 1;
    const payload = encodeProposal({ kind, requestId: this.#requestId, request, origin });
    return this.#group.propose(payload, this.#timeout);
  }

  /** Shards hear of users in one entry of their log each. What was executed before is answered again. */
  async #requireTellable(request: Uint8Array, origin: Origin): Promise<void> {
    if (rulesToldBytes(this.access.auth, request) <= this.settings.maxRequestBytes) return;
    if (!(await this.isSettled(origin))) throw etcdErrors.requestTooLarge;
  }

  async isSettled({ session }: Origin): Promise<boolean> {
    if (session === null) return false;
    await this.readBarrier();
    return await this.#keyspace.isSettled(session);
  }

  async readBarrier(): Promise<void> {
    const startMs = this.#platform.now();
    try {
      await this.#keyspace.readBarrier();
      if (this.#platform.now() - startMs > limits.slowReadMs) this.#counts.slowReadBarriers += 1;
    } catch (error) {
      this.#counts.readBarriersFailed += 1;
      throw toEtcdError(error, this.#leadership, startMs);
    }
  }

  requireState(): void {
    if (!this.#group.status().stateReady) throw etcdErrors.unhealthy;
  }

  overQuota(moreBytes: number): boolean {
    return this.operations.space.isFull(moreBytes);
  }

  range(request: RangeRequest): Promise<RangeResponse> {
    return this.#keyspace.range(request);
  }

  rangePieces(request: RangeRequest): AsyncIterable<RangeResponse> {
    return this.#keyspace.rangePieces(request);
  }

  readTxn(request: TxnRequest): TxnResponse | Promise<TxnResponse> {
    return this.#keyspace.readTxn(request);
  }

  compacted(revision: number): Promise<void> {
    return this.#keyspace.compacted(revision);
  }

  stop(): void {
    this.#shardWatches?.stop();
    this.#operations?.stop();
    this.#shards?.shards.stop();
    this.#sessions.stop();
    this.leases.stop();
    this.operations.stop();
    this.#leadership.stop();
  }

  /** As etcd does: a lost leader is no change, the next one is. */
  #countLeaders(): void {
    const count = (): void => {
      if (this.#leadership.known) this.#counts.leaderChanges += 1;
    };
    count();
    this.#leadership.onChange(count);
  }

  #isConnected(memberId: bigint): boolean {
    const nodeId = this.#membership.byMemberId(memberId)?.nodeId;
    return this.#host
      .status()
      .peers.some(({ id, connectedSinceMs }) => id === nodeId && connectedSinceMs !== null);
  }

  #memberIdOf(nodeId: NodeId): bigint {
    return this.#membership.byNodeId(nodeId)?.memberId ?? 0n;
  }
}

/** Whoever can apply the end of a session can apply its requests. */
const sessionLevel = levelOf('session-expire', noOrigin);
