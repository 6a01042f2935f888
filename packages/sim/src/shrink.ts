import { seededRandom } from '@flotilla/platform';
import { runScenario } from './explore.ts';
import { limits } from './limits.ts';
import type { RunResult, Scenario } from './scenario.ts';
import { replayedTape } from './tape.ts';
import type { RecordedTape, TapeLanes } from './tape.ts';

export interface ShrinkOptions {
  readonly scenario: Scenario;
  /** A tape that violates something. */
  readonly lanes: TapeLanes;
  readonly attemptsMax?: number;
  readonly timeMaxMs?: number;
  /** Called for each smaller tape that still fails in the same way. */
  readonly onSmaller?: (result: RunResult, choicesLeft: number) => void;
}

export interface Shrunk {
  readonly lanes: TapeLanes;
  readonly result: RunResult;
  readonly attempts: number;
  /** Choices that are not harmless, before and after. */
  readonly choicesBefore: number;
  readonly choicesLeft: number;
}

/**
 * Makes a failing tape smaller while it fails in the same way, as Hypothesis does: whole labels to zero first, then
 * spans of each label, halves before quarters, then single choices; at last it lowers the numbers that remain. What is
 * left on the tape at the end is what the failure needs.
 */
export async function shrink(options: ShrinkOptions): Promise<Shrunk> {
  const shrinker = new Shrinker(options);
  await shrinker.run();
  return shrinker.shrunk();
}

class Shrinker {
  readonly #scenario: Scenario;
  readonly #options: ShrinkOptions;
  readonly #deadline: number;
  #lanes: Map<string, number[]>;
  #result: RunResult | null = null;
  /** What the smallest failing run so far has drawn, in order. */
  #tape: RecordedTape | null = null;
  #attempts = 0;
  #choicesBefore = 0;

  constructor(options: ShrinkOptions) {
    this.#options = options;
    this.#scenario = options.scenario;
    this.#deadline = performance.now() + (options.timeMaxMs ?? Infinity);
    this.#lanes = trimmed(options.lanes);
  }

