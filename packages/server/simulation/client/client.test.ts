import { explore } from '@flotilla/sim';
import { expect, test } from 'vitest';
import { clientScenario } from './client.ts';

test('under faults every write is done as often as the client says, and watches and locks keep their word', async () => {
  const { finding, coverage, repeated } = await explore({
    scenario: clientScenario,
    from: 1,
    seeds: 2,
    repeatEvery: 2,
  });
  expect(finding?.result.violation ?? null).toBeNull();
  expect(repeated).toBe(1);
  expect(coverage.get('client: put done')).toBeGreaterThan(40);
  expect(coverage.get('client: increment done')).toBeGreaterThan(20);
  expect(coverage.get('client: lock held')).toBeGreaterThan(3);
  expect(coverage.get('client: guarded write taken')).toBeGreaterThan(3);
  expect(coverage.get('client: whole history judged')).toBeGreaterThan(0);
});
