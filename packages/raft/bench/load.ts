import type { Group } from '@flotilla/raft';

const options = { timeoutMs: 10_000 };

export interface ClosedLoop {
  readonly entries: number;
  readonly seconds: number;
  /** Of this process, user and system, over all its threads. */
  readonly cpuSeconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** So many callers, each with one proposal at a time: what is committed is counted after the warm-up. */
export async function closedLoop(
  group: Group<number>,
  load: {
    readonly inFlight: number;
    readonly payload: Uint8Array;
    readonly warmUpMs: number;
    readonly ms: number;
  },
): Promise<ClosedLoop> {
  let committed = 0;
  let running = true;
  let sampling = false;
  const latencies: number[] = [];
  const caller = async (): Promise<void> => {
    while (running) {
      // One in 64 is timed: the clock itself costs a part of what is measured.
      if (sampling && committed % 64 === 0) {
        const begin = performance.now();
        await group.propose(load.payload, options);
        latencies.push(performance.now() - begin);
      } else {
        await group.propose(load.payload, options);
      }
      committed += 1;
    }
  };
  const callers = Array.from({ length: load.inFlight }, caller);
  await sleep(load.warmUpMs);
  sampling = true;
  const before = committed;
  const begin = performance.now();
  const cpu = process.cpuUsage();
  await sleep(load.ms);
  const used = process.cpuUsage(cpu);
  const entries = committed - before;
  const seconds = (performance.now() - begin) / 1000;
  running = false;
  await Promise.all(callers);
  return { entries, seconds, cpuSeconds: (used.user + used.system) / 1e6, ...quantiles(latencies) };
}

export interface OpenLoop {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/**
 * Proposals on a schedule, whether or not the earlier ones are answered. Each is timed from when it was due, so that
 * one that had to wait for its turn to be proposed counts with the wait.
 */
export async function openLoop(
  group: Group<number>,
  load: { readonly perSecond: number; readonly payload: Uint8Array; readonly ms: number },
): Promise<OpenLoop> {
  const begin = performance.now();
  const total = Math.floor((load.perSecond * load.ms) / 1000);
  const latencies = new Float64Array(total);
  let [proposed, answered] = [0, 0];
  await new Promise<void>((resolve, reject) => {
    const proposeDue = (): void => {
      const due = Math.min(total, Math.floor(((performance.now() - begin) * load.perSecond) / 1000));
      for (; proposed < due; proposed += 1) {
        const dueAt = begin + (proposed * 1000) / load.perSecond;
        group.propose(load.payload, options).then(() => {
          latencies[answered] = performance.now() - dueAt;
          answered += 1;
          if (answered === total) resolve();
        }, reject);
      }
      if (proposed < total) setImmediate(proposeDue);
    };
    proposeDue();
  });
  return { perSecond: total / ((performance.now() - begin) / 1000), ...quantiles(latencies) };
}

function quantiles(latencies: number[] | Float64Array): { p50Ms: number; p99Ms: number } {
  const sorted = Float64Array.from(latencies).sort();
  const at = (part: number): number => sorted[Math.floor((sorted.length - 1) * part)] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
