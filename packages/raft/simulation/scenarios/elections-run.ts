import { elections } from './election.ts';
import { runLab } from './run-lab.ts';

/** For mutations: the elections that once took too long, over whole hosts. */
export async function run(
  seed: number,
): Promise<{ violation: null | { invariant: string; message: string } }> {
  for (const scenario of elections) {
    if (!scenario.number.startsWith('6') && scenario.number !== '4') continue;
    const { violation } = await runLab(scenario, seed);
    if (violation !== null) {
      return { violation: { invariant: `scenario ${scenario.number}`, message: violation.message } };
    }
  }
  return { violation: null };
}
