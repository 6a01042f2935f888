import { FlotillaError } from '@flotilla/platform';
import { delayBoundedStrategy } from './delay-bounded.ts';
import { noveltyStrategy } from './novelty.ts';
import { portfolioOf } from './portfolio.ts';
import { priorityStrategy } from './priority.ts';
import { randomStrategy } from './random.ts';
import type { Strategy } from './strategy.ts';
import { swarmStrategy } from './swarm.ts';

export type { RunView, Strategy, StrategyTape } from './strategy.ts';
export * from './delay-bounded.ts';
export * from './exhaustive.ts';
export * from './novelty.ts';
export * from './portfolio.ts';
export * from './priority.ts';
export * from './random.ts';
export * from './swarm.ts';

const named = {
  random: randomStrategy,
  swarm: swarmStrategy,
  priority: () => priorityStrategy(),
  'delay-bounded': () => delayBoundedStrategy(),
  novelty: noveltyStrategy,
  // Random twice: it is the one that no bug of the others can blind.
  portfolio: () =>
    portfolioOf([
      randomStrategy(),
      swarmStrategy(),
      priorityStrategy(),
      randomStrategy(),
      delayBoundedStrategy(),
      noveltyStrategy(),
    ]),
} satisfies Record<string, () => Strategy>;

/** A strategy that needs no settings, by its name. */
export type StrategyName = keyof typeof named;

export function strategyNamed(name: StrategyName): Strategy {
  const make: (() => Strategy) | undefined = named[name];
  if (make !== undefined) return make();
  const names = Object.keys(named).join(', ');
  const message = `no strategy is named ${String(name)}: there are ${names}`;
  throw new FlotillaError('FLOTILLA_INVALID_ARGUMENT', message);
}
