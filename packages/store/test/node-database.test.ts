import type { Index, SnapshotMeta, Term } from '@flotilla/raft';
import { emptyConfiguration } from '@flotilla/raft';
import { PutRequest } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { bytesToString } from '../src/bytes.ts';
import type { SharedShardStore, StorePart } from '../src/node-store/node-store.ts';
import { ShardRowName, shardRowKey } from '../src/node-store/shard-rows.ts';
import type { ShardMachine } from '../src/shard/shard-machine.ts';
import { toBytes } from './model.ts';
import { ShardedHarness } from './sharded-harness.ts';

/** A database that has given its keys from `m` on to shard 1, which is stored with it. */
class SplitNode {
  readonly harness: ShardedHarness;
  child!: SharedShardStore;
  #part!: StorePart;

  private constructor(harness: ShardedHarness) {
    this.harness = harness;
  }

  static async open(): Promise<SplitNode> {
    const node = new SplitNode(await ShardedHarness.open());
    const { harness } = node;
    for (let i = 0; i < 40; i += 1) harness.put(`${i % 2 === 0 ? 'a' : 'n'}${i % 30}`, `value ${i}`);
    harness.remove('a2');
    harness.begin();
    const change = { kind: 'split', shard: 0, at: toBytes('m') } as const;
    harness.say({ kind: 'own', entry: { kind: 'barrier', change, range: 1 } });
    const effects = harness.say({ kind: 'range', change, range: 1, nodes: [1, 2, 3] });
    const split = effects.find((effect) => effect.kind === 'shard' && effect.effect.kind === 'split');
    node.#keep(
      (split as unknown as { effect: { child: ShardMachine } }).effect.child.store as SharedShardStore,
    );
    await harness.rest();
    return node;
  }

  #keep(child: SharedShardStore): void {
    this.child = child;
    this.#part = {
      id: 1,
      freeze: () => ({
        applied: { index: 1, term: 1 },
        rows: [child.row(), { key: shardRowKey(1, ShardRowName.STATE), value: toBytes('state') }],
      }),
      flushed: () => undefined,
    };
    this.harness.database.store.add(this.#part);
    this.harness.database.store.schedule();
  }

  /** As after a crash. */
  async restart(): Promise<void> {
    await this.harness.restart();
    const { store } = this.harness.database;
    const { rows } = store.stored.find(({ shard }) => shard === 1)!;
    this.#keep(store.openShard(1, rows.find(({ name }) => name[0] === ShardRowName.STORE)!.value));
  }

  write(key: string, value: string): void {
    const { keys } = this.child;
    keys.skipTo(Math.max(keys.revision, this.harness.database.revision));
    keys.put(PutRequest.create({ key: toBytes(key), value: toBytes(value) }));
    this.harness.database.store.changed(1);
    this.harness.database.store.schedule();
  }

  get keysOfChild(): string[] {
    const keys: string[] = [];
    const cursor = this.child.keys.layers.scanLatest({ from: null, to: null, reverse: false });
    for (; cursor.key !== null; cursor.advance()) keys.push(bytesToString(cursor.key));
    return keys;
  }
}

const odd = Array.from({ length: 15 }, (_, i) => `n${2 * i + 1}`).sort();
const even = Array.from({ length: 15 }, (_, i) => `a${2 * i}`)
  .filter((key) => key !== 'a2')
  .sort();

async function snapshotOf({
  harness,
}: Pick<SplitNode, 'harness'>): Promise<{ meta: SnapshotMeta; chunks: Uint8Array[] }> {
  const source = harness.database.snapshot();
  const chunks: Uint8Array[] = [];
  const reading = (async () => {
    for await (const chunk of source.chunks()) chunks.push(chunk.slice());
  })();
  await harness.rest();
  await reading;
  const meta = { index: source.index, term: source.term, configuration: emptyConfiguration };
  return { meta, chunks };
}

async function settle<T>({ harness }: SplitNode, promise: Promise<T>): Promise<T> {
  await harness.rest();
  return promise;
}

