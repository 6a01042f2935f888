import {
  KV,
  PutRequest,
  PutResponse,
  Watch,
  WatchCreateRequest,
  WatchRequest,
  openStream,
} from '@flotilla/wire';
import type { ClientStream, RpcChannel, WatchResponse } from '@flotilla/wire';
import { messageOf } from '@flotilla/platform';
import { keySequence } from './keys.ts';
import { Measurement, openChannels, pause, runLoad } from './load.ts';
import { probe } from './put.ts';
import type { BenchReport, BenchSettings } from './settings.ts';

/**
 * Puts under many prefixes, first unobserved and then with `watches` on `conns` connections, and compares the puts'
 * latencies. Each watch must see the puts under its prefix, all of them, each once, in the order of their revisions,
 * and nothing else: whatever is different is an error.
 */
export async function benchWatchers(settings: BenchSettings): Promise<BenchReport> {
  const channels = await openChannels(settings, probe);
  const warmUp = { ...settings, seconds: Math.min(settings.seconds, WARM_UP_SECONDS) };
  await put(warmUp, channels, new PrefixLog(settings));
  const alone = await put(settings, channels, new PrefixLog(settings));
  const log = new PrefixLog(settings);
  const streams = await Promise.all(channels.map((channel, index) => openWatches(channel, index, settings)));
  const receiving = streams.map((stream) => stream.receive());
  const observed = await put(settings, channels, log);
  await allSeen(streams, log);
  for (const stream of streams) stream.cancel();
  await Promise.all(receiving);
  for (const channel of channels) channel.close();
  const verdict = verify(streams, log);
  return {
    ...observed,
    errors: observed.errors + alone.errors + verdict.wrongWatches,
    error: observed.error ?? alone.error ?? verdict.firstMistake,
    watches: settings.watches,
    prefixes: settings.prefixes,
    ...verdict,
    withoutWatchers: {
      total: alone.total,
      throughput: alone.throughput,
      p50: alone.p50,
      p99: alone.p99,
      max: alone.max,
      clientCpuPerRequestUs: alone.clientCpuPerRequestUs,
      serverCpuPerRequestUs: alone.serverCpuPerRequestUs,
    },
    p99Ratio: Number((observed.p99 / Math.max(alone.p99, 0.001)).toFixed(2)),
  };
}

/** Not measured: compilers at work would make the first run look slow, and the second one good beside it. */
const WARM_UP_SECONDS = 3;
/** How long events may take to arrive after the last write. */
const LAST_EVENT_MS = 10_000;
const LOOK_MS = 20;

async function put(
  settings: BenchSettings,
  channels: readonly RpcChannel[],
  log: PrefixLog,
): Promise<BenchReport> {
  const measurement = new Measurement(settings);
  const order = keySequence(settings.prefixes);
  const value = Buffer.alloc(settings.valueSize, 'v');
  await runLoad(settings, channels, measurement, async (channel) => {
    const prefix = order();
    const key = Buffer.concat([prefixOf(prefix), Buffer.from('key')]);
    const frame = PutRequest.encodeFrame(PutRequest.create({ key, value }));
    let answer;
    try {
      answer = await channel.unary(KV.methods.Put.path, frame);
    } catch (error) {
      log.unknown(prefix);
      throw error;
    }
    log.written(prefix, PutResponse.decode(answer).header?.revision ?? 0);
  });
  return measurement.report('watchers');
}

function prefixOf(index: number): Buffer {
  return Buffer.from(`watched/${String(index).padStart(6, '0')}/`, 'latin1');
}

/** The revisions that were written under each prefix. */
class PrefixLog {
  readonly #revisions: readonly number[][];
  /** Prefixes with puts that failed, and may have been done: what their watches see is not judged. */
  readonly #unknown = new Set<number>();

  constructor({ prefixes }: BenchSettings) {
    this.#revisions = Array.from({ length: prefixes }, () => []);
  }

  written(prefix: number, revision: number): void {
    this.#revisions[prefix]?.push(revision);
  }

  unknown(prefix: number): void {
    this.#unknown.add(prefix);
  }

  judges(prefix: number): boolean {
    return !this.#unknown.has(prefix);
  }

  count(prefix: number): number {
    return this.#revisions[prefix]?.length ?? 0;
  }

  /** In order: answers overtake each other on their way. */
  sorted(prefix: number): readonly number[] {
    return this.#revisions[prefix]?.sort((a, b) => a - b) ?? [];
  }
}

