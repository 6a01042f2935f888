import { type Logger, type Platform, seededRandom } from '@flotilla/platform';
import { nodePlatform } from '@flotilla/platform/node';
import { emptyConfiguration, type Entry, type Index, type SnapshotMeta, type Term } from '@flotilla/raft';
import { CompactionRequest, DeleteRangeRequest, PutRequest, RequestOp, TxnRequest } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { Database } from '../src/database.ts';
import { BoltReader } from '../src/etcd-file/bolt-reader.ts';
import { restoreEtcdFile } from '../src/etcd-file/etcd-restore.ts';
import { storageTables, Table } from '../src/mvcc/tables.ts';
import type { OrderedStorage } from '../src/storage.ts';
import { MemoryStorage } from '../src/memory/memory-storage.ts';
import {
  type Boundary,
  type CrashImage,
  lmdbMedium,
  type Medium,
  memoryMedium,
  SteppedStorage,
} from './crash-steps.ts';
import { entryOf } from './entries.ts';
import { MemoryFile } from './memory-file.ts';
import { toBytes } from './model.ts';
import { RandomRequests } from './random-requests.ts';

const boundaries: readonly Boundary[] = ['is handed over', 'can be read', 'is durable'];
const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

function newPlatform(): Platform {
  const onFatal = (error: Error): void => {
    throw error;
  };
  return nodePlatform({ nodeName: 'test', logger: silent, onFatal });
}

const media: readonly (readonly [string, (platform: Platform) => Medium])[] = [
  ['memory', memoryMedium],
  ['LMDB', lmdbMedium],
];

/** A run that nothing disturbs: what is there after each entry, and what is left when compaction is over. */
class Undisturbed {
  readonly hashes: string[] = [];
  readonly #log: readonly Entry[];
  rest = '';

  constructor(log: readonly Entry[]) {
    this.#log = log;
  }

  async run(platform: Platform): Promise<this> {
    const storage = new MemoryStorage(platform, storageTables, nothingKept);
    const database = await Database.open(platform, storage);
    this.hashes.push(hashOf(database));
    for (const entry of this.#log) {
      database.apply([entry]);
      this.hashes.push(hashOf(database));
    }
    this.rest = await restOf(database, storage);
    await database.close();
    return this;
  }

