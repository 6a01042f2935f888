import { assert } from '@flotilla/platform';
import type { Platform, Timer } from '@flotilla/platform';
import { decodeMembershipChange } from '@flotilla/raft';
import type {
  Entry,
  Index,
  MembershipChange,
  SnapshotMeta,
  SnapshotSink,
  SnapshotSource,
  StateMachine,
  Term,
} from '@flotilla/raft';
import { etcdErrors, RangeRequest, RangeResponse } from '@flotilla/wire';
import type { AlarmMember, TxnRequest, TxnResponse } from '@flotilla/wire';
import { AppliedState } from './applied-state.ts';
import { type ApplyResult, noAnswer } from './apply-result.ts';
import type { Auth, AuthObserver } from './auth/auth.ts';
import { BoltWriter } from './etcd-file/bolt-writer.ts';
import type { ByteSink } from './etcd-file/bolt-writer.ts';
import { ContentsHash } from './etcd-file/contents-hash.ts';
import { writeEtcdContents } from './etcd-file/etcd-contents.ts';
import type { BucketSink, EtcdClusterFacts } from './etcd-file/etcd-contents.ts';
import { hashKeyValues, hashRevisionOf } from './hash/hash-kv.ts';
import { KeptHashes } from './hash/kept-hashes.ts';
import { StateSum } from './hash/state-sum.ts';
import type { SumAt } from './hash/state-sum.ts';
import type { KeyValueHash } from './hash/hash-kv.ts';
import type { MemberRegistry } from './cluster/member-registry.ts';
import { limits } from './limits.ts';
import { type LeaseReader, LeaseRecords } from './leases/lease-records.ts';
import type { LeaseObserver } from './leases/leases.ts';
import { Compactor } from './mvcc/compaction.ts';
import { decodeInstalled, encodeInstalled } from './installed-snapshot.ts';
import {
  decodeState,
  decodeSum,
  encodeState,
  encodeSum,
  installedKey,
  installingKey,
  stateKey,
  sumKey,
} from './mvcc/meta.ts';
import type { LogPosition, MemberRecords, StoredState } from './mvcc/meta.ts';
import { Pinned } from './mvcc/pinned.ts';
import { RangeScan, range } from './mvcc/range.ts';
import { RangeChunks } from './mvcc/range-chunks.ts';
import { header } from './mvcc/header.ts';
import type { ReadPoint } from './mvcc/range.ts';
import { emptySummary } from './mvcc/state.ts';
import type { Change } from './mvcc/state.ts';
import { Table } from './mvcc/tables.ts';
import { readTxn } from './mvcc/txn.ts';
import { WriteBuffer } from './mvcc/write-buffer.ts';
import { OperationCounts } from './operation-counts.ts';
import { decodeOrderEntry, mayChangeRange } from './order/order-entry-codec.ts';
import type { OrderEntry } from './order/order-entry.ts';
import type { OrderMachine } from './order/order-machine.ts';
import type { OrderObserver } from './order/order-observer.ts';
import { decodeProposal, isOrderEntry, type RequestSession } from './proposal.ts';
import { orderShard } from './shard/shard-entry.ts';
import type { SessionUse } from './sessions/session.ts';
import type { SessionStats } from './sessions/sessions.ts';
import { SnapshotInstall, decodeMark, markedEmpty } from './snapshot-install.ts';
import type { InstallMark, KnownMembers } from './snapshot-install.ts';
import { DatabaseSnapshot } from './snapshot-stream.ts';
import { hashState } from './state-hash.ts';
import type { StateHash } from './state-hash.ts';
import type { OrderedStorage, TableWrites } from './storage.ts';
import { SystemTable } from './system/system-table.ts';
import { WatchHub } from './watch/hub.ts';
import type { WatchHubOptions } from './watch/hub.ts';

export interface DatabaseOptions {
  readonly watch?: Partial<WatchHubOptions>;
}

export interface DatabaseStats {
  readonly revision: number;
  readonly compactRevision: number;
  /** Every kept version's key, value and fields: what a quota is about. Free the moment compaction removes it. */
  readonly liveBytes: number;
  /** What the storage takes, free pages included. */
  readonly storageBytes: number;
  /** What was applied and is not in a commit yet. */
  readonly bufferedBytes: number;
  readonly bufferedOperations: number;
  readonly watchers: number;
  readonly watchStreams: number;
  readonly sessions: SessionStats;
}

