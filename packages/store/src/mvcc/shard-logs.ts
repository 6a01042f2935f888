import { assert } from '@flotilla/platform';
import { intersection, type KeySpan } from '../shard/key-span.ts';
import type { LogUse } from './log-use.ts';

/** A log that nothing is written to any more. */
export interface ClosedLog {
  readonly log: number;
  /** Of the keys that it has events of, those that are this shard's by it. */
  readonly span: KeySpan;
  /** No event in it is later. */
  readonly through: number;
}

/**
 * Where the events of a shard are: in a log of its own, and in those of the shards that it came from. Each event is in
 * exactly one of them. A shard has no log of its own until it writes an event.
 *
 * When a range changes the log is closed, on both sides. So what several shards read is written no more, a span says
 * which events of it are whose, and events of one revision keep their order whatever splits and merges follow: by the
 * spans of the logs, and as they are in each.
 */
export class ShardLogs {
  #own: number | null;
  #closed: readonly ClosedLog[];
  /** Null: nobody counts, as in a view. */
  readonly #use: LogUse | null;

  constructor(own: number | null, closed: readonly ClosedLog[] = [], use: LogUse | null = null) {
    this.#own = own;
    this.#closed = closed;
    this.#use = use;
    if (own !== null) use?.retain(own);
    for (const { log } of closed) use?.retain(log);
  }

  /** Null: there is none yet. */
  get own(): number | null {
    return this.#own;
  }

  get closed(): readonly ClosedLog[] {
    return this.#closed;
  }

  /** For an event. */
  open(): number {
    if (this.#own === null) {
      assert(this.#use !== null, 'what is only read gets no events');
      this.#own = this.#use.next();
      this.#use.retain(this.#own);
    }
    return this.#own;
  }

  /** The range of what was `span` changes; everything in it is at or before `through`. */
  close(span: KeySpan, through: number): void {
    if (this.#own === null) return;
    this.#closed = [...this.#closed, { log: this.#own, span, through }];
    this.#own = null;
  }

  /** What a child of a split begins with: the same, and no log of its own. */
  fork(): ShardLogs {
    return new ShardLogs(null, this.#closed, this.#use);
  }

  narrow(span: KeySpan): void {
    const kept: ClosedLog[] = [];
    for (const closed of this.#closed) {
      const shared = intersection(closed.span, span);
      if (shared === null) this.#use?.release(closed.log);
      else kept.push({ ...closed, span: shared });
    }
    this.#closed = kept;
  }

  /** The other has nothing afterwards. */
  absorb(other: ShardLogs): void {
    this.#closed = [...this.#closed, ...other.#closed];
    other.#closed = [];
  }

  /** Nobody can ask for events before `revision` any more. Whether something was forgotten. */
  forgetBefore(revision: number): boolean {
    const kept = this.#closed.filter(({ log, through }) => {
      if (through >= revision) return true;
      this.#use?.release(log);
      return false;
    });
    const isLess = kept.length < this.#closed.length;
    if (isLess) this.#closed = kept;
    return isLess;
  }

  /** The shard is gone. */
  release(): void {
    if (this.#own !== null) this.#use?.release(this.#own);
    for (const { log } of this.#closed) this.#use?.release(log);
    this.#own = null;
    this.#closed = [];
  }

  /** For a view, which keeps its rows by itself. */
  clone(): ShardLogs {
    return new ShardLogs(this.#own, this.#closed);
  }
}
