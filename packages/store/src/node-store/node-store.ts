import { assert } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import type { LeaseRecords } from '../leases/lease-records.ts';
import { limits } from '../limits.ts';
import { KeyScope } from '../mvcc/key-scope.ts';
import { LayerStack } from '../mvcc/layer-stack.ts';
import { Layers } from '../mvcc/layers.ts';
import { beginCounts } from '../mvcc/count-borders.ts';
import { ShardLogs } from '../mvcc/shard-logs.ts';
import { emptySummary, type MultiVersionState, type StateSummary } from '../mvcc/state.ts';
import { WriteBuffer } from '../mvcc/write-buffer.ts';
import { type KeySpan, overlaps } from '../shard/key-span.ts';
import { orderShard, type ShardId } from '../shard/shard-entry.ts';
import type { OrderedStorage } from '../storage.ts';
import { Commits, type FrozenRows } from './commits.ts';
import type { InstallBegin, RowInstall, ShardInstall } from './install.ts';
import { RowGarbage } from './row-garbage.ts';
import { encodeMark, type ShardMark } from './shard-mark.ts';
import { ShardRowName, shardRowKey } from './shard-rows.ts';
import { SharedShardStore, type SharedParts } from './shared-shard-store.ts';
import { SpanInstall } from './span-install.ts';
import {
  readDatabaseRow,
  readStored,
  rowKeysOf,
  type StoredContents,
  type StoredShard,
} from './stored-shards.ts';
import type { MetaRow, StorePart } from './store-part.ts';
import { SumFinder } from './sum-finder.ts';
import type { StoreRow } from './store-row.ts';
import { WarmStates } from './warm-states.ts';

export type { RowInstall, ShardInstall } from './install.ts';
export type { ShardMark } from './shard-mark.ts';
export { SharedShardStore } from './shared-shard-store.ts';
export type { MetaRow, PartState, StorePart } from './store-part.ts';
export type { StoredShard } from './stored-shards.ts';

/**
 * What a node keeps: one ordered storage, and one write buffer over it, for the replicas of all shards. Their keys are
 * disjoint, so rows of keys need no shard in them, and a split or merge moves none.
 *
 * Every commit carries, for each part that changed, the position in its log and its rows in META: what is stored is
 * always each part after some entry, and what several parts did in one turn (a split, a merge) is stored together or not
 * at all.
 */
export class NodeStore {
  readonly commits: Commits;
  /** The shards other than 0 that were stored when it was opened. */
  readonly stored: readonly StoredShard[];
  /** Shards that a neighbour had taken over, and that were still stored: what is left of them goes, but for their keys. */
  readonly leftOver: readonly ShardId[];
  readonly #platform: Platform;
  readonly #storage: OrderedStorage;
  readonly #stack: LayerStack;
  readonly #shared: SharedParts;
  readonly #parts = new Map<ShardId, StorePart>();
  readonly #changed = new Set<ShardId>();
  /** Rows of META that are no part's, for the next commit. */
  #rows: MetaRow[] = [];
  /** Those that have keys of this node. */
  readonly #shards = new Map<ShardId, SharedShardStore>();
  /** Keys whose rows are being removed or installed. */
  readonly #busy = new Map<ShardId, readonly KeySpan[]>();
  /** Removals under way, each to be waited for by whoever wants to install the same shard. */
  readonly #removals = new Map<ShardId, Promise<void>>();
  readonly #rowGarbage: RowGarbage;
  /** Everything is on its way out, or in. */
  #isReplacing = false;
  readonly #sums: SumFinder;
  readonly #warm = new WarmStates();

