import { emptyConfiguration } from '@flotilla/raft';
import { seededRandom } from '@flotilla/platform';
import type { Entry, Index, SnapshotMeta, Term } from '@flotilla/raft';
import { RangeRequest } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { Database } from '../src/database.ts';
import { storedPositions } from '../src/installed-snapshot.ts';
import { MemoryImage, MemoryStorage } from '../src/memory/memory-storage.ts';
import { storageTables } from '../src/mvcc/tables.ts';
import { encodeMember } from '../src/proposal.ts';
import { entryOf } from './entries.ts';
import { toBytes } from './model.ts';
import { plainRange } from './plain.ts';
import { RandomRequests } from './random-requests.ts';
import { VirtualPlatform } from './virtual-platform.ts';

const configuration = emptyConfiguration;

class Member {
  platform = new VirtualPlatform();
  image = new MemoryImage();
  database!: Database;

  async open(): Promise<this> {
    this.platform = new VirtualPlatform();
    const options = { image: this.image, maxCommitDelayMs: 5, maxFlushDelayMs: 20 };
    this.database = await this.run(
      Database.open(this.platform, new MemoryStorage(this.platform, storageTables, options)),
    );
    return this;
  }

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
}

function metaOf(source: { index: Index; term: Term }): SnapshotMeta {
  return { index: source.index, term: source.term, configuration };
}

async function chunksOf(member: Member): Promise<{ meta: SnapshotMeta; chunks: Uint8Array[] }> {
  const source = member.database.snapshot();
  const chunks: Uint8Array[] = [];
  const all = async (): Promise<void> => {
    for await (const chunk of source.chunks()) chunks.push(chunk);
  };
  await member.run(all());
  return { meta: metaOf(source), chunks };
}

async function install(member: Member, meta: SnapshotMeta, chunks: readonly Uint8Array[]): Promise<void> {
  const sink = await member.run(member.database.install(meta));
  for (const chunk of chunks) await member.run(sink.write(chunk));
  await member.run(sink.finish());
}

async function filled(seed: number, steps: number): Promise<{ member: Member; log: Entry[] }> {
  const member = await new Member().open();
  const requests = new RandomRequests(seededRandom(seed), 60);
  const log: Entry[] = [];
  for (let i = 1; i <= steps; i += 1) {
    const entry = entryOf(i, requests.next(member.database.revision));
    log.push(entry);
    member.database.apply([entry]);
    if (i % 50 === 0) await member.platform.advance(i % 7);
  }
  return { member, log };
}

