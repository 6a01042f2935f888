import { assert, present, seededRandom } from '@flotilla/platform';
import type { Random } from '@flotilla/platform';

/**
 * The choice tape: every decision of a simulated run is a labelled draw from it. A seed generates the tape, the tape
 * replays the run, and because 0 always is the harmless choice (no fault, least delay, first in line), zeroing spans of
 * a failing tape shrinks the failure.
 */
export interface Tape {
  /** An integer in [0, bound). 0 is harmless. A bound of 1 is no choice and takes nothing from the tape. */
  choose(bound: number, label: string): number;
  /** True with probability `numerator / denominator`; false is harmless. */
  chance(numerator: number, denominator: number, label: string): boolean;
}

/** A tape that keeps what was drawn from it: the input of the shrinker and the content of a tape file. */
export interface RecordedTape extends Tape {
  /** How many choices were drawn so far. */
  readonly length: number;
  /** A copy of the values drawn so far. Replaying them repeats the run. */
  values(): Uint32Array;
  /** The same by label. Replaying them repeats the run too, and edits of one label leave the others in step. */
  lanes(): TapeLanes;
  /** What was drawn at `position`, for reports. */
  at(position: number): Choice;
  /** How often each label was drawn, and how often it was not harmless: where a run's variety comes from. */
  summary(): ReadonlyMap<string, { readonly drawn: number; readonly notHarmless: number }>;
}

/** The choices of a run, in order, by label. */
export type TapeLanes = ReadonlyMap<string, readonly number[]>;

export interface Choice {
  readonly value: number;
  readonly label: string;
}

/**
 * A tape drawn from a 32-bit seed. Equal seeds answer equal questions equally on every machine.
 *
 * @example
 * const tape = generatedTape(7);
 * const delayMs = tape.choose(20, 'network delay ms');
 * if (tape.chance(1, 100, 'cut the link')) …
 */
export function generatedTape(seed: number): RecordedTape {
  return new GeneratedTape(seed);
}

/**
 * A tape that answers `choices` in order, or, where they are lanes, each label's choices in their own order: when a
 * shrinker takes out a fault, the next fault is still the same one, however many messages fewer were delayed between. Past their end every answer is 0, and an answer that is out of range becomes
 * the largest one allowed, so every list of numbers is a valid run: that is what lets the shrinker edit tapes blindly.
 */
export function replayedTape(choices: ArrayLike<number> | TapeLanes): RecordedTape {
  return new ReplayedTape(isLanes(choices) ? laneSource(choices) : flatSource(choices));
}

function isLanes(choices: ArrayLike<number> | TapeLanes): choices is TapeLanes {
  return choices instanceof Map;
}

/** Answers the next choice for a label. */
type Source = (label: string) => number;

function flatSource(choices: ArrayLike<number>): Source {
  let position = 0;
  return () => {
    const value = position < choices.length ? choices[position] : undefined;
    position += 1;
    return value ?? 0;
  };
}

function laneSource(lanes: TapeLanes): Source {
  const cursors = new Map<string, { readonly values: readonly number[]; position: number }>();
  for (const [label, values] of lanes) cursors.set(label, { values, position: 0 });
  return (label) => {
    const cursor = cursors.get(label);
    if (cursor === undefined) return 0;
    const value = cursor.values[cursor.position];
    cursor.position += 1;
    return value ?? 0;
  };
}

const initialCapacity = 2048;

/** Where draws are kept: flat arrays, because a run draws a few per event and an object each would double its cost. */
class Recording {
  length = 0;
  #values = new Uint32Array(initialCapacity);
  #labels = new Uint16Array(initialCapacity);
  readonly #names: string[] = [];
  readonly #ids = new Map<string, number>();

