import { FlotillaError, type Random, seededRandom } from '@flotilla/platform';
import { Database, encodeProposal, MemoryStorage, noOrigin, storageTables, WatchHub } from '@flotilla/store';
import {
  DeleteRangeRequest,
  type Event,
  EventType,
  type KeyValue,
  PutRequest,
  type RequestOp,
  TxnRequest,
  WatchCreateRequest,
  type WatchResponse,
} from '@flotilla/wire';
import { expect, test } from 'vitest';
import { VirtualPlatform } from '../../../../store/test/virtual-platform.ts';
import { MemoryShards } from '../../../test/support/memory-shards.ts';
import { ShardedBackend } from '../sharded-backend.ts';
import { ShardWatches } from './shard-watches.ts';

const atOnce = { image: null, maxCommitDelayMs: 0, maxFlushDelayMs: 0 };
const names = ['a', 'a/1', 'b', 'c', 'm', 'm/2', 'p', 'z'];
const starts = ['a/1', 'c', 'm/2', 'p'];

/** What a client was told, and how it stands. */
class Told {
  readonly lines: string[] = [];
  created = 0;
  progress = 0;
  ended: string | null = null;

  take({ header, created, canceled, compactRevision, events, watchId }: WatchResponse): boolean {
    const revision = header?.revision ?? 0;
    if (created) this.created = revision;
    else if (canceled) this.ended = `compacted at ${compactRevision}`;
    else if (events.length === 0) this.progress = Math.max(this.progress, revision);
    for (const event of events) this.lines.push(lineOf(event));
    expect([watchId, this.ended === null || events.length === 0]).toEqual([watchId, true]);
    return true;
  }

  /** Where shards were split or merged, the model of their store forgets the order within a revision. */
  sorted(): string[] {
    return [...this.lines].sort(
      (a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1),
    );
  }
}

function lineOf({ type, kv, prevKv }: Event): string {
  const { key, modRevision } = kv as KeyValue;
  const what = type === EventType.DELETE ? 'deleted' : versionOf(kv as KeyValue);
  return `${modRevision} ${textOf(key)} ${what}${prevKv === null ? '' : ` was ${versionOf(prevKv)}`}`;
}