  /** Opens what `storage` holds, which belongs to it from here on. Throws `FLOTILLA_STORAGE_VERSION`. */
  constructor(platform: Platform, storage: OrderedStorage) {
    this.#platform = platform;
    this.#storage = storage;
    this.#stack = new LayerStack(new WriteBuffer(), [], storage);
    const isGone = (store: SharedShardStore): boolean =>
      this.commits.isClosed || this.#shards.get(store.shard) !== store;
    this.#sums = new SumFinder(platform, isGone);
    this.#shared = {
      storage,
      stack: this.#stack,
      claimed: (store) => this.#shards.set(store.shard, store),
      released: (store) => this.#release(store),
      changed: (shard) => this.changed(shard),
      sumForgotten: (store) => this.#findSum(store),
    };
    this.commits = new Commits(platform, storage, this.#stack, {
      isChanged: () => this.#changed.size > 0 || this.#rows.length > 0,
      freeze: () => this.#freeze(),
      intervalMs: () => (this.#parts.size > 1 ? limits.sharedCommitIntervalMs : limits.commitIntervalMs),
    });
    this.#rowGarbage = new RowGarbage(platform, this.#stack, this.commits);
    const contents = readStored(storage);
    this.stored = contents.shards.filter(({ shard }) => shard !== orderShard);
    this.leftOver = contents.leftOver;
    this.#cleanUp(contents);
  }

  // Parts.

  /** From here on it is asked at commits; it counts as changed. */
  add(part: StorePart): void {
    this.addStored(part);
    this.#changed.add(part.id);
  }

  /** The same of one that is what is stored of it. */
  addStored(part: StorePart): void {
    assert(!this.#parts.has(part.id), 'a shard is one part');
    this.#parts.set(part.id, part);
  }

  /**
   * It is asked no more. In the same turn its rows must come to be another's, or be given up by {@link NodeStore.install} or
   * {@link NodeStore.removeShard}: what it has applied since the last commit would be stored without its position.
   */
  drop(part: StorePart): void {
    if (this.#parts.get(part.id) !== part) return;
    this.#parts.delete(part.id);
    this.#changed.delete(part.id);
  }

  /** Of a part that was dropped: these go with the next commit, whatever that carries. */
  dropRows(rows: readonly MetaRow[]): void {
    this.#rows.push(...rows);
  }

  /** The next commit has to carry what this part is. Does nothing else; to be said before the turn ends. */
  changed(shard: ShardId): void {
    if (this.#parts.has(shard)) this.#changed.add(shard);
  }

  /**
   * To be called when something was applied and every part stands between two entries: may make a commit of it at once,
   * or sets the time for one.
   */
  schedule(): void {
    this.commits.schedule();
  }

  /** Commits what is applied, now. Resolves when it is in storage, flushed or not. */
  commitNow(): Promise<void> {
    return this.commits.now();
  }

  /** As {@link NodeStore.commitNow}; resolves when it survives a crash. */
  flushNow(): Promise<void> {
    return this.commits.flush();
  }

  /** More waits for the storage than it should: writes had better be refused for a while. */
  get overloaded(): boolean {
    return this.commits.overloaded;
  }

  /** Of all shards. Exact, as long as no shard leaves that a split has made, see {@link SharedShardStore}. */
  get liveBytes(): number {
    return Math.max(0, this.#stack.liveBytes);
  }

  #freeze(): FrozenRows {
    const frozen = [...this.#changed].map((id) => {
      const part = this.#parts.get(id) as StorePart;
      return { part, state: part.freeze() };
    });
    const rows = [...this.#rows, ...frozen.flatMap(({ state }) => state.rows)];
    this.#changed.clear();
    this.#rows = [];
    for (const { part } of frozen) {
      const store = this.#shards.get(part.id);
      if (store !== undefined) this.#warm.written(store.keys);
    }
    this.#warm.coolDown();
    return {
      rows,
      flushed: () => {
        for (const { part, state } of frozen) {
          if (this.#parts.get(part.id) === part) part.flushed(state.applied);
        }
      },
    };
  }

  // Shards.

  /** The store of a shard that has nothing yet. */
  createShard(shard: ShardId, span: KeySpan, summary: StateSummary = emptySummary): SharedShardStore {
    assert(this.hasRoom(span), 'keys are of one shard at a time');
    const scope = new KeyScope(shard, span, new ShardLogs(null, [], this.#stack.logs));
    beginCounts(new Layers(this.#stack, scope), span.from);
    return SharedShardStore.over(this.#shared, scope, summary, 0);
  }

  /** The store of a shard as its row {@link SharedShardStore.row} says. */
  openShard(shard: ShardId, row: Uint8Array): SharedShardStore {
    return SharedShardStore.open(this.#shared, shard, row);
  }

  /**
   * Whether no replica here claims a key of the span, `except` one's; nor are rows of it being removed. While everything is
   * replaced it is not known which keys there will be.
   */
  hasRoom(span: KeySpan, except: ShardId | null = null): boolean {
    if (this.#isReplacing) return false;
    for (const store of this.#shards.values()) {
      if (store.shard !== except && overlaps(store.span, span)) return false;
    }
    for (const [shard, spans] of this.#busy) {
      if (shard !== except && spans.some((busy) => overlaps(busy, span))) return false;
    }
    return true;
  }

  /**
   * Replaces what a shard has by rows that come from elsewhere. Its part must have been dropped, and be added again when
   * it is over. `old`: what it had, whose rows are removed first; null: nothing. From the first commit on until `finish`
   * a mark stands instead of the shard's rows in META, found after a crash with `note` in it. Commits of other parts go on
   * between.
   */
  async install(
    shard: ShardId,
    span: KeySpan,
    old: SharedShardStore | null,
    note: Uint8Array,
  ): Promise<ShardInstall> {
    const rows = await this.beginInstall({ shard, span, old, note });
    return {
      write: (table, part) => rows.write(table, part),
      abort: () => rows.abort(),
      finish: async (summary, metaRows) => {
        const scope = new KeyScope(shard, span, new ShardLogs(rows.log, [], this.#stack.logs));
        const store = SharedShardStore.over(this.#shared, scope, summary, null);
        await rows.finish(metaRows(store));
        this.#findSum(store);
        return store;
      },
    };
  }

  /** As {@link NodeStore.install}, for whoever opens what has come himself. */
  async beginInstall({ shard, span, old, note, instead = [] }: InstallBegin): Promise<RowInstall> {
    assert(this.hasRoom(span, shard), 'keys are of one shard at a time');
    assert(!this.#parts.has(shard), 'what is replaced is no part any more');
    const spans = old === null ? [span] : [old.span, span];
    if (old !== null) this.#giveUp(old);
    this.#busy.set(shard, spans);
    const mark: ShardMark = { kind: 'installing', spans, note };
    // A removal that is under way ends with a mark of its own; it has begun before anything of this one was there.
    const removal = this.#removals.get(shard);
    if (removal !== undefined) {
      await removal;
      this.#busy.set(shard, spans);
    }
    await this.#mark(shard, mark, instead);
    if (old !== null) await this.#rowGarbage.removeSpans(shard, [old.span]);
    await this.commits.now();
    const log = this.#stack.logs.next();
    const { length } = this.#storage.tables;
    const rows = new SpanInstall(span, log, length, (batch) => this.commits.direct(batch));
    return {
      log,
      write: (table, part) => rows.write(table, part),
      finish: async (metaRows) => {
        await rows.finish([...metaRows, this.#markRow(shard, null)]);
        this.#busy.delete(shard);
      },
      abort: async () => {
        this.#rowGarbage.collect(log);
        await this.#clear(shard, [span], { ...mark, spans: [] });
      },
    };
  }

  /**
   * Removes all rows of a shard, in slices; under a mark, so that a crash does not stop it. Its part must have been
   * dropped. Resolves when its keys may be claimed again.
   */
  async removeShard(store: SharedShardStore): Promise<void> {
    const { shard, span } = store;
    assert(!this.#parts.has(shard), 'what is removed is no part any more');
    this.#giveUp(store);
    const others = [...this.#shards.values()];
    assert(
      !others.some((other) => overlaps(other.span, span)),
      'keys that another shard has are not removed',
    );
    this.#busy.set(shard, [span]);
    await this.#mark(shard, { kind: 'removing', spans: [span], note: noNote });
    await this.#clear(shard, [span], null);
  }

  /** Takes the mark of a shard away that has no state and is to get none. Resolves when that is in storage. */
  async forgetShard(shard: ShardId): Promise<void> {
    assert(!this.#parts.has(shard) && !this.#shards.has(shard), 'a shard that is forgotten has no state');
    await this.#removals.get(shard);
    this.#rows.push(this.#markRow(shard, null));
    await this.commits.now();
  }

  // The database of group 0, which is shard 0.

  /** Nobody else has rows here: they can be replaced as a whole. */
  get isAlone(): boolean {
    const others = [...this.#parts.keys(), ...this.#shards.keys()].some((shard) => shard !== orderShard);
    return !others && this.#busy.size === 0 && this.stored.length === 0;
  }

  /** What the database reads and writes; and what its part of the store is, where it has not everything. */
  openDatabase(): { readonly layers: Layers; readonly row: StoreRow | null } {
    const { logs } = this.#stack;
    const { row, hasState } = readDatabaseRow(this.#storage);
    if (!hasState) return { layers: new Layers(this.#stack, KeyScope.nothing(logs)), row };
    if (row === null) return { layers: new Layers(this.#stack, KeyScope.whole(logs)), row };
    const scope = new KeyScope(orderShard, row.span, new ShardLogs(row.ownLog, row.closedLogs, logs));
    return { layers: new Layers(this.#stack, scope), row };
  }

  /** The database's keys as a shard's. */
  databaseStore(keys: MultiVersionState, attachments: LeaseRecords): SharedShardStore {
    return new SharedShardStore(this.#shared, keys, attachments);
  }

  /** From here on nothing is committed: the whole storage is replaced. */
  async beginReplacement(): Promise<void> {
    assert(this.isAlone, 'rows of others are not replaced');
    this.#isReplacing = true;
    await this.commits.suspend();
  }

  endReplacement(): void {
    this.#isReplacing = false;
    this.#rowGarbage.restart();
    this.#parts.clear();
    this.#changed.clear();
    this.#shards.clear();
    this.#warm.clear();
    this.#stack.unsettled.clear();
    this.#stack.logs.clear();
    this.#stack.liveBytes = 0;
    this.commits.restart();
  }

  /** Commits and flushes what is applied, and closes the storage. */
  close(): Promise<void> {
    return this.commits.close();
  }

  // Rows that go.

  /** What a crash has left behind. */
  #cleanUp({ shards, leftOver, logs, listedLogs }: StoredContents): void {
    for (const shard of leftOver) this.#rows.push(...this.#noRowsOf(shard));
    this.commits.schedule();
    this.#stack.logs.unused = (log) => this.#rowGarbage.collect(log);
    for (const log of logs) {
      this.#stack.logs.avoid(log);
      if (!listedLogs.has(log)) this.#rowGarbage.collect(log);
    }
    for (const log of listedLogs) this.#stack.logs.avoid(log);
    for (const { shard, mark } of shards) {
      if (mark === null || (mark.kind === 'installing' && mark.spans.length === 0)) continue;
      const { kind, spans, note } = mark;
      this.#busy.set(shard, spans);
      const after = kind === 'removing' ? null : ({ kind, spans: [], note } as const);
      const removal = this.#clear(shard, spans, after);
      this.#removals.set(shard, removal);
      this.#platform.spawn('shard-removal', () => removal);
    }
  }

  /** It has no keys any more. */
  #release(store: SharedShardStore): void {
    this.#shards.delete(store.shard);
    this.#warm.forget(store.keys);
  }

  /** Its rows are garbage. */
  #giveUp(store: SharedShardStore): void {
    store.keys.forgetCaches();
    store.keys.layers.scope.logs.release();
    store.keys.liveBytes = 0;
    this.#release(store);
  }

  /** From the next commit on the shard has no state. The rows that it had in META count no more, and go. */
  async #mark(shard: ShardId, mark: ShardMark, instead: readonly MetaRow[] = []): Promise<void> {
    this.#rows.push(...instead, this.#markRow(shard, mark));
    // What was frozen before may have some more.
    await this.commits.now();
    this.#rows.push(...this.#noRowsOf(shard), this.#markRow(shard, mark));
    this.commits.schedule();
  }

  /** Takes away what is in the storage of it. */
  #noRowsOf(shard: ShardId): MetaRow[] {
    return rowKeysOf(this.#storage, shard).map((key) => ({ key, value: null }));
  }

  #markRow(shard: ShardId, mark: ShardMark | null): MetaRow {
    const value = mark === null ? null : encodeMark(mark);
    return { key: shardRowKey(shard, ShardRowName.MARK), value };
  }

  /** `after`: the mark that is left. */
  async #clear(shard: ShardId, spans: readonly KeySpan[], after: ShardMark | null): Promise<void> {
    await this.#rowGarbage.removeSpans(shard, spans);
    // A crash may have come before those of META went.
    this.#rows.push(...this.#noRowsOf(shard), this.#markRow(shard, after));
    await this.commits.now();
    this.#busy.delete(shard);
    this.#removals.delete(shard);
  }

  // Sums.

  #findSum(store: SharedShardStore): void {
    // The database looks after its own.
    if (store.shard === orderShard) return;
    this.#sums.find(store);
  }
}

const noNote = new Uint8Array(0);
