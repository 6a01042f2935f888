import { createHistogram } from 'node:perf_hooks';
import { FlotillaError, messageOf } from '@flotilla/platform';
import type { RpcChannel } from '@flotilla/wire';
import { openHttp2Channel } from '@flotilla/wire/node';
import { CpuClock } from './cpu.ts';
import type { BenchReport, BenchSettings } from './settings.ts';

/**
 * The channels of a measurement, in turn over the endpoints. Rejects with `FLOTILLA_BENCH_UNREACHABLE` when `probe`
 * fails on any of them.
 */
export async function openChannels(
  settings: BenchSettings,
  probe: (channel: RpcChannel) => Promise<unknown>,
): Promise<readonly RpcChannel[]> {
  const { endpoints, conns } = settings;
  const channels = Array.from({ length: conns }, (_, index) => {
    const first = index % endpoints.length;
    return openHttp2Channel({ endpoints: [...endpoints.slice(first), ...endpoints.slice(0, first)] });
  });
  try {
    await Promise.all(channels.map(probe));
  } catch (error) {
    throw new FlotillaError(
      'FLOTILLA_BENCH_UNREACHABLE',
      `no answer from ${endpoints.join(', ')}: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
  return channels;
}

/** Latencies, counts and CPU time of one measurement. */
export class Measurement {
  readonly #settings: BenchSettings;
  readonly #cpu: CpuClock;
  /** In microseconds. */
  readonly #latencies = createHistogram({ lowest: 1, highest: 3_600_000_000, figures: 3 });
  readonly #startedAt = performance.now();
  #endedAt = 0;
  #succeeded = 0;
  #failed = 0;
  #error: string | null = null;

  constructor(settings: BenchSettings) {
    this.#settings = settings;
    this.#cpu = new CpuClock(settings.serverPids);
  }

  get startedAt(): number {
    return this.#startedAt;
  }

  succeeded(sinceMs: number): void {
    const now = performance.now();
    this.#endedAt = now;
    this.#succeeded += 1;
    this.#latencies.record(Math.max(1, Math.round((now - sinceMs) * 1_000)));
  }

  failed(error: unknown): void {
    this.#failed += 1;
    this.#error ??= messageOf(error);
  }

  report(operation: string, requests = this.#succeeded): BenchReport {
    const settings = this.#settings;
    const cpu = this.#cpu.elapsed();
    const seconds = Math.max(this.#endedAt - this.#startedAt, 0) / 1_000;
    const perRequest = (microseconds: number): number => round(microseconds / Math.max(requests, 1), 1);
    const percentile = (percent: number): number =>
      this.#succeeded === 0 ? 0 : round(this.#latencies.percentile(percent) / 1_000, 3);
    return {
      operation,
      throughput: seconds === 0 ? 0 : round(this.#succeeded / seconds, 1),
      p50: percentile(50),
      p99: percentile(99),
      p999: percentile(99.9),
      max: this.#succeeded === 0 ? 0 : round(this.#latencies.max / 1_000, 3),
      clientCpuPerRequestUs: perRequest(cpu.client),
      serverCpuPerRequestUs: cpu.server === null ? null : perRequest(cpu.server),
      clients: settings.clients,
      connections: settings.conns,
      valueSize: settings.valueSize,
      keySize: settings.keySize,
      keySpace: settings.keySpace,
      total: this.#succeeded,
      seconds: round(seconds, 3),
      errors: this.#failed,
      error: this.#error,
      rate: settings.rate,
      endpoints: settings.endpoints,
    };
  }
}

/** A client that failed waits this long: a server that is down must not be asked a million times. */
const PAUSE_AFTER_ERROR_MS = 10;

/**
 * Keeps `clients` requests under way until `total` or `seconds` are reached. With a rate, each request has the moment
 * when it is due, and its latency counts from there: a server that stalls delays those behind it, and that shows
 * (coordinated omission).
 */
export async function runLoad(
  settings: BenchSettings,
  channels: readonly RpcChannel[],
  measurement: Measurement,
  call: (channel: RpcChannel) => Promise<unknown>,
): Promise<void> {
  const { clients, total, rate } = settings;
  const { startedAt } = measurement;
  const endsAt = startedAt + settings.seconds * 1_000;
  let issued = 0;
  const client = async (channel: RpcChannel): Promise<void> => {
    while (issued < total && performance.now() < endsAt) {
      const dueAt = rate === 0 ? performance.now() : startedAt + (issued * 1_000) / rate;
      issued += 1;
      const waitMs = dueAt - performance.now();
      if (waitMs > 0) await pause(waitMs);
      if (dueAt >= endsAt) return;
      try {
        await call(channel);
        measurement.succeeded(dueAt);
      } catch (error) {
        measurement.failed(error);
        await pause(PAUSE_AFTER_ERROR_MS);
      }
    }
  };
  const running: Promise<void>[] = [];
  for (let index = 0; index < clients; index += 1) {
    const channel = channels[index % channels.length];
    if (channel !== undefined) running.push(client(channel));
  }
  await Promise.all(running);
}

/** Sends frames to a method, and looks at no answer. */
export function callsOf(
  path: string,
  nextFrame: () => Uint8Array,
): (channel: RpcChannel) => Promise<unknown> {
  return (channel) => channel.unary(path, nextFrame());
}

export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