function versionOf({ value, createRevision, modRevision, version }: KeyValue): string {
  return `${textOf(value)}@${createRevision}/${modRevision}/${version}`;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

/** The same writes and watches on one database and on many shards. */
class Pair {
  readonly random: Random;
  readonly shards: MemoryShards;
  readonly hubs: readonly WatchHub[];
  readonly watches: { readonly one: Told; readonly many: Told; readonly ask: () => void }[] = [];
  readonly #backends: readonly ShardedBackend[];
  readonly #platform: VirtualPlatform;
  readonly #database: Database;
  #index = 0;

  constructor(seed: number, platform: VirtualPlatform, database: Database) {
    this.#platform = platform;
    this.random = seededRandom(seed);
    this.#database = database;
    this.shards = new MemoryShards(seed, 3, starts, 2);
    const { nodes } = this.shards;
    const parts = {
      platform: this.shards.platform,
      timeoutMs: 5_000,
      pieceBytes: 1_000,
      isCurrent: () => false,
      renewed: () => null,
      mayEverything: () => false,
      requireKeys: () => undefined,
    };
    this.#backends = nodes.map((node) => new ShardedBackend({ ...parts, node }));
    this.hubs = nodes.map((node, i) => {
      const hub = new WatchHub(this.shards.platform, node.order.own.store.keys, {
        batchEvents: 5,
        sliceEvents: 20,
      });
      const { changes } = (this.#backends[i] as ShardedBackend).services;
      new ShardWatches({ platform: this.shards.platform, node, changes, hub });
      return hub;
    });
  }

  static async open(seed: number): Promise<Pair> {
    const platform = new VirtualPlatform();
    const storage = new MemoryStorage(platform, storageTables, atOnce);
    return new Pair(seed, platform, await Database.open(platform, storage));
  }

  get revision(): number {
    return this.#database.revision;
  }

  async write(kind: 'put' | 'delete-range' | 'txn', bytes: Uint8Array): Promise<void> {
    this.#index += 1;
    const payload = encodeProposal({ kind, requestId: 1, request: bytes });
    this.#database.apply([{ index: this.#index, term: 1, kind: 'command', payload } as never]);
    const result = await this.shards.run(this.#pick(this.#backends).execute(kind, bytes, noOrigin));
    expect(result.kind).toBe(kind);
    await this.#platform.advance(1);
  }

  async writeAnything(): Promise<void> {
    const kind = this.random.below(5);
    if (kind < 2) return await this.write('put', PutRequest.encode(this.#put()));
    if (kind === 2) return await this.write('delete-range', DeleteRangeRequest.encode(this.#delete()));
    await this.write('txn', TxnRequest.encode(this.#txn()));
  }

  async #watch(request: WatchCreateRequest): Promise<void> {
    const [one, many] = [new Told(), new Told()];
    this.#database.watches.open({ send: (response) => one.take(response) }).create(request);
    const stream = this.#pick(this.hubs).open({ send: (response) => many.take(response) });
    stream.create(request);
    this.watches.push({ one, many, ask: () => stream.requestProgress() });
    if (stream.creating !== null) await this.shards.run(stream.creating);
  }

  async watchAnything(): Promise<void> {
    const [from, to] = [this.random.below(names.length), this.random.below(names.length + 1)];
    const end = to === names.length ? '\0' : (names[to] as string);
    const rangeEnd = to > from ? end : '';
    const startRevision =
      this.random.below(3) === 0 ? 0 : Math.max(1, this.revision + 4 - this.random.below(20));
    const prevKv = this.random.below(2) === 0;
    const filters = [[], [], [0], [1]][this.random.below(4)] as number[];
    const key = Buffer.from(names[from] as string);
    const request = { key, rangeEnd: Buffer.from(rangeEnd), startRevision, prevKv, filters };
    await this.#watch(WatchCreateRequest.create(request));
  }

  /** Until everybody has been told what there is. */
  async settle(): Promise<void> {
    await this.#platform.advance(1_000);
    for (let i = 0; i < 500; i += 1) {
      await this.shards.platform.advance(10);
      if (this.hubs.every((hub) => hub.revision === this.revision && hub.behindCount === 0)) return;
    }
    throw new Error('somebody is never told');
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.random.below(list.length)] as T;
  }

  #put(): PutRequest {
    return PutRequest.create({ key: Buffer.from(this.#pick(names)), value: Buffer.from(`${this.#index}`) });
  }

  #delete(): DeleteRangeRequest {
    const key = Buffer.from(this.#pick(names));
    const isWide = this.random.below(2) === 0;
    return DeleteRangeRequest.create({ key, rangeEnd: Buffer.from(isWide ? '\0' : '') });
  }

  /** Several operations, in an order that is not that of the keys. */
  #txn(): TxnRequest {
    const keys = [...names].sort(() => this.random.below(3) - 1).slice(0, 1 + this.random.below(5));
    const success = keys.map((key): RequestOp => {
      const bytes = Buffer.from(key);
      return this.random.below(4) === 0
        ? { request: { case: 'requestDeleteRange', value: DeleteRangeRequest.create({ key: bytes }) } }
        : {
            request: {
              case: 'requestPut',
              value: PutRequest.create({ key: bytes, value: Buffer.from(`${this.#index}`) }),
            },
          };
    });
    return TxnRequest.create({ success });
  }
}

async function compareOn(pair: Pair, reshapes: boolean, writes: number): Promise<Pair> {
  for (let i = 0; i < writes; i += 1) {
    await pair.writeAnything();
    if (pair.random.below(5) === 0) await pair.watchAnything();
    if (reshapes && pair.random.below(12) === 0) await pair.shards.reshape();
  }
  await pair.settle();
  for (const { one, many, ask } of pair.watches) {
    if (reshapes) expect(many.sorted()).toEqual(one.sorted());
    else expect(many.lines).toEqual(one.lines);
    ask();
  }
  await pair.shards.platform.advance(10);
  return pair;
}

test('watches of many shards are told what those of one database are told, in the same order', async () => {
  const { watches, revision } = await compareOn(await Pair.open(3), false, 80);
  expect(watches.reduce((sum, { many }) => sum + many.lines.length, 0)).toBeGreaterThan(200);
  expect(watches.filter(({ many }) => many.progress === revision).length).toBeGreaterThan(5);
});

test('splits and merges go unnoticed, and so do nodes that do not answer', async () => {
  const pair = await Pair.open(5);
  for (const node of pair.shards.nodes) {
    const ask = node.ask.bind(node);
    node.ask = async (to, path, body) => {
      if (path === '/shards/events' && pair.random.below(3) === 0) {
        throw new FlotillaError('FLOTILLA_PEER_CALL_FAILED', 'the node cannot be reached');
      }
      return await ask(to, path, body);
    };
  }
  expect(pair.shards.nodes.some((node) => node.replica(2) === null)).toBe(true);
  const { watches } = await compareOn(pair, true, 80);
  expect(watches.reduce((sum, { many }) => sum + many.lines.length, 0)).toBeGreaterThan(150);
});
