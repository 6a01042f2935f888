import { assert } from '@flotilla/platform';
import { RecordingTape } from '../tape.ts';
import type { Strategy, StrategyTape } from './strategy.ts';

export interface ExhaustiveOptions {
  /** `breadth`: runs with fewer choices that are not harmless come first, so the first finding is a smallest one. */
  readonly order: 'breadth' | 'depth';
  /** Which kinds of choices are taken every way; all others are harmless. All, unless it says otherwise. */
  readonly labels?: readonly string[];
  /** Of a choice with more values than this, so many are tried, evenly spread. */
  readonly valuesMax?: number;
  /** Choices of a run beyond this many are harmless. */
  readonly choicesMax?: number;
  /** Choices of one run that are not harmless, at most. */
  readonly deviationsMax?: number;
}

/**
 * Every run of a small world, once: each tape is its list of choices that are not harmless, and the runs that follow
 * from it differ in one more, later choice. `Exploration.exhausted` says when there is no other.
 */
export function exhaustiveStrategy(options: ExhaustiveOptions): Strategy {
  const waiting: Deviation[] = [{ before: null, position: -1, value: 0, count: 0 }];
  /** What the breadth-first search has taken from the front. */
  let taken = 0;
  return {
    name: `exhaustive, ${options.order} first`,
    seeded: false,
    next: () => {
      if (taken === waiting.length) return null;
      const next = options.order === 'breadth' ? waiting[taken] : waiting.pop();
      if (next === undefined) return null;
      if (options.order === 'breadth') taken += 1;
      return new EnumeratedTape(next, options);
    },
    learn: (tape) => {
      if (!(tape instanceof EnumeratedTape)) return;
      for (const more of tape.deviations()) {
        assert(waiting.length < waitingMax, 'the world is too large for an exhaustive search');
        waiting.push(more);
      }
    },
  };
}

/** Runs that wait to be made, or were. */
const waitingMax = 5_000_000;

/** A choice that is not harmless, and those before it. The choices between them are harmless. */
interface Deviation {
  readonly before: Deviation | null;
  readonly position: number;
  readonly value: number;
  readonly count: number;
}

class EnumeratedTape extends RecordingTape implements StrategyTape {
  readonly #from: Deviation;
  readonly #options: ExhaustiveOptions;
  readonly #values = new Map<number, number>();
  /** The bounds of the choices that are taken every way, in order. */
  readonly #bounds: number[] = [];

  constructor(from: Deviation, options: ExhaustiveOptions) {
    super();
    this.#from = from;
    this.#options = options;
    for (let at: Deviation | null = from; at !== null; at = at.before)
      this.#values.set(at.position, at.value);
  }

  /** All that differ from this run in one more choice behind its last one. */
  *deviations(): Generator<Deviation> {
    const before = this.#from;
    const { valuesMax = Infinity, choicesMax = Infinity, deviationsMax = Infinity } = this.#options;
    if (before.count >= deviationsMax) return;
    const end = Math.min(this.#bounds.length, choicesMax);
    for (let position = before.position + 1; position < end; position += 1) {
      const others = (this.#bounds[position] ?? 1) - 1;
      const values = Math.min(others, valuesMax);
      for (let i = 1; i <= values; i += 1) {
        yield { before, position, value: Math.ceil((others * i) / values), count: before.count + 1 };
      }
    }
  }

  protected override drawChoice(bound: number, label: string): number {
    if (this.#options.labels?.includes(label) === false) return 0;
    this.#bounds.push(bound);
    return Math.min(this.#values.get(this.#bounds.length - 1) ?? 0, bound - 1);
  }

  protected override drawChance(_numerator: number, _denominator: number, label: string): boolean {
    return this.drawChoice(2, label) > 0;
  }
}
