import { seededRandom } from '@flotilla/platform';
import type { Random } from '@flotilla/platform';
import type { RunResult } from '../scenario.ts';
import { RecordingTape, generatedTape } from '../tape.ts';
import type { TapeLanes } from '../tape.ts';
import type { Strategy } from './strategy.ts';

/**
 * A corpus of tapes whose runs came to something new, as fuzzers keep one of inputs: a situation of the coverage that no
 * run had met, or one met twice as often as ever. The next run is one of them with some choices changed, so what takes
 * several unlikely steps is reached step by step. A quarter of the runs start from nothing.
 */
export function noveltyStrategy(): Strategy {
  const corpus: TapeLanes[] = [];
  const seen = new Set<string>();
  return {
    name: 'novelty',
    seeded: false,
    next: (seed) => {
      const random = seededRandom(seed).fork('novelty');
      const parent = corpus.length === 0 || random.below(4) === 0 ? null : recent(corpus, random);
      return parent === null ? generatedTape(seed) : new MutatedTape(parent, random);
    },
    learn: (tape, result) => {
      const novel = featuresOf(result).filter((feature) => !seen.has(feature));
      for (const feature of novel) seen.add(feature);
      if (novel.length === 0) return;
      corpus.push(tape.lanes());
      if (corpus.length > corpusMax) corpus.shift();
    },
  };
}

const corpusMax = 256;

function featuresOf(result: RunResult): readonly string[] {
  return Object.entries(result.coverage)
    .filter(([, times]) => times > 0)
    .map(([name, times]) => `${name} ${Math.floor(Math.log2(times))}`);
}

/** The newest half of the time, because it got the furthest. */
function recent(corpus: readonly TapeLanes[], random: Random): TapeLanes | null {
  const newest = random.below(2) === 0;
  return corpus[newest ? corpus.length - 1 : random.below(corpus.length)] ?? null;
}

/** Answers as its parent did, but for some choices, and at random where the parent has no answer. */
class MutatedTape extends RecordingTape {
  readonly #parent: TapeLanes;
  readonly #random: Random;
  readonly #positions = new Map<string, number>();
  readonly #rate: number;

  constructor(parent: TapeLanes, random: Random) {
    super();
    this.#parent = parent;
    this.#random = random;
    let length = 1;
    for (const lane of parent.values()) length += lane.length;
    // One choice or a few, or a good part of all: what is missing may be either.
    this.#rate = [1.5 / length, 4 / length, 0.1, 0.5][random.below(4)] ?? 0.1;
  }

  protected override drawChoice(bound: number, label: string): number {
    const drawn = this.#random.below(bound);
    const kept = this.#kept(label);
    return kept === undefined || this.#changes() ? drawn : Math.min(kept, bound - 1);
  }

  protected override drawChance(numerator: number, denominator: number, label: string): boolean {
    const drawn = this.#random.below(denominator) < numerator;
    const kept = this.#kept(label);
    return kept === undefined || this.#changes() ? drawn : kept > 0;
  }

  #changes(): boolean {
    return this.#random.float() < this.#rate;
  }

  #kept(label: string): number | undefined {
    const position = this.#positions.get(label) ?? 0;
    this.#positions.set(label, position + 1);
    return this.#parent.get(label)?.[position];
  }
}
