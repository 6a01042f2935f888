import { type Random, seededRandom } from '@flotilla/platform';
import { DeleteRangeRequest, PutRequest, RangeRequest } from '@flotilla/wire';
import { beforeAll, describe, expect, test } from 'vitest';
import { bytesToString, compareBytes } from '../src/bytes.ts';
import { readSum } from '../src/hash/read-sum.ts';
import { MemoryImage, MemoryStorage } from '../src/memory/memory-storage.ts';
import { EventCursor } from '../src/mvcc/event-cursor.ts';
import { countKeys } from '../src/mvcc/key-counts.ts';
import { logOfEvent } from '../src/mvcc/keys.ts';
import { range } from '../src/mvcc/range.ts';
import { versionBytes } from '../src/mvcc/records.ts';
import { storageTables, Table } from '../src/mvcc/tables.ts';
import { NodeStore, type SharedShardStore, type StorePart } from '../src/node-store/node-store.ts';
import { ShardRowName, shardRowKey } from '../src/node-store/shard-rows.ts';
import { decodeStoreRow, encodeStoreRow } from '../src/node-store/store-row.ts';
import { holdsKey, type KeySpan, rangeEndOf, touches } from '../src/shard/key-span.ts';
import { liveBytesOf } from '../src/snapshot-frames.ts';
import { eventChunks, historyEntries, latestEntries, systemEntries } from '../src/snapshot-stream.ts';
import { eventText, type ModelChange, NodeModel } from './node-model.ts';
import { toBytes } from './model.ts';
import { VirtualPlatform } from './virtual-platform.ts';

const everything = { from: null, to: null, reverse: false } as const;
const leases = [0n, 0n, 7n, 8n];

/** The state of one shard, as a replica would keep it: where it stands is the number of the last step that changed it. */
class Part implements StorePart {
  readonly id: number;
  readonly store: SharedShardStore;
  step: number;
  flushedStep: number;

  constructor(store: SharedShardStore, step: number, flushedStep: number) {
    this.id = store.shard;
    this.store = store;
    this.step = step;
    this.flushedStep = flushedStep;
    store.keys.leases = {
      require: () => undefined,
      moved: (key, from, to) => {
        if (from !== 0n) store.attachments.detach(from, key);
        if (to !== 0n) store.attachments.attach(to, key);
      },
    };
  }

  freeze() {
    return { applied: { index: this.step, term: 1 }, rows: this.rows() };
  }

  rows() {
    return [
      this.store.row(),
      { key: shardRowKey(this.id, ShardRowName.STATE), value: toBytes(String(this.step)) },
    ];
  }

  flushed({ index }: { readonly index: number }): void {
    expect(index).toBeGreaterThanOrEqual(this.flushedStep);
    this.flushedStep = index;
  }
}

/** A node with the stores of some shards, and what they should have, step by step. */
class Run {
  readonly coverage = new Map<string, number>();
  readonly #random: Random;
  readonly #keySpace: number;
  readonly #moves: boolean;
  platform!: VirtualPlatform;
  node!: NodeStore;
  parts = new Map<number, Part>();
  #storage!: MemoryStorage;
  #image = new MemoryImage();
  #lives = 0;
  #step = 0;
  #nextShard = 4;
  /** After each step. */
  #models: NodeModel[] = [];

