import { seededRandom } from '@flotilla/platform';
import type { Entry, Index, NodeId, SnapshotMeta, Term } from '@flotilla/raft';
import { configurationOf, encodeMembershipChange, groupOrigin } from '@flotilla/raft';
import { PutRequest, RangeRequest, TxnRequest } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { SimulatedAccess } from '../simulation/ordering/memory-shard-store.ts';
import { textToBytes } from '../src/encoding/text.ts';
import { MemoryImage, MemoryStorage } from '../src/memory/memory-storage.ts';
import { storageTables } from '../src/mvcc/tables.ts';
import { NodeStore } from '../src/node-store/node-store.ts';
import { emptyFact } from '../src/order/fact-chain.ts';
import type { KeySpan } from '../src/shard/key-span.ts';
import type { CommittedOutcome } from '../src/shard/request-memory.ts';
import type { Fact, ShardEntry } from '../src/shard/shard-entry.ts';
import { ShardMachine } from '../src/shard/shard-machine.ts';
import { encodeShardEntry } from '../src/shard/shard-entry-codec.ts';
import type { ReplicaParts } from '../src/shard/replica-parts.ts';
import { ShardReplica } from '../src/shard/shard-replica.ts';
import { SnapshotFrames } from '../src/snapshot-frames.ts';
import type { Commit, WriteBatch } from '../src/storage.ts';
import { firstParts } from './shard-history.ts';
import { VirtualPlatform } from './virtual-platform.ts';

class CountedStorage extends MemoryStorage {
  commits = 0;
  rows = 0;

  override commit(batch: WriteBatch): Commit {
    this.commits += 1;
    for (const { keys } of batch.tables) this.rows += keys.length;
    return super.commit(batch);
  }
}

const span: KeySpan = { from: textToBytes('a'), to: null };
const configuration = configurationOf([1, 2, 3]);

function opened(own = span) {
  const platform = new VirtualPlatform(seededRandom(1).below(1_000));
  const options = { image: new MemoryImage(), maxCommitDelayMs: 2, maxFlushDelayMs: 5 };
  const storage = new CountedStorage(platform, storageTables, options);
  const store = new NodeStore(platform, storage);
  const parts: ReplicaParts = {
    platform,
    store,
    observer: {
      applied: () => undefined,
      spawned: () => undefined,
      absorbed: () => undefined,
      restored: () => undefined,
    },
    access: (encoded) => SimulatedAccess.decode(encoded),
    neighbour: () => null,
  };
  const shard = store.createShard(5, own);
  const machine = new ShardMachine({ ...firstParts({ shard: 5, span: own }), store: shard });
  return { platform, storage, store, parts, replica: ShardReplica.spawn(parts, machine, configuration) };
}

function put(index: number, session: number): Entry {
  const request = PutRequest.create({ key: textToBytes(`k${index}`), value: textToBytes('v') });
  const entry = {
    kind: 'request',
    origin: { session, request: index, floor: 1 },
    user: null,
    range: 1,
    write: { kind: 'put', request },
    absent: [],
  } as const;
  return {
    index: (groupOrigin.index + index) as Index,
    term: 1 as Term,
    kind: 'command',
    payload: encodeShardEntry(entry),
  };
}

test('a replica that applies nothing writes nothing', async () => {
  const { platform, storage, store, replica } = opened();
  replica.apply([put(1, 1)]);
  await platform.advance(500);
  expect(replica.flushed).toEqual({ index: 2, term: 1 });
  const { commits } = storage;
  await platform.advance(60_000);
  await store.commitNow();
  expect(storage.commits).toBe(commits);
});

test('a commit has the sessions that were heard of, however many are remembered', async () => {
  const { platform, storage, replica } = opened();
  for (let index = 1; index <= 300; index += 1) replica.apply([put(index, index)]);
  await platform.advance(500);
  storage.rows = 0;
  replica.apply([put(301, 7)]);
  await platform.advance(500);
  // Store, state, core and one session; the write has no revision yet.
  expect(storage.rows).toBeLessThanOrEqual(4);
});

