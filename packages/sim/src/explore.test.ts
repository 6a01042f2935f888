import { expect, test } from 'vitest';
import { counterScenario } from './examples/index.ts';
import {
  World,
  decodeTape,
  describeFaults,
  drawFaultMix,
  encodeTape,
  explore,
  faultKinds,
  generatedTape,
  replayedTape,
  runScenario,
  shrink,
} from './index.ts';
import type { Scenario } from './index.ts';

test('the right program survives the seeds in which the wrong one is caught', async () => {
  const { finding } = await explore({ scenario: counterScenario(true), from: 0, seeds: 300 });
  expect(finding?.result.violation?.name).toBe('lost write');
  const clean = await explore({ scenario: counterScenario(false), from: 0, seeds: 120, repeatEvery: 10 });
  expect(clean.finding).toBeNull();
  expect(clean.repeated).toBe(12);
  const injected = faultKinds.filter((kind) => clean.coverage.get(kind) > 0);
  // A bridge takes three nodes.
  expect(injected).toEqual(faultKinds.filter((kind) => kind !== 'partition with a bridge'));
});

test('a failing tape shrinks to the one fault that it needs, told in words, and its file repeats the run', async () => {
  const scenario = counterScenario(true);
  const { finding } = await explore({ scenario, from: 0, seeds: 300 });
  const shrunk = await shrink({ scenario, lanes: finding!.lanes });
  expect(shrunk.choicesLeft).toBeLessThan(12);
  expect(shrunk.choicesLeft).toBeLessThan(shrunk.choicesBefore / 10);
  const crashes = shrunk.result.faults.filter((fault) =>
    /crash|power cut|stopped by itself/.test(fault.text),
  );
  expect(crashes.length).toBe(1);
  expect(describeFaults(shrunk.result.faults)).toMatch(
    /^at \d+\.\d{3} s: .*server.*1 unsynced sectors lost/m,
  );
  const file = { scenario: scenario.name, seed: finding!.seed, violation: 'lost write', lanes: shrunk.lanes };
  const decoded = decodeTape(encodeTape(file));
  expect(decoded).toEqual(file);
  const again = await runScenario(scenario, replayedTape(decoded.lanes));
  expect(again.traceHash).toBe(shrunk.result.traceHash);
  expect(again.violation).toEqual(shrunk.result.violation);
});

test('a tape of nothing but zeros has no faults', async () => {
  const result = await runScenario(counterScenario(true), replayedTape([]));
  expect(result.violation).toBeNull();
  expect(result.faults.map((fault) => fault.text)).toEqual(['heal everything']);
});

test('a scenario that leaks the outside world into its events is caught by the second run', async () => {
  let leak = 0;
  const scenario: Scenario = {
    name: 'leaky',
    run: (tape) => {
      const world = new World({ tape });
      leak += 1;
      world.after(leak, () => {});
      world.run(1000);
      return {
        violation: world.violation,
        events: world.events,
        simulatedMs: world.now,
        traceHash: world.hash.toString(),
        coverage: {},
        faults: [],
      };
    },
  };
  const { finding } = await explore({ scenario, from: 0, seeds: 1 });
  expect(finding?.result.violation?.name).toBe('nondeterminism');
});

test.each([
  ['garbage', 'nonsense'],
  ['another format', '{"format":"x"}'],
  ['a newer version', '{"format":"flotilla-tape","version":2}'],
  ['a missing field', '{"format":"flotilla-tape","version":1}'],
  [
    'a bad choice',
    '{"format":"flotilla-tape","version":1,"scenario":"a","seed":1,"violation":"v","lanes":{"l":"1 -2"}}',
  ],
])('%s is no tape', (_what, text) => {
  expect(() => decodeTape(text)).toThrow(expect.objectContaining({ code: 'FLOTILLA_TAPE_INVALID' }));
});

test('every kind of fault can be drawn', () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 60; seed += 1) {
    const mix = drawFaultMix(generatedTape(seed));
    for (const kind of faultKinds) if (mix[kind] > 0) seen.add(kind);
  }
  expect(seen.size).toBe(faultKinds.length);
});

test('a second run that was broken off counts as stuck, and not as another one', async () => {
  const whole = { violation: null, events: 9, simulatedMs: 9, traceHash: 'a', coverage: {}, faults: [] };
  const stuck = {
    name: 'stuck',
    message: 'n1 does not give control back',
    node: 'n1',
    timeMs: 5,
    event: 5,
    stack: null,
  };
  const broken = { ...whole, violation: stuck, events: 5, traceHash: 'b' };
  const results = [whole, broken];
  const scenario = { name: 'slow', run: () => results.shift() ?? whole };
  const { finding } = await explore({ scenario, from: 0, seeds: 1, repeatEvery: 1 });
  expect(finding?.result.violation).toEqual(stuck);
});
