import { present } from '@flotilla/platform';
import type { Strategy, StrategyTape } from './strategy.ts';

/** Several strategies in turn: nobody knows beforehand which one suits a bug. */
export function portfolioOf(strategies: readonly Strategy[]): Strategy {
  const makers = new WeakMap<StrategyTape, Strategy>();
  const left = [...strategies];
  return {
    name: `portfolio of ${strategies.map(({ name }) => name).join(', ')}`,
    seeded: strategies.every(({ seeded }) => seeded),
    next: (seed) => {
      while (left.length > 0) {
        const strategy = present(left[seed % left.length], 'a strategy that has runs left');
        const tape = strategy.next(seed);
        if (tape !== null) {
          makers.set(tape, strategy);
          return tape;
        }
        left.splice(left.indexOf(strategy), 1);
      }
      return null;
    },
    learn: (tape, result) => makers.get(tape)?.learn?.(tape, result),
  };
}
