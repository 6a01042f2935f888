import { type Random, seededRandom } from '@flotilla/platform';
import { KeyValue, LeaseGrantRequest } from '@flotilla/wire';
import { describe, expect, it } from 'vitest';
import { Harness } from '../../test/harness.ts';
import { toBytes } from '../../test/model.ts';
import { VirtualPlatform } from '../../test/virtual-platform.ts';
import { Database } from '../database.ts';
import { MemoryImage, MemoryStorage } from '../memory/memory-storage.ts';
import { installingKey } from '../mvcc/meta.ts';
import { storageTables, Table } from '../mvcc/tables.ts';
import { revisionKey } from '../hash/hash-kv.ts';
import { BoltReader } from './bolt-reader.ts';
import { BoltWriter } from './bolt-writer.ts';
import { restoreEtcdFile } from './etcd-restore.ts';
import type { LeaseRecords } from '../leases/lease-records.ts';
import { MemoryFile } from '../../test/memory-file.ts';

const facts = { clusterVersion: '3.7.0', storageVersion: '3.7.0', members: [], removedMembers: [] };
const applied = { index: 1, term: 1 };
const options = { applied, bumpRevision: 0, markCompacted: false };

function run(harness: Harness, random: Random, steps: number): void {
  const key = (): string => `key-${random.u32() % 30}`;
  const put = (each: string) => ({
    request: {
      case: 'requestPut' as const,
      value: {
        key: toBytes(each),
        value: toBytes(`${random.u32()}`),
        lease: 0n,
        prevKv: false,
        ignoreValue: false,
        ignoreLease: false,
      },
    },
  });
  for (let step = 0; step < steps; step += 1) {
    const kind = random.u32() % 10;
    if (kind < 5) harness.put(key(), `value ${random.u32()}`);
    else if (kind < 7) harness.txn({ success: [...new Set([key(), key(), key()])].map(put) });
    else if (kind < 8) harness.remove(key());
    else if (kind < 9) harness.remove('key-1', 'key-2');
    else harness.refusal(() => harness.compact(harness.database.revision - (random.u32() % 5)));
  }
}

async function settled<T>(platform: VirtualPlatform, pending: Promise<T>): Promise<T> {
  let over = false;
  // What is rejected is rejected to whoever awaits it below.
  pending.then(
    () => (over = true),
    () => (over = true),
  );
  while (!over) await platform.advance(5);
  return await pending;
}

async function fileOf(harness: Harness): Promise<MemoryFile> {
  const file = new MemoryFile();
  await settled(harness.platform, harness.database.writeEtcdFile(file, facts));
  return file;
}

function storageOn(platform: VirtualPlatform): MemoryStorage {
  return new MemoryStorage(platform, storageTables, {
    image: new MemoryImage(),
    maxCommitDelayMs: 1,
    maxFlushDelayMs: 1,
  });
}

