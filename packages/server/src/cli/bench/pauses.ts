import {
  CompactionRequest,
  KV,
  Maintenance,
  RangeRequest,
  SnapshotRequest,
  callUnary,
  openStream,
} from '@flotilla/wire';
import type { RpcChannel } from '@flotilla/wire';
import { KEY_PREFIX, keyOf, keySequence, prefixEnd } from './keys.ts';
import { Measurement, callsOf, openChannels, pause, runLoad } from './load.ts';
import { probe, putFrames } from './put.ts';
import type { BenchReport, BenchSettings } from './settings.ts';

/**
 * Reads a range with a limit and counts all keys, one after the other, at ease and then while all that was written is
 * compacted and a snapshot is taken; says how long the longest answer took. A tenth of the key space is written again
 * before, so that compaction has versions to remove.
 */
export async function benchPauses(settings: BenchSettings): Promise<BenchReport> {
  const channels = await openChannels({ ...settings, conns: Math.max(settings.conns, 2) }, probe);
  const [reader, worker] = channels as [RpcChannel, RpcChannel];
  const overwritten = Math.ceil(settings.keySpace / OVERWRITTEN_SHARE);
  await overwrite(settings, channels, overwritten);
  const atEase = await readDuring(settings, reader, pause(AT_EASE_MS));
  const compaction = timed(compactAll(worker));
  const snapshot = timed(takeSnapshot(worker));
  const busy = await readDuring(settings, reader, Promise.all([compaction, snapshot]));
  const [compacted, taken] = await Promise.all([compaction, snapshot]);
  for (const channel of channels) channel.close();
  return {
    ...busy.all,
    overwritten,
    limit: settings.limit > 0 ? settings.limit : DEFAULT_LIMIT,
    range: busy.ranges,
    count: busy.counts,
    atEase: { range: atEase.ranges, count: atEase.counts },
    compactionMs: compacted.elapsedMs,
    snapshotMs: taken.elapsedMs,
    snapshotBytes: taken.value,
  };
}

const OVERWRITTEN_SHARE = 10;
const AT_EASE_MS = 1_000;
const DEFAULT_LIMIT = 100;
/** Between two reads: what is measured is how long answers take, not how many there are. */
const BETWEEN_READS_MS = 1;

async function overwrite(
  settings: BenchSettings,
  channels: readonly RpcChannel[],
  total: number,
): Promise<void> {
  const writing = { ...settings, total, seconds: Number.POSITIVE_INFINITY, rate: 0 };
  const writes = new Measurement(writing);
  await runLoad(writing, channels, writes, callsOf(KV.methods.Put.path, putFrames(writing)));
}

interface Reads {
  readonly all: BenchReport;
  readonly ranges: Figures;
  readonly counts: Figures;
}

type Figures = Pick<BenchReport, 'total' | 'p50' | 'p99' | 'max' | 'errors'>;

async function readDuring(
  settings: BenchSettings,
  channel: RpcChannel,
  work: Promise<unknown>,
): Promise<Reads> {
  let working = true;
  const over = work.finally(() => {
    working = false;
  });
  const all = new Measurement(settings);
  const ranges = new Measurement(settings);
  const counts = new Measurement(settings);
  const order = keySequence(settings.keySpace);
  const rangeEnd = prefixEnd();
  const { serializable } = settings;
  const limit = settings.limit > 0 ? settings.limit : DEFAULT_LIMIT;
  const read = async (request: Partial<RangeRequest>, measurement: Measurement): Promise<void> => {
    const since = performance.now();
    try {
      const whole = RangeRequest.create({ rangeEnd, serializable, ...request });
      await channel.unary(KV.methods.Range.path, RangeRequest.encodeFrame(whole));
      measurement.succeeded(since);
      all.succeeded(since);
    } catch (error) {
      measurement.failed(error);
      all.failed(error);
    }
    await pause(BETWEEN_READS_MS);
  };
  const first = Buffer.from(KEY_PREFIX, 'latin1');
  // At least one of each, however quickly the work is done.
  do {
    await read({ key: keyOf(settings, order()), limit }, ranges);
    await read({ key: first, countOnly: true }, counts);
  } while (working);
  await over;
  return {
    all: all.report('pauses'),
    ranges: figures(ranges.report('range')),
    counts: figures(counts.report('count')),
  };
}

function figures({ total, p50, p99, max, errors }: BenchReport): Figures {
  return { total, p50, p99, max, errors };
}

/** Resolves when the storage is compacted, too. */
async function compactAll(channel: RpcChannel): Promise<void> {
  const key = Buffer.from(KEY_PREFIX, 'latin1');
  const newest = await callUnary(channel, KV.methods.Range, RangeRequest.create({ key, countOnly: true }));
  const revision = newest.header?.revision ?? 0;
  await callUnary(channel, KV.methods.Compact, CompactionRequest.create({ revision, physical: true }));
}

/** Resolves with its size. */
async function takeSnapshot(channel: RpcChannel): Promise<number> {
  const stream = openStream(channel, Maintenance.methods.Snapshot);
  stream.write(SnapshotRequest.create());
  stream.end();
  let bytes = 0;
  for (let part = await stream.read(); part !== null; part = await stream.read()) bytes += part.blob.length;
  return bytes;
}

async function timed<Value>(
  work: Promise<Value>,
): Promise<{ readonly value: Value; readonly elapsedMs: number }> {
  const startedAt = performance.now();
  const value = await work;
  return { value, elapsedMs: Math.round(performance.now() - startedAt) };
}
