import { KV, PutRequest, RangeRequest, type RpcChannel } from '@flotilla/wire';
import { openHttp2Channel } from '@flotilla/wire/node';
import { percentile } from './figures.ts';
import { keyIn } from './shard-cluster.ts';
import { drawing, keysOfPlace } from './shard-workloads.ts';

/** A request that was due at a moment. Times in milliseconds of `performance.now()`. */
export interface Probe {
  readonly place: number;
  readonly kind: 'put' | 'range';
  readonly dueMs: number;
  /** From when it was due to its answer. */
  readonly latencyMs: number;
  readonly succeeded: boolean;
}

export interface SteadySettings {
  readonly endpoints: readonly string[];
  /** Of each place: requests a second, by kind. */
  readonly rates: (place: number) => { readonly put: number; readonly range: number };
  readonly places: readonly number[];
}

const value = Buffer.alloc(256, 120);

/**
 * Requests that come when they are due, whether those before have been answered or not: a pause delays all that are due in
 * it, and that shows.
 */
export class SteadyLoad {
  readonly probes: Probe[] = [];
  readonly #channels: readonly RpcChannel[];

  readonly #draw = drawing(0x1234567);
  #open = 0;
  #stopped = false;
  #calls = 0;

  constructor(settings: SteadySettings) {
    // One to each member: what one of them does to its clients is not made up for by another.
    this.#channels = settings.endpoints.map((endpoint) => openHttp2Channel({ endpoints: [endpoint] }));
    for (const place of settings.places) {
      const { put, range } = settings.rates(place);
      if (put > 0) void this.#issue(place, 'put', 1_000 / put);
      if (range > 0) void this.#issue(place, 'range', 1_000 / range);
    }
  }

  /** Of those that were due in this time; what has not been answered by now counts as it is. */
  latencies(places: (place: number) => boolean, fromMs: number, toMs: number): readonly number[] {
    return this.probes
      .filter(({ place, dueMs }) => places(place) && dueMs >= fromMs && dueMs < toMs)
      .map(({ latencyMs }) => latencyMs);
  }

  failures(fromMs: number, toMs: number): number {
    return this.probes.filter(({ succeeded, dueMs }) => !succeeded && dueMs >= fromMs && dueMs < toMs).length;
  }

  /** Resolves when everything under way has its answer. */
  async stop(): Promise<void> {
    this.#stopped = true;
    while (this.#open > 0) await wait(20);
    for (const channel of this.#channels) channel.close();
  }

  async #issue(place: number, kind: Probe['kind'], everyMs: number): Promise<void> {
    // Places take turns.
    let dueMs = performance.now() + (everyMs * (this.#draw(1_000) + 1)) / 1_000;
    while (!this.#stopped) {
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await wait(waitMs);
      void this.#call(place, kind, dueMs);
      dueMs += everyMs;
    }
  }

  async #call(place: number, kind: Probe['kind'], dueMs: number): Promise<void> {
    const channel = this.#channels[this.#calls % this.#channels.length] as RpcChannel;
    this.#calls += 1;
    this.#open += 1;
    const key = keyIn(place, this.#draw(keysOfPlace));
    let succeeded = true;
    try {
      if (kind === 'put') {
        await channel.unary(KV.methods.Put.path, PutRequest.encodeFrame(PutRequest.create({ key, value })));
      } else {
        await channel.unary(KV.methods.Range.path, RangeRequest.encodeFrame(RangeRequest.create({ key })));
      }
    } catch {
      succeeded = false;
    }
    this.#open -= 1;
    this.probes.push({ place, kind, dueMs, latencyMs: performance.now() - dueMs, succeeded });
  }
}

export interface Latencies {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export function latenciesOf(values: readonly number[]): Latencies {
  return {
    count: values.length,
    p50: percentile(values, 50),
    p99: percentile(values, 99),
    max: percentile(values, 100),
  };
}

function wait(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
}
