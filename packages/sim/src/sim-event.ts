import type { Life } from './life.ts';

/**
 * Something that happens at one instant: a message arrives, a timer fires, a disk operation completes, a client takes
 * a step. An event of a life is dropped when that life is over and waits while it is paused.
 */
export abstract class SimEvent {
  /** Null: an event of the world itself, such as a fault. */
  declare readonly life: Life | null;
  /** Goes into the trace hash, so that runs that differ only in what happens differ in their hashes. */
  declare readonly kind: number;
  /** Cancelled events leave the heap without happening. */
  declare cancelled: boolean;

  // Set here and only declared above: defining fields of a class with more than four subclasses misses V8's inline
  // caches, which cost a third of a run.
  constructor(life: Life | null, kind: number) {
    this.life = life;
    this.kind = kind;
    this.cancelled = false;
  }

  abstract fire(): void;
}

/** An event that only calls a function: for the rare ones, where a class each would say no more. */
export class CallEvent extends SimEvent {
  readonly #call: () => void;

  constructor(life: Life | null, call: () => void) {
    super(life, 1);
    this.#call = call;
  }

  fire(): void {
    this.#call();
  }
}