  shrunk(): Shrunk {
    if (this.#result === null) throw new Error('the tape to be shrunk does not violate anything');
    return {
      lanes: this.#lanes,
      result: this.#result,
      attempts: this.#attempts,
      choicesBefore: this.#choicesBefore,
      choicesLeft: weightOf(this.#lanes),
    };
  }

  async run(): Promise<void> {
    this.#choicesBefore = weightOf(this.#lanes);
    await this.#try(this.#lanes);
    if (this.#result === null) return;
    await this.#clearLabels(this.#labels().reverse());
    await this.#findFewerFaults();
    for (let before = Infinity; before > weightOf(this.#lanes) && !this.#spent;) {
      before = weightOf(this.#lanes);
      for (const label of this.#labels()) await this.#clearSpans(label);
    }
    await this.#cutOut();
    for (const label of this.#labels()) await this.#lower(label);
  }

  get #spent(): boolean {
    return (
      this.#attempts >= (this.#options.attemptsMax ?? limits.shrinkAttemptsMax) ||
      performance.now() > this.#deadline
    );
  }

  /** Labels with the fewest choices first: faults are rare and explain most; delays are many and explain little. */
  #labels(): string[] {
    return [...this.#lanes]
      .filter(([, values]) => values.some((value) => value !== 0))
      .sort((a, b) => a[1].length - b[1].length || (a[0] < b[0] ? -1 : 1))
      .map(([label]) => label);
  }

  /** All of them, or one half after the other: most labels have nothing to do with a failure. */
  async #clearLabels(labels: readonly string[]): Promise<void> {
    const present = labels.filter((label) => this.#lanes.has(label));
    if (present.length === 0) return;
    const lanes = new Map(this.#lanes);
    for (const label of present) lanes.delete(label);
    if ((await this.#try(lanes)) || present.length === 1) return;
    const half = Math.ceil(present.length / 2);
    await this.#clearLabels(present.slice(0, half));
    await this.#clearLabels(present.slice(half));
  }

  async #clearSpans(label: string): Promise<void> {
    const { length } = this.#lanes.get(label) ?? [];
    for (let span = Math.ceil(length / 2); span >= 1; span = span === 1 ? 0 : Math.ceil(span / 2)) {
      for (let from = 0; from < length && !this.#spent; from += span) {
        const values = this.#lanes.get(label) ?? [];
        if (values.slice(from, from + span).every((value) => value === 0)) continue;
        const edited = [...values];
        edited.fill(0, from, from + span);
        await this.#try(new Map(this.#lanes).set(label, edited));
      }
    }
  }

  /**
   * Zeroes a choice and takes out what was drawn right after it. A fault that is only zeroed leaves its own choices
   * (whom it hits, what the disk loses) to the next fault, which then is another one; with them it goes without a trace.
   */
  async #cutOut(): Promise<void> {
    for (let at = 0; at < (this.#tape?.length ?? 0) && !this.#spent; at += 1) {
      if (this.#tape?.at(at).value === 0) continue;
      for (const after of cutLengths) {
        if (await this.#try(cutOutLanes(this.#tape as RecordedTape, at, after), weightOf(this.#lanes))) break;
      }
    }
  }

  /**
   * Looks for a run with one of the faults, or two, at other times. What an earlier fault has delayed by chance comes too
   * soon without it, so no fault can be taken out of such a run alone; but often it takes no more than luck anew.
   */
  async #findFewerFaults(): Promise<void> {
    const random = seededRandom(1);
    for (let attempt = 0; attempt < limits.shrinkFaultAttemptsMax && !this.#spent; attempt += 1) {
      const faults = this.#lanes.get('fault') ?? [];
      const kinds = faults.filter((value) => value !== 0);
      const count = 1 + Math.floor((attempt * 3) / limits.shrinkFaultAttemptsMax);
      if (kinds.length <= count) return;
      const lanes = new Map(this.#lanes);
      const drawn = faults.map(() => 0);
      for (let i = 0; i < count; i += 1) {
        drawn[random.below(drawn.length)] = kinds[random.below(kinds.length)] ?? 0;
      }
      lanes.set('fault', drawn);
      for (const label of choicesOfFaults) {
        const length = Math.max(lanes.get(label)?.length ?? 0, drawn.length);
        lanes.set(
          label,
          Array.from({ length }, () => random.below(64)),
        );
      }
      await this.#try(lanes, Infinity, kinds.length);
    }
  }

  /** Binary search for the smallest number that still fails, for each that is left. */
  async #lower(label: string): Promise<void> {
    for (let i = 0; i < (this.#lanes.get(label)?.length ?? 0) && !this.#spent; i += 1) {
      let low = 0;
      for (;;) {
        const high = this.#lanes.get(label)?.[i] ?? 0;
        if (high - low <= 1 || this.#spent) break;
        const middle = low + Math.floor((high - low) / 2);
        const edited = [...(this.#lanes.get(label) ?? [])];
        edited[i] = middle;
        if (!(await this.#try(new Map(this.#lanes).set(label, edited)))) low = middle;
      }
    }
  }

  /** Keeps `lanes` when they fail as the first run did, with fewer choices than `below` that are not harmless. */
  async #try(lanes: Map<string, number[]>, below = Infinity, faultsBelow = Infinity): Promise<boolean> {
    if (this.#spent && this.#result !== null) return false;
    this.#attempts += 1;
    const tape = replayedTape(lanes);
    const result = await runScenario(this.#scenario, tape);
    if (result.violation === null) return false;
    if (this.#result !== null && result.violation.name !== this.#result.violation?.name) return false;
    // As drawn, not as asked: what the run did not reach is not part of the failure.
    const drawn = trimmed(tape.lanes());
    if (weightOf(drawn) >= below || faultsOn(drawn) >= faultsBelow) return false;
    this.#result = result;
    this.#tape = tape;
    this.#lanes = drawn;
    this.#options.onSmaller?.(result, weightOf(this.#lanes));
    return true;
  }
}

/** What the nemesis draws for its faults. */
const choicesOfFaults = [
  'next fault',
  'victim',
  'duration of a fault',
  'crash at which disk operation',
  'crash: unsynced sectors kept, lost, lost singly, torn singly',
] as const;

function faultsOn(lanes: TapeLanes): number {
  return lanes.get('fault')?.filter((value) => value !== 0).length ?? 0;
}

/** How many choices go with one that is cut out: those of a fault are drawn together. */
const cutLengths = [1, 2, 3, 4, 6, 8, 12, 16] as const;

function cutOutLanes(tape: RecordedTape, at: number, after: number): Map<string, number[]> {
  const lanes = new Map<string, number[]>();
  for (let i = 0; i < tape.length; i += 1) {
    if (i > at && i <= at + after) continue;
    const { label, value } = tape.at(i);
    const lane = lanes.get(label);
    const kept = i === at ? 0 : value;
    if (lane === undefined) lanes.set(label, [kept]);
    else lane.push(kept);
  }
  return lanes;
}

/** Without the zeros at the ends of lanes, and without empty lanes: past its end a lane is harmless anyway. */
function trimmed(lanes: TapeLanes): Map<string, number[]> {
  const result = new Map<string, number[]>();
  for (const [label, values] of lanes) {
    let length = values.length;
    while (length > 0 && values[length - 1] === 0) length -= 1;
    if (length > 0) result.set(label, values.slice(0, length));
  }
  return result;
}

function weightOf(lanes: TapeLanes): number {
  let weight = 0;
  for (const values of lanes.values()) for (const value of values) if (value !== 0) weight += 1;
  return weight;
}
