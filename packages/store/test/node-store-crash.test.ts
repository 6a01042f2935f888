import { PutRequest } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { bytesToString } from '../src/bytes.ts';
import { MemoryImage, MemoryStorage } from '../src/memory/memory-storage.ts';
import { eventKey } from '../src/mvcc/keys.ts';
import { emptySummary } from '../src/mvcc/state.ts';
import { storageTables, Table } from '../src/mvcc/tables.ts';
import { NodeStore, type SharedShardStore, type StorePart } from '../src/node-store/node-store.ts';
import { ShardRowName, shardRowKey } from '../src/node-store/shard-rows.ts';
import type { KeySpan } from '../src/shard/key-span.ts';
import { toBytes } from './model.ts';
import { VirtualPlatform } from './virtual-platform.ts';

const left: KeySpan = { from: new Uint8Array(0), to: toBytes('m') };
const right: KeySpan = { from: toBytes('m'), to: null };

/** A node that crashes between two commits. */
class CrashingNode {
  platform = new VirtualPlatform();
  store!: NodeStore;
  #image = new MemoryImage();
  #storage!: MemoryStorage;

  constructor() {
    this.restart();
  }

  restart(): void {
    this.platform.crash();
    this.platform = new VirtualPlatform();
    const image = new MemoryImage();
    image.trees = this.#image.trees;
    this.#image = image;
    const options = { image, maxCommitDelayMs: 0, maxFlushDelayMs: 0 };
    this.#storage = new MemoryStorage(this.platform, storageTables, options);
    this.store = new NodeStore(this.platform, this.#storage);
  }

  add(store: SharedShardStore): StorePart {
    const { shard } = store;
    const state = { key: shardRowKey(shard, ShardRowName.STATE), value: toBytes('a state') };
    const part: StorePart = {
      id: shard,
      freeze: () => ({ applied: { index: 1, term: 1 }, rows: [store.row(), state] }),
      flushed: () => undefined,
    };
    this.store.add(part);
    return part;
  }

  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    void promise.finally(() => (settled = true));
    for (let i = 0; i < 5_000 && !settled; i += 1) await this.platform.advance(1);
    return promise;
  }

  rows(table: number): string[] {
    const rows: string[] = [];
    const cursor = this.#storage.scan(table, { from: null, to: null, reverse: false });
    for (; cursor.key !== null; cursor.advance()) rows.push(bytesToString(cursor.key));
    return rows;
  }
}

function fill({ keys }: SharedShardStore, prefix: string, count: number): void {
  for (let i = 0; i < count; i += 1) {
    keys.put(PutRequest.create({ key: toBytes(`${prefix}${i % (count - 100)}`), value: toBytes('value') }));
  }
}

async function twoShards(): Promise<{ node: CrashingNode; part: StorePart; store: SharedShardStore }> {
  const node = new CrashingNode();
  fillAndAdd(node, 1, left, 'a');
  const { part, store } = fillAndAdd(node, 2, right, 'n');
  await node.run(node.store.commitNow());
  return { node, part, store };
}

function fillAndAdd(
  node: CrashingNode,
  shard: number,
  span: KeySpan,
  prefix: string,
): { part: StorePart; store: SharedShardStore } {
  const store = node.store.createShard(shard, span);
  fill(store, prefix, 2_000);
  return { part: node.add(store), store };
}

describe('a crash', () => {
  test('in the middle of a removal does not end it', async () => {
    const { node, part, store } = await twoShards();
    node.store.drop(part);
    void node.store.removeShard(store);
    await node.platform.advance(3);
    await node.run(node.store.commitNow());
    const rest = node.rows(Table.LATEST).filter((key) => key.startsWith('n')).length;
    expect(rest).toBeGreaterThan(0);
    expect(rest).toBeLessThan(1_900);
    node.restart();
    expect(node.store.stored.map(({ shard, mark }) => [shard, mark?.kind])).toEqual([
      [1, undefined],
      [2, 'removing'],
    ]);
    expect(node.store.hasRoom(right)).toBe(false);
    await node.platform.advance(2_000);
    expect(node.store.hasRoom(right)).toBe(true);
    expect(node.rows(Table.LATEST).filter((key) => key.startsWith('n'))).toEqual([]);
    expect(node.rows(Table.HISTORY).filter((key) => key.startsWith('n'))).toEqual([]);
    expect(node.rows(Table.LATEST).length).toBe(1_900);
    node.restart();
    expect(node.store.stored.map(({ shard }) => shard)).toEqual([1]);
    // One event log is left: that of the other.
    expect(new Set(node.rows(Table.EVENTS).map((key) => key.charCodeAt(4))).size).toBe(1);
  });

  test('in the middle of an install leaves a mark with its note, and nothing of the shard', async () => {
    const { node, part, store } = await twoShards();
    node.store.drop(part);
    const install = await node.run(node.store.install(2, right, store, toBytes('who began it')));
    const rows = Array.from({ length: 300 }, (_, i) => ({
      key: toBytes(`n${String(i).padStart(3, '0')}`),
      value: Uint8Array.of(0, 1, 0, 1),
    }));
    const large = { key: toBytes('nz'), value: new Uint8Array(5 * 1024 * 1024).fill(1) };
    await node.run(install.write(Table.LATEST, [...rows, large]));
    await node.run(
      install.write(Table.EVENTS, [{ key: eventKey(0, 1, 0), value: new Uint8Array(5_000_000) }]),
    );
    expect(node.rows(Table.LATEST).filter((key) => key.startsWith('n')).length).toBe(301);
    node.restart();
    const marked = node.store.stored.find(({ shard }) => shard === 2)!;
    expect(marked.rows).toEqual([]);
    expect(bytesToString(marked.mark!.note)).toBe('who began it');
    // It may be installed again at once: that waits for what was left to be gone.
    const again = await node.run(node.store.install(2, right, null, toBytes('again')));
    expect(node.rows(Table.LATEST).filter((key) => key.startsWith('n'))).toEqual([]);
    await node.run(again.write(Table.LATEST, rows.slice(0, 3)));
    const back = await node.run(
      again.finish(emptySummary, (made) => [
        made.row(),
        { key: shardRowKey(2, ShardRowName.STATE), value: toBytes('new') },
      ]),
    );
    expect(node.rows(Table.LATEST).filter((key) => key.startsWith('n')).length).toBe(3);
    node.add(back);
    node.restart();
    expect(node.store.stored.map(({ shard, mark }) => [shard, mark])).toEqual([
      [1, null],
      [2, null],
    ]);
    await node.platform.advance(500);
    expect(node.rows(Table.LATEST).filter((key) => key.startsWith('n')).length).toBe(3);
  });

  test('after an install was given up finds the note, and other keys of the span untouched', async () => {
    const { node, part, store } = await twoShards();
    node.store.drop(part);
    const install = await node.run(node.store.install(2, right, store, toBytes('note')));
    await node.run(install.write(Table.LATEST, [{ key: toBytes('n'), value: Uint8Array.of(0, 1, 0, 1) }]));
    await node.run(install.abort());
    fillAndAdd(node, 3, right, 'n');
    await node.run(node.store.commitNow());
    node.restart();
    await node.platform.advance(2_000);
    expect(bytesToString(node.store.stored.find(({ shard }) => shard === 2)!.mark!.note)).toBe('note');
    expect(node.rows(Table.LATEST).filter((key) => key.startsWith('n')).length).toBe(1_900);
  });
});