  constructor(seed: number, { keySpace, moves }: { readonly keySpace: number; readonly moves: boolean }) {
    this.#random = seededRandom(seed);
    this.#keySpace = keySpace;
    this.#moves = moves;
    this.#open();
    const [a, b] = [this.#key(), this.#key()].sort(compareBytes) as [Uint8Array, Uint8Array];
    const borders = compareBytes(a, b) === 0 ? [a] : [a, b];
    const spans = new Map<number, KeySpan>();
    borders.forEach((from, i) => spans.set(i + 1, { from, to: borders[i + 1] ?? null }));
    spans.set(3, { from: new Uint8Array(0), to: a });
    for (const [shard, span] of spans) this.#add(this.node.createShard(shard, span));
    this.#models.push(new NodeModel(spans));
    this.node.schedule();
  }

  get model(): NodeModel {
    return this.#models.at(-1) as NodeModel;
  }

  async go(steps: number): Promise<void> {
    for (let i = 0; i < steps; i += 1) {
      await this.#turn();
      if (i % 6 === 0) this.judge();
    }
    await this.#compactAll();
    await this.platform.advance(3_000);
    this.judge();
    this.#judgeEnd();
    await this.#sumsAreRight();
    await this.#close();
    this.judge();
  }

  async #turn(): Promise<void> {
    const random = this.#random;
    switch (random.below(14)) {
      case 0:
        return this.#split();
      case 1:
        return this.#merge();
      case 2:
        return this.#compact();
      case 3:
      case 4:
        return this.#compactSlices();
      case 5:
      case 6:
        return this.platform.advance(random.below(80));
      case 7:
        if (random.below(3) === 0) this.#crash();
        return;
      case 8:
        if (this.#moves && random.below(3) === 0) await this.#moveAwayAndBack();
        return;
      default:
        this.#write();
    }
  }

  // What a step may be.

  #write(): void {
    const parts = [...this.parts.values()].filter(() => this.#random.below(2) === 0);
    if (parts.length === 0) return;
    const revision = this.model.revision + 1;
    const changes: ModelChange[] = [];
    for (const part of parts) changes.push(...this.#writeIn(part, revision));
    if (changes.length > 0) this.#did('write', this.model.written(changes), parts);
  }

  #writeIn({ store }: Part, revision: number): ModelChange[] {
    const random = this.#random;
    const { keys, span } = store;
    const changes: ModelChange[] = [];
    keys.skipTo(Math.max(keys.revision, revision - 1));
    for (let left = 1 + random.below(random.below(6) === 0 ? 90 : 6); left > 0; left -= 1) {
      const key = this.#key();
      if (!holdsKey(span, key) || changes.some((change) => compareBytes(change.key, key) === 0)) continue;
      if (random.below(3) === 0) {
        const { deleted } = keys.executeDelete(DeleteRangeRequest.create({ key }));
        if (deleted > 0) changes.push({ revision, key, value: null, lease: 0n });
        continue;
      }
      const value = 'v'.repeat(random.below(20));
      const lease = leases[random.below(leases.length)] as bigint;
      keys.executePut(PutRequest.create({ key, value: toBytes(value), lease }));
      changes.push({ revision, key, value, lease });
    }
    keys.end();
    return changes;
  }

  #split(): void {
    const parent = this.#any();
    const at = this.#key();
    const { store } = parent;
    const { from, to } = store.span;
    if (!holdsKey(store.span, at) || compareBytes(from, at) === 0) return;
    const spans = [
      { from, to: at },
      { from: at, to },
    ];
    if (this.#random.below(2) === 0) spans.reverse();
    const [own, others] = spans as [KeySpan, KeySpan];
    const child = store.fork(this.#nextShard);
    child.narrow(others);
    store.narrow(own);
    this.#nextShard += 1;
    const added = this.#add(child);
    const all = new Map(this.model.spans).set(parent.id, own).set(added.id, others);
    this.#did('split', this.model.withSpans(all), [parent, added]);
  }

  #merge(): void {
    const survivor = this.#any();
    const drained = [...this.parts.values()].find(
      ({ store }) => touches(store.span, survivor.store.span) || touches(survivor.store.span, store.span),
    );
    if (drained === undefined) return;
    survivor.store.absorb(drained.store, drained.store.span);
    this.node.drop(drained);
    this.node.dropRows(drained.rows().map(({ key }) => ({ key, value: null })));
    this.parts.delete(drained.id);
    const all = new Map(this.model.spans).set(survivor.id, survivor.store.span);
    all.delete(drained.id);
    this.#did('merge', this.model.withSpans(all), [survivor]);
  }

  #compact(): void {
    const { revision, compactRevision } = this.model;
    const at = compactRevision + 1 + this.#random.below(Math.max(1, revision - compactRevision));
    if (at > revision) return;
    for (const { store } of this.parts.values()) {
      store.keys.skipTo(Math.max(store.keys.revision, revision));
      store.keys.compactRevision = at;
    }
    this.#did('compaction', this.model.compacted(at), [...this.parts.values()]);
  }

