import { SimulationFailure } from '@flotilla/sim';
import { expect, test } from 'vitest';
import type { Bugs } from '../../../examples/primary-backup/primary-backup.ts';
import { simulatePrimaryBackup } from '../../../examples/primary-backup/simulation.ts';

/** A machine room in which disks are slow enough to be caught at work. */
const world = {
  delayMaxMs: 10,
  lossPerMille: 3,
  splitPerMille: 20,
  joinPerMille: 20,
  syncMinMs: 20,
  syncMaxMs: 60,
};
const options = {
  world,
  strategy: 'random',
  tapeDirectory: null,
  shrinkMs: Infinity,
  shrinkRuns: 60,
} as const;

async function find(bugs: Bugs): Promise<SimulationFailure> {
  try {
    await simulatePrimaryBackup(bugs, { ...options, seeds: 60 });
  } catch (error) {
    if (error instanceof SimulationFailure) return error;
    throw error;
  }
  throw new Error('the bug was not found');
}

test('the primary-backup service of the examples is clean as it is', async () => {
  const report = await simulatePrimaryBackup({}, { ...options, seeds: 8, repeatEvery: 8 });
  expect(report.seeds).toBe(8);
  expect(report.coverage.get('a replica was behind')).toBeGreaterThan(0);
});

test.each([
  ['a backup that confirms before its disk has it', { confirmsEarly: true }, /sync|crash|power cut/],
  ['a backup that takes for new what is sent again', { appendsAgain: true }, /n1|n2/],
])('%s is found and shrunk to five faults at most', async (_bug, bugs, words) => {
  const found = await find(bugs);
  expect(['no convergence', 'linearizability']).toContain(found.violation.name);
  expect(found.faults.length).toBeGreaterThan(0);
  expect(found.faults.length).toBeLessThanOrEqual(5);
  expect(found.message).toMatch(words);
});
