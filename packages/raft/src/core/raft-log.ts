import { assert } from '@flotilla/platform';
import { EntryCache } from './entry-cache.ts';
import { TermRuns } from './term-runs.ts';
import type { Entry, Index, LogEnd, Restored, SnapshotMeta, Term, WriteSequence } from './types.ts';

/** The log's part of a write. */
export interface LogWrite {
  readonly truncateFrom: Index | null;
  readonly entries: readonly Entry[];
  readonly snapshot: SnapshotMeta | null;
}

/** Where two logs may part: an index and the term there, 0 when it is not known. */
export interface LogPosition {
  readonly index: Index;
  readonly term: Term;
}

interface WriteOnItsWay {
  readonly sequence: WriteSequence;
  /** Entries up to here are durable with this write, and still in the log as it wrote them. */
  last: number;
}

const nothingWritten: LogWrite = { truncateFrom: null, entries: [], snapshot: null };

/** Whether a log that ends at `end` is at least as up to date as one that ends at `other`. */
export function reaches(end: LogEnd, other: LogEnd): boolean {
  return end.term > other.term || (end.term === other.term && end.index >= other.index);
}

/**
 * A member's log as it will be when every write has completed. Its pointers:
 *
 *     base ≤ applied ≤ commit ≤ last      base: the last compacted entry, or the snapshot's
 *     applied ≤ durable ≤ issued ≤ last   issued: handed to a write; durable: that write has completed
 *
 * `durable` may lie before `base` while an installed snapshot is being written, and before `applied` while entries are that
 * a snapshot has overtaken.
 */
export class RaftLog {
  base: Index;
  baseTerm: Term;
  last: Index;
  commit: Index;
  applied: Index;
  durable: Index;
  readonly #terms = new TermRuns();
  readonly #cache: EntryCache;
  readonly #maxCachedBytes: number;
  /** Entries up to here were handed to a write. */
  #issued: number;
  /** Where the next write replaces what an earlier one wrote; Infinity: it only appends. */
  #truncateFrom = Infinity;
  #snapshotToWrite: SnapshotMeta | null = null;
  #snapshotSequence: WriteSequence | null = null;
  readonly #onTheirWay: WriteOnItsWay[] = [];

