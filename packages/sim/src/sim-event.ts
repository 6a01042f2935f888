import type { Life } from './life.ts';

/**
 * Something that happens at one instant: a message arrives, a timer fires, a disk operation completes, a client takes
 * a step. An event of a life is dropped when that life is over and waits while it is paused.
 */
export abstract class SimEvent {
  /** Null: an event of the world itself, such as a fault. */
  readonly life: Life | null;
  /** Cancelled events leave the heap without happening. */
  cancelled = false;

  constructor(life: Life | null) {
    this.life = life;
  }

  /** Goes into the trace hash, so that runs that differ only in what happens differ in their hashes. */
  abstract readonly kind: number;
  abstract fire(): void;
}

/** An event that only calls a function: for the rare ones, where a class each would say no more. */
export class CallEvent extends SimEvent {
  readonly kind = 1;
  readonly #call: () => void;

  constructor(life: Life | null, call: () => void) {
    super(life);
    this.#call = call;
  }

  fire(): void {
    this.#call();
  }
}