  /** A state that a crash left: some entry's, none that was durable lost; the log brings it to the same end. */
  async judge(platform: Platform, image: CrashImage): Promise<void> {
    const storage = image.open();
    const database = await Database.open(platform, storage);
    const { index } = database.applied;
    expect(index, image.step).toBeGreaterThanOrEqual(image.durable);
    expect(hashOf(database), `${image.step}: the state after entry ${index}`).toBe(this.hashes[index]);
    for (const entry of this.#log.slice(index)) database.apply([entry]);
    expect(hashOf(database), `${image.step}: the end`).toBe(this.hashes.at(-1));
    expect(await restOf(database, storage), `${image.step}: after compaction`).toBe(this.rest);
    expect(await database.verify(), `${image.step}: the sum`).not.toBe(false);
    await database.close();
  }
}

const nothingKept = { image: null, maxCommitDelayMs: 0, maxFlushDelayMs: 0 };

function hashOf(database: Database): string {
  return JSON.stringify(database.hash());
}

/** What takes space when there is nothing left to compact. */
async function restOf(database: Database, storage: OrderedStorage): Promise<string> {
  await database.compacted(database.compactRevision);
  let versions = 0;
  const cursor = storage.scan(Table.HISTORY, { from: null, to: null, reverse: false });
  for (; cursor.key !== null; cursor.advance()) versions += 1;
  const { liveBytes, revision, compactRevision, keyCount } = database;
  return JSON.stringify({ versions, liveBytes, revision, compactRevision, keyCount });
}

function randomLog(count: number): Entry[] {
  const requests = new RandomRequests(seededRandom(7), 40);
  return Array.from({ length: count }, (_, i) => entryOf(i + 1, requests.next(i)));
}

/** More events than compaction takes in one slice, and more versions of each key than one. */
function compactedLog(): Entry[] {
  const log: Entry[] = [];
  const add = (kind: 'put' | 'txn' | 'delete-range' | 'compact', bytes: Uint8Array): void => {
    log.push(entryOf(log.length + 1, { kind, bytes }));
  };
  for (let round = 0; round < 14; round += 1) {
    const success = Array.from({ length: 100 }, (_, i) =>
      RequestOp.create({
        request: {
          case: 'requestPut',
          value: PutRequest.create({ key: toBytes(`k/${i}`), value: toBytes(`${round}`) }),
        },
      }),
    );
    add('txn', TxnRequest.encode(TxnRequest.create({ success })));
    if (round % 5 !== 4) continue;
    const range = { key: toBytes('k/2'), rangeEnd: toBytes('k/5') };
    add('delete-range', DeleteRangeRequest.encode(DeleteRangeRequest.create(range)));
  }
  const revision = log.length;
  add('compact', CompactionRequest.encode(CompactionRequest.create({ revision })));
  add('put', PutRequest.encode(PutRequest.create({ key: toBytes('after'), value: toBytes('it') })));
  return log;
}

async function stepped(
  medium: Medium,
  platform: Platform,
): Promise<{ database: Database; storage: SteppedStorage }> {
  const storage = new SteppedStorage(medium);
  const database = await Database.open(platform, storage);
  storage.durable = () => database.flushed.index;
  return { database, storage };
}

/** Every boundary of the kinds of commits that the operation is made of was really crossed. */
function expectAll(images: readonly CrashImage[], ...kinds: readonly CrashImage['kind'][]): void {
  for (const kind of kinds) {
    for (const boundary of boundaries) {
      const found = images.some((image) => image.kind === kind && image.boundary === boundary);
      expect(found, `${kind} ${boundary}`).toBe(true);
    }
  }
}

describe.each(media)('a crash at every point at which state reaches %s', (_name, mediumOf) => {
  test('while entries are applied', async () => {
    const platform = newPlatform();
    const medium = mediumOf(platform);
    try {
      const log = randomLog(40);
      const truth = await new Undisturbed(log).run(platform);
      const { database, storage } = await stepped(medium, platform);
      storage.record();
      for (let at = 0; at < log.length; at += 4) {
        database.apply(log.slice(at, at + 4));
        // Some are applied while the commit of those before is under way.
        if (at % 8 === 0) void database.commitNow();
        else await database.commitNow();
      }
      await database.close();
      expectAll(storage.images, 'entries, and what compaction has removed');
      expect(storage.images.length).toBeGreaterThan(20);
      for (const image of storage.images) await truth.judge(platform, image);
    } finally {
      medium.remove();
    }
  });

  test('while compaction removes what nobody can read, slice by slice', async () => {
    const platform = newPlatform();
    const medium = mediumOf(platform);
    try {
      const log = compactedLog();
      const truth = await new Undisturbed(log).run(platform);
      const { database, storage } = await stepped(medium, platform);
      database.apply(log.slice(0, -2));
      await database.commitNow();
      storage.record();
      database.apply(log.slice(-2));
      let over = false;
      const compacted = database.compacted(database.compactRevision).then(() => (over = true));
      while (!over) {
        await database.commitNow();
        await new Promise<void>((resolve) => platform.timer(1, 'slice', resolve));
      }
      await compacted;
      await database.close();
      expectAll(storage.images, 'entries, and what compaction has removed');
      // The mark of the compaction, some increments, and the end.
      expect(storage.images.length).toBeGreaterThanOrEqual(5);
      for (const image of storage.images) await truth.judge(platform, image);
    } finally {
      medium.remove();
    }
  });

  test('while a received snapshot takes the place of the state', async () => {
    const platform = newPlatform();
    const medium = mediumOf(platform);
    try {
      const log = bulkyLog();
      const truth = await new Undisturbed(log).run(platform);
      const sender = await Database.open(platform, new MemoryStorage(platform, storageTables, nothingKept));
      sender.apply(log);
      const source = sender.snapshot();
      const chunks: Uint8Array[] = [];
      for await (const chunk of source.chunks()) chunks.push(chunk);
      const meta = { index: source.index, term: source.term, configuration: emptyConfiguration };

      const { database, storage } = await stepped(medium, platform);
      database.apply(log.slice(0, 2));
      await database.commitNow();
      while (database.flushed.index < 2)
        await new Promise<void>((resolve) => platform.timer(1, 'flush', resolve));
      storage.record();
      await install(database, meta, chunks);
      storage.told('the state record that ends an install');
      await database.close();
      expectAll(
        storage.images,
        'the mark of an install in an emptied storage',
        'a part of an installed state',
        'the state record that ends an install',
      );
      for (const image of storage.images) {
        const opened = await Database.open(platform, image.open());
        const { interruptedInstall } = opened;
        const { index } = opened.applied;
        // The state before, none at all and the wish for another, or the new one: never a part.
        expect(hashOf(opened), image.step).toBe(truth.hashes[index]);
        if (interruptedInstall === null) expect([2, log.length], image.step).toContain(index);
        else expect([index, interruptedInstall.index], image.step).toEqual([0, meta.index]);
        if (isEnd(image)) expect(index, image.step).toBe(log.length);
        if (index < log.length) await install(opened, meta, chunks);
        expect(hashOf(opened), `${image.step}: the end`).toBe(truth.hashes.at(-1));
        expect(opened.liveBytes, image.step).toBe(sender.liveBytes);
        await opened.close();
      }
      await sender.close();
    } finally {
      medium.remove();
    }
  });

  test('while a file of etcd is restored', async () => {
    const platform = newPlatform();
    const medium = mediumOf(platform);
    try {
      const sender = await Database.open(platform, new MemoryStorage(platform, storageTables, nothingKept));
      sender.apply(bulkyLog());
      const file = new MemoryFile();
      await sender.writeEtcdFile(file, facts);
      const wanted = await sender.hashKeyValues(0);

      const storage = new SteppedStorage(medium);
      storage.record();
      await restoreEtcdFile(storage, await BoltReader.open(file), restoreOptions);
      storage.told('the state record that ends an install');
      await storage.close();
      expectAll(
        storage.images,
        'the mark of an install in an emptied storage',
        'a part of an installed state',
        'the state record that ends an install',
      );
      for (const image of storage.images) {
        const left = image.open();
        const opened = await Database.open(platform, left);
        const { index } = opened.applied;
        expect([isEnd(image) ? 1 : 0, 1], image.step).toContain(index);
        if (index === 1) expect(await opened.hashKeyValues(0), image.step).toEqual(wanted);
        else expect(opened.keyCount, image.step).toBe(0);
        if (index === 0) await restoreEtcdFile(left, await BoltReader.open(file), restoreOptions);
        const again = index === 0 ? await Database.open(platform, left) : opened;
        expect(await again.hashKeyValues(0), `${image.step}: the end`).toEqual(wanted);
        await again.close();
      }
      await sender.close();
    } finally {
      medium.remove();
    }
  });
});

/** From here on it must be there. */
function isEnd({ kind, boundary }: CrashImage): boolean {
  const isLater = boundary === 'is durable' || boundary === 'is said to be over';
  return kind === 'the state record that ends an install' && isLater;
}

const facts = { clusterVersion: '3.7.0', storageVersion: '3.7.0', members: [], removedMembers: [] };
const restoreOptions = {
  applied: { index: 1, term: 1 },
  bumpRevision: 0,
  markCompacted: false,
};

/** A state that an install writes in several commits. */
function bulkyLog(): Entry[] {
  return Array.from({ length: 7 }, (_, i) => {
    const value = toBytes(`${i}`.padEnd(700 * 1024, '.'));
    return entryOf(i + 1, {
      kind: 'put',
      bytes: PutRequest.encode(PutRequest.create({ key: toBytes(`k${i}`), value })),
    });
  });
}

async function install(
  database: Database,
  meta: { index: Index; term: Term; configuration: SnapshotMeta['configuration'] },
  chunks: readonly Uint8Array[],
): Promise<void> {
  const sink = await database.install(meta);
  for (const chunk of chunks) await sink.write(chunk);
  await sink.finish();
}
