import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import { nodePlatform } from '@flotilla/platform/node';
import type { Entry } from '@flotilla/raft';
import { describe, expect, test } from 'vitest';
import { Database } from '../src/database.ts';
import { openLmdb } from '../src/lmdb/lmdb-storage.ts';
import { MemoryImage, MemoryStorage } from '../src/memory/memory-storage.ts';
import { storageTables } from '../src/mvcc/tables.ts';
import type { OrderedStorage } from '../src/storage.ts';
import { entryOf } from './entries.ts';
import { Model } from './model.ts';
import { plainRange, plainResult } from './plain.ts';
import { RandomRequests } from './random-requests.ts';
import { VirtualPlatform } from './virtual-platform.ts';

/** One replica that can die and come back. */
interface Replica {
  database: Database;
  /** Lets commits, flushes and compaction go on for a while. */
  pass(): Promise<void>;
  /** Kills the replica (what is not flushed may be lost) and opens it again. */
  restart(): Promise<void>;
  end(): Promise<void>;
}

async function memoryReplica(seed: number): Promise<Replica> {
  const image = new MemoryImage();
  const random = seededRandom(seed);
  let platform = new VirtualPlatform(seed);
  const open = async (): Promise<Database> => {
    platform = new VirtualPlatform(random.u32());
    const options = { image, maxCommitDelayMs: 20, maxFlushDelayMs: 60 };
    const opened = Database.open(platform, new MemoryStorage(platform, storageTables, options));
    await platform.advance(100);
    return opened;
  };
  const replica: Replica = {
    database: await open(),
    pass: () => platform.advance(random.below(60)),
    restart: async () => {
      platform.crash();
      replica.database = await open();
    },
    end: () => Promise.resolve(),
  };
  return replica;
}

async function lmdbReplica(seed: number): Promise<Replica> {
  const directory = await mkdtemp(join(tmpdir(), 'flotilla-model-'));
  const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const failures: Error[] = [];
  const platform: Platform = nodePlatform({
    nodeName: 'test',
    seed,
    logger,
    onFatal: (error) => failures.push(error),
  });
  const open = (): Promise<Database> => {
    const storage: OrderedStorage = openLmdb(directory, storageTables);
    return Database.open(platform, storage);
  };
  const replica: Replica = {
    database: await open(),
    pass: async () => {
      await replica.database.commitNow();
      if (failures.length > 0) throw failures[0]!;
    },
    restart: async () => {
      await replica.database.close();
      replica.database = await open();
    },
    end: async () => {
      await replica.database.close();
      await rm(directory, { recursive: true });
    },
  };
  return replica;
}

async function compareWithModel(replica: Replica, seed: number, steps: number): Promise<void> {
  const random = seededRandom(seed);
  const requests = new RandomRequests(random.fork('requests'), 6 + random.below(30));
  const model = new Model();
  const log: Entry[] = [];
  let read = 0;
  for (let step = 0; step < steps; step += 1) {
    const { database } = replica;
    const request = requests.next(model.revision);
    const entry = entryOf(log.length + 1, request);
    log.push(entry);
    const [result] = database.apply([entry]);
    expect(plainResult(result!), `step ${step} ${request.kind}`).toEqual(
      model.apply(request.kind, request.message),
    );
    for (let i = 0; i < 3; i += 1) {
      const range = requests.range(model.revision);
      const expected = model.range(range);
      if (!('error' in (expected as object))) read += 1;
      expect(
        plainRange(() => database.range(range)),
        `step ${step} range`,
      ).toEqual(expected);
    }
    if (random.below(4) === 0) await replica.pass();
    if (random.below(40) === 0) {
      const before = database.hash();
      await replica.restart();
      const { index } = replica.database.applied;
      expect(index).toBeLessThanOrEqual(log.length);
      replica.database.apply(log.slice(index));
      expect(replica.database.hash()).toEqual(before);
    }
  }
  expect(read).toBeGreaterThan(steps);
}

describe('the database answers as the model does, through restarts', () => {
  for (let seed = 1; seed <= 8; seed += 1) {
    test(`on memory storage, seed ${seed}`, async () => {
      const replica = await memoryReplica(seed);
      await compareWithModel(replica, seed, 250);
      await replica.end();
    });
  }
  for (let seed = 1; seed <= 2; seed += 1) {
    test(`on LMDB, seed ${seed}`, async () => {
      const replica = await lmdbReplica(seed);
      await compareWithModel(replica, seed, 200);
      await replica.end();
    });
  }
});
