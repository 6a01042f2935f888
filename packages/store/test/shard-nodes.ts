import assert from 'node:assert';
import type { Random } from '@flotilla/platform';
import { isFlotillaError } from '@flotilla/platform';
import type { Entry, SnapshotMeta } from '@flotilla/raft';
import { SimulatedAccess } from '../simulation/ordering/memory-shard-store.ts';
import { bytesToString, compareBytes } from '../src/bytes.ts';
import { keptRecords } from '../src/hash/kept-records.ts';
import type { LeaseRecords } from '../src/leases/lease-records.ts';
import { MemoryImage, MemoryStorage } from '../src/memory/memory-storage.ts';
import { keyOfHistory } from '../src/mvcc/keys.ts';
import type { ReadPoint } from '../src/mvcc/range.ts';
import { storageTables, Table } from '../src/mvcc/tables.ts';
import { NodeStore } from '../src/node-store/node-store.ts';
import { holdsKey, type KeySpan, overlaps } from '../src/shard/key-span.ts';
import type { ShardId } from '../src/shard/shard-entry.ts';
import { ShardMachine } from '../src/shard/shard-machine.ts';
import type { ReplicaApplied, ReplicaObserver, ReplicaParts } from '../src/shard/replica-parts.ts';
import { ShardReplica } from '../src/shard/shard-replica.ts';
import { digestOf, firstParts, type LoggedShard, type Moment, type ShardHistory } from './shard-history.ts';
import { VirtualPlatform } from './virtual-platform.ts';

/** A node with replicas over one store, which hears of logs when a test lets it, and crashes. */
export class ShardNode implements ReplicaObserver {
  readonly history: ShardHistory;
  readonly replicas = new Map<ShardId, ShardReplica>();
  readonly coverage = new Map<string, number>();
  platform!: VirtualPlatform;
  store!: NodeStore;
  #image = new MemoryImage();
  #lives = 0;

  constructor(history: ShardHistory) {
    this.history = history;
    this.#open();
  }

