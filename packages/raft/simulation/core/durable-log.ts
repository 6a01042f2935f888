import { assert, present } from '@flotilla/platform';
import { Violation } from './violation.ts';
import { emptyConfiguration } from '@flotilla/raft';
import { reaches } from '../../src/core/raft-log.ts';
import type {
  Entry,
  HardState,
  Index,
  LogEnd,
  SnapshotMeta,
  Term,
  Write,
  WriteSequence,
} from '@flotilla/raft';
import type { Restored } from '@flotilla/raft';

/**
 * A member's log on a disk that may crash: writes take effect in order, each wholly or not at all, and of those that
 * are not synced a crash keeps any prefix. A write that need not be synced is acknowledged before it is safe.
 */
export class DurableLog {
  hardState: HardState = { term: 0 as Term, vote: 0 as HardState['vote'], commit: 0 as Index };
  snapshot: SnapshotMeta;
  /** Where the log ended that was let go of, until this one is as far. */
  former: LogEnd | null = null;
  /** Entry i is at `entries[i - snapshot.index - 1]`. */
  #entries: Entry[] = [];
  /** In the order of writing; all of them acknowledged up to `#acknowledged`. */
  #pending: Write[] = [];
  #acknowledged = 0 as WriteSequence;
  #last = 0 as WriteSequence;
  #lastToSync = 0 as WriteSequence;
  /** Of the newest write: FIFO is checked when it comes. */
  #lastIndexWritten: number;

  constructor(snapshot: SnapshotMeta) {
    this.snapshot = snapshot;
    this.#lastIndexWritten = snapshot.index;
  }