  add(value: number, label: string): void {
    let id = this.#ids.get(label);
    if (id === undefined) {
      id = this.#names.length;
      assert(
        id < 0x1_0000,
        'a tape has fewer than 65,536 labels: labels name kinds of choices, not instances',
      );
      this.#names.push(label);
      this.#ids.set(label, id);
    }
    if (this.length === this.#values.length) this.#grow();
    this.#values[this.length] = value;
    this.#labels[this.length] = id;
    this.length += 1;
  }

  values(): Uint32Array {
    return this.#values.slice(0, this.length);
  }

  lanes(): Map<string, number[]> {
    const lanes = this.#names.map((): number[] => []);
    for (let i = 0; i < this.length; i += 1) {
      lanes[this.#labels[i] as number]?.push(this.#values[i] as number);
    }
    return new Map(this.#names.map((name, id) => [name, lanes[id] ?? []]));
  }

  at(position: number): Choice {
    assert(position >= 0 && position < this.length, () => `position ${position} is on the tape`);
    return {
      value: this.#values[position] as number,
      label: this.#names[this.#labels[position] as number] as string,
    };
  }

  summary(): Map<string, { drawn: number; notHarmless: number }> {
    const result = new Map<string, { drawn: number; notHarmless: number }>();
    for (const name of this.#names) result.set(name, { drawn: 0, notHarmless: 0 });
    for (let i = 0; i < this.length; i += 1) {
      const row = present(result.get(this.#names[this.#labels[i] as number] as string), 'the row of a label');
      row.drawn += 1;
      if (this.#values[i] !== 0) row.notHarmless += 1;
    }
    return result;
  }

  #grow(): void {
    const values = new Uint32Array(this.#values.length * 2);
    values.set(this.#values);
    this.#values = values;
    const labels = new Uint16Array(this.#labels.length * 2);
    labels.set(this.#labels);
    this.#labels = labels;
  }
}

function assertBound(bound: number): void {
  assert(
    bound >= 1 && bound <= 0xffff_ffff && Number.isInteger(bound),
    () => `${bound} is a bound for a choice`,
  );
}

/** Records what a tape answers; where the answers come from is the part of each kind of tape. */
export abstract class RecordingTape implements RecordedTape {
  readonly #recording = new Recording();

  protected abstract drawChoice(bound: number, label: string): number;
  protected abstract drawChance(numerator: number, denominator: number, label: string): boolean;

  get length(): number {
    return this.#recording.length;
  }

  choose(bound: number, label: string): number {
    assertBound(bound);
    if (bound === 1) return 0;
    const value = this.drawChoice(bound, label);
    this.#recording.add(value, label);
    return value;
  }

  chance(numerator: number, denominator: number, label: string): boolean {
    if (numerator <= 0) return false;
    // Recorded as the answer, not as the number drawn, so that every answer «no» looks the same to the shrinker.
    const value = this.drawChance(numerator, denominator, label);
    this.#recording.add(value ? 1 : 0, label);
    return value;
  }

  values(): Uint32Array {
    return this.#recording.values();
  }

  lanes(): TapeLanes {
    return this.#recording.lanes();
  }

  at(position: number): Choice {
    return this.#recording.at(position);
  }

  summary(): ReadonlyMap<string, { drawn: number; notHarmless: number }> {
    return this.#recording.summary();
  }
}

class GeneratedTape extends RecordingTape {
  readonly #random: Random;

  constructor(seed: number) {
    super();
    this.#random = seededRandom(seed);
  }

  protected override drawChoice(bound: number): number {
    return this.#random.below(bound);
  }

  protected override drawChance(numerator: number, denominator: number): boolean {
    return this.#random.below(denominator) < numerator;
  }
}

class ReplayedTape extends RecordingTape {
  readonly #source: Source;

  constructor(source: Source) {
    super();
    this.#source = source;
  }

  protected override drawChoice(bound: number, label: string): number {
    const written = this.#source(label);
    return written < bound ? written : bound - 1;
  }

  protected override drawChance(_numerator: number, _denominator: number, label: string): boolean {
    return this.#source(label) > 0;
  }
}
