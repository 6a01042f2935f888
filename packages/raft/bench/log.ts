// How many entries a second the log takes, beside the bare disk in the same run.
//
//   node --import tsx packages/raft/bench/log.ts [--seconds 3] [--dir DIR] [--payload 200]
//
// «raw» is what any log could reach at best: the same bytes per batch, one write and one fdatasync, into a file that
// was filled with zeros beforehand. Prints one JSON line per row.
import { configurationOf } from '../src/core/configuration.ts';
import { closeSync, fdatasync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Platform } from '@flotilla/platform';
import { nodePlatform } from '@flotilla/platform/node';
import {
  openLog,
  type Entry,
  type Index,
  type LogRecord,
  type NodeId,
  type Term,
  type WriteSequence,
} from '@flotilla/raft';

interface Row {
  readonly what: string;
  readonly groups: number;
  /** How many appends wait at a time: the clients whose entries a batch can gather. */
  readonly waiting: number;
  readonly entriesPerSecond: number;
  readonly batchesPerSecond: number;
  readonly entriesPerBatch: number;
  readonly megabytesPerSecond: number;
  readonly cpuMicrosPerEntry: number;
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    dir: { type: 'string', default: tmpdir() },
    payload: { type: 'string', default: '200' },
  },
});
const durationMs = Number(values.seconds) * 1000;
const payload = new Uint8Array(Number(values.payload)).fill(7);
const directory = mkdtempSync(join(values.dir, 'log-bench-'));
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const platform: Platform = nodePlatform({
  nodeName: 'bench',
  logger: silent,
  onFatal: (error) => {
    throw error;
  },
});

try {
  for (const [groups, waiting] of [
    [1, 1],
    [1, 16],
    [1, 256],
    [1, 4096],
    [64, 4096],
  ] as const) {
    const row = await benchLog(groups, waiting);
    print(await benchRaw(row));
    print(row);
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}

/** `waiting` clients, each with one entry on the way; a turn's entries of a group are one record. */
async function benchLog(groups: number, waiting: number): Promise<Row> {
  const path = join(directory, `log-${groups}-${waiting}`);
  const { log } = await openLog(platform, { directory: path, clusterId: 1n, nodeId: 1 as NodeId });
  const last = Array.from({ length: groups }, () => 0);
  const start = performance.now();
  const cpu = process.cpuUsage();
  const before = log.stats();
  while (performance.now() - start < durationMs) {
    const records: LogRecord[] = [];
    for (let group = 0; group < groups; group += 1) {
      const from = (last[group] ?? 0) + 1;
      const count = Math.ceil(waiting / groups);
      records.push(record(group, from, count));
      last[group] = from + count - 1;
    }
    await log.append(records);
    for (let group = 0; group < groups; group += 1) {
      const index = last[group] ?? 0;
      if (index % 50_000 < waiting / groups) void log.compact(group, snapshotAt(index));
    }
  }
  const seconds = (performance.now() - start) / 1000;
  const used = process.cpuUsage(cpu);
  const after = log.stats();
  await log.close();
  const entries = after.entries - before.entries;
  return {
    what: 'log',
    groups,
    waiting,
    entriesPerSecond: Math.round(entries / seconds),
    batchesPerSecond: Math.round((after.batches - before.batches) / seconds),
    entriesPerBatch: Math.round(entries / (after.batches - before.batches)),
    megabytesPerSecond: Math.round((after.writtenBytes - before.writtenBytes) / seconds / 1e6),
    cpuMicrosPerEntry: Math.round(((used.user + used.system) / entries) * 100) / 100,
  };
}

function record(group: number, from: number, count: number): LogRecord {
  const entries: Entry[] = [];
  for (let i = 0; i < count; i += 1) {
    entries.push({ index: (from + i) as Index, term: 1 as Term, kind: 'command', payload });
  }
  const hardState = { term: 1 as Term, vote: 1 as NodeId, commit: (from - 1) as Index };
  const write = { truncateFrom: null, entries, hardState, snapshot: null, mustSync: true, thenSend: [] };
  return { group, write: { sequence: from as WriteSequence, ...write } };
}

function snapshotAt(index: number): { index: Index; term: Term; configuration: LogConfiguration } {
  const configuration = configurationOf([1]);
  return { index: index as Index, term: 1 as Term, configuration };
}

type LogConfiguration = Parameters<Awaited<ReturnType<typeof openLog>>['log']['compact']>[1]['configuration'];

/** Batches of the same size as the log's, and nothing else. */
async function benchRaw(row: Row): Promise<Row> {
  const path = join(directory, 'raw');
  const file = openSync(path, 'w+');
  const size = 32 * 1024 * 1024;
  const zeros = new Uint8Array(1024 * 1024);
  for (let at = 0; at < size; at += zeros.length) writeSync(file, zeros, 0, zeros.length, at);
  await sync(file);
  const batch = new Uint8Array(
    Math.max(1, Math.round((row.megabytesPerSecond * 1e6) / row.batchesPerSecond)),
  ).fill(7);
  const bytes = batch.length > 1 ? batch : new Uint8Array(300).fill(7);
  const cpu = process.cpuUsage();
  const start = performance.now();
  let [batches, at] = [0, 0];
  while (performance.now() - start < durationMs) {
    if (at + bytes.length > size) at = 0;
    writeSync(file, bytes, 0, bytes.length, at);
    await sync(file);
    at += bytes.length;
    batches += 1;
  }
  const seconds = (performance.now() - start) / 1000;
  const used = process.cpuUsage(cpu);
  closeSync(file);
  const entries = batches * row.entriesPerBatch;
  return {
    ...row,
    what: 'raw',
    entriesPerSecond: Math.round(entries / seconds),
    batchesPerSecond: Math.round(batches / seconds),
    megabytesPerSecond: Math.round((batches * bytes.length) / seconds / 1e6),
    cpuMicrosPerEntry: Math.round(((used.user + used.system) / entries) * 100) / 100,
  };
}

function sync(file: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(file, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

function print(row: Row): void {
  process.stdout.write(`${JSON.stringify(row)}\n`);
}

function ignore(): void {
  // Benchmarks print rows only.
}