  get lastIndex(): Index {
    return (this.snapshot.index + this.#entries.length) as Index;
  }

  /** Whether a sync has something to do. */
  get unsynced(): boolean {
    return this.#pending.length > 0 && this.#last > this.#acknowledged;
  }

  /** The term of a durable entry; null where there is none. The snapshot's own index counts. */
  termAt(index: number): Term | null {
    if (index === this.snapshot.index) return this.snapshot.term;
    return this.#entries[index - this.snapshot.index - 1]?.term ?? null;
  }

  /** Whether the durable state has the effect of this entry: itself, or a snapshot of everything up to it. */
  holds(index: number, term: number): boolean {
    return index < this.snapshot.index || this.termAt(index) === term;
  }

  write(write: Write): void {
    if (write.sequence !== this.#last + 1) {
      throw new Violation('I11 write order', `write ${write.sequence} came after ${this.#last}`);
    }
    this.#last = write.sequence;
    let last = this.#lastIndexWritten;
    if (write.snapshot !== null) last = write.snapshot.index;
    if (write.truncateFrom !== null) last = write.truncateFrom - 1;
    for (const entry of write.entries) {
      if (entry.index !== last + 1) {
        throw new Violation('I11 write order', `entry ${entry.index} is written after ${last}`);
      }
      last = entry.index;
    }
    this.#lastIndexWritten = last;
    if (write.hardState !== null && write.hardState.commit > last) {
      throw new Violation('I11 write order', `commit ${write.hardState.commit} is recorded beyond ${last}`);
    }
    if (
      !write.mustSync &&
      (write.entries.length > 0 || write.snapshot !== null || write.truncateFrom !== null)
    ) {
      throw new Violation('I11 write order', 'a write with entries need not be synced');
    }
    if (write.mustSync) this.#lastToSync = write.sequence;
    this.#pending.push(write);
  }

  /** What a sync that starts now will make durable. */
  syncTarget(): WriteSequence {
    return this.#last;
  }

  /** The oldest write that is not durable. */
  firstPending(): WriteSequence {
    return present(this.#pending[0], 'a write on its way').sequence;
  }

  /** Whether everything up to `sequence` is but commit indexes: acknowledged at once, safe with the next sync. */
  needsSync(): boolean {
    return this.#lastToSync > this.#acknowledged;
  }

  acknowledge(sequence: WriteSequence): void {
    this.#acknowledged = sequence;
  }

  sync(sequence: WriteSequence): void {
    let done = 0;
    while (done < this.#pending.length && (this.#pending[done] as Write).sequence <= sequence) {
      this.#perform(this.#pending[done] as Write);
      done += 1;
    }
    if (done === this.#pending.length) this.#pending.length = 0;
    else this.#pending.splice(0, done);
    this.#acknowledged = sequence;
  }

  get pendingWrites(): number {
    return this.#pending.length;
  }

  /** Keeps the first `survivors` of the writes that were not synced. */
  crash(survivors: number): void {
    for (const write of this.#pending.slice(0, survivors)) this.#perform(write);
    this.#pending = [];
    this.#last = 0 as WriteSequence;
    this.#lastToSync = 0 as WriteSequence;
    this.#acknowledged = 0 as WriteSequence;
    this.#lastIndexWritten = this.lastIndex;
  }

  compact(through: SnapshotMeta): void {
    if (through.index <= this.snapshot.index) return;
    assert(through.index <= this.lastIndex, 'only durable entries are compacted');
    this.#entries.splice(0, through.index - this.snapshot.index);
    this.snapshot = through;
  }

  /** The log of a state machine that has got ahead of it: what a host does that finds this at start. */
  restartAfter(snapshot: SnapshotMeta): void {
    this.#entries = [];
    this.snapshot = snapshot;
    this.#lastIndexWritten = snapshot.index;
    // A vote belongs to its term.
    const { term, vote } = this.hardState;
    const behind = snapshot.term > term;
    this.hardState = {
      term: behind ? snapshot.term : term,
      vote: behind ? (0 as HardState['vote']) : vote,
      commit: snapshot.index,
    };
  }

  /** The member has left, and its entries go. What it promised with them stays. */
  letGo(): void {
    const { term, vote } = this.hardState;
    const end = { term: this.termAt(this.lastIndex) as Term, index: this.lastIndex };
    this.former = this.former !== null && !reaches(end, this.former) ? this.former : end;
    this.hardState = { term, vote, commit: 0 as Index };
    this.snapshot = { index: 0 as Index, term: 0 as Term, configuration: emptyConfiguration };
    this.#entries = [];
    this.#lastIndexWritten = 0;
  }

  /** Entries as written so far, durable or not: what a running process reads. */
  read(from: Index, to: Index, maxBytes: number): readonly Entry[] | 'compacted' {
    if (from <= this.snapshot.index) return 'compacted';
    const found: Entry[] = [];
    let bytes = 0;
    for (let index: number = from; index < to; index += 1) {
      const entry = this.#entries[index - this.snapshot.index - 1];
      if (entry === undefined) break;
      bytes += entry.payload.length;
      if (found.length > 0 && bytes > maxBytes) break;
      found.push(entry);
    }
    return found;
  }

  restored(applied: Index): Restored {
    const termRuns: { from: Index; term: Term }[] = [];
    for (const entry of this.#entries) {
      if (termRuns[termRuns.length - 1]?.term !== entry.term)
        termRuns.push({ from: entry.index, term: entry.term });
    }
    return {
      hardState: this.hardState,
      snapshot: this.snapshot,
      termRuns,
      lastIndex: this.lastIndex,
      applied,
      membership: this.#entries.filter(({ kind }) => kind === 'membership'),
      former: this.former,
    };
  }

  #perform(write: Write): void {
    if (write.snapshot !== null && write.snapshot.index > this.snapshot.index) {
      this.#entries = [];
      this.snapshot = write.snapshot;
    }
    if (write.truncateFrom !== null) this.#entries.length = write.truncateFrom - 1 - this.snapshot.index;
    for (const entry of write.entries) this.#entries.push(entry);
    if (write.hardState !== null) this.hardState = write.hardState;
    const end = { term: this.termAt(this.lastIndex) as Term, index: this.lastIndex };
    if (this.former !== null && reaches(end, this.former)) this.former = null;
  }
}
