import type { RunResult } from '@flotilla/sim';
import type { KvLab, KvLabOptions } from './kv-lab.ts';

/** Something that was measured against its threshold. */
export interface Measure {
  readonly what: string;
  readonly value: number;
  /** The most that is allowed. */
  readonly limit: number;
  readonly unit: string;
}

export interface KvLabResult extends RunResult {
  /** The worst value of each. */
  readonly measures: readonly Measure[];
}

/** One of the courses' tests of a replicated key-value service, played by whole members and their clients. */
export interface KvScenario {
  /** Its number in the catalogue, and which form of it. */
  readonly number: string;
  /** What happens, and the threshold. */
  readonly title: string;
  readonly options: KvLabOptions;
  readonly play: (lab: KvLab) => void;
}