describe('a database beside another shard of its node', () => {
  test('has its own keys alone, before and after a crash', async () => {
    const node = await SplitNode.open();
    for (let life = 0; life < 2; life += 1) {
      const { database } = node.harness;
      expect(node.harness.list('\0', '\0').map((kv) => kv.split('=')[0])).toEqual(even);
      expect(database.keyCount).toBe(even.length);
      expect(node.keysOfChild).toEqual(odd);
      expect(await settle(node, database.verify())).toBe(true);
      const { keyCount } = database;
      node.write(`p${life}`, 'new');
      expect(database.keyCount).toBe(keyCount);
      await node.harness.rest();
      if (life === 0) {
        odd.push('p0');
        await node.restart();
      }
    }
    odd.pop();
  });

  test('is replaced by a snapshot that leaves the other as it is', async () => {
    const [giver, taker] = [await SplitNode.open(), await SplitNode.open()];
    giver.harness.openSession('one more');
    taker.write('q', 'of the taker');
    const { meta, chunks } = await snapshotOf(giver);
    const kept = taker.child.keys.liveBytes;
    const { database } = taker.harness;
    const sink = await settle(taker, database.install(meta));
    for (const chunk of chunks) await settle(taker, sink.write(chunk));
    taker.write('r', 'meanwhile');
    await settle(taker, sink.finish());
    for (let life = 0; life < 2; life += 1) {
      const { harness } = taker;
      expect(harness.database.hash()).toEqual(giver.harness.database.hash());
      expect(harness.database.applied.index).toBe(meta.index);
      expect(harness.order.encode()).toEqual(giver.harness.order.encode());
      expect(harness.list('\0', '\0')).toEqual(giver.harness.list('\0', '\0'));
      expect(harness.database.keyCount).toBe(even.length);
      expect(taker.keysOfChild).toEqual([...odd, 'q', 'r']);
      expect(taker.child.keys.liveBytes).toBeGreaterThan(kept);
      expect(await settle(taker, harness.database.verify())).not.toBe(false);
      await taker.restart();
    }
  });

  test('goes on as it was when a snapshot finds no room beside the other', async () => {
    const [giver, taker] = [await ShardedHarness.open(), await SplitNode.open()];
    for (let i = 0; i < 30; i += 1) giver.put(`a${i}`, 'all of it');
    giver.begin();
    for (let i = 0; i < 30; i += 1) giver.openSession(`${i}`);
    const { meta, chunks } = await snapshotOf({ harness: giver });
    const { harness } = taker;
    const { database } = harness;
    const sink = await settle(taker, database.install(meta));
    const refused = expect(sink.write(chunks[0]!)).rejects.toMatchObject({ code: 'FLOTILLA_SNAPSHOT_BUSY' });
    await harness.rest();
    await refused;
    await settle(taker, sink.abort());
    expect(database.stateMissing).toBe(false);
    harness.openSession('it applies what comes');
    expect(database.keyCount).toBe(even.length);
    expect(await settle(taker, database.verify())).toBe(true);
    await harness.rest();
    await taker.restart();
    expect(harness.order.sessionOf('it applies what comes')).not.toBeNull();
    expect(taker.keysOfChild).toEqual(odd);
  });

  test('whose install a crash has cut off has no state, and the other has its own', async () => {
    const [giver, taker] = [await SplitNode.open(), await SplitNode.open()];
    giver.harness.openSession('one more');
    const { meta, chunks } = await snapshotOf(giver);
    const sink = await settle(taker, taker.harness.database.install(meta));
    await settle(taker, sink.write(chunks[0]!));
    await taker.harness.rest();
    await taker.restart();
    const { database } = taker.harness;
    expect(database.stateMissing).toBe(true);
    expect(database.interruptedInstall).toEqual({ index: meta.index, term: meta.term });
    expect(database.applied).toEqual({ index: 0 as Index, term: 0 as Term });
    expect(database.keyCount).toBe(0);
    expect(taker.keysOfChild).toEqual(odd);
    await taker.harness.rest();
    // A snapshot makes it whole.
    const again = await settle(taker, database.install(meta));
    for (const chunk of chunks) await settle(taker, again.write(chunk));
    await settle(taker, again.finish());
    expect(database.hash()).toEqual(giver.harness.database.hash());
    expect(taker.keysOfChild).toEqual(odd);
    taker.harness.openSession('and goes on');
    giver.harness.openSession('and goes on');
    expect(taker.harness.order.encode()).toEqual(giver.harness.order.encode());
  });
});