  /** Replicas of all shards that there are, at their beginning. */
  begin(): void {
    for (const logged of this.history.shards.values()) {
      const { span, shard } = logged.machine;
      const store = this.store.createShard(shard, span);
      const machine = new ShardMachine({ ...firstParts({ shard, span }), store });
      this.replicas.set(shard, ShardReplica.spawn(this.#parts, machine, logged.initialConfiguration));
    }
  }

  /** Applies up to so many entries, as a host does. False: nothing could be applied. */
  deliver(shard: ShardId, most: number): boolean {
    const replica = this.replicas.get(shard);
    if (replica?.isReady !== true) return false;
    const { applied } = replica;
    const logged = this.history.shard(shard);
    const slice: Entry[] = [];
    for (const entry of logged.log.slice(applied.index, Math.min(applied.index + most, logged.applied))) {
      if (replica.holds(entry)) break;
      slice.push(entry);
    }
    if (slice.length === 0) {
      if (replica.waitsFor !== null) this.#count('held');
      return false;
    }
    const results = replica.apply(slice);
    assert.equal(results.length, slice.length);
    this.#judge(replica, logged.moments[replica.applied.index] as Moment);
    return true;
  }

  // What replicas say.

  applied(replica: ShardReplica, { index, effects }: ReplicaApplied): void {
    const moment = this.history.shard(replica.id).moments[index] as Moment;
    assert.equal(digestOf(effects), moment.effects, `effects of entry ${index} of shard ${replica.id}`);
    assert.deepEqual(replica.configuration, moment.configuration);
  }

  spawned(child: ShardReplica, parent: ShardReplica): void {
    assert.deepEqual(child.initialConfiguration, this.history.shard(child.id).initialConfiguration);
    assert.deepEqual(child.initialConfiguration.voters, parent.configuration.voters);
    if (this.replicas.has(child.id)) {
      // A replica that waits for a snapshot was opened already.
      this.#count('child that is there already');
      void child.remove();
      return;
    }
    this.#count('child');
    this.replicas.set(child.id, child);
  }

  absorbed(_replica: ShardReplica, drained: ShardReplica, flushed: Promise<void>): void {
    assert(drained.hasEnded);
    this.replicas.delete(drained.id);
    this.#count('taken over');
    void flushed.then(() => this.#count('taken over for good'));
  }

  restored(replica: ShardReplica): void {
    assert(replica.isReady);
  }

  // Time and trouble.

  /** Lets time pass until the promise settles. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const done = (): void => {
      settled = true;
    };
    promise.then(done, done);
    for (let i = 0; i < 10_000 && !settled; i += 1) await this.platform.advance(1);
    return promise;
  }

  /** What was flushed is there again. */
  crash(): void {
    this.#count('crash');
    this.platform.crash();
    this.#open();
  }

  /** In order, with nothing lost. */
  async restart(): Promise<void> {
    await this.run(this.store.close());
    const before = [...this.replicas.values()].map(({ id, applied }) => ({ id, index: applied.index }));
    this.#open();
    const after = [...this.replicas.values()].map(({ id, applied }) => ({ id, index: applied.index }));
    const stored = before.filter(({ index, id }) => index > 0 || this.replicas.has(id));
    assert.deepEqual(
      after.sort((a, b) => a.id - b.id),
      stored.sort((a, b) => a.id - b.id),
    );
  }

  async remove(shard: ShardId): Promise<void> {
    const replica = this.replicas.get(shard);
    this.replicas.delete(shard);
    if (replica !== undefined) await this.run(replica.remove());
    this.#count('removal');
  }

  /** Those that are no more have no rights to their keys. */
  async makeRoom(span: KeySpan, but: ShardId): Promise<void> {
    for (const { id } of this.replicas.values()) {
      const { machine } = this.history.shard(id);
      const isGone = this.history.isGone(id) && id !== but;
      if (isGone && overlaps(machine.span, span)) await this.remove(id);
    }
  }

  /**
   * Gives a replica of a shard the state of another node's. `random` null: nothing gets in its way. Answers what came of
   * it.
   */
  async take(from: ShardNode, shard: ShardId, random: Random | null): Promise<'taken' | 'no room' | 'crash'> {
    const giver = from.replicas.get(shard) as ShardReplica;
    const source = giver.snapshot();
    const { index, term } = source;
    const meta: SnapshotMeta = { index, term, configuration: giver.configuration };
    const moment = this.history.shard(shard).moments[index] as Moment;
    const chunks: Uint8Array[] = [];
    const stream = async (): Promise<void> => {
      for await (const chunk of source.chunks()) {
        chunks.push(chunk);
        // It is of one moment, whatever is applied while it leaves.
        if (random !== null && random.below(3) === 0) from.deliver(shard, 3);
      }
    };
    await from.run(stream());
    let replica = this.replicas.get(shard);
    if (replica === undefined) {
      replica = ShardReplica.empty(this.#parts, shard);
      this.replicas.set(shard, replica);
    }
    const sink = await this.run(replica.install(meta));
    for (const chunk of chunks) {
      for (const piece of random === null ? [chunk] : cut(chunk, random)) {
        try {
          await this.run(sink.write(piece));
        } catch (error) {
          if (!isFlotillaError(error, 'FLOTILLA_SNAPSHOT_BUSY')) throw error;
          await this.run(sink.abort());
          this.#count('no room');
          return 'no room';
        }
        if (random === null) continue;
        await this.platform.advance(random.below(8));
        this.#deliverSome(random);
        if (random.below(6) === 0) {
          this.#count('crash in a snapshot');
          this.crash();
          return 'crash';
        }
      }
    }
    if (random !== null && random.below(5) === 0) {
      // The sender is gone, and another one begins.
      await this.run(sink.abort());
      this.#count('cut snapshot');
      return this.take(from, shard, null);
    }
    const finishing = sink.finish();
    if (random !== null && random.below(4) === 0) {
      await this.platform.advance(random.below(20));
      finishing.catch(() => undefined);
      this.#count('crash at the end of a snapshot');
      this.crash();
      return 'crash';
    }
    await this.run(finishing);
    assert.deepEqual(replica.applied, { index, term });
    assert.deepEqual(replica.flushed, { index, term });
    assert.deepEqual(replica.installed, meta);
    this.#judge(replica, moment);
    this.#count('snapshot');
    return 'taken';
  }

  #deliverSome(random: Random): void {
    const shards = [...this.replicas.keys()];
    for (const shard of shards) if (random.below(3) === 0) this.deliver(shard, 2);
  }

  // What it has.

  #judge(replica: ShardReplica, moment: Moment): void {
    if (moment.state === null) return;
    this.judge(replica, moment);
  }

  /** A replica is what a machine that never crashed was at the same place of the log. */
  judge(replica: ShardReplica, { state }: Moment): void {
    if (state === null) return;
    const what = `shard ${replica.id} at ${replica.applied.index}`;
    assert(bytesToString(replica.machine.encode()) === bytesToString(state.encoded), what);
    const { span } = replica.machine;
    const pinned = replica.store.pin();
    const own = contentsOf(pinned, span);
    pinned.release();
    state.store.keys.settle();
    assert.deepEqual(own, contentsOf(state.store.keys, span), what);
    assert.deepEqual(
      attached(replica.store.attachments, span),
      attached(state.store.attachments, span),
      what,
    );
    this.#count('comparison');
  }

  /** Keys that are stored and that no replica here has. */
  get strayKeys(): string[] {
    const spans = [...this.replicas.values()].filter(({ isReady }) => isReady).map(({ store }) => store.span);
    const stray: string[] = [];
    const storage = this.#storage;
    for (const table of [Table.LATEST, Table.HISTORY]) {
      const cursor = storage.scan(table, { from: null, to: null, reverse: false });
      for (; cursor.key !== null; cursor.advance()) {
        const key = table === Table.LATEST ? cursor.key : keyOfHistory(cursor.key);
        if (!spans.some((span) => holdsKey(span, key))) stray.push(bytesToString(key));
      }
    }
    return stray;
  }

  #storage!: MemoryStorage;

  #open(): void {
    this.#lives += 1;
    this.platform = new VirtualPlatform(this.#lives);
    const image = this.#image;
    // What the life before has not flushed stays away, even if it still tries.
    const own = new MemoryImage();
    own.trees = image.trees;
    this.#image = own;
    const options = { image: own, maxCommitDelayMs: 6, maxFlushDelayMs: 30 };
    this.#storage = new MemoryStorage(this.platform, storageTables, options);
    this.store = new NodeStore(this.platform, this.#storage);
    this.replicas.clear();
    for (const replica of ShardReplica.openAll(this.#parts)) this.replicas.set(replica.id, replica);
    for (const replica of this.replicas.values()) {
      const logged = this.history.shards.get(replica.id) as LoggedShard;
      if (replica.isReady) this.#judge(replica, logged.moments[replica.applied.index] as Moment);
    }
  }

  get #parts(): ReplicaParts {
    return {
      platform: this.platform,
      store: this.store,
      observer: this,
      access: (encoded) => SimulatedAccess.decode(encoded),
      neighbour: (shard) => this.replicas.get(shard) ?? null,
    };
  }

  #count(what: string): void {
    this.coverage.set(what, (this.coverage.get(what) ?? 0) + 1);
  }
}

/** Every version that may still be read, with what it says. */
function contentsOf(point: ReadPoint, span: KeySpan): string[] {
  const contents: string[] = [];
  for (const record of keptRecords(point)) {
    if (record === null || !holdsKey(span, record.kv.key)) continue;
    const { revision, kv, deleted } = record;
    const { createRevision, version, lease } = deleted ? noVersion : kv;
    const value = deleted ? 'deleted' : Buffer.from(kv.value).toString('base64');
    const key = Buffer.from(kv.key).toString('base64');
    contents.push(`${revision} ${key} ${createRevision} ${version} ${lease} ${value}`);
  }
  return contents.sort();
}

const noVersion = { createRevision: 0, version: 0, lease: 0n };

function attached(records: LeaseRecords, span: KeySpan): string[] {
  return [7n, 8n, 9n].flatMap((lease) =>
    records
      .keysOf(lease)
      .filter((key) => holdsKey(span, key))
      .sort(compareBytes)
      .map((key) => `${lease} ${bytesToString(key)}`),
  );
}

function cut(chunk: Uint8Array, random: Random): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < chunk.length;) {
    const length = 1 + random.below(2 * chunk.length);
    pieces.push(chunk.subarray(at, at + length));
    at += length;
  }
  return pieces;
}
