import type { ApplyResult, Origin } from '@flotilla/store';
import { sessionErrors } from '@flotilla/store';
import { DeleteRangeRequest, PutRequest, TxnRequest } from '@flotilla/wire';
import { beforeEach, expect, test } from 'vitest';
import { render } from '../../test/compatibility/differential/operations.ts';
import { MemoryShards } from '../../test/support/memory-shards.ts';
import { ShardedBackend } from './sharded-backend.ts';

let shards: MemoryShards;
let backends: readonly ShardedBackend[];

beforeEach(() => {
  shards = new MemoryShards(3, 3, ['b', 'm'], 2);
  const { platform } = shards;
  backends = shards.nodes.map(
    (node) =>
      new ShardedBackend({
        platform,
        node,
        timeoutMs: 5_000,
        pieceBytes: 1_000,
        isCurrent: () => false,
        renewed: () => null,
        mayEverything: () => false,
        requireKeys: () => undefined,
      }),
  );
});

function origin(request: number, done = 0, name: string | null = null): Origin {
  const user = name === null ? null : { name, authRevision: 1 };
  return { user, session: { id: 'client', request, done, digest: new Uint8Array(0) } };
}

const put = (key: string, value = 'v'): Uint8Array =>
  PutRequest.encode(PutRequest.create({ key: Buffer.from(key), value: Buffer.from(value) }));
const deletion = (key: string, rangeEnd: string): Uint8Array =>
  DeleteRangeRequest.encode(
    DeleteRangeRequest.create({ key: Buffer.from(key), rangeEnd: Buffer.from(rangeEnd), prevKv: true }),
  );
const opening = TxnRequest.encode(TxnRequest.create({}));

function at(member: number): ShardedBackend {
  return backends[member] as ShardedBackend;
}

async function answer(result: Promise<ApplyResult>): Promise<string> {
  return render(await shards.run(result));
}

test('a request of a session is executed once, whichever members are asked, before and after a split', async () => {
  await answer(at(0).execute('txn', opening, origin(1)));
  const first = await answer(at(0).execute('put', put('c'), origin(2)));
  expect(await answer(at(1).execute('put', put('c'), origin(2)))).toBe(first);
  await answer(at(1).execute('put', put('a'), origin(3)));
  const deleted = await answer(at(2).execute('delete-range', deletion('a', 'z'), origin(4)));
  expect(deleted).toContain('deleted: 2');
  for (let i = 0; i < 4; i += 1) await shards.reshape();
  for (const backend of backends) {
    expect(await answer(backend.execute('delete-range', deletion('a', 'z'), origin(4)))).toBe(deleted);
    expect(await answer(backend.execute('put', put('c'), origin(2)))).toBe(first);
  }
});

test('two tries of one request at once are one, and another request of its number is none', async () => {
  await answer(at(0).execute('txn', opening, origin(1)));
  const both = [at(0), at(0)].map((backend) => answer(backend.execute('put', put('c'), origin(2))));
  const other = at(0).execute('put', put('c', 'other'), origin(2));
  const [one, two] = await Promise.all(both);
  expect(one).toBe(two);
  expect(await shards.run(other)).toEqual({ kind: 'error', error: sessionErrors.otherRequest });
});

test('only request 1 opens a session, and only its own user has it', async () => {
  await expect(shards.run(at(1).execute('put', put('c'), origin(2)))).rejects.toBe(sessionErrors.expired);
  await answer(at(1).execute('txn', opening, origin(1)));
  const stranger = at(2).execute('put', put('c'), origin(2, 0, 'mallory'));
  await expect(shards.run(stranger)).rejects.toBe(sessionErrors.otherUser);
});

test('what is under way for one user is told to no other', async () => {
  await answer(at(0).execute('txn', opening, origin(1)));
  const own = at(0).execute('put', put('c'), origin(2));
  const stranger = at(0).execute('put', put('c'), origin(2, 0, 'mallory'));
  const refused = expect(shards.run(stranger)).rejects.toBe(sessionErrors.otherUser);
  expect((await shards.run(own)).kind).toBe('put');
  await refused;
});

test('what a client is done with is refused', async () => {
  await answer(at(0).execute('txn', opening, origin(1)));
  await answer(at(0).execute('put', put('c'), origin(2)));
  await answer(at(0).execute('put', put('c', 'w'), origin(3, 2)));
  await expect(shards.run(at(1).execute('put', put('c'), origin(2)))).rejects.toBe(sessionErrors.tooOld);
});
