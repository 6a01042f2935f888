import type { RecordedTape, Scenario, Tape } from '@flotilla/sim';
import { runCoreSeed } from './core/core-seed.ts';

export { hostScenario } from './host.ts';
export { peerFrames } from './peer-frames.ts';

/** The consensus core alone, on a lossy network of messages and a disk of records: the fastest search there is. */
export const coreScenario: Scenario = {
  name: 'core',
  run: (tape) => {
    const result = runCoreSeed(recorded(tape));
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
  },
};

/** Every tape that a search hands out is one that records. */
function recorded(tape: Tape): RecordedTape {
  if ('lanes' in tape) return tape as RecordedTape;
  throw new TypeError('the core is simulated from recorded tapes');
}