describe('a restore', () => {
  it('leaves a key without a lease that the file does not have, also when one is granted under its id', async () => {
    const harness = await Harness.open();
    for (const id of [5n, 6n]) harness.propose('lease-grant', LeaseGrantRequest.encode({ id, ttl: 100 }));
    harness.put('a', '1', { lease: 5n });
    harness.put('b', '1', { lease: 6n });
    (harness.database.leases as LeaseRecords).remove(5n);
    const platform = new VirtualPlatform();
    const storage = storageOn(platform);
    await settled(platform, restoreEtcdFile(storage, await BoltReader.open(await fileOf(harness)), options));
    const { leases } = await Database.open(platform, storage);
    expect([...leases.all()].map(({ id }) => id)).toEqual([6n]);
    expect([leases.keysOf(5n), leases.keysOf(6n)]).toEqual([[], [toBytes('b')]]);
  });

  it('counts a record without a key, which a restore of etcd that raises the revision leaves', async () => {
    const file = new MemoryFile();
    const writer = new BoltWriter(file);
    const version = { key: toBytes('a'), value: toBytes('1'), createRevision: 2, modRevision: 2, version: 1 };
    writer.beginBucket('key');
    writer.put(revisionKey(2, 0, false), KeyValue.encode(KeyValue.create(version)));
    writer.put(revisionKey(1002, 0, false), new Uint8Array(0));
    writer.endBucket();
    writer.beginBucket('meta');
    writer.put(toBytes('scheduledCompactRev'), revisionKey(1002, 0, false));
    writer.endBucket();
    writer.finish();
    const platform = new VirtualPlatform();
    const storage = storageOn(platform);
    const summary = await settled(platform, restoreEtcdFile(storage, await BoltReader.open(file), options));
    expect(summary).toMatchObject({ revision: 1002, compactRevision: 1002 });
    const database = await Database.open(platform, storage);
    expect(database.keyCount).toBe(1);
    expect(database.revision).toBe(1002);
  });

  it('has the same keys, history and revisions, and goes on from there', async () => {
    for (let seed = 1; seed <= 4; seed += 1) {
      const random = seededRandom(seed);
      const harness = await Harness.open();
      run(harness, random, 120);
      const file = await fileOf(harness);
      const platform = new VirtualPlatform();
      const storage = storageOn(platform);
      const summary = await settled(platform, restoreEtcdFile(storage, await BoltReader.open(file), options));
      const restored = await Database.open(platform, storage);
      const { compactRevision, revision } = harness.database;
      expect(summary).toMatchObject({ revision, compactRevision });
      for (let at = Math.max(compactRevision, 1); at <= revision; at += 7) {
        const [theirs, ours] = [
          await settled(harness.platform, harness.database.hashKeyValues(at)),
          await settled(platform, restored.hashKeyValues(at)),
        ];
        expect([seed, ours]).toEqual([seed, theirs]);
      }
      expect(restored.liveBytes).toBeGreaterThan(0);
      // A file of it is the same file, but for where the log stands.
      const again = new MemoryFile();
      await settled(platform, restored.writeEtcdFile(again, facts));
      expect(again.sizeBytes).toBe(file.sizeBytes);
      await settled(platform, restored.close());
    }
  });

  it('of a damaged file is refused, or is of a file whose damage only its hash can tell', async () => {
    const harness = await Harness.open();
    run(harness, seededRandom(1), 60);
    const whole = await fileOf(harness);
    const random = seededRandom(2);
    let refused = 0;
    for (let round = 0; round < 40; round += 1) {
      const file = new MemoryFile();
      file.bytes = whole.bytes.slice(0, round % 4 === 0 ? random.u32() % whole.sizeBytes : whole.sizeBytes);
      for (let flips = 0; flips < 8; flips += 1)
        file.bytes[random.u32() % Math.max(1, file.sizeBytes)]! ^= 0x10;
      const platform = new VirtualPlatform();
      try {
        const reader = await BoltReader.open(file);
        await settled(platform, restoreEtcdFile(storageOn(platform), reader, options));
      } catch (error) {
        expect((error as { code?: string }).code).toBe('FLOTILLA_SNAPSHOT_DAMAGED');
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(10);
  });

  it('that is cut off at any commit leaves a mark that there is no state', async () => {
    const harness = await Harness.open();
    // More than one commit.
    for (let i = 0; i < 12; i += 1) harness.put(`key-${i}`, 'v'.repeat(800_000));
    const file = await fileOf(harness);
    const platform = new VirtualPlatform();
    const storage = storageOn(platform);
    let commits = 0;
    let unmarked = 0;
    const commit = storage.commit.bind(storage);
    storage.commit = (batch) => {
      commits += 1;
      const result = commit(batch);
      void result.committed.then(() => {
        if (storage.get(Table.META, installingKey) === null) unmarked += 1;
      });
      return result;
    };
    await settled(platform, restoreEtcdFile(storage, await BoltReader.open(file), options));
    expect(commits).toBeGreaterThan(2);
    // The last one alone.
    expect(unmarked).toBe(1);
  });
});