describe('a snapshot', () => {
  for (let seed = 1; seed <= 5; seed += 1) {
    test(`makes another member equal, history included, seed ${seed}`, async () => {
      const { member, log } = await filled(seed, 400);
      const at = member.database.hash();
      const { meta, chunks } = await chunksOf(member);
      const other = await new Member().open();
      other.database.apply(log.slice(0, 30));
      await install(other, meta, chunks);
      expect(other.database.hash()).toEqual(at);
      expect(other.database.applied).toEqual({ index: 400, term: 1 });
      expect(other.database.flushed).toEqual({ index: 400, term: 1 });
      // Both go on, compaction included, and stay equal; so do counts, which are rebuilt and not sent.
      const requests = new RandomRequests(seededRandom(seed + 100), 60);
      for (let i = 401; i <= 600; i += 1) {
        const entry = entryOf(i, requests.next(member.database.revision));
        expect(other.database.apply([entry])).toEqual(member.database.apply([entry]));
        const range = requests.range(member.database.revision);
        expect(plainRange(() => other.database.range(range))).toEqual(
          plainRange(() => member.database.range(range)),
        );
        const atBoundary = { ...range, revision: Math.max(member.database.compactRevision, 0) };
        expect(plainRange(() => other.database.range(atBoundary))).toEqual(
          plainRange(() => member.database.range(atBoundary)),
        );
        if (i % 20 === 0) {
          await member.platform.advance(30);
          await other.platform.advance(70);
        }
      }
      expect(other.database.hash()).toEqual(member.database.hash());
    });
  }

  test('is of one moment, whatever is applied while it is read', async () => {
    const { member } = await filled(9, 200);
    const at = member.database.hash();
    const source = member.database.snapshot();
    const requests = new RandomRequests(seededRandom(3), 60);
    const chunks: Uint8Array[] = [];
    const all = async (): Promise<void> => {
      for await (const chunk of source.chunks()) {
        chunks.push(chunk);
        const index = member.database.applied.index + 1;
        member.database.apply([entryOf(index, requests.next(member.database.revision))]);
      }
    };
    await member.run(all());
    const other = await new Member().open();
    await install(other, metaOf(source), chunks);
    expect(other.database.hash()).toEqual(at);
    expect(member.database.applied.index).toBeGreaterThan(200);
  });

  test('is told from the storage alone, until an entry after it is stored', async () => {
    const { member, log } = await filled(6, 40);
    const { meta, chunks } = await chunksOf(member);
    const other = await new Member().open();
    const delays = { maxCommitDelayMs: 5, maxFlushDelayMs: 20 };
    const stored = () => {
      const options = { image: other.image, ...delays };
      return storedPositions(new MemoryStorage(other.platform, storageTables, options));
    };
    const none = { applied: { index: 0, term: 0 }, installed: null };
    expect(stored()).toEqual(none);
    other.database.apply(log.slice(0, 30));
    await other.platform.advance(100);
    expect(stored()).toEqual({ applied: { index: 30, term: 1 }, installed: null });
    const sink = await other.run(other.database.install(meta));
    await other.platform.advance(100);
    expect(stored()).toEqual(none);
    for (const chunk of chunks) await other.run(sink.write(chunk));
    await other.run(sink.finish());
    expect(stored()).toEqual({ applied: { index: 40, term: 1 }, installed: meta });
    const requests = new RandomRequests(seededRandom(1), 60);
    other.database.apply([entryOf(41, requests.next(other.database.revision))]);
    await other.platform.advance(100);
    expect(stored()).toEqual({ applied: { index: 41, term: 1 }, installed: null });
  });

  test('may be cut anywhere on its way', async () => {
    const { member } = await filled(4, 150);
    const { meta, chunks } = await chunksOf(member);
    const whole = Buffer.concat(chunks);
    const other = await new Member().open();
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < whole.length; at += 7) pieces.push(whole.subarray(at, at + 7));
    await install(other, meta, pieces);
    expect(other.database.hash()).toEqual(member.database.hash());
  });

  test('that is damaged or short is refused', async () => {
    const { member } = await filled(4, 150);
    const { meta, chunks } = await chunksOf(member);
    const whole = Buffer.concat(chunks);
    const flipped = Buffer.from(whole);
    flipped[whole.length >> 1]! ^= 4;
    const damaged = { code: 'FLOTILLA_SNAPSHOT_DAMAGED' };
    await expect(install(await new Member().open(), meta, [flipped])).rejects.toMatchObject(damaged);
    await expect(
      install(await new Member().open(), meta, [whole.subarray(0, whole.length - 1)]),
    ).rejects.toMatchObject(damaged);
    await expect(install(await new Member().open(), meta, chunks.slice(0, -1))).rejects.toMatchObject(
      damaged,
    );
  });

  test('that is interrupted leaves a member without state that knows it', async () => {
    const { member, log } = await filled(5, 150);
    const { meta, chunks } = await chunksOf(member);
    const other = await new Member().open();
    other.database.apply(log.slice(0, 40));
    await other.platform.advance(200);
    expect(other.database.flushed.index).toBe(40);
    const sink = await other.run(other.database.install(meta));
    for (const chunk of chunks.slice(0, -1)) await other.run(sink.write(chunk));
    await other.platform.advance(200);
    other.platform.crash();
    await other.open();
    expect(other.database.interruptedInstall).toEqual({ index: 150, term: 1 });
    expect(other.database.applied.index).toBe(0);
    expect(
      other.database.range(RangeRequest.create({ key: toBytes('\0'), rangeEnd: toBytes('\0') })).count,
    ).toBe(0);
    await install(other, meta, chunks);
    expect(other.database.hash()).toEqual(member.database.hash());
    other.platform.crash();
    await other.open();
    expect(other.database.interruptedInstall).toBeNull();
    expect(other.database.hash()).toEqual(member.database.hash());
  });

  test('that is interrupted leaves what the members have told about themselves', async () => {
    const { member } = await filled(5, 150);
    const { meta, chunks } = await chunksOf(member);
    const other = await new Member().open();
    const record = toBytes('instance 7');
    other.database.apply([entryOf(1, { kind: 'member', bytes: encodeMember({ nodeId: 2, record }) })]);
    await other.platform.advance(200);
    for (let time = 0; time < 2; time += 1) {
      const sink = await other.run(other.database.install(meta));
      await other.run(sink.write(chunks[0] as Uint8Array));
      await other.platform.advance(200);
      expect(other.database.members.get(2)).toEqual(record);
      other.platform.crash();
      await other.open();
      expect(other.database.applied.index).toBe(0);
      expect(other.database.members.get(2)).toEqual(record);
    }
    await install(other, meta, chunks);
    expect(other.database.members).toEqual(member.database.members);
  });

  test('is known to be where the state came from, until an entry after it is stored', async () => {
    const { member, log } = await filled(5, 150);
    const { meta, chunks } = await chunksOf(member);
    const other = await new Member().open();
    expect(other.database.installed).toBeNull();
    await install(other, meta, chunks);
    expect(other.database.installed).toEqual(meta);
    other.platform.crash();
    await other.open();
    expect(other.database.installed).toEqual(meta);
    other.database.apply([{ ...(log[0] as Entry), index: (meta.index + 1) as Index }]);
    expect(other.database.installed, 'nothing after it is stored yet').toEqual(meta);
    await other.platform.advance(200);
    expect(other.database.installed).toBeNull();
    other.platform.crash();
    await other.open();
    expect(other.database.applied.index).toBe(151);
    expect(other.database.installed).toBeNull();
  });

  test('being installed leaves the state before it readable', async () => {
    const { member } = await filled(5, 150);
    const { meta, chunks } = await chunksOf(member);
    const other = await filled(6, 20);
    const all = RangeRequest.create({ key: toBytes('\0'), rangeEnd: toBytes('\0') });
    const before = other.member.database.range(all);
    const sink = await other.member.run(other.member.database.install(meta));
    for (const chunk of chunks) {
      await other.member.run(sink.write(chunk));
      expect(other.member.database.range(all)).toEqual(before);
    }
    await other.member.run(sink.finish());
    expect(other.member.database.range(all)).toEqual(member.database.range(all));
  });
});