  #compactSlices(): void {
    for (const { store } of this.parts.values()) {
      for (let left = this.#random.below(5); left > 0; left -= 1) store.compact(1 + this.#random.below(40));
    }
    this.node.schedule();
  }

  async #compactAll(): Promise<void> {
    for (const { store } of this.parts.values()) while (!store.compact(1_000));
    this.node.schedule();
    await this.platform.advance(200);
  }

  async #moveAwayAndBack(): Promise<void> {
    await this.#runUntil(this.node.commitNow());
    await this.platform.advance(100);
    const part = this.#any();
    const { store, id } = part;
    const { span } = store;
    const pinned = store.pin();
    const copied = <Row extends { readonly key: Uint8Array }>(rows: Iterable<Row>): Row[] =>
      [...rows].map((row) => ({ ...row, key: row.key.slice() }));
    const tables = [
      [Table.LATEST, copied(latestEntries(pinned.layers))],
      [Table.HISTORY, copied(historyEntries(pinned.layers, pinned.compactRevision))],
      [Table.EVENTS, copied(eventChunks(pinned))],
      [Table.SYSTEM, copied(systemEntries(pinned.layers))],
    ] as const;
    const { revision, compactRevision } = pinned;
    pinned.release();
    this.node.drop(part);
    this.parts.delete(id);
    const replaces = this.#random.below(2) === 0;
    if (!replaces) {
      await this.#runUntil(this.node.removeShard(store));
      expect(this.node.hasRoom(span)).toBe(true);
    }
    const install = await this.#runUntil(
      this.node.install(id, span, replaces ? store : null, toBytes('note')),
    );
    expect(this.node.hasRoom(span)).toBe(false);
    for (const [table, rows] of tables) await this.#runUntil(install.write(table, rows));
    let liveBytes = 0;
    for (const [table, entries] of tables) liveBytes += liveBytesOf({ table, entries });
    const compactedThrough = Math.max(compactRevision, 0);
    const summary = { revision, compactRevision, compactedThrough, liveBytes };
    const back = await this.#runUntil(
      install.finish(summary, (made) => new Part(made, part.step, part.step).rows()),
    );
    const added = new Part(back, part.step, part.step);
    this.parts.set(id, added);
    this.node.addStored(added);
    this.#count(replaces ? 'replacement' : 'move');
  }

  #did(what: string, model: NodeModel, changed: readonly Part[]): void {
    this.#count(what);
    this.#step += 1;
    this.#models.push(model);
    for (const part of changed) {
      part.step = this.#step;
      this.node.changed(part.id);
    }
    this.node.schedule();
  }

  // Lives.

  #crash(): void {
    this.#count('crash');
    this.platform.crash();
    const flushed = Math.max(0, ...[...this.parts.values()].map(({ flushedStep }) => flushedStep));
    this.#open();
    expect(this.#step).toBeGreaterThanOrEqual(flushed);
    this.judge();
  }

  async #close(): Promise<void> {
    const step = this.#step;
    await this.#runUntil(this.node.close());
    this.#open();
    expect(this.#step).toBe(step);
  }

  #open(): void {
    this.#lives += 1;
    this.platform = new VirtualPlatform(this.#lives);
    const image = new MemoryImage();
    image.trees = this.#image.trees;
    this.#image = image;
    const options = { image, maxCommitDelayMs: 6, maxFlushDelayMs: 40 };
    this.#storage = new MemoryStorage(this.platform, storageTables, options);
    this.node = new NodeStore(this.platform, this.#storage);
    this.parts = new Map();
    this.#step = 0;
    for (const { shard, rows, mark } of this.node.stored) {
      expect(mark).toBeNull();
      const row = (name: number): Uint8Array =>
        (rows.find((one) => one.name[0] === name) as { readonly value: Uint8Array }).value;
      const step = Number(Buffer.from(row(ShardRowName.STATE)).toString());
      const part = new Part(this.node.openShard(shard, row(ShardRowName.STORE)), step, step);
      this.parts.set(shard, part);
      this.node.addStored(part);
      this.#step = Math.max(this.#step, step);
    }
    this.#models.length = Math.min(this.#models.length, this.#step + 1);
    if (this.#lives > 1 && this.parts.size === 0) this.#beginAgain();
  }

  /** Nothing had been flushed. */
  #beginAgain(): void {
    const { spans } = this.#models[0] as NodeModel;
    for (const [shard, span] of spans) this.#add(this.node.createShard(shard, span));
    this.node.schedule();
  }

  #add(store: SharedShardStore): Part {
    const part = new Part(store, this.#step, 0);
    this.parts.set(part.id, part);
    this.node.add(part);
    return part;
  }

  async #runUntil<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const done = (): void => {
      settled = true;
    };
    promise.then(done, done);
    for (let i = 0; i < 5_000 && !settled; i += 1) await this.platform.advance(1);
    expect(settled).toBe(true);
    return promise;
  }

  // Judging.

  judge(): void {
    const { model } = this;
    expect(new Set(this.parts.keys())).toEqual(new Set(model.spans.keys()));
    for (const { store, id } of this.parts.values()) {
      expect(store.span).toEqual(model.spans.get(id));
      this.#judgeKeys(store);
      this.#judgeCounts(store);
      this.#judgeEvents(store);
    }
    this.#count('comparison');
  }

  #judgeKeys({ keys, span, attachments }: SharedShardStore): void {
    const { model } = this;
    const now = model.keysAt(span, model.revision);
    const point = { layers: keys.layers, revision: model.revision, compactRevision: keys.compactRevision };
    expect(listed(point, span, 0)).toEqual(now);
    const oldest = Math.max(keys.compactRevision, 1);
    const revision = oldest + this.#random.below(model.revision - oldest + 1);
    expect(listed(point, span, revision)).toEqual(model.keysAt(span, revision));
    for (const lease of [7n, 8n]) {
      const attached = now.filter((kv) => kv.lease === lease).map(({ key }) => key);
      expect(attachments.keysOf(lease).map(bytesToString)).toEqual(attached);
    }
  }

  #judgeCounts({ keys, span }: SharedShardStore): void {
    const { model } = this;
    const names = model.keysAt(span, model.revision).map(({ key }) => key);
    expect(countKeys(keys.layers, new Uint8Array(0), null)).toBe(names.length);
    for (let left = 3; left > 0; left -= 1) {
      const [from, to] = [this.#key(), this.#key()].sort(compareBytes) as [Uint8Array, Uint8Array];
      const within = names.filter((name) => name >= bytesToString(from) && name < bytesToString(to));
      expect(countKeys(keys.layers, from, to)).toBe(within.length);
    }
  }

  #judgeEvents({ keys, span }: SharedShardStore): void {
    const found: string[] = [];
    let last = { revision: 0, sub: -1 };
    const cursor = new EventCursor(keys.layers, Math.max(keys.compactRevision, 0));
    for (; cursor.event !== null; cursor.advance()) {
      const { revision, sub, key, deleted } = cursor.event;
      found.push(eventText({ revision, key, value: deleted ? null : 'put' }));
      if (revision === last.revision) expect(sub).toBe(last.sub + 1);
      else expect(revision > last.revision && sub === 0).toBe(true);
      last = { revision, sub };
      if (!deleted) expect(keys.layers.versionAt(key, revision)?.modRevision).toBe(revision);
    }
    expect(found.sort()).toEqual(this.model.events(span));
  }

  /** When compaction is over, and what nobody needs has gone. */
  #judgeEnd(): void {
    let bytes = 0;
    const listedLogs = new Set<number>();
    for (const { store } of this.parts.values()) {
      const { layers, compactRevision } = store.keys;
      for (const c = layers.scanLatest(everything); c.key !== null; c.advance())
        bytes += versionBytes(c.value);
      for (const c = layers.scanHistory(everything); c.key !== null; c.advance()) {
        const { kv, end } = c.value;
        expect(end > compactRevision || kv.modRevision === compactRevision).toBe(true);
        bytes += versionBytes(kv);
      }
      const { own, closed } = layers.scope.logs;
      if (own !== null) listedLogs.add(own);
      for (const { log } of closed) listedLogs.add(log);
    }
    // A shard that moves takes with it what it has, and leaves what it was taken to have.
    if (!this.#moves) expect(this.node.liveBytes).toBe(bytes);
    const logs = new Set<number>();
    const events = this.#storage.scan(Table.EVENTS, everything);
    for (; events.key !== null; events.advance()) logs.add(logOfEvent(events.key));
    for (const log of logs) expect(listedLogs.has(log), `log ${log} is listed`).toBe(true);
  }

  async #sumsAreRight(): Promise<void> {
    for (const { store } of this.parts.values()) {
      const { sum, layers } = store.keys;
      expect(sum?.value).not.toBeNull();
      expect(await this.#runUntil(readSum(this.platform, sum!, layers, () => false))).toBe(true);
    }
  }

  #any(): Part {
    const parts = [...this.parts.values()];
    return parts[this.#random.below(parts.length)] as Part;
  }

  #key(): Uint8Array {
    return toBytes(`k${String(this.#random.below(this.#keySpace)).padStart(5, '0')}`);
  }

  #count(what: string): void {
    this.coverage.set(what, (this.coverage.get(what) ?? 0) + 1);
  }
}

