import { type Random, seededRandom } from '@flotilla/platform';
import {
  checkDeleteRangeRequest,
  checkPutRequest,
  checkRangeRequest,
  checkTxnRequest,
  Database,
  encodeProposal,
  isReadOnly,
  type KeyValueHash,
  MemoryStorage,
  noOrigin,
  type ShardedContents,
  storageTables,
} from '@flotilla/store';
import {
  CompactionRequest,
  LeaseGrantRequest,
  LeaseRevokeRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  type RangeResponse,
  RpcError,
  TxnRequest,
} from '@flotilla/wire';
import { expect, test } from 'vitest';
import { VirtualPlatform } from '../../../store/test/virtual-platform.ts';
import { generate } from '../../test/compatibility/differential/generator.ts';
import { type Operation, render, resolve } from '../../test/compatibility/differential/operations.ts';
import { MemoryShards } from '../../test/support/memory-shards.ts';
import { ShardedBackend } from './sharded-backend.ts';

const atOnce = { image: null, maxCommitDelayMs: 0, maxFlushDelayMs: 0 };

type Call = Extract<Operation, { readonly kind: 'call' }>;

/** Requests of clients, on one database and on many shards. */
type Request =
  | {
      readonly kind: 'put' | 'delete-range' | 'txn' | 'compact' | 'lease-grant' | 'lease-revoke';
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'range'; readonly request: RangeRequest }
  | { readonly kind: 'read-txn'; readonly request: TxnRequest };

function requestOf({ method, request: unresolved }: Call, revision: number): Request | null {
  const request = resolve(unresolved, revision) as never;
  switch (method) {
    case 'KV/Put':
      checkPutRequest(request);
      return { kind: 'put', bytes: PutRequest.encode(request) };
    case 'KV/DeleteRange':
      checkDeleteRangeRequest(request);
      return { kind: 'delete-range', bytes: DeleteRangeRequest.encode(request) };
    case 'KV/Txn':
      checkTxnRequest(request, 128);
      return isReadOnly(request)
        ? { kind: 'read-txn', request }
        : { kind: 'txn', bytes: TxnRequest.encode(request) };
    case 'KV/Compact':
      return { kind: 'compact', bytes: CompactionRequest.encode(request) };
    case 'KV/Range':
      checkRangeRequest(request);
      return { kind: 'range', request };
    case 'Lease/LeaseGrant': {
      const { id, ttl } = request as LeaseGrantRequest;
      const granted = LeaseGrantRequest.create({ id: id === 0n ? 77n : id, ttl: Math.max(ttl, 1) });
      return { kind: 'lease-grant', bytes: LeaseGrantRequest.encode(granted) };
    }
    case 'Lease/LeaseRevoke':
      return { kind: 'lease-revoke', bytes: LeaseRevokeRequest.encode(request) };
    default:
      return null;
  }
}

/** Of a streamed range: few, so that there are several. */
const pieceBytes = 10;

class OneDatabase {
  readonly database: Database;
  #index = 0;

  constructor(database: Database) {
    this.database = database;
  }

  static async open(platform = new VirtualPlatform()): Promise<OneDatabase> {
    return new OneDatabase(await Database.open(platform, new MemoryStorage(platform, storageTables, atOnce)));
  }

  async lengthsOfPieces(): Promise<readonly number[]> {
    const lengths: number[] = [];
    for await (const { kvs } of this.database.rangePieces(everything, pieceBytes)) lengths.push(kvs.length);
    return lengths;
  }

  run(request: Request): string {
    try {
      if (request.kind === 'range') return render(this.database.range(request.request));
      if (request.kind === 'read-txn') return render(this.database.txn(request.request));
      this.#index += 1;
      const { kind, bytes } = request;
      const payload = encodeProposal({ kind, requestId: 1, request: bytes });
      const entry = { index: this.#index, term: 1, kind: 'command', payload } as never;
      const [result] = this.database.apply([entry]);
      if (result?.kind === 'error') throw result.error;
      return render((result as { response: object }).response);
    } catch (error) {
      return refusalOf(error);
    }
  }
}

class ManyShards {
  readonly shards: MemoryShards;
  readonly #backends: readonly ShardedBackend[];
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.shards = new MemoryShards(seed, 3, ['a/1', 'b', 'm/1', 'm/2'], 2);
    const { platform, nodes } = this.shards;
    this.#backends = nodes.map(
      (node) =>
        new ShardedBackend({
          platform,
          node,
          timeoutMs: 5_000,
          pieceBytes,
          isCurrent: () => false,
          renewed: () => null,
          mayEverything: () => false,
          requireKeys: () => undefined,
        }),
    );
  }

  async run(request: Request): Promise<string> {
    try {
      return render(await this.shards.run(this.#perform(request)));
    } catch (error) {
      return refusalOf(error);
    }
  }

  /** What each member says. */
  async hashes(revision = 0): Promise<readonly KeyValueHash[]> {
    const hashes: KeyValueHash[] = [];
    for (const backend of this.#backends) {
      const hash = backend.readBarrier().then(() => backend.hashKeyValues(revision));
      hashes.push(await this.shards.run(hash));
    }
    return hashes;
  }

  /** All keys, in pieces, at some member. */
  async pieces(): Promise<readonly RangeResponse[]> {
    const backend = this.#backends[1] as ShardedBackend;
    const read = async (): Promise<RangeResponse[]> => {
      await backend.readBarrier();
      const pieces: RangeResponse[] = [];
      for await (const piece of backend.rangePieces(everything)) pieces.push(piece);
      return pieces;
    };
    return await this.shards.run(read());
  }

  /** A file of etcd's, with everything but the keys from `database`. */
  async file(database: Database): Promise<Buffer> {
    const backend = this.#backends[2] as ShardedBackend;
    const written = backend
      .readBarrier()
      .then(() => backend.withContents((contents) => fileOf(database, contents)));
    return await this.shards.run(written);
  }

  async #perform(request: Request): Promise<object> {
    const backend = this.#backends[this.#random.below(this.#backends.length)] as ShardedBackend;
    if (request.kind === 'range') {
      await backend.readBarrier();
      return await backend.range(request.request);
    }
    if (request.kind === 'read-txn') {
      await backend.readBarrier();
      return await backend.readTxn(request.request);
    }
    const { kind, bytes } = request;
    const result = await backend.execute(kind, bytes, noOrigin);
    if (result.kind === 'error') throw result.error;
    expect(result.kind).toBe(kind);
    return (result as { response: object }).response;
  }
}

