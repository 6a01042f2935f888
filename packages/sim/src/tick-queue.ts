/**
 * What `process.nextTick` was given during a simulation: by Node's own streams, and by programs that are simulated.
 * Node's own queue cannot stand in: an error that leaves one of its callbacks corrupts it for good when the queue is run
 * from JavaScript. One queue for all nodes, as it is empty between two events.
 */
let queue: WaitingTick[] = [];

export type Tick = (...values: unknown[]) => unknown;

interface WaitingTick {
  readonly callback: Tick;
  readonly values: readonly unknown[];
}

export function addTick(callback: Tick, values: readonly unknown[] = []): void {
  queue.push({ callback, values });
}

export function ticksWait(): boolean {
  return queue.length > 0;
}

/** Runs all that wait, and those that are added meanwhile, in their order. `failed` is told what one has thrown. */
export function runTicks(failed: (cause: unknown) => void): void {
  while (queue.length > 0) {
    for (const { callback, values } of takeTicks()) {
      try {
        callback(...values);
      } catch (cause) {
        failed(cause);
      }
    }
  }
}

/** Those that wait, which is nobody's business any more. */
export function takeTicks(): readonly WaitingTick[] {
  const taken = queue;
  queue = [];
  return taken;
}
