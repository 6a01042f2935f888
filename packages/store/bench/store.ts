/**
 * How fast one core applies and reads: `npx tsx packages/store/bench/store.ts [memory|lmdb] [keys]`. Prints JSON lines.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@flotilla/platform';
import { nodePlatform } from '@flotilla/platform/node';
import type { Entry, Index, Term } from '@flotilla/raft';
import { CompactionRequest, PutRequest, RangeRequest } from '@flotilla/wire';
import { Database } from '../src/database.ts';
import { openLmdb } from '../src/lmdb/lmdb-storage.ts';
import { MemoryStorage } from '../src/memory/memory-storage.ts';
import { storageTables } from '../src/mvcc/tables.ts';
import { encodeProposal } from '../src/proposal.ts';
import type { ProposalKind } from '../src/proposal.ts';

const storageName = process.argv[2] ?? 'memory';
const keyCount = Number(process.argv[3] ?? 200_000);
const batchEntries = 64;

const directory = await mkdtemp(join(tmpdir(), 'flotilla-bench-'));
const platform = nodePlatform({
  nodeName: 'bench',
  logger: { debug: () => {}, info: () => {}, warn: console.warn, error: console.error },
  onFatal: (error) => {
    throw error;
  },
});
const storage =
  storageName === 'lmdb'
    ? openLmdb(directory, storageTables)
    : new MemoryStorage(platform, storageTables, { image: null, maxCommitDelayMs: 0, maxFlushDelayMs: 0 });
const database = await Database.open(platform, storage);
const encoder = new TextEncoder();
const random = seededRandom(1);
const value = new Uint8Array(128).fill(0x78);
const keyOf = (i: number): Uint8Array =>
  encoder.encode(`/registry/pods/default/pod-${String(i).padStart(8, '0')}`);

function entry(kind: ProposalKind, request: Uint8Array, index: number): Entry {
  const payload = encodeProposal({ kind, requestId: index, request });
  return { index: index as Index, term: 1 as Term, kind: 'command', payload };
}

async function applyAll(name: string, total: number, keyAt: (i: number) => number): Promise<void> {
  const first = database.applied.index + 1;
  const entries: Entry[] = [];
  for (let i = 0; i < total; i += 1) {
    entries.push(
      entry('put', PutRequest.encode(PutRequest.create({ key: keyOf(keyAt(i)), value })), first + i),
    );
  }
  let longestMs = 0;
  const cpuBefore = process.cpuUsage();
  const start = performance.now();
  for (let i = 0; i < total; i += batchEntries) {
    const turn = performance.now();
    database.apply(entries.slice(i, i + batchEntries));
    await new Promise((resolve) => setImmediate(resolve));
    longestMs = Math.max(longestMs, performance.now() - turn);
    // As a server does: it refuses writes that the storage cannot follow.
    while (database.overloaded) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await database.commitNow();
  const elapsed = (performance.now() - start) / 1_000;
  const cpu = process.cpuUsage(cpuBefore);
  report(name, {
    perSecond: Math.round(total / elapsed),
    cpuMicros: round((cpu.user + cpu.system) / total),
    longestTurnMs: round(longestMs),
  });
}

function measure(name: string, times: number, run: (i: number) => unknown): void {
  run(0);
  const start = performance.now();
  for (let i = 0; i < times; i += 1) run(i);
  report(name, { micros: round(((performance.now() - start) / times) * 1_000) });
}

function report(name: string, figures: Record<string, number>): void {
  console.log(JSON.stringify({ storage: storageName, keys: keyCount, name, ...figures }));
}

function round(figure: number): number {
  return Math.round(figure * 100) / 100;
}

await applyAll('insert in order', keyCount, (i) => i);
await applyAll('overwrite at random', keyCount, () => random.below(keyCount));
await applyAll('overwrite one hot key', keyCount / 2, () => 7);
await applyAll('insert at random', keyCount / 2, () => keyCount + random.below(keyCount * 4));
const prefixEnd = encoder.encode('/registry/pods/default/pod.');
const from = (): Uint8Array => keyOf(random.below(keyCount));
measure('get', 20_000, () => database.range(RangeRequest.create({ key: from() })));
measure('range of 100', 2_000, () =>
  database.range(RangeRequest.create({ key: from(), rangeEnd: prefixEnd, limit: 100 })),
);
measure('count of half', 500, () =>
  database.range(RangeRequest.create({ key: from(), rangeEnd: prefixEnd, countOnly: true })),
);
const past = database.revision - 1_000;
measure('range of 100 a thousand revisions ago', 200, () =>
  database.range(RangeRequest.create({ key: from(), rangeEnd: prefixEnd, limit: 100, revision: past })),
);
const compactAt = performance.now();
database.apply([
  entry(
    'compact',
    CompactionRequest.encode(CompactionRequest.create({ revision: database.revision - 10 })),
    database.applied.index + 1,
  ),
]);
await database.compacted(database.revision - 10);
report('compaction of everything', { ms: round(performance.now() - compactAt) });
report('at the end', {
  liveMegabytes: round(database.stats.liveBytes / 1e6),
  storageMegabytes: round(database.stats.storageBytes / 1e6),
  heapMegabytes: round(process.memoryUsage().heapUsed / 1e6),
});
await database.close();
await rm(directory, { recursive: true });