function refusalOf(error: unknown): string {
  if (error instanceof RpcError) return `${error.status}: ${error.message}`;
  throw error;
}

const everything = RangeRequest.create({ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) });
const facts = { clusterVersion: '3.7.0', storageVersion: '3.7.0', members: [], removedMembers: [] };

async function fileOf(database: Database, contents: ShardedContents | null): Promise<Buffer> {
  const file = Buffer.alloc(1024 * 1024);
  const sink = { write: (at: number, bytes: Uint8Array) => file.set(bytes, at) };
  return file.subarray(0, await database.writeEtcdFile(sink, facts, contents));
}

async function compare(seed: number, count: number): Promise<ReadonlyMap<string, number>> {
  const many = new ManyShards(seed);
  const one = await OneDatabase.open(many.shards.platform);
  const counts = new Map<string, number>();
  const reshapes = seededRandom(seed ^ 7);
  for (const operation of generate(seed, count)) {
    if (operation.kind !== 'call') continue;
    let request: Request | null;
    try {
      request = requestOf(operation, one.database.revision);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      continue;
    }
    if (request === null) continue;
    counts.set(request.kind, (counts.get(request.kind) ?? 0) + 1);
    if (reshapes.below(20) === 0) await many.shards.reshape();
    const answer = await many.run(request);
    expect(`${operation.method} ${render(operation.request)}: ${answer}`).toBe(
      `${operation.method} ${render(operation.request)}: ${one.run(request)}`,
    );
  }
  // With the places of all records: transactions over several shards count theirs as one database does.
  for (const revision of revisionsLeft(one.database)) {
    const expected = await many.shards.run(one.database.hashKeyValues(revision));
    expect((await many.hashes(revision)).map(render)).toEqual([expected, expected, expected].map(render));
  }
  const pieces = await many.pieces();
  expect(pieces.length).toBeGreaterThan(1);
  const lengths = await many.shards.run(one.lengthsOfPieces());
  expect(pieces.map((piece) => piece.kvs.length)).toEqual(lengths);
  const kvs = pieces.flatMap((piece) => [...piece.kvs]);
  expect(render({ ...pieces.at(-1), kvs })).toBe(render(one.database.range(everything)));
  return counts;
}

/** Some of those that may be read: the newest, the oldest and one between them. */
function revisionsLeft({ revision, compactRevision }: Database): number[] {
  const oldest = Math.max(compactRevision, 1);
  return [0, oldest, oldest + Math.floor((revision - oldest) / 2)];
}

test('many shards answer what one database answers', async () => {
  const counts = new Map<string, number>();
  for (const seed of [1, 2]) {
    for (const [kind, count] of await compare(seed, 110)) counts.set(kind, (counts.get(kind) ?? 0) + count);
  }
  for (const kind of ['put', 'delete-range', 'txn', 'range', 'read-txn', 'lease-grant']) {
    expect(counts.get(kind) ?? 0, kind).toBeGreaterThan(0);
  }
});

test('hashes and files of many shards are those of one database', async () => {
  const one = await OneDatabase.open();
  const many = new ManyShards(5);
  for (let i = 0; i < 90; i += 1) {
    const key = Buffer.from(`${'abm'[i % 3]}/${(i * 7) % 20}`);
    const request: Request =
      i % 11 === 3
        ? { kind: 'delete-range', bytes: DeleteRangeRequest.encode(DeleteRangeRequest.create({ key })) }
        : {
            kind: 'put',
            bytes: PutRequest.encode(PutRequest.create({ key, value: Buffer.from(String(i)) })),
          };
    expect(await many.run(request)).toBe(one.run(request));
    if (i % 30 !== 20) continue;
    const compaction: Request = {
      kind: 'compact',
      bytes: CompactionRequest.encode(CompactionRequest.create({ revision: i - 8 })),
    };
    expect(await many.run(compaction)).toBe(one.run(compaction));
    await many.shards.reshape();
  }
  const expected = await many.shards.run(one.database.hashKeyValues(0));
  for (const hash of await many.hashes()) expect(hash).toEqual(expected);
  const file = await many.shards.run(fileOf(one.database, null));
  expect((await many.file(one.database)).equals(file)).toBe(true);
});
