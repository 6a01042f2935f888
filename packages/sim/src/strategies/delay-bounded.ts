import { assert, seededRandom } from '@flotilla/platform';
import type { Random } from '@flotilla/platform';
import { RecordingTape } from '../tape.ts';
import type { RunView, Strategy, StrategyTape } from './strategy.ts';

/**
 * Delay-bounded scheduling (Emmi et al. 2011), for faults as well as delays: a run is harmless but for at most `delays`
 * moments, each of which is one kind of choice, once, with what is drawn for it in the same event. Most bugs need few,
 * and a run with few explains itself.
 */
export function delayBoundedStrategy(delays = 3): Strategy {
  assert(delays >= 1, 'without any delay there is one run only');
  /** How often each kind of choice came at most: where a delay may be. */
  const lengths = new Map<string, number>();
  return {
    name: 'delay-bounded',
    seeded: false,
    next: (seed) => new DelayBoundedTape(seed, lengths, delays),
    learn: (tape) => {
      if (!(tape instanceof DelayBoundedTape)) return;
      for (const [label, drawn] of tape.drawn) lengths.set(label, Math.max(drawn, lengths.get(label) ?? 0));
    },
  };
}

class DelayBoundedTape extends RecordingTape implements StrategyTape {
  /** Since the run has begun: how it is set up is drawn evenly. */
  readonly drawn = new Map<string, number>();
  readonly #random: Random;
  readonly #moments = new Set<string>();
  #view: RunView = { events: 1, nodes: new Map(), current: null };
  #openEvent = -1;
  #fair = false;

  constructor(seed: number, lengths: ReadonlyMap<string, number>, delays: number) {
    super();
    this.#random = seededRandom(seed);
    const labels = [...lengths.keys()];
    for (let i = 0; i < delays && labels.length > 0; i += 1) {
      // By kind first: delays of messages are many, faults are few, and each kind is worth as much.
      const label = labels[this.#random.below(labels.length)] ?? '';
      this.#moments.add(`${label} ${this.#random.below(lengths.get(label) ?? 1)}`);
    }
  }

  attach(view: RunView): void {
    this.#view = view;
  }

  beginFairSuffix(): void {
    this.#fair = true;
  }

  protected override drawChoice(bound: number, label: string): number {
    const drawn = this.#random.below(bound);
    return this.#isDelayed(label) ? Math.max(drawn, bound > 1 && this.#view.events > 0 ? 1 : 0) : 0;
  }

  protected override drawChance(numerator: number, denominator: number, label: string): boolean {
    const drawn = this.#random.below(denominator) < numerator;
    if (!this.#isDelayed(label)) return false;
    return this.#view.events === 0 ? drawn : true;
  }

  #isDelayed(label: string): boolean {
    const { events } = this.#view;
    if (events === 0) return true;
    if (this.#fair) return false;
    const position = this.drawn.get(label) ?? 0;
    this.drawn.set(label, position + 1);
    if (this.#moments.has(`${label} ${position}`)) this.#openEvent = events;
    return this.#openEvent === events;
  }
}
