import { fromEventLoop, generatedTape } from '@flotilla/sim';
import { isFlotillaError } from '@flotilla/platform';
import { Violation } from '../core/violation.ts';
import { Lab, LabStopped } from './lab.ts';
import type { CoresScenario, HostsScenario, LabResult, LabScenario } from './lab-result.ts';

/** One run of one scenario: a function of the seed. */
export function runLab(scenario: LabScenario, seed: number): Promise<LabResult> {
  return scenario.options === null
    ? Promise.resolve(playSchedule(scenario, seed))
    : fromEventLoop(() => playHosts(scenario, seed));
}

function playHosts({ options, play }: HostsScenario, seed: number): LabResult {
  const lab = new Lab(generatedTape(seed), options);
  try {
    play(lab);
  } catch (error) {
    if (!(error instanceof LabStopped)) throw error;
  } finally {
    lab.world.end();
  }
  return lab.result();
}

function playSchedule(scenario: CoresScenario, seed: number): LabResult {
  const result = { events: 1, simulatedMs: 0, traceHash: '', coverage: {}, faults: [], measures: [] };
  const violation = (name: string, message: string): LabResult => ({
    ...result,
    violation: { name, message, node: null, timeMs: 0, event: 0, stack: null },
  });
  try {
    scenario.play(generatedTape(seed));
    return { ...result, violation: null };
  } catch (error) {
    if (error instanceof Violation) return violation(error.invariant, error.message);
    if (isFlotillaError(error, 'FLOTILLA_ASSERTION')) return violation('assertion', error.message);
    throw error;
  }
}