test('a snapshot of a newer version is refused before anything is touched', async () => {
  const { platform, replica } = opened();
  replica.apply([put(1, 1)]);
  const before = replica.machine.encode();
  const meta: SnapshotMeta = { index: 9 as Index, term: 1 as Term, configuration };
  const sink = await replica.install(meta);
  const newer = new SnapshotFrames(platform).head('shard', (writer) => writer.byte(2));
  await expect(sink.write(newer)).rejects.toMatchObject({ code: 'FLOTILLA_SNAPSHOT_VERSION' });
  await sink.abort();
  expect(replica.machine.encode()).toEqual(before);
  expect(replica.stateMissing).toBe(false);
});

test('a replica goes on as it was when its snapshot finds no room beside another', async () => {
  const { platform, store, replica } = opened({ from: textToBytes('a'), to: textToBytes('m') });
  const other = store.createShard(6, { from: textToBytes('m'), to: null });
  replica.apply([put(1, 1)]);
  const giver = opened(span);
  giver.replica.apply([put(1, 1), put(2, 1), put(3, 1)]);
  const chunks: Uint8Array[] = [];
  const streamed = (async () => {
    for await (const chunk of giver.replica.snapshot().chunks()) chunks.push(chunk);
  })();
  await giver.platform.advance(10);
  await streamed;
  const meta: SnapshotMeta = { index: 4 as Index, term: 1 as Term, configuration };
  const sink = await replica.install(meta);
  await expect(sink.write(chunks[0]!)).rejects.toMatchObject({ code: 'FLOTILLA_SNAPSHOT_BUSY' });
  expect(replica.isReady).toBe(false);
  await sink.abort();
  expect(replica.isReady).toBe(true);
  expect(replica.stateMissing).toBe(false);
  replica.apply([put(2, 1)]);
  await platform.advance(500);
  expect(replica.flushed.index).toBe(3);
  expect(other.span.from).toEqual(textToBytes('m'));
});

test('a snapshot that ends early, or comes damaged, is refused', async () => {
  const { platform, replica, parts } = opened();
  replica.apply([put(1, 1)]);
  const chunks: Uint8Array[] = [];
  const stream = async (): Promise<void> => {
    for await (const chunk of replica.snapshot().chunks()) chunks.push(chunk);
  };
  const streamed = stream();
  await platform.advance(10);
  await streamed;
  const other = ShardReplica.empty({ ...parts, store: opened().store }, 5);
  const meta: SnapshotMeta = { index: 2 as Index, term: 1 as Term, configuration };
  const damaged = (chunks[0] as Uint8Array).slice();
  damaged[damaged.length - 1] = (damaged[damaged.length - 1] as number) ^ 1;
  const sink = await other.install(meta);
  await expect(sink.write(damaged)).rejects.toMatchObject({ code: 'FLOTILLA_SNAPSHOT_DAMAGED' });
  const early = await other.install(meta);
  await expect(early.finish()).rejects.toMatchObject({ code: 'FLOTILLA_SNAPSHOT_DAMAGED' });
  expect(other.isReady).toBe(false);
});

test('the child of a split in a joint change begins with those that stay', () => {
  const { parts, replica } = opened();
  const children: ShardReplica[] = [];
  Object.assign(parts.observer, { spawned: (child: ShardReplica) => children.push(child) });
  let index: number = groupOrigin.index;
  const apply = (kind: Entry['kind'], payload: Uint8Array): void => {
    index += 1;
    replica.apply([{ index: index as Index, term: 1 as Term, kind, payload }]);
  };
  const steps = [
    { operation: 'add-voter', id: 4 as NodeId },
    { operation: 'add-voter', id: 5 as NodeId },
    { operation: 'remove', id: 1 as NodeId },
    { operation: 'remove', id: 2 as NodeId },
  ] as const;
  apply('membership', encodeMembershipChange({ steps, transition: 'explicit', context: new Uint8Array(0) }));
  expect(replica.configuration).toMatchObject({ voters: [3, 4, 5], votersOutgoing: [1, 2, 3] });
  const at = textToBytes('m');
  apply('command', encodeShardEntry({ kind: 'barrier', change: { kind: 'split', shard: 5, at }, range: 1 }));
  const [left, right]: readonly KeySpan[] = [
    { from: span.from, to: at },
    { from: at, to: null },
  ];
  const child = { shard: 6, span: right as KeySpan, range: 1 };
  const change = { kind: 'split', span: left as KeySpan, range: 2, child } as const;
  const fact = { ...emptyFact(9, replica.machine.ordered), revision: 1, change };
  apply('command', encodeShardEntry({ kind: 'ordered', fact }));
  expect(children.map(({ initialConfiguration }) => initialConfiguration)).toEqual([
    configurationOf([3, 4, 5]),
  ]);
});

