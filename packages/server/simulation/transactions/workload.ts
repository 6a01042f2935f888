import type { EtcdCall, EtcdRequest, EtcdResponse, RevisionEvents, Verdict } from '@flotilla/check';

/** A whole number in [0, bound), from a tape or a generator. 0 is the plainest choice. */
export type Draw = (bound: number, label: string) => number;

/** Makes a request; null: there was no answer, whatever became of it. */
export type Ask = (request: EtcdRequest) => Promise<EtcdResponse | null>;

/** One client of a workload. It remembers what it was told. */
export interface WorkloadClient {
  /** One errand: some requests, each after the other was answered. */
  errand(ask: Ask, draw: Draw): Promise<void>;
}

/**
 * Transactions that clients of etcd could make, and what must be true of their answers: in a simulation or over
 * processes, with any number of shards behind them. Keys are spread over the key space, so that wherever it is split
 * some transactions are on both sides.
 */
export interface Workload {
  readonly name: string;
  /** Every client makes these first, until they are answered: they take effect once. */
  readonly beginning: readonly EtcdRequest[];
  /** Granted before everything else, for longer than any run. */
  readonly leases: readonly bigint[];
  client(number: number): WorkloadClient;
  /** By the name of the judge. */
  judge(evidence: WorkloadEvidence): ReadonlyMap<string, Verdict>;
}

export interface WorkloadEvidence {
  readonly calls: readonly EtcdCall[];
  /** Everything that was written, in order, as far as anybody knows. */
  readonly revisions: readonly RevisionEvents[];
}
