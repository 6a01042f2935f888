import { assert, FlotillaError } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
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
import { RangeRequest } from '@flotilla/wire';
import type { AlarmMember, RangeResponse, TxnRequest, TxnResponse } from '@flotilla/wire';
import { AppliedState, type OwnShardStore } from './applied-state.ts';
import { type ApplyResult, noAnswer } from './apply-result.ts';
import type { Auth, AuthObserver } from './auth/auth.ts';
import type { MemberRegistry } from './cluster/member-registry.ts';
import { DatabaseReads, type ReadSource } from './database-reads.ts';
import type { ByteSink } from './etcd-file/bolt-writer.ts';
import type { EtcdClusterFacts, ShardedContents } from './etcd-file/etcd-contents.ts';
import type { KeyValueHash } from './hash/hash-kv.ts';
import { readSum } from './hash/read-sum.ts';
import { StateSum } from './hash/state-sum.ts';
import type { SumAt } from './hash/state-sum.ts';
import { decodeInstalled, encodeInstalled } from './installed-snapshot.ts';
import { type LeaseReader, LeaseRecords } from './leases/lease-records.ts';
import type { LeaseObserver } from './leases/leases.ts';
import { limits } from './limits.ts';
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
import { range } from './mvcc/range.ts';
import type { ReadPoint } from './mvcc/range.ts';
import { emptySummary } from './mvcc/state.ts';
import type { Change, MultiVersionState } from './mvcc/state.ts';
import { Table } from './mvcc/tables.ts';
import { NodeStore, type RowInstall, type SharedShardStore } from './node-store/node-store.ts';
import type { MetaRow, PartState, StorePart } from './node-store/store-part.ts';
import { readStored } from './node-store/stored-shards.ts';
import { OperationCounts } from './operation-counts.ts';
import { decodeOrderEntry, mayChangeRange } from './order/order-entry-codec.ts';
import type { OrderEntry } from './order/order-entry.ts';
import type { OrderMachine } from './order/order-machine.ts';
import type { OrderObserver } from './order/order-observer.ts';
import { decodeProposal, isOrderEntry, type RequestSession } from './proposal.ts';
import type { SessionUse } from './sessions/session.ts';
import type { SessionStats } from './sessions/sessions.ts';
import type { KeySpan } from './shard/key-span.ts';
import { orderShard } from './shard/shard-entry.ts';
import { decodeMark, encodeMark, markedEmpty, replaceWhole, SnapshotInstall } from './snapshot-install.ts';
import type { InstallMark, KnownMembers } from './snapshot-install.ts';
import { type DatabaseHeader, DatabaseSnapshot } from './snapshot-stream.ts';
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
  /**
   * A snapshot that has just come has all of these keys in shard 0, and other replicas of this node have some of them.
   * Those whose keys are all among them have nothing that it does not have.
   */
  superseded(span: KeySpan): void;
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
  /** Where it is stored, with the shards of its node if there are any. */
  readonly store: NodeStore;
  readonly watches: WatchHub;
  readonly counts = new OperationCounts();
  /** The stored state was being replaced by a snapshot when the member stopped: it has none and needs one. */
  readonly interruptedInstall: LogPosition | null;
  readonly #platform: Platform;
  readonly #storage: OrderedStorage;
  readonly #reads: DatabaseReads;
  readonly #part: StorePart;
  #applied: Position;
  #flushed: Position;
  #state: AppliedState;
  /** The state's keys as shard 0's. */
  #own!: SharedShardStore;
  /** That was sought last: a split or merge leaves another, which is not known. */
  #soughtSum: StateSum | null = null;
  /** Of the state that was given up, as long as the present one is behind it. */
  #known: KnownMembers | null;
  #installed: SnapshotMeta | null;
  /** What reads see: the live state, or the one before an install that has not finished. */
  #readable: ReadPoint;
  #installing = false;
  #stateMissing: boolean;
  #isApplying = false;
  /** The mark of an interrupted install is to go with the first commit. */
  #marked: boolean;
  #before: Pinned | null = null;
  #closed = false;
  #compactionScheduled = false;
  #compactionWaiters: { revision: number; resolve: () => void }[] = [];
  #changes: Change[] = [];
  #leaseKeeper: LeaseKeeper | null = null;
  #authKeeper: AuthKeeper | null = null;
  #orderKeeper: OrderKeeper | null = null;
  #membersChanged: (() => void) | null = null;

  /**
   * Opens what `storage` holds. Rejects with `FLOTILLA_STORAGE_VERSION` when a newer program wrote it. The storage
   * belongs to the database from here on.
   */
  static async open(
    platform: Platform,
    storage: OrderedStorage,
    options: DatabaseOptions = {},
  ): Promise<Database> {
    const hasShards = readStored(storage).shards.some(({ shard }) => shard !== orderShard);
    const mark = storage.get(Table.META, installingKey);
    if (mark === null) {
      const record = storage.get(Table.META, stateKey);
      const stored = record === null ? fresh : decodeState(record);
      if (!stored.usesSystem && !hasShards) await clearSystem(storage);
      return new Database(platform, storage, stored, null, options);
    }
    // Part of a snapshot is no state. Emptied, the database can take another, or the log from its first entry.
    const interrupted = decodeMark(mark);
    if (!hasShards) await storage.commit(markedEmpty(storage, interrupted)).committed;
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
    this.store = new NodeStore(platform, storage);
    this.#stateMissing = !this.store.isAlone && interrupted !== null;
    this.#applied = stored.applied as Position;
    this.#flushed = stored.applied as Position;
    this.#state = this.#openState(stored, storage.get(Table.META, sumKey));
    this.#readable = this.#state.keys;
    this.#part = {
      id: orderShard,
      freeze: () => this.#freeze(),
      flushed: (applied) => this.#flushedThrough(applied as Position),
    };
    if (!this.#stateMissing) this.store.addStored(this.#part);
    this.#reads = new DatabaseReads(platform, storage, this.counts, this.#readSource);
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

  /**
   * Part of a snapshot is there, and no more. Or an interrupted one has left nothing, and there are shards beside it: the
   * log's first entry must not be applied to what is theirs.
   */
  get stateMissing(): boolean {
    return this.#stateMissing;
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
    const { commits } = this.store;
    assert(commits.observer === null, 'one follows the commits');
    commits.observer = committed;
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
    return this.store.overloaded;
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
    return this.store.liveBytes;
  }

  /** From the counts that are kept per stretch of keys, without reading the keys. */
  get keyCount(): number {
    return range(this.#readable, everyKey).count;
  }

  get stats(): DatabaseStats {
    const { commits } = this.store;
    return {
      revision: this.revision,
      compactRevision: this.compactRevision,
      liveBytes: this.liveBytes,
      storageBytes: this.#storage.sizeBytes,
      bufferedBytes: commits.bufferedBytes,
      bufferedOperations: commits.bufferedOperations,
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
      this.#isApplying = true;
      if (entry.kind === 'membership') this.#changeMembership(entry);
      else if (entry.kind !== 'command') this.#state.pass(entry);
      results.push(entry.kind === 'command' ? this.#execute(entry) : noAnswer);
      this.#applied = { index: entry.index, term: entry.term };
      this.#isApplying = false;
      this.#state.keys.sum?.applied(entry.index);
    }
    this.#publish();
    this.store.changed(orderShard);
    this.store.schedule();
    if (this.#soughtSum !== this.#state.keys.sum) this.#findSum();
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
    return this.#reads.range(request);
  }

  /**
   * As {@link Database.range}, but a long one is read in slices with other work between them, all of it from the
   * state as it was at the call.
   */
  rangeInSlices(request: RangeRequest): Promise<RangeResponse> {
    return this.#reads.rangeInSlices(request);
  }

  /**
   * A streamable range (see `isStreamable`) in pieces of about `pieceBytes`, all of it from the state as it was at the
   * first one. The last piece alone has the header, how many keys there are, and whether the limit has cut. While nobody
   * asks for the next piece nothing is read.
   */
  rangePieces(request: RangeRequest, pieceBytes: number): AsyncGenerator<RangeResponse> {
    return this.#reads.rangePieces(request, pieceBytes);
  }

  /** Answers a transaction that only reads, see `isReadOnly`. */
  txn(request: TxnRequest): TxnResponse {
    return this.#reads.txn(request);
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
  commitNow(): Promise<void> {
    return this.store.commitNow();
  }

  snapshot(): SnapshotSource {
    assert(!this.#installing, 'a member that is being given a state has none to give');
    const { keys, order } = this.#state;
    const stored = this.#state.stored(this.#applied);
    const compactRevision = order === null ? keys.compactRevision : order.own.keptFrom;
    const summary = { ...stored.summary, compactRevision };
    return new DatabaseSnapshot(this.#platform, new Pinned(keys, this.#storage), { ...stored, summary });
  }

  async install(meta: SnapshotMeta): Promise<SnapshotSink> {
    assert(meta.index >= this.#applied.index, 'a snapshot is not installed over newer state');
    this.#installing = true;
    const { isAlone } = this.store;
    if (isAlone) {
      await this.store.beginReplacement();
      this.#readBefore();
      this.#stateMissing = true;
    }
    const known = this.#knownMembers;
    const begin = isAlone
      ? await replaceWhole(this.#storage, meta, known)
      : (header: DatabaseHeader) => this.#giveWay(meta, header, known);
    const install = new SnapshotInstall(this.#platform, meta, begin);
    return {
      write: (chunk) => install.write(chunk),
      finish: async () => {
        const stored = await install.finish();
        assert(stored.applied.index === meta.index, 'a snapshot is the one that was announced');
        this.#installed = meta;
        if (isAlone) this.store.endReplacement();
        this.#replace(stored);
      },
      abort: async () => {
        await install.abort();
        if (!this.#stateMissing) this.#goOn();
      },
    };
  }

  /** Nothing was touched. */
  #goOn(): void {
    this.#installing = false;
    this.#scheduleCompaction();
    this.#findSum();
  }

  /** Reads go on from the state before, until there is another. */
  #readBefore(): void {
    if (this.#before !== null) return;
    this.#before = new Pinned(this.#state.keys, this.#storage);
    this.#readable = this.#before;
    this.watches.readFrom(this.#before);
  }

  /** Other shards of the node keep what they have: what is shard 0's alone is replaced. */
  #giveWay(meta: SnapshotMeta, { span }: DatabaseHeader, known: KnownMembers): Promise<RowInstall> {
    if (!this.store.hasRoom(span, orderShard)) {
      this.#orderKeeper?.superseded(span);
      throw new FlotillaError(
        'FLOTILLA_SNAPSHOT_BUSY',
        'another replica of this node has keys of the snapshot, and must change or go first',
      );
    }
    this.#readBefore();
    this.#stateMissing = true;
    this.store.drop(this.#part);
    const instead: MetaRow[] = [
      { key: installingKey, value: encodeMark(meta, known) },
      { key: installedKey, value: null },
      { key: stateKey, value: null },
      { key: sumKey, value: null },
    ];
    const begin = { shard: orderShard, span, old: this.#own, note: new Uint8Array(0), instead };
    return this.store.beginInstall(begin);
  }

  /** `sum`: as it is stored. */
  #openState(stored: StoredState, sum: Uint8Array | null): AppliedState {
    const { layers, row } = this.store.openDatabase();
    let own: SharedShardStore | null = null;
    const ownShard: OwnShardStore = (keys, attachments) => {
      own ??= this.store.databaseStore(keys, attachments);
      return own;
    };
    const summary = row === null ? stored.summary : { ...stored.summary, liveBytes: row.summary.liveBytes };
    const state = new AppliedState(layers, { ...stored, summary }, ownShard);
    const { keys, leases } = state;
    keys.unevenThrough = row?.unevenThrough ?? 0;
    keys.sum = new StateSum(decodeSum(sum, stored.applied));
    this.#own = own ?? this.store.databaseStore(keys, leases.records);
    return state;
  }

  /**
   * etcd's `HashKV` at a revision, 0: the newest. Of the state as it was at the call, in slices. Throws what etcd
   * answers to a compacted or a future revision.
   */
  hashKeyValues(revision: number): Promise<KeyValueHash> {
    return this.#reads.hashKeyValues(revision);
  }

  /**
   * Writes the state as it is now into a file of etcd's format, in slices, and answers the file's size. What the sink
   * throws ends it. `sharded`: the keys, where they are in many shards.
   */
  writeEtcdFile(
    sink: ByteSink,
    facts: EtcdClusterFacts,
    sharded: ShardedContents | null = null,
  ): Promise<number> {
    return this.#reads.writeEtcdFile(sink, facts, sharded);
  }

  /** etcd's `Hash`: over everything that is replicated, as etcd would store it. */
  hashEtcdContents(facts: EtcdClusterFacts, sharded: ShardedContents | null = null): Promise<number> {
    return this.#reads.hashEtcdContents(facts, sharded);
  }

  /** Sums of the state to compare with those of other members, the oldest first; empty while they are not known. */
  get sums(): readonly SumAt[] {
    const { sum } = this.#state.keys;
    if (sum === null || sum.value === null || this.#installing) return [];
    return [...sum.marks, { index: this.#applied.index, sum: sum.value }];
  }

  /**
   * Reads the whole state, with pauses, and tells whether it is what was applied. Null: not known, because the state was
   * replaced or the database closed meanwhile, or because nothing was known before.
   */
  verify(): Promise<boolean | null> {
    const { sum, layers } = this.#state.keys;
    const isOver = (): boolean => this.#installing || this.#closed || this.#state.keys.sum !== sum;
    return sum === null ? Promise.resolve(null) : readSum(this.#platform, sum, layers, isOver);
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
    this.watches.close();
    await this.store.close();
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

  get #readSource(): ReadSource {
    const keys = (): MultiVersionState => this.#state.keys;
    const readable = (): ReadPoint => this.#readable;
    const applied = (): LogPosition => this.#applied;
    const isInstalling = (): boolean => this.#installing;
    const isClosed = (): boolean => this.#closed;
    const leases = (): LeaseReader => this.leases;
    return {
      get keys() {
        return keys();
      },
      get readable() {
        return readable();
      },
      get applied() {
        return applied();
      },
      get leases() {
        return leases();
      },
      get isInstalling() {
        return isInstalling();
      },
      get isClosed() {
        return isClosed();
      },
    };
  }

  #freeze(): PartState {
    assert(!this.#isApplying, 'a commit is made between two entries');
    const applied = this.#applied;
    const rows: MetaRow[] = [
      { key: stateKey, value: encodeState(this.#state.stored(applied)) },
      { key: sumKey, value: this.#encodedSum },
    ];
    // What is applied after an interrupted install is state again.
    if (this.#marked || this.#installed !== null) {
      rows.push({ key: installingKey, value: null });
      rows.push({ key: installedKey, value: this.#installedAt(applied) });
    }
    if (!this.#own.isPlain) rows.push(this.#own.row());
    this.#marked = false;
    return { applied, rows };
  }

  get #encodedSum(): Uint8Array | null {
    const value = this.#state.keys.sum?.value ?? null;
    return value === null ? null : encodeSum(this.#applied, value);
  }

  #flushedThrough(applied: Position): void {
    // A flush may complete after a snapshot has replaced what it was of.
    if (applied.index <= this.#flushed.index) return;
    this.#flushed = applied;
    if (this.#installed !== null && applied.index > this.#installed.index) this.#installed = null;
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
    if (!this.overloaded && this.#mayCompact) this.#own.compact(limits.compactionSliceEvents);
    const { compactedThrough } = this.#state.keys;
    this.#compactionWaiters = this.#compactionWaiters.filter(({ revision, resolve }) => {
      if (compactedThrough < revision) return true;
      resolve();
      return false;
    });
    this.store.schedule();
    this.#scheduleCompaction(limits.compactionPauseMs);
  }

  /** A transaction over several shards may want to read what compaction would remove. */
  get #mayCompact(): boolean {
    return this.#state.order?.own.mayCompact ?? true;
  }

  #replace(stored: StoredState): void {
    this.#applied = stored.applied as Position;
    this.#flushed = stored.applied as Position;
    this.#state = this.#openState(stored, null);
    this.#known = null;
    this.#readable = this.#state.keys;
    this.#installing = false;
    this.#stateMissing = false;
    this.store.addStored(this.#part);
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

  /** A state that an older program wrote, or another member sent, has no sum yet. */
  #findSum(): void {
    const { sum } = this.#state.keys;
    this.#soughtSum = sum;
    if (sum === null || sum.value !== null) return;
    this.#platform.spawn('database-sum', async () => {
      await this.verify();
    });
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