/** What one watch has seen. */
interface SeenByWatch {
  readonly prefix: number;
  readonly revisions: number[];
  /** Events of keys that it does not watch. */
  foreign: number;
}

/** The watches of one connection, on one stream. */
class Watches {
  readonly seen: SeenByWatch[] = [];
  error: string | null = null;
  readonly #stream: ClientStream<WatchRequest, WatchResponse>;
  #cancelled = false;

  constructor(stream: ClientStream<WatchRequest, WatchResponse>) {
    this.#stream = stream;
  }

  /** Resolves when the server has made the watch. */
  async create(prefix: number): Promise<void> {
    const key = prefixOf(prefix);
    const rangeEnd = Buffer.from(key);
    rangeEnd[rangeEnd.length - 1] = (key[key.length - 1] as number) + 1;
    const value = WatchCreateRequest.create({ key, rangeEnd });
    this.#stream.write(WatchRequest.create({ requestUnion: { case: 'createRequest', value } }));
    const answer = await this.#stream.read();
    if (answer === null || !answer.created || answer.canceled) {
      throw new Error(`a watch was refused: ${answer?.cancelReason ?? 'the stream ended'}`);
    }
    this.seen[answer.watchId] = { prefix, revisions: [], foreign: 0 };
  }

  async receive(): Promise<void> {
    try {
      for (let next = await this.#stream.read(); next !== null; next = await this.#stream.read()) {
        if (next.canceled) throw new Error(`a watch was cancelled: ${next.cancelReason}`);
        this.#take(next);
      }
    } catch (error) {
      if (!this.#cancelled) this.error = messageOf(error);
    }
  }

  cancel(): void {
    this.#cancelled = true;
    this.#stream.cancel();
  }

  #take({ watchId, events }: WatchResponse): void {
    const seen = this.seen[watchId];
    if (seen === undefined) throw new Error(`an event for watch ${watchId}, which there is not`);
    const prefix = prefixOf(seen.prefix);
    for (const { kv } of events) {
      if (kv === null) continue;
      if (Buffer.compare(prefix, kv.key.subarray(0, prefix.length)) !== 0) seen.foreign += 1;
      seen.revisions.push(kv.modRevision);
    }
  }
}

/** Connection `index` has every `conns`-th watch; each prefix has as many watches as the next, or one more. */
async function openWatches(channel: RpcChannel, index: number, settings: BenchSettings): Promise<Watches> {
  const watches = new Watches(openStream(channel, Watch.methods.Watch));
  for (let watch = index; watch < settings.watches; watch += settings.conns) {
    await watches.create(watch % settings.prefixes);
  }
  return watches;
}

/** Resolves when as many events have come as must come, or when that takes too long. */
async function allSeen(streams: readonly Watches[], log: PrefixLog): Promise<void> {
  const endsAt = performance.now() + LAST_EVENT_MS;
  const complete = (stream: Watches): boolean =>
    stream.error !== null ||
    stream.seen.every(({ prefix, revisions }) => revisions.length >= log.count(prefix));
  while (performance.now() < endsAt && !streams.every(complete)) await pause(LOOK_MS);
  // One look more: an event too many may be on its way.
  await pause(LOOK_MS);
}

interface Verdict {
  readonly events: number;
  readonly exactWatches: number;
  readonly wrongWatches: number;
  readonly unjudgedWatches: number;
  readonly firstMistake: string | null;
}

function verify(streams: readonly Watches[], log: PrefixLog): Verdict {
  let [events, exactWatches, wrongWatches, unjudgedWatches] = [0, 0, 0, 0];
  let firstMistake: string | null = streams.find(({ error }) => error !== null)?.error ?? null;
  for (const { prefix, revisions, foreign } of streams.flatMap(({ seen }) => seen)) {
    events += revisions.length;
    if (!log.judges(prefix)) {
      unjudgedWatches += 1;
      continue;
    }
    const expected = log.sorted(prefix);
    const same = revisions.length === expected.length && revisions.every((one, at) => one === expected[at]);
    if (same && foreign === 0) {
      exactWatches += 1;
      continue;
    }
    wrongWatches += 1;
    firstMistake ??= `a watch of prefix ${prefix} saw ${revisions.length} events instead of ${expected.length}, ${foreign} of other keys`;
  }
  return { events, exactWatches, wrongWatches, unjudgedWatches, firstMistake };
}
