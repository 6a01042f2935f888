import { seededRandom } from '@flotilla/platform';
import type { Random } from '@flotilla/platform';
import { RecordingTape } from '../tape.ts';
import type { Strategy, StrategyTape } from './strategy.ts';

/**
 * Swarm testing (Groce et al. 2012) on the tape itself: for each run, some kinds of choices are left out altogether and
 * others come more often. What everything together hides, some of it alone may show.
 */
export function swarmStrategy(): Strategy {
  return { name: 'swarm', seeded: true, next: (seed) => new SwarmTape(seed) };
}

type Temper = 'off' | 'even' | 'often';

class SwarmTape extends RecordingTape implements StrategyTape {
  readonly #random: Random;
  readonly #tempers: Random;
  readonly #byLabel = new Map<string, Temper>();
  #fair = false;

  constructor(seed: number) {
    super();
    this.#random = seededRandom(seed);
    this.#tempers = this.#random.fork('tempers');
  }

  beginFairSuffix(): void {
    this.#fair = true;
  }

  protected override drawChoice(bound: number, label: string): number {
    const drawn = this.#random.below(bound);
    switch (this.#temper(label)) {
      case 'off':
        return 0;
      case 'even':
        return drawn;
      case 'often':
        return Math.max(drawn, this.#random.below(bound));
    }
  }

  protected override drawChance(numerator: number, denominator: number, label: string): boolean {
    const drawn = this.#random.below(denominator);
    switch (this.#temper(label)) {
      case 'off':
        return false;
      case 'even':
        return drawn < numerator;
      case 'often':
        return drawn < numerator * 8;
    }
  }

  /** Drawn from the label's own stream, so that it does not depend on what was drawn before. */
  #temper(label: string): Temper {
    if (this.#fair) return 'even';
    let temper = this.#byLabel.get(label);
    if (temper === undefined) {
      temper = (['off', 'even', 'even', 'often'] as const)[this.#tempers.fork(label).below(4)] ?? 'even';
      this.#byLabel.set(label, temper);
    }
    return temper;
  }
}
