import { Queue } from './queue.ts';
import type { LeaseBeat } from './messages.ts';
import type { GroupId } from './types.ts';

/** One of our heartbeats, as the other side has acknowledged it. */
export interface AcknowledgedBeat {
  readonly sentMs: number;
  /** What it said that we lead. */
  readonly version: number;
  /** For so long after it was heard nobody else is elected there. */
  readonly promiseMs: number;
  readonly except: ReadonlySet<GroupId>;
}

interface SentBeat {
  readonly sequence: number;
  readonly sentMs: number;
  readonly version: number;
}

/** The numbered heartbeats of one pair of members, in both directions. */
export class LeaseBeats {
  /** The last one of the other side; 0: none. */
  heardSequence = 0;
  heardMs = 0;
  acknowledged: AcknowledgedBeat | null = null;
  readonly #maxUnanswered: number;
  #unanswered = new Queue<SentBeat>();
  /** Never starts again: an echo that was late by a connection must not be taken for one to a younger heartbeat. */
  #sequence = 0;

  constructor(maxUnanswered: number) {
    this.#maxUnanswered = maxUnanswered;
  }

  reset(): void {
    this.heardSequence = 0;
    this.acknowledged = null;
    this.#unanswered = new Queue();
  }

  send(nowMs: number, version: number): number {
    this.#sequence += 1;
    this.#unanswered.push({ sequence: this.#sequence, sentMs: nowMs, version });
    if (this.#unanswered.length > this.#maxUnanswered) this.#unanswered.shift();
    return this.#sequence;
  }

  hear(nowMs: number, { sequence, echo, promiseMs, except }: LeaseBeat): void {
    this.heardSequence = sequence;
    this.heardMs = nowMs;
    let beat = this.#unanswered.peek();
    while (beat !== undefined && beat.sequence < echo) {
      this.#unanswered.shift();
      beat = this.#unanswered.peek();
    }
    // The same one is echoed until the next arrives, and the exceptions may have changed since: it stays in the queue.
    if (beat === undefined || beat.sequence !== echo) return;
    this.acknowledged = {
      sentMs: beat.sentMs,
      version: beat.version,
      promiseMs,
      except: except.length === 0 ? none : new Set(except),
    };
  }
}

const none: ReadonlySet<GroupId> = new Set();