test('a snapshot has what a transaction that is prepared wants to read, compacted or not', async () => {
  const [giver, taker] = [opened(), opened()];
  let index: number = groupOrigin.index;
  const command = (entry: ShardEntry): Entry => {
    index += 1;
    return { index: index as Index, term: 1 as Term, kind: 'command', payload: encodeShardEntry(entry) };
  };
  let ordered = 0;
  const say = (fact: Partial<Fact>): Entry => {
    const empty = emptyFact(ordered + 1, ordered);
    ordered += 1;
    return command({ kind: 'ordered', fact: { ...empty, revision: ordered + 1, ...fact } });
  };
  const key = textToBytes('k');
  const write = (request: number): Entry => {
    const put = PutRequest.create({ key, value: textToBytes(`${request}`) });
    const origin = { session: 1, request, floor: 1 };
    const of = { kind: 'request', origin, user: null, range: 1, absent: [] } as const;
    return command({ ...of, write: { kind: 'put', request: put } });
  };
  for (const request of [1, 2, 3]) {
    giver.replica.apply([write(request), say({ base: ordered + 1, count: 1 })]);
  }
  const transaction = '1.4.1';
  const origin = { session: 1, request: 4, floor: 1 };
  const range = RangeRequest.create({ key, revision: 2 });
  const fragment = TxnRequest.create({ success: [{ request: { case: 'requestRange', value: range } }] });
  const of = { transaction, origin, revokes: null } as const;
  const participants = [{ shard: 5, range: 1 }];
  giver.replica.apply([
    command({ kind: 'prepare', ...of, user: null, participants, fragment, absent: [] }),
    say({ revision: 4, change: { kind: 'compacted', revision: 4 } }),
  ]);
  await giver.platform.advance(500);
  const { machine, applied } = giver.replica;
  const chunks: Uint8Array[] = [];
  const streamed = (async () => {
    for await (const chunk of giver.replica.snapshot().chunks()) chunks.push(chunk.slice());
  })();
  await giver.platform.advance(10);
  await streamed;
  const installed = (async () => {
    const sink = await taker.replica.install({ ...applied, configuration });
    for (const chunk of chunks) await sink.write(chunk);
    await sink.finish();
  })();
  await taker.platform.advance(1_000);
  await installed;
  expect(taker.replica.machine.encode()).toEqual(machine.encode());
  const outcome = { choices: [true], effective: false, changes: [], error: null, revision: 4 };
  const decision = { ...of, participants: [5], verdict: 'commit', ...outcome } as const;
  const decided = say({ revision: 4, decisions: [decision] });
  for (const { replica, platform } of [giver, taker]) {
    replica.apply([decided]);
    const known = replica.machine.memory.outcomeOf(origin) as CommittedOutcome;
    expect(known.parts.get(5)?.responses[0]?.response?.value).toMatchObject({
      kvs: [{ modRevision: 2, value: textToBytes('1') }],
    });
    await platform.advance(1_000);
    // Nothing of it is left where nobody wants it any more.
    const history = replica.store.keys.layers.scanHistory({ from: null, to: null, reverse: false });
    expect(history.key).toBeNull();
    expect(replica.store.keys.compactedThrough).toBe(4);
  }
  expect(taker.replica.store.keys.liveBytes).toBe(giver.replica.store.keys.liveBytes);
});

test('every entry is held where a replica has ended', async () => {
  const { platform, replica } = opened();
  expect(replica.holds(put(1, 1))).toBe(false);
  const removed = replica.remove();
  expect(replica.holds(put(1, 1))).toBe(true);
  await platform.advance(500);
  await removed;
  expect(replica.isReady).toBe(false);
});
