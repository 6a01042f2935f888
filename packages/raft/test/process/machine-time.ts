const TURN_MS = 10;
/** Longer than a turn is late on a machine that has time for it. */
const COUNTED_MS = 3 * TURN_MS;

let counted = 0;
let last = 0;
let turns: NodeJS.Timeout | null = null;

/**
 * Milliseconds in which the machine ran, from any beginning. Where it gives this process no turn, it gives the members
 * beside it none either; the limits of scenarios are about them, and not about who else uses the machine.
 */
export function machineTime(): number {
  if (turns === null) {
    last = performance.now();
    turns = setInterval(take, TURN_MS).unref();
  }
  take();
  return counted;
}

function take(): void {
  const now = performance.now();
  counted += Math.min(now - last, COUNTED_MS);
  last = now;
}
