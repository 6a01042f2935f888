import type { RunResult, Tape } from '@flotilla/sim';
import type { Lab, LabOptions } from './lab.ts';

/** Something that was measured against its threshold. */
export interface Measure {
  readonly what: string;
  readonly value: number;
  /** The most that is allowed. */
  readonly limit: number;
  readonly unit: string;
}

export interface LabResult extends RunResult {
  /** The worst value of each. */
  readonly measures: readonly Measure[];
}

interface Numbered {
  /** Its number in the catalogue, and which form of it. */
  readonly number: string;
  /** What happens, and the threshold. */
  readonly title: string;
}

/** One of the courses' tests, played by whole hosts. */
export interface HostsScenario extends Numbered {
  readonly options: LabOptions;
  readonly play: (lab: Lab) => void;
}

/** One of the courses' tests, played by cores in the hands of a fixed schedule of messages. */
export interface CoresScenario extends Numbered {
  readonly options: null;
  readonly play: (tape: Tape) => void;
}

export type LabScenario = HostsScenario | CoresScenario;