function listed(point: Parameters<typeof range>[0], span: KeySpan, revision: number) {
  const request = RangeRequest.create({ key: span.from, rangeEnd: rangeEndOf(span), revision });
  const { kvs, count } = range(point, request);
  expect(count).toBe(kvs.length);
  return kvs.map(({ key, value, modRevision, lease }) => ({
    key: bytesToString(key),
    value: Buffer.from(value).toString(),
    modRevision,
    lease,
  }));
}

describe('the stores of several shards on one node', () => {
  const coverage = new Map<string, number>();

  beforeAll(() => coverage.clear());

  for (let seed = 1; seed <= 4; seed += 1) {
    test(`have what they should, whatever splits, merges, moves and crashes, seed ${seed}`, async () => {
      const run = new Run(seed, { keySpace: seed % 2 === 0 ? 30 : 900, moves: seed > 2 });
      await run.go(110);
      for (const [what, count] of run.coverage) coverage.set(what, (coverage.get(what) ?? 0) + count);
    });
  }

  test('have met all of that', () => {
    for (const what of ['write', 'split', 'merge', 'compaction', 'crash', 'move', 'replacement']) {
      expect(coverage.get(what) ?? 0, what).toBeGreaterThan(0);
    }
  });
});

describe('a shard that was left behind in the storage', () => {
  // An earlier program forgot rows of META of a shard whose taker was taken over in the same commit.
  test('goes when it is opened, and its keys stay with who has taken it over', async () => {
    const platform = new VirtualPlatform(1);
    const image = new MemoryImage();
    const open = (): [MemoryStorage, NodeStore] => {
      const options = { image, maxCommitDelayMs: 1, maxFlushDelayMs: 1 };
      const storage = new MemoryStorage(platform, storageTables, options);
      return [storage, new NodeStore(platform, storage)];
    };
    const [before, first] = open();
    const store = first.createShard(1, { from: toBytes('a'), to: null });
    const part = new Part(store, 1, 0);
    store.keys.put(PutRequest.create({ key: toBytes('n'), value: toBytes('1') }));
    first.add(part);
    const child = encodeStoreRow({
      ...decodeStoreRow(store.row().value!),
      span: { from: toBytes('m'), to: null },
    });
    first.dropRows([
      { key: shardRowKey(2, ShardRowName.STORE), value: child },
      { key: shardRowKey(2, ShardRowName.STATE), value: toBytes('1') },
    ]);
    first.schedule();
    await platform.advance(200);
    expect(before.get(Table.META, shardRowKey(2, ShardRowName.STATE))).not.toBeNull();
    const [storage, second] = open();
    expect(second.stored.map(({ shard }) => shard)).toEqual([1]);
    expect(second.leftOver).toEqual([2]);
    await platform.advance(200);
    expect(storage.get(Table.META, shardRowKey(2, ShardRowName.STATE))).toBeNull();
    expect(storage.get(Table.META, shardRowKey(2, ShardRowName.STORE))).toBeNull();
    expect(storage.get(Table.LATEST, toBytes('n'))).not.toBeNull();
  });
});
