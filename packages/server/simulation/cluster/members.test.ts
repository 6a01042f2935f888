import { explore, generatedTape, replayedTape, runScenario } from '@flotilla/sim';
import { MemberRegistry } from '@flotilla/store';
import { afterEach, expect, test, vi } from 'vitest';
import { membersScenario } from './members.ts';

afterEach(() => vi.restoreAllMocks());

test('members come and go under faults, and registry, configuration and history agree', async () => {
  const exploration = await explore({ scenario: membersScenario, from: 0, seeds: 2 });
  expect(exploration.finding?.result.violation ?? null).toBeNull();
  for (const change of ['member added', 'member promoted', 'member removed', 'member left']) {
    expect(exploration.coverage.get(change), change).toBeGreaterThan(0);
  }
});

test('a tape of zeros adds a learner, and everything goes on', async () => {
  const result = await runScenario(membersScenario, replayedTape([]));
  expect(result.violation).toBeNull();
  expect(result.coverage['member added']).toBeGreaterThan(0);
});

test('a registry that keeps those who were removed is caught', async () => {
  const honest: unknown = Reflect.get(MemberRegistry.prototype, 'apply');
  vi.spyOn(MemberRegistry.prototype, 'apply').mockImplementation(function (
    this: MemberRegistry,
    change,
    index,
  ) {
    const steps = change.steps.filter(({ operation }) => operation !== 'remove');
    Reflect.apply(honest as () => void, this, [{ ...change, steps }, index]);
  });
  const { finding } = await explore({ scenario: membersScenario, from: 0, seeds: 10 });
  expect(finding?.result.violation?.name).toMatch(
    /^(registry and configuration differ|member is back|no convergence)$/,
  );
});

test('seed 4: a removed member does not answer an addition as if it had been made', async () => {
  const result = await runScenario(membersScenario, generatedTape(4));
  expect(result.violation).toBeNull();
});
