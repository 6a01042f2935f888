import { explore, faultKinds, generatedTape, replayedTape, runScenario } from '@flotilla/sim';
import { WatchHub } from '@flotilla/store';
import { afterEach, expect, test, vi } from 'vitest';
import { GroupBackend } from '../../src/member/group-backend.ts';
import { clusterScenario } from './cluster.ts';

afterEach(() => vi.restoreAllMocks());

test('under faults nothing is lost, reordered or made up, and every seed repeats itself', async () => {
  const exploration = await explore({ scenario: clusterScenario, from: 1000, seeds: 5, repeatEvery: 4 });
  expect(exploration.finding?.result.violation ?? null).toBeNull();
  expect(exploration.repeated).toBe(2);
  expect(exploration.simulatedMs).toBeGreaterThanOrEqual(5 * 30_000);
  expect(exploration.events).toBeGreaterThan(5 * 5_000);
  expect(exploration.coverage.get('calls judged')).toBeGreaterThanOrEqual(5 * 200);
  // Each seed has half of the kinds or so; a few seeds together have most.
  const injected = faultKinds.filter((kind) => exploration.coverage.get(kind) > 0);
  expect(injected.length).toBeGreaterThan(faultKinds.length / 2);
});

test('a tape of zeros is a quiet cluster: no fault, no lost answer, one leader', async () => {
  const result = await runScenario(clusterScenario, replayedTape([]));
  expect(result.violation).toBeNull();
  expect(result.faults.map((fault) => fault.text)).toEqual(['heal everything']);
  expect(result.coverage['leader elected']).toBe(1);
  expect(result.coverage['range failed']).toBeUndefined();
});

test('seed 1520: a member whose disk fails while it starts ends with the fault of the disk', async () => {
  // Opening its group said only that the member had stopped, and not why.
  const result = await runScenario(clusterScenario, generatedTape(1520));
  expect(result.violation).toBeNull();
});

test('a member that answers reads without asking the cluster is caught', async () => {
  vi.spyOn(GroupBackend.prototype, 'readBarrier').mockImplementation(() => Promise.resolve());
  const { finding } = await explore({ scenario: clusterScenario, from: 0, seeds: 40 });
  expect(finding?.result.violation?.name).toMatch(/^(revisions|linearizability)\//);
});

test('a watch that skips a change is caught', async () => {
  let published = 0;
  const honest: unknown = Reflect.get(WatchHub.prototype, 'publish');
  vi.spyOn(WatchHub.prototype, 'publish').mockImplementation(function (this: WatchHub, changes) {
    published += 1;
    Reflect.apply(honest as () => void, this, [published % 50 === 0 ? [] : changes]);
  });
  const result = await runScenario(clusterScenario, generatedTape(1));
  expect(result.violation?.name).toMatch(/^(watch|histories differ|no convergence)$/);
});
