import { Recorder, generatedTape, runScenario } from '@flotilla/sim';
import { expect, it } from 'vitest';
import { coreScenario, stormScenario } from '../index.ts';

it('a recorded run of cores is the run that it is without, with its lives, messages and cuts', async () => {
  for (const scenario of [coreScenario, stormScenario]) {
    const plain = await runScenario(scenario, generatedTape(3));
    const recorder = new Recorder();
    const result = await runScenario(scenario, generatedTape(3), { recorder });
    expect(result).toEqual(plain);
    const trace = recorder.trace(result);
    const crashes = trace.faults.filter(({ text }) => text.startsWith('crash '));
    expect(trace.lives.filter(({ ending }) => ending === 'crash')).toHaveLength(crashes.length);
    expect(trace.messages.some(({ label, arrivedMs }) => arrivedMs !== null && label?.startsWith('gives its vote'))).toBe(true); // prettier-ignore
    expect(trace.messages.some(({ arrivedMs }) => arrivedMs === null)).toBe(true);
    expect(trace.states.some(({ state }) => state['role'] === 'leader')).toBe(true);
    expect(trace.nodes).toContain('n1');
  }
});