/** Keeps tokens, and watches within what their users may see. */
export interface AuthKeeper extends AuthObserver {
  /** Another state has taken the place of the one before. Watches have not been told anything of it yet. */
  restored(): void;
}

/** Acts on what the order of a sharded cluster says. */
export interface OrderKeeper extends OrderObserver {
  /** Another state has taken the place of the one before: look at its order anew, if it has one. */
  restored(): void;
}

/** Keeps the time of leases. */
export interface LeaseKeeper extends LeaseObserver {
  /** Another state has taken the place of the one before: look at its leases anew. */
  restored(): void;
}

/**
 * The database as Raft's state machine: applies proposals in log order, answers reads of local state, streams and
 * installs snapshots, and tells watchers.
 *
 * Applied state runs ahead of storage: writes are buffered and go down in commits that carry the applied index and
 * term, so what is stored is always the state after some entry. The log replays what comes after `flushed`.
 *
 * @example
 * const database = await Database.open(platform, openLmdb(directory, storageTables));
 * const [result] = database.apply([entry]);
 * database.range(RangeRequest.create({ key }));
 */
export class Database implements StateMachine<ApplyResult> {
  readonly watches: WatchHub;
  readonly counts = new OperationCounts();
  readonly #keptHashes = new KeptHashes();
  /** The stored state was being replaced by a snapshot when the member stopped: it has none and needs one. */
  readonly interruptedInstall: LogPosition | null;
  readonly #platform: Platform;
  readonly #storage: OrderedStorage;
  #applied: Position;
  #flushed: Position;
  #state: AppliedState;
  #compactor: Compactor;
  #sum: StateSum;
  /** Of the state that was given up, as long as the present one is behind it. */
  #known: KnownMembers | null;
  #installed: SnapshotMeta | null;
  /** What reads see: the live state, or the one before an install that has not finished. */
  #readable: ReadPoint;
  #installing = false;
  #marked: boolean;
  #before: Pinned | null = null;
  /** Reads under way that each hold a view of the storage. */
  #pinned = 0;
  #closed = false;
  /** A commit is outstanding. */
  #committing: Promise<void> | null = null;
  /** Waiting for their commit, the oldest first; while one is outstanding it is the first's. */
  #frozen: FrozenBuffer[] = [];
  /** The last entry whose effect is in a frozen buffer or in storage. */
  #frozenApplied: Index;
  #commitTimer: Timer | null = null;
  #commitDeferred = false;
  #compactionScheduled = false;
  #compactionWaiters: { revision: number; resolve: () => void }[] = [];
  #changes: Change[] = [];
  #leaseKeeper: LeaseKeeper | null = null;
  #authKeeper: AuthKeeper | null = null;
  #orderKeeper: OrderKeeper | null = null;
  #membersChanged: (() => void) | null = null;
  #commitObserver: ((durationMs: number) => void) | null = null;
  /** Commits that the storage took and has not flushed. */
  #flushing: Promise<void> = Promise.resolve();

  /**
   * Opens what `storage` holds. Rejects with `FLOTILLA_STORAGE_VERSION` when a newer program wrote it. The storage
   * belongs to the database from here on.
   */
  static async open(
    platform: Platform,
    storage: OrderedStorage,
    options: DatabaseOptions = {},
  ): Promise<Database> {
    const mark = storage.get(Table.META, installingKey);
    if (mark === null) {
      const record = storage.get(Table.META, stateKey);
      const stored = record === null ? fresh : decodeState(record);
      if (!stored.usesSystem) await clearSystem(storage);
      return new Database(platform, storage, stored, null, options);
    }
    // Part of a snapshot is no state. Emptied, the database can take another, or the log from its first entry.
    const interrupted = decodeMark(mark);
    await storage.commit(markedEmpty(storage, interrupted)).committed;
    return new Database(platform, storage, fresh, interrupted, options);
  }

