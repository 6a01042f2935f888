import { ProcessLab } from './process-lab.ts';
import type { ProcessScenario } from './scenarios.ts';

/** Runs one scenario over new processes and judges what they hold at the end. Answers how long it took. */
export async function runScenario(scenario: ProcessScenario, share: number): Promise<number> {
  const begin = performance.now();
  const lab = await ProcessLab.start(scenario.members, scenario.snapshotEvery);
  try {
    await scenario.run(lab, share);
    await lab.judge();
  } catch (error) {
    const said = lab.members.map(({ id, stderr }) => `n${id}:\n${stderr}`).join('\n');
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${said}`, { cause: error });
  } finally {
    await lab.remove();
  }
  return performance.now() - begin;
}
