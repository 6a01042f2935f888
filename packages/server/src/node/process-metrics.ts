import { readdirSync, readFileSync } from 'node:fs';
import { constants, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import type { ProcessFacts } from '../http/member-http.ts';
import { exponentialBounds, Histogram } from '../metrics/histogram.ts';
import { counter, gauge, labelled, type Metric } from '../metrics/registry.ts';

export function processFacts(): ProcessFacts {
  return {
    metrics: processMetrics(),
    vars: () => ({
      cmdline: process.argv,
      file_descriptor_limit: process.platform === 'linux' ? limitOf('Max open files') : 0,
      memstats: process.memoryUsage(),
    }),
  };
}

/**
 * What is true of the process: Prometheus' own names where it has them, and what Node.js adds, a garbage collector and
 * an event loop that everything waits for.
 */
function processMetrics(): readonly Metric[] {
  const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  loop.enable();
  const collections = followCollections();
  return [
    counter('process_cpu_seconds_total', 'Processor time used', cpuSeconds),
    gauge('process_resident_memory_bytes', 'Memory in use', () => process.memoryUsage.rss()),
    gauge('process_start_time_seconds', 'When the process began, since 1970', () => START_SECONDS),
    ...(process.platform === 'linux' ? linuxMetrics() : []),
    gauge(
      'flotilla_process_heap_bytes',
      'Memory of the JavaScript heap in use',
      () => process.memoryUsage().heapUsed,
    ),
    gauge(
      'flotilla_process_external_bytes',
      'Memory of buffers outside of the heap',
      () => process.memoryUsage().external,
    ),
    labelled(
      'gauge',
      'flotilla_event_loop_delay_seconds',
      'How late the event loop comes, since the start',
      () =>
        quantiles.map((quantile) => ({
          labels: { quantile: String(quantile) },
          // A delay is measured from tick to tick: one of them is none.
          value: Math.max(0, loop.percentile(quantile * 100) / 1e9 - LOOP_RESOLUTION_MS / 1e3),
        })),
    ),
    labelled(
      'histogram',
      'flotilla_gc_duration_seconds',
      'How long collections of garbage take, by kind',
      () => [...collections].map(([kind, seconds]) => ({ labels: { kind }, histogram: seconds })),
    ),
  ];
}

function linuxMetrics(): readonly Metric[] {
  return [
    gauge('process_open_fds', 'Open files and sockets', openFiles),
    gauge('process_max_fds', 'Files and sockets that may be open', () => limitOf('Max open files')),
    gauge('process_virtual_memory_bytes', 'Addresses in use', () => Number(statusPages()[0]) * PAGE_BYTES),
    gauge('process_virtual_memory_max_bytes', 'Addresses that may be in use', () =>
      limitOf('Max address space'),
    ),
    gauge('os_fd_used', 'Open files and sockets', openFiles),
    gauge('os_fd_limit', 'Files and sockets that may be open', () => limitOf('Max open files')),
  ];
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function openFiles(): number {
  return readdirSync('/proc/self/fd').length;
}

function statusPages(): readonly string[] {
  return readFileSync('/proc/self/statm', 'utf8').split(' ');
}

/** The soft limit; what is not limited is as Go's library for Prometheus writes it. */
function limitOf(name: string): number {
  const line = readFileSync('/proc/self/limits', 'utf8')
    .split('\n')
    .find((candidate) => candidate.startsWith(name));
  const soft = line?.slice(name.length).trim().split(/\s+/)[0] ?? '';
  return soft === 'unlimited' ? UNLIMITED : Number(soft);
}

function followCollections(): ReadonlyMap<string, Histogram> {
  const collections = new Map(
    Object.values(collectionKinds).map((kind) => [kind, new Histogram(exponentialBounds(0.0001, 4, 8))]),
  );
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { duration, detail } = entry as unknown as CollectionEntry;
      const kind = collectionKinds[detail.kind];
      if (kind !== undefined) collections.get(kind)?.observe(duration / 1000);
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return collections;
}

/** What Node.js says of a collection; its types leave it open. */
interface CollectionEntry {
  readonly duration: number;
  readonly detail: { readonly kind: number };
}

const collectionKinds: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weak',
};

const LOOP_RESOLUTION_MS = 20;
const PAGE_BYTES = 4096;
const UNLIMITED = 2 ** 64;
const START_SECONDS = Math.round((Date.now() - process.uptime() * 1000) / 10) / 100;
const quantiles = [0.5, 0.9, 0.99, 1];
