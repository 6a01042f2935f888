/** One fault, or one thing that ended a fault, in plain words. */
export interface FaultRecord {
  /** Simulated time since the start of the run. */
  readonly timeMs: number;
  readonly text: string;
}

/**
 * The faults of a run in words and in time order.
 *
 * @example
 * // at 1.204 s: cut n1 -> n2
 * // at 2.100 s: crash n1 at its 14th disk operation: 3 unsynced sectors lost
 */
export function describeFaults(faults: readonly FaultRecord[]): string {
  if (faults.length === 0) return 'no faults: the failure needs nothing but the order of events';
  return faults.map((fault) => `at ${inSeconds(fault.timeMs)}: ${fault.text}`).join('\n');
}

export function inSeconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(3)} s`;
}
