import { expect, test } from 'vitest';
import { counterScenario } from '../examples/index.ts';
import { Recorder, explore, generatedTape, replayedTape, runScenario } from '../index.ts';

test('a recorded run is the run that it is without: the same hash, the same violation', async () => {
  for (const seed of [3, 4, 5]) {
    const plain = await runScenario(counterScenario(true), generatedTape(seed));
    const recorded = await runScenario(counterScenario(true), generatedTape(seed), {
      recorder: new Recorder(),
    });
    expect(recorded).toEqual(plain);
  }
});

test('it has every life, message, sync and fault, each once and in time order', async () => {
  const scenario = counterScenario(true);
  const { finding } = await explore({ scenario, from: 0, seeds: 200 });
  const recorder = new Recorder();
  const result = await runScenario(scenario, replayedTape(finding!.lanes), { recorder });
  const trace = recorder.trace(result);
  expect(trace.nodes).toEqual(['server', 'client']);
  expect(trace.violation).toEqual(finding!.result.violation);
  expect(trace.faults).toEqual(finding!.result.faults);
  const starts = trace.lives.filter(({ node }) => node === 'server');
  expect(starts.map(({ number }) => number)).toEqual(starts.map((_, index) => index + 1));
  expect(starts.length).toBeGreaterThan(1);
  expect(starts.at(-2)?.ending).toMatch(/crash|power cut/);
  expect(trace.messages.some(({ from, arrivedMs }) => from === 'client' && arrivedMs !== null)).toBe(true);
  for (const { sentMs, dueMs, arrivedMs } of trace.messages) {
    expect(dueMs).toBeGreaterThanOrEqual(sentMs);
    expect(arrivedMs ?? dueMs).toBeGreaterThanOrEqual(sentMs);
  }
  expect(trace.syncs.some(({ what, toMs }) => what === 'sync counter' && toMs !== null)).toBe(true);
  expect(trace.timers.map(({ label }) => label)).toContain('pace');
  for (const list of [trace.messages.map(({ sentMs }) => sentMs), trace.faults.map(({ timeMs }) => timeMs)]) {
    expect(list).toEqual([...list].sort((a, b) => a - b));
  }
  expect(trace.leftOut).toEqual({});
});