  /** Use {@link Database.open}. */
  constructor(
    platform: Platform,
    storage: OrderedStorage,
    stored: StoredState,
    interrupted: InstallMark | null,
    options: DatabaseOptions,
  ) {
    this.interruptedInstall = interrupted?.position ?? null;
    this.#marked = interrupted !== null;
    this.#known = interrupted?.known ?? null;
    const installed = storage.get(Table.META, installedKey);
    this.#installed = installed === null ? null : decodeInstalled(installed);
    this.#platform = platform;
    this.#storage = storage;
    this.#applied = stored.applied as Position;
    this.#flushed = stored.applied as Position;
    this.#frozenApplied = this.#applied.index;
    this.#state = new AppliedState(storage, stored);
    this.#compactor = new Compactor(this.#state.keys);
    this.#sum = new StateSum(decodeSum(storage.get(Table.META, sumKey), this.#applied));
    this.#state.keys.sum = this.#sum;
    this.#readable = this.#state.keys;
    this.watches = new WatchHub(platform, this.#state.keys, options.watch);
    this.#holdWatches();
    this.#observe();
    this.#scheduleCompaction();
    this.#findSum();
  }

  get applied(): Position {
    return this.#applied;
  }

  get flushed(): Position {
    return this.#flushed;
  }

  get installed(): SnapshotMeta | null {
    return this.#installed;
  }

  get revision(): number {
    return this.#readable.revision;
  }

  /** What each member has told the others about itself, by node id. */
  get members(): MemberRecords {
    const known = this.#known;
    return known !== null && this.#applied.index < known.at ? known.members : this.#state.members;
  }

  /** As reads see them. Not to be kept. */
  get leases(): LeaseReader {
    return this.#state.leasesIn(new LeaseRecords(new SystemTable(this.#readable, true)));
  }

  /** Of a sharded cluster; null: it was never sharded. Not to be kept: a snapshot puts another in its place. */
  get order(): OrderMachine | null {
    return this.#state.order;
  }

  keepOrder(keeper: OrderKeeper): void {
    assert(this.#orderKeeper === null, 'one keeps the order');
    this.#orderKeeper = keeper;
    this.#observe();
  }

  /** There is one; it looks at the leases that are there already by itself. */
  keepLeases(keeper: LeaseKeeper): void {
    assert(this.#leaseKeeper === null, 'one keeps the time of leases');
    this.#leaseKeeper = keeper;
    this.#observe();
  }

  /** Sessions of clients with their last uses, the one that was used least recently first. */
  sessionUses(): IterableIterator<SessionUse> {
    return this.#state.sessions.uses();
  }

  /** Whether applying a request of this number would not execute it here: it was executed, or is refused. */
  settles(session: RequestSession): boolean {
    return this.#state.settles(session);
  }

  /** Users, roles and what they allow. Not to be kept: a snapshot puts another in its place. */
  get auth(): Auth {
    return this.#state.auth;
  }

  keepAuth(keeper: AuthKeeper): void {
    assert(this.#authKeeper === null, 'one keeps tokens');
    this.#authKeeper = keeper;
    this.#observe();
  }

  /** Who the members are, as of what is applied. Not to be kept: a snapshot puts another in its place. */
  get registry(): MemberRegistry {
    return this.#state.registry;
  }

  /** `changed`: called when the registry is, or when a member has told something of itself; in the middle of applying. */
  followMembers(changed: () => void): void {
    assert(this.#membersChanged === null, 'one follows the members');
    this.#membersChanged = changed;
  }

  /** `committed`: called with how long each commit to the storage took. */
  followCommits(committed: (durationMs: number) => void): void {
    assert(this.#commitObserver === null, 'one follows the commits');
    this.#commitObserver = committed;
  }

  /** What the storage may take in without growing. */
  get reusableBytes(): number {
    return this.#storage.reusableBytes;
  }

  get compactRevision(): number {
    return this.#readable.compactRevision;
  }

  /** More waits for the storage than it should: writes had better be refused for a while. */
  get overloaded(): boolean {
    return this.#frozen.length > limits.frozenBuffers || this.#bufferedBytes() > limits.bufferedBytes;
  }

  /** The alarms that are up. */
  get alarms(): readonly AlarmMember[] {
    return this.#state.alarms.raised;
  }

  /** The version that the members are to be replaced by, `3.6.0`; null: they are not. */
  get downgradeTarget(): string | null {
    return this.#state.downgrade.targetVersion;
  }

  /** Of keys and values at their latest revisions and in the history: what a quota counts. Cheap, unlike {@link stats}. */
  get liveBytes(): number {
    return this.#state.keys.liveBytes;
  }

  /** From the counts that are kept per stretch of keys, without reading the keys. */
  get keyCount(): number {
    return range(this.#readable, everyKey).count;
  }

  get stats(): DatabaseStats {
    const { active, frozen } = this.#state.keys.layers;
    return {
      revision: this.revision,
      compactRevision: this.compactRevision,
      liveBytes: this.liveBytes,
      storageBytes: this.#storage.sizeBytes,
      bufferedBytes: this.#bufferedBytes(),
      bufferedOperations: frozen.reduce((sum, buffer) => sum + buffer.operations, active.operations),
      watchers: this.watches.watcherCount,
      watchStreams: this.watches.streamCount,
      sessions: this.#state.sessions.stats,
    };
  }

  apply(entries: readonly Entry[]): readonly ApplyResult[] {
    assert(!this.#installing, 'nothing is applied while a snapshot is being installed');
    const startMs = this.#platform.now();
    const results: ApplyResult[] = [];
    for (let i = 0; i < entries.length; i += 1) {
      const entry = entries[i] as Entry;
      assert(entry.index === this.#applied.index + 1, 'entries are applied one after the other, each once');
      if (entry.kind === 'membership') this.#changeMembership(entry);
      else if (entry.kind !== 'command') this.#state.pass(entry);
      results.push(entry.kind === 'command' ? this.#execute(entry) : noAnswer);
      this.#applied = { index: entry.index, term: entry.term };
      this.#sum.applied(entry.index);
    }
    this.#publish();
    this.#scheduleCommit();
    if (this.#platform.now() - startMs > limits.slowApplyMs) this.counts.slowApplies += 1;
    return results;
  }

  /** An entry that has shard 0 take over a neighbour waits until that is complete on this node. */
  holds(entry: Entry): boolean {
    const { order } = this.#state;
    if (order === null || entry.kind !== 'command' || !isOrderEntry(entry.payload)) return false;
    const { request } = decodeProposal(entry.payload);
    if (!mayChangeRange(request)) return false;
    const change = decodeOrderEntry(request);
    // What comes before it decides whether it means anything.
    if (entry.index > this.#applied.index + 1) return isMergeIntoOwn(change);
    const needs = order.needs(change);
    return needs !== null && (this.#orderKeeper?.drained(needs.drained, needs.upTo) ?? null) === null;
  }

  admits(change: MembershipChange): boolean {
    return this.#state.admits(change);
  }

  /** Answers from the state of this member. Throws `RpcError`. The request must have passed `validate.ts`. */
  range(request: RangeRequest): RangeResponse {
    this.counts.ranges += 1;
    return range(this.#readable, request);
  }

  /**
   * As {@link Database.range}, but a long one is read in slices with other work between them, all of it from the
   * state as it was at the call.
   */
  async rangeInSlices(request: RangeRequest): Promise<RangeResponse> {
    // While a snapshot is being installed reads are served from a view that may go at any turn.
    if (this.#installing) return this.range(request);
    this.counts.ranges += 1;
    const first = new RangeScan(this.#readable, request);
    if (first.step(limits.rangeSliceKeys)) return first.response();
    first.close();
    // Too long for one turn: once more from the start, on a view that outlives the turn.
    const pinned = this.#pin();
    try {
      const scan = new RangeScan(pinned, request);
      while (!scan.step(limits.rangeSliceKeys)) await this.#nextTurn();
      return scan.response();
    } finally {
      pinned.release();
    }
  }

  /**
   * A streamable range (see `isStreamable`) in pieces of about `pieceBytes`, all of it from the state as it was at the
   * first one. The last piece alone has the header, how many keys there are, and whether the limit has cut. While nobody
   * asks for the next piece nothing is read.
   */
  async *rangePieces(request: RangeRequest, pieceBytes: number): AsyncGenerator<RangeResponse> {
    const point = this.#pin();
    try {
      const chunks = new RangeChunks(point, request);
      let pieceKeys: number = limits.firstPieceKeys;
      for (;;) {
        const kvs = chunks.next(pieceKeys, pieceBytes);
        if (chunks.ended) {
          yield RangeResponse.create({ header: header(point.revision), kvs, ...chunks.outcome() });
          return;
        }
        yield RangeResponse.create({ kvs });
        const bytes = kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
        if (bytes > pieceBytes) pieceKeys = Math.max(1, pieceKeys >> 1);
        else if (2 * bytes <= pieceBytes) pieceKeys = Math.min(limits.rangeSliceKeys, 2 * pieceKeys);
        await this.#nextTurn();
      }
    } finally {
      point.release();
    }
  }

  /** Answers a transaction that only reads, see `isReadOnly`. */
  txn(request: TxnRequest): TxnResponse {
    const response = readTxn(this.#readable, request);
    this.counts.ran(response);
    return response;
  }

  /** Resolves when nothing at or below `revision` is left that compaction has to remove, and that is stored. */
  async compacted(revision: number): Promise<void> {
    if (this.#state.keys.compactedThrough < Math.min(revision, this.#state.keys.compactRevision)) {
      await new Promise<void>((resolve) => {
        this.#compactionWaiters.push({ revision, resolve });
      });
    }
    await this.commitNow();
  }

  /** Commits what is applied, now. Resolves when it is in storage, flushed or not. */
  async commitNow(): Promise<void> {
    if (!this.#installing && !this.#closed && this.#unfrozen()) this.#freeze();
    const last = this.#frozen.at(-1);
    while (last !== undefined && this.#frozen.includes(last) && !this.#installing && !this.#closed) {
      await (this.#committing ?? this.#startCommit());
    }
  }

  snapshot(): SnapshotSource {
    assert(!this.#installing, 'a member that is being given a state has none to give');
    const stored = this.#state.stored(this.#applied);
    const pinned = new Pinned(this.#state.keys, this.#storage);
    return new DatabaseSnapshot(this.#platform, pinned, stored);
  }

  async install(meta: SnapshotMeta): Promise<SnapshotSink> {
    assert(meta.index >= this.#applied.index, 'a snapshot is not installed over newer state');
    this.#installing = true;
    this.#commitTimer?.cancel();
    this.#commitTimer = null;
    while (this.#committing !== null) await this.#committing;
    // Reads go on from the state before, until there is another.
    if (this.#before === null) {
      this.#before = new Pinned(this.#state.keys, this.#storage);
      this.#readable = this.#before;
      this.watches.readFrom(this.#before);
    }
    const install = new SnapshotInstall(this.#platform, this.#storage, meta);
    await install.begin(this.#knownMembers);
    return {
      write: (chunk) => install.write(chunk),
      finish: async () => {
        const stored = await install.finish();
        assert(stored.applied.index === meta.index, 'a snapshot is the one that was announced');
        this.#installed = meta;
        this.#replace(stored);
      },
      abort: () => Promise.resolve(),
    };
  }

  /**
   * etcd's `HashKV` at a revision, 0: the newest. Of the state as it was at the call, in slices. Throws what etcd
   * answers to a compacted or a future revision.
   */
  async hashKeyValues(revision: number): Promise<KeyValueHash> {
    const at = hashRevisionOf(this.#readable, revision);
    const kept = this.#keptHashes.before(revision, this.#readable.compactRevision);
    if (kept !== null) return { ...kept, revision: this.#readable.revision };
    const pinned = this.#pin();
    try {
      const hash = await this.#inSlices(hashKeyValues(pinned, at));
      this.#keptHashes.keep(hash);
      return hash;
    } finally {
      pinned.release();
    }
  }

  /**
   * Writes the state as it is now into a file of etcd's format, in slices, and answers the file's size. What the sink
   * throws ends it.
   */
  async writeEtcdFile(sink: ByteSink, facts: EtcdClusterFacts): Promise<number> {
    const file = new BoltWriter(sink);
    await this.#writeEtcdContents(file, facts);
    return file.finish();
  }

  /** etcd's `Hash`: over everything that is replicated, as etcd would store it. */
  async hashEtcdContents(facts: EtcdClusterFacts): Promise<number> {
    const hash = new ContentsHash();
    await this.#writeEtcdContents(hash, facts);
    return hash.value;
  }

  /** Sums of the state to compare with those of other members, the oldest first; empty while they are not known. */
  get sums(): readonly SumAt[] {
    const { value, marks } = this.#sum;
    return value === null || this.#installing ? [] : [...marks, { index: this.#applied.index, sum: value }];
  }

  /**
   * Reads the whole state, with pauses, and tells whether it is what was applied. Null: not known, because the state was
   * replaced or the database closed meanwhile, or because nothing was known before.
   */
  async verify(): Promise<boolean | null> {
    const sum = this.#sum;
    const reading = sum.begin(this.#state.keys.layers);
    try {
      while (!reading.done) {
        if (this.#installing || this.#closed || this.#sum !== sum) return null;
        const startMs = this.#platform.now();
        let left: number = limits.keptRecordsSlice;
        reading.read(() => (left -= 1) > 0 && this.#platform.now() - startMs < limits.sliceMs);
        await new Promise<void>((resolve) => {
          this.#platform.timer(limits.sumPauseMs, 'database-sum', resolve);
        });
      }
      const expected = sum.value;
      return expected === null ? null : expected === reading.sum;
    } finally {
      sum.end(reading);
    }
  }

  /** Equal on all members at equal applied index. Reads everything: for tests and for checks that were asked for. */
  hash(): StateHash {
    this.#state.settle();
    return hashState(this.#platform, this.#readable);
  }

  /** Commits and flushes what is applied and closes the storage. */
  async close(): Promise<void> {
    if (this.#closed) return;
    if (!this.#installing) await this.commitNow();
    this.#closed = true;
    this.#commitTimer?.cancel();
    this.watches.close();
    while (this.#committing !== null) await this.#committing;
    await this.#storage.close();
    await this.#flushing;
  }

  #publish(): void {
    if (this.#changes.length === 0) return;
    const changes = this.#changes;
    this.#changes = [];
    this.watches.publish(changes);
  }

  /** Where there is an order, watchers are told of all shards, by whoever can ask them. Before, of what was applied here. */
  #holdWatches(): void {
    if (this.#state.order === null) return;
    this.#publish();
    this.watches.hold();
  }

  #changeMembership(entry: Entry): void {
    this.#state.changeMembership(decodeMembershipChange(entry.payload), entry);
    this.#membersChanged?.();
  }

  #execute(entry: Entry): ApplyResult {
    const proposal = decodeProposal(entry.payload);
    // Who watches may lose the permission to: until here it had it, and from here on it sees nothing more.
    if (proposal.kind === 'auth') this.#publish();
    const result = this.#state.execute(proposal, entry);
    if (proposal.kind === 'order') this.#holdWatches();
    this.counts.applied(proposal, result);
    if (proposal.kind === 'compact' || proposal.kind === 'order') this.#scheduleCompaction();
    if (proposal.kind === 'member') this.#membersChanged?.();
    return result;
  }

  #observe(): void {
    const { watches } = this;
    this.#state.keys.observer = {
      get listening() {
        return watches.listening;
      },
      changed: (change) => this.#changes.push(change),
    };
    this.#state.observeLeases(this.#leaseKeeper);
    this.#state.observeOrder(this.#orderKeeper);
    this.#state.auth.observer = this.#authKeeper;
  }

  #bufferedBytes(): number {
    const { active, frozen } = this.#state.keys.layers;
    return frozen.reduce((sum, buffer) => sum + buffer.bytes, active.bytes);
  }

  #dirty(): boolean {
    return this.#frozen.length > 0 || this.#unfrozen();
  }

  #unfrozen(): boolean {
    return this.#applied.index !== this.#frozenApplied || this.#state.keys.layers.active.operations > 0;
  }

  #scheduleCommit(): void {
    if (this.#installing || this.#closed) return;
    const { active } = this.#state.keys.layers;
    if (active.operations >= limits.freezeOperations) this.#freeze();
    if (this.#committing !== null || this.#commitDeferred) return;
    const much = active.operations >= limits.commitOperations || active.bytes >= limits.commitBytes;
    if (much || this.#frozen.length > 0) {
      // After the turn's answers have left: handing a commit over takes some milliseconds.
      this.#commitDeferred = true;
      this.#platform.defer(() => {
        this.#commitDeferred = false;
        if (this.#committing === null && !this.#installing && !this.#closed) void this.#startCommit();
      });
      return;
    }
    if (this.#commitTimer !== null || !this.#dirty()) return;
    this.#commitTimer = this.#platform.timer(limits.commitIntervalMs, 'database-commit', () => {
      this.#commitTimer = null;
      if (this.#committing === null && !this.#installing && !this.#closed) void this.#startCommit();
    });
  }

  /** What is applied becomes a commit, whenever its turn comes. */
  #freeze(): void {
    const { keys } = this.#state;
    keys.settle();
    const { layers } = keys;
    const record = encodeState(this.#state.stored(this.#applied));
    const { value } = this.#sum;
    const sum = value === null ? null : encodeSum(this.#applied, value);
    this.#frozen.push({ buffer: layers.active, applied: this.#applied, record, sum });
    layers.stack.frozen = [layers.active, ...layers.frozen];
    layers.stack.active = new WriteBuffer();
    this.#frozenApplied = this.#applied.index;
  }

  #startCommit(): Promise<void> {
    this.#commitTimer?.cancel();
    this.#commitTimer = null;
    if (this.#frozen.length === 0) this.#freeze();
    const { layers } = this.#state.keys;
    const { buffer, applied, record, sum } = this.#frozen[0] as FrozenBuffer;
    // What is applied after an interrupted install is state again.
    const meta: TableWrites =
      this.#marked || this.#installed !== null
        ? {
            keys: [installingKey, installedKey, stateKey, sumKey],
            values: [null, this.#installedAt(applied), record, sum],
          }
        : { keys: [stateKey, sumKey], values: [record, sum] };
    this.#marked = false;
    const startMs = this.#platform.now();
    const { committed, flushed } = this.#storage.commit(buffer.encode(meta));
    const committing = committed.then(() => {
      this.#commitObserver?.(this.#platform.now() - startMs);
      this.#frozen.shift();
      layers.stack.frozen = layers.frozen.slice(0, -1);
      this.#committing = null;
      this.#scheduleCommit();
    });
    const flushing = flushed.then(() => {
      // A flush may complete after a snapshot has replaced what it was of.
      if (applied.index <= this.#flushed.index) return;
      this.#flushed = applied;
      if (this.#installed !== null && applied.index > this.#installed.index) this.#installed = null;
    });
    this.#committing = committing;
    this.#flushing = flushing;
    // A storage that cannot commit stops the member: state in memory that never reaches the disk must not grow.
    this.#platform.spawn('database-commit', () => committing);
    this.#platform.spawn('database-flush', () => flushing);
    return committing;
  }

  /** What was installed is forgotten with the first entry that is stored after it. */
  #installedAt({ index }: Position): Uint8Array | null {
    const installed = this.#installed;
    return installed !== null && index <= installed.index ? encodeInstalled(installed) : null;
  }

  get #knownMembers(): KnownMembers {
    const known = this.#known;
    if (known !== null && this.#applied.index < known.at) return known;
    return { at: this.#applied.index, members: this.#state.members };
  }

  #scheduleCompaction(delayMs: number = this.#compactionDelayMs): void {
    if (this.#compactionScheduled || this.#state.keys.compactedThrough >= this.#state.keys.compactRevision)
      return;
    this.#compactionScheduled = true;
    this.#platform.timer(delayMs, 'database-compaction', () => {
      this.#compactionScheduled = false;
      this.#compactSlice();
    });
  }

  /** Until it begins. */
  get #compactionDelayMs(): number {
    return this.#state.order === null ? limits.compactionPauseMs : limits.shardCompactionDelayMs;
  }

  #compactSlice(): void {
    if (this.#installing || this.#closed) return;
    // The disk is behind: compaction can wait, it only makes more work for it.
    if (!this.overloaded) this.#compactor.slice(limits.compactionSliceEvents);
    const { compactedThrough } = this.#state.keys;
    this.#compactionWaiters = this.#compactionWaiters.filter(({ revision, resolve }) => {
      if (compactedThrough < revision) return true;
      resolve();
      return false;
    });
    this.#scheduleCommit();
    this.#scheduleCompaction(limits.compactionPauseMs);
  }

  #replace(stored: StoredState): void {
    this.#applied = stored.applied as Position;
    this.#flushed = stored.applied as Position;
    this.#frozenApplied = this.#applied.index;
    this.#state = new AppliedState(this.#storage, stored);
    this.#compactor = new Compactor(this.#state.keys);
    this.#sum = new StateSum(decodeSum(null, this.#applied));
    this.#state.keys.sum = this.#sum;
    this.#known = null;
    this.#readable = this.#state.keys;
    this.#frozen = [];
    this.#installing = false;
    this.#observe();
    this.#authKeeper?.restored();
    this.#membersChanged?.();
    if (this.#state.order === null) this.watches.restore(this.#state.keys);
    else this.watches.hold();
    this.#before?.release();
    this.#before = null;
    this.#leaseKeeper?.restored();
    this.#orderKeeper?.restored();
    const waiters = this.#compactionWaiters;
    this.#compactionWaiters = [];
    for (const { resolve } of waiters) resolve();
    this.#scheduleCompaction();
    this.#findSum();
  }

  async #writeEtcdContents(sink: BucketSink, facts: EtcdClusterFacts): Promise<void> {
    const applied = this.#applied;
    const point = this.#pin();
    try {
      await this.#inSlices(writeEtcdContents(sink, { point, applied, facts }));
    } finally {
      point.release();
    }
  }

  /** A state that an older program wrote, or another member sent, has no sum yet. */
  #findSum(): void {
    if (this.#sum.value !== null) return;
    this.#platform.spawn('database-sum', async () => {
      await this.verify();
    });
  }

  /** A member that is being given a state has none to pin. */
  #pin(): Pinned {
    if (this.#installing) throw etcdErrors.unhealthy;
    if (this.#pinned >= limits.pinnedReads) throw etcdErrors.tooManyRequests;
    this.#pinned += 1;
    return new Pinned(this.#state.keys, this.#storage, () => (this.#pinned -= 1));
  }

  /** Runs what yields often, with other work in between. */
  async #inSlices<Result>(steps: Generator<void, Result>): Promise<Result> {
    for (;;) {
      const startMs = this.#platform.now();
      for (let left = limits.keptRecordsSlice; left > 0; left -= 1) {
        const step = steps.next();
        if (step.done === true) return step.value;
        if (this.#platform.now() - startMs >= limits.sliceMs) break;
      }
      await this.#nextTurn();
      if (this.#closed) throw etcdErrors.stopped;
    }
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => this.#platform.defer(resolve));
  }
}

function isMergeIntoOwn(entry: OrderEntry): boolean {
  return entry.kind === 'range' && entry.change.kind === 'merge' && entry.change.into === orderShard;
}

const everyKey = RangeRequest.create({
  key: Uint8Array.of(0),
  rangeEnd: Uint8Array.of(0),
  serializable: true,
  countOnly: true,
});

/**
 * A program that does not know the system table may have replaced the state, and left in it what belonged to the one
 * before. By the state's format nothing is there.
 */
async function clearSystem(storage: OrderedStorage): Promise<void> {
  const keys: Uint8Array[] = [];
  const cursor = storage.scan(Table.SYSTEM, { from: null, to: null, reverse: false });
  for (; cursor.key !== null; cursor.advance()) keys.push(cursor.key);
  if (keys.length === 0) return;
  const tables: TableWrites[] = storage.tables.map(() => ({ keys: [], values: [] }));
  tables[Table.SYSTEM] = { keys, values: keys.map(() => null) };
  await storage.commit({ clear: false, tables }).committed;
}

interface FrozenBuffer {
  readonly buffer: WriteBuffer;
  /** The last entry whose effect is in it, and the state record that says so. */
  readonly applied: Position;
  readonly record: Uint8Array;
  /** Null: it is not known yet. */
  readonly sum: Uint8Array | null;
}

interface Position {
  readonly index: Index;
  readonly term: Term;
}

const fresh: StoredState = {
  applied: { index: 0, term: 0 },
  summary: emptySummary,
  members: new Map(),
  usesSystem: false,
  isSharded: false,
};
