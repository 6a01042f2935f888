import { assert, seededRandom } from '@flotilla/platform';
import type { Random } from '@flotilla/platform';
import type { RunResult } from '../scenario.ts';
import { RecordingTape } from '../tape.ts';
import type { RunView, Strategy, StrategyTape } from './strategy.ts';

/**
 * Probabilistic concurrency testing (Burckhardt et al. 2010) for messages: every node has a priority, and what a node of
 * a low one sends is late, always, until at one of `depth - 1` drawn points the node that is sending falls behind all
 * others. Orders that need one message to come after a long chain of others, which even delays hardly ever give, come
 * with a probability that does not shrink with the chain.
 */
export function priorityStrategy(depth = 3): Strategy {
  assert(depth >= 1, 'a bug has a depth of 1 or more');
  let delays = 100;
  return {
    name: 'priority',
    // How many points there are to choose from is learnt from run to run.
    seeded: false,
    next: (seed) => new PriorityTape(seed, depth, delays),
    learn: (tape, _result: RunResult) => {
      if (tape instanceof PriorityTape) delays = Math.max(tape.delays, 1);
    },
  };
}

const delayLabel = 'network delay';

class PriorityTape extends RecordingTape implements StrategyTape {
  delays = 0;
  readonly #random: Random;
  readonly #changes: ReadonlySet<number>;
  readonly #priorities = new Map<string, number>();
  #lowest = 0;
  #view: RunView | null = null;
  #fair = false;

  constructor(seed: number, depth: number, delays: number) {
    super();
    this.#random = seededRandom(seed);
    const points = Array.from({ length: depth - 1 }, () => this.#random.below(delays));
    this.#changes = new Set(points);
  }

  attach(view: RunView): void {
    this.#view = view;
  }

  beginFairSuffix(): void {
    this.#fair = true;
  }

  protected override drawChoice(bound: number, label: string): number {
    const drawn = this.#random.below(bound);
    const sender = this.#view?.current?.node.name;
    if (label !== delayLabel || sender === undefined || this.#fair) return drawn;
    // Whoever has not sent yet counts, too, or the first to send would have nobody to be behind.
    for (const node of this.#view?.nodes.keys() ?? []) this.#priority(node);
    if (this.#changes.has(this.delays)) {
      this.#lowest -= 1;
      this.#priorities.set(sender, this.#lowest);
    }
    this.delays += 1;
    const own = this.#priority(sender);
    const behind = [...this.#priorities.values()].filter((other) => other > own).length;
    return Math.round(((bound - 1) * behind) / Math.max(this.#priorities.size - 1, 1));
  }

  protected override drawChance(numerator: number, denominator: number): boolean {
    return this.#random.below(denominator) < numerator;
  }

  #priority(node: string): number {
    let priority = this.#priorities.get(node);
    if (priority === undefined) {
      priority = this.#random.float();
      this.#priorities.set(node, priority);
    }
    return priority;
  }
}
