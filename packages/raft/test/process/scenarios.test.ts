import { describe, it } from 'vitest';
import { runScenario } from './run-scenario.ts';
import { processScenarios } from './scenarios.ts';

/** A short form of each of these; all of them, whole, are `npm run soak:raft-process`. */
const inTheSuite = new Set([2, 17, 19, 30, 68, 69]);

describe('the portable scenarios over real processes', () => {
  for (const scenario of processScenarios.filter(({ number }) => inTheSuite.has(number))) {
    it(`${scenario.number}: ${scenario.name}`, async () => {
      await runScenario(scenario, 0.2);
    });
  }
});
