import { EventHeap } from '@flotilla/sim';
import type { CoreEvent } from './event.ts';

/** What is to come, and the time that it is. */
export class Agenda {
  now = 0;
  readonly #heap = new EventHeap<CoreEvent>();

  /** When the next event is due; Infinity when there is none. */
  get nextMs(): number {
    return this.#heap.nextTime;
  }

  after(delayMs: number, event: CoreEvent): void {
    this.#heap.push(this.now + delayMs, event);
  }

  at(timeMs: number, event: CoreEvent): void {
    this.#heap.push(timeMs, event);
  }

  /** The next event, whose time it is now; null: nothing is left. */
  take(): CoreEvent | null {
    if (this.#heap.size === 0) return null;
    this.passUntil(this.#heap.nextTime);
    return this.#heap.pop();
  }

  passUntil(timeMs: number): void {
    this.now = Math.max(this.now, timeMs);
  }
}