  constructor(restored: Restored, maxCachedBytes: number) {
    const { snapshot, lastIndex, applied, hardState } = restored;
    assert(lastIndex >= snapshot.index, 'the log reaches its base');
    assert(applied >= snapshot.index && applied <= lastIndex, 'the state machine lies within the log');
    assert(hardState.commit <= lastIndex, 'no commit index beyond the log is ever written');
    this.base = snapshot.index;
    this.baseTerm = snapshot.term;
    this.last = lastIndex;
    // The record of the newest commit index need not be durable; what is applied, or in a snapshot, was committed.
    this.commit = Math.max(hardState.commit, applied) as Index;
    this.applied = applied;
    this.durable = lastIndex;
    this.#issued = lastIndex;
    this.#maxCachedBytes = maxCachedBytes;
    this.#cache = new EntryCache(lastIndex + 1);
    for (const run of restored.termRuns) this.#terms.append(run.from, run.term);
    assert(
      (this.#terms.lastTerm === null) === (lastIndex === snapshot.index),
      'every entry of the log has a term',
    );
  }

  get firstIndex(): Index {
    return (this.base + 1) as Index;
  }

  get lastTerm(): Term {
    return (this.#terms.lastTerm ?? this.baseTerm) as Term;
  }

  /** An installed snapshot waits for its record: until then the log on disk is the old one. */
  get installing(): boolean {
    return this.#snapshotToWrite !== null || this.#snapshotSequence !== null;
  }

  get needsWrite(): boolean {
    return this.#issued < this.last || this.#truncateFrom !== Infinity || this.#snapshotToWrite !== null;
  }

  /** The term at `index`; null before the base or after the end. */
  termAt(index: number): Term | null {
    if (index > this.last || index < this.base) return null;
    return (index === this.base ? this.baseTerm : this.#terms.at(index)) as Term;
  }

  /** Log matching: equal index and term mean equal logs up to there. */
  matches(index: Index, term: Term): boolean {
    return this.termAt(index) === term;
  }

  /** Election restriction (§5.4.1 of the paper): terms first, then lengths. */
  isUpToDate(lastIndex: Index, lastTerm: Term): boolean {
    return reaches({ term: lastTerm, index: lastIndex }, { term: this.lastTerm, index: this.last });
  }

  append(entry: Entry): void {
    assert(entry.index === this.last + 1, 'entries follow each other');
    this.#terms.append(entry.index, entry.term);
    this.#cache.push(entry);
    this.last = entry.index;
  }

  /** Drops the entries from `from` on; never a committed one. */
  truncate(from: Index): void {
    assert(from > this.commit, () => `I7: entry ${from} is committed (commit ${this.commit}), it stays`);
    this.#terms.truncate(from);
    this.#cache.truncate(from);
    this.last = (from - 1) as Index;
    if (from <= this.#issued) {
      this.#truncateFrom = Math.min(this.#truncateFrom, from);
      this.#issued = from - 1;
    }
    this.#forgetDurable(from);
  }

  /** The commit index only grows, and never past what is here. */
  commitTo(index: Index): boolean {
    if (index <= this.commit) return false;
    assert(
      index <= this.last,
      () => `I7: commit ${index} lies beyond the log, which ends at ${this.last}: was it lost or truncated?`,
    );
    this.commit = index;
    return true;
  }

  /** The log restarts after a snapshot that the state machine has taken in already. */
  restore(snapshot: SnapshotMeta): void {
    assert(snapshot.index > this.commit, 'a snapshot never takes back what is committed');
    this.#forgetDurable(this.commit + 1);
    for (const write of this.#onTheirWay) write.last = 0;
    this.#terms.clear();
    this.#cache.clear(snapshot.index + 1);
    this.base = snapshot.index;
    this.baseTerm = snapshot.term;
    this.last = snapshot.index;
    this.commit = snapshot.index;
    this.applied = snapshot.index;
    this.#issued = snapshot.index;
    this.#truncateFrom = Infinity;
    this.#snapshotToWrite = snapshot;
  }

  /** The log on disk holds nothing up to `through` any more. */
  compact(through: SnapshotMeta): void {
    if (through.index <= this.base) return;
    assert(
      through.index <= this.applied && through.index <= this.durable,
      () => `compacted to ${through.index} beyond applied ${this.applied} or durable ${this.durable}`,
    );
    this.#terms.compact(through.index, this.last);
    this.#cache.evict(through.index, -1);
    this.base = through.index;
    this.baseTerm = through.term;
  }

  /** Entries in [from, to) that are in memory, within `maxBytes` but one at least; null: they must be read. */
  slice(from: number, to: number, maxBytes: number): readonly Entry[] | null {
    return this.#cache.slice(from, to, maxBytes);
  }

  /**
   * The largest position up to `index` at which another log, known only to have `term` at `index`, may agree with
   * this one: terms only grow along a log, so whole runs of larger terms are skipped.
   */
  findConflictByTerm(index: Index, term: Term): LogPosition {
    let at: number = index;
    while (at > 0) {
      const own = this.termAt(at);
      // Out of range: nothing is known there, so it may agree.
      if (own === null) return { index: at as Index, term: 0 as Term };
      if (own <= term) return { index: at as Index, term: own };
      at = at === this.base ? at - 1 : this.#terms.startAt(at) - 1;
    }
    return { index: 0 as Index, term: 0 as Term };
  }

  /** What changed since the last write. */
  takeWrite(sequence: WriteSequence): LogWrite {
    if (!this.needsWrite) return nothingWritten;
    const from = this.#issued + 1;
    const entries = from > this.last ? [] : this.#cache.slice(from, this.last + 1, Infinity);
    assert(entries !== null, 'entries that are not durable stay in memory');
    const write: LogWrite = {
      truncateFrom: this.#truncateFrom === Infinity ? null : (this.#truncateFrom as Index),
      entries,
      snapshot: this.#snapshotToWrite,
    };
    if (this.#snapshotToWrite !== null) this.#snapshotSequence = sequence;
    this.#snapshotToWrite = null;
    this.#truncateFrom = Infinity;
    this.#issued = this.last;
    this.#onTheirWay.push({ sequence, last: this.last });
    return write;
  }

  /**
   * Every member that can be reached has the entries up to `through`; when they are applied too, only one that comes
   * back asks for them, and the log on disk has them. In memory they would outlive some collections of garbage, each of
   * which copies them (a quarter of all processor time at a hundred thousand small entries a second), and a small one
   * would hold on to the whole frame that it came in.
   */
  forgetSettled(through: Index): void {
    this.#cache.evict(Math.min(through, this.applied, this.durable), -1);
  }

  /** Writes up to `sequence` are durable. Only entries that no later write has touched become so. */
  persisted(sequence: WriteSequence): void {
    const onTheirWay = this.#onTheirWay;
    let done = 0;
    while (done < onTheirWay.length && (onTheirWay[done] as WriteOnItsWay).sequence <= sequence) {
      this.durable = Math.max(this.durable, (onTheirWay[done] as WriteOnItsWay).last) as Index;
      done += 1;
    }
    if (done > 0) onTheirWay.splice(0, done);
    if (this.#snapshotSequence !== null && this.#snapshotSequence <= sequence) this.#snapshotSequence = null;
    this.#cache.evict(this.durable, this.#maxCachedBytes);
  }

  #forgetDurable(from: number): void {
    this.durable = Math.min(this.durable, from - 1) as Index;
    for (const write of this.#onTheirWay) write.last = Math.min(write.last, from - 1);
  }
}
