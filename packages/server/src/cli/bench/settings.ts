/** What to measure and how hard. */
export interface BenchSettings {
  readonly endpoints: readonly string[];
  readonly clients: number;
  readonly conns: number;
  /** Infinity: until `seconds` are over. */
  readonly total: number;
  /** Infinity: until `total` is reached. */
  readonly seconds: number;
  /** Requests per second; 0: as fast as it goes. */
  readonly rate: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly keySpace: number;
  readonly limit: number;
  readonly countOnly: boolean;
  readonly serializable: boolean;
  readonly serverPids: readonly number[];
  /** Of fill: puts in one transaction. */
  readonly batch: number;
  /** Of watchers: how many watches, and over how many prefixes they and the puts are spread. */
  readonly watches: number;
  readonly prefixes: number;
}

/** The line that is printed. Latencies in milliseconds. */
export interface BenchReport {
  readonly operation: string;
  /** Requests per second that succeeded; of watch: events per second. */
  readonly throughput: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  /** Of this process, and of the processes of `--server-pids` together (null without). */
  readonly clientCpuPerRequestUs: number;
  readonly serverCpuPerRequestUs: number | null;
  readonly clients: number;
  readonly connections: number;
  readonly valueSize: number;
  readonly keySize: number;
  readonly keySpace: number;
  /** Requests that succeeded, and how long they took together. */
  readonly total: number;
  readonly seconds: number;
  readonly errors: number;
  /** The first error's text, when there was one. */
  readonly error: string | null;
  readonly rate: number;
  readonly endpoints: readonly string[];
  readonly [detail: string]: unknown;
}
