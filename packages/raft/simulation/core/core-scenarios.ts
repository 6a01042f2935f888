import type { RecordedTape, RunResult, Scenario, Tape } from '@flotilla/sim';
import { runCoreSeed } from './core-seed.ts';
import type { Weather } from './settings.ts';

/** The consensus core alone, on a lossy network of messages and a disk of records: the fastest search there is. */
export const coreScenario: Scenario = { name: 'core', run: (tape) => runCore(tape, 'mixed') };

/**
 * The same in a membership storm: add, promote, demote, remove, replace, wipe, transfer, crash and partition, all at
 * once, from one to seven members, with linearizable reads all the while.
 */
export const stormScenario: Scenario = { name: 'storm', run: (tape) => runCore(tape, 'storm') };

/** The same with leaderships that end as soon as they begin, and one entry to a message. */
export const contestedScenario: Scenario = { name: 'contested', run: (tape) => runCore(tape, 'contested') };

function runCore(tape: Tape, weather: Weather): RunResult {
  const result = runCoreSeed(recorded(tape), { weather });
  const { events, simulatedMs, traceHash, coverage, faults } = result;
  const violation =
    result.violation === null
      ? null
      : {
          name: result.violation.invariant,
          message: result.violation.message,
          node: null,
          timeMs: simulatedMs,
          event: events,
          stack: null,
        };
  return { violation, events, simulatedMs, traceHash, coverage, faults };
}

/** Every tape that a search hands out is one that records. */
function recorded(tape: Tape): RecordedTape {
  if ('lanes' in tape) return tape as RecordedTape;
  throw new TypeError('the core is simulated from recorded tapes');
}
