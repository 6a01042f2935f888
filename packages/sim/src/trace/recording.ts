import type { Recorder } from './recorder.ts';

/** Waits for the world that is to be recorded. Scenarios make their worlds themselves and need not know of it. */
let waiting: Recorder | null = null;

/** Runs a scenario so that the first world that it makes has `recorder`. */
export function withRecorder<T>(recorder: Recorder | null, run: () => T): T {
  const before = waiting;
  waiting = recorder;
  try {
    return run();
  } finally {
    waiting = before;
  }
}

/** The recorder that waits, once: a scenario's further worlds have times of their own. */
export function takeRecorder(): Recorder | null {
  const recorder = waiting;
  waiting = null;
  return recorder;
}
