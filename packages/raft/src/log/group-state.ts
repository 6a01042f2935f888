import { assert, present } from '@flotilla/platform';
import type { Entry, HardState, Index, LogEnd, NodeId, SnapshotMeta, Term } from '../core/types.ts';
import { EntryIndex } from './entry-index.ts';
import type { LiveBytes } from './live-bytes.ts';
import type { KeptOfGroup, RecordBody, TermRun } from './record-body.ts';
import { emptyConfiguration } from '../core/configuration.ts';
import { reaches } from '../core/raft-log.ts';

/** Where a record lies. */
export interface RecordPlace {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

type WriteBody = Extract<RecordBody, { kind: 'write' }>;
type Checkpoint = Extract<RecordBody, { kind: 'checkpoint' }>;
type Removal = Extract<RecordBody, { kind: 'removal' }>;

/**
 * One group as its records so far make it, without the entries' payloads. The writer and the recovery send the same
 * records through the same code: what is replayed is what was.
 */
export class GroupState {
  hardState: HardState = { term: 0 as Term, vote: 0 as NodeId, commit: 0 as Index };
  snapshot: SnapshotMeta = { index: 0 as Index, term: 0 as Term, configuration: emptyConfiguration };
  lastIndex = 0 as Index;
  termRuns: TermRun[] = [];
  readonly index: EntryIndex;

  /** Whether a record of the group was ever written. */
  written = false;
  /** Nothing is left of it but that it was here, and what it has promised. */
  removed = false;
  /** Where the log ended that was removed, once it is back and until it is as far again. */
  former: LogEnd | null = null;

  constructor(live: LiveBytes) {
    this.index = new EntryIndex(live);
  }

  /** Refuses what no core may ask for, before anything has changed. */
  check(write: WriteBody): void {
    assert(!this.removed, 'a group that was removed writes nothing');
    const { truncateFrom, snapshot, entries, hardState } = write;
    let base = snapshot === null ? this.lastIndex : snapshot.index;
    if (truncateFrom !== null && snapshot === null) {
      assert(truncateFrom > this.snapshot.index, 'a compacted entry must not be truncated');
      assert(truncateFrom > this.hardState.commit, 'a committed entry must not be truncated');
      assert(truncateFrom <= this.lastIndex + 1, 'a truncation must not leave a gap');
      base = (truncateFrom - 1) as Index;
    }
    let term = base === this.lastIndex ? this.lastTerm : 0;
    let index: number = base;
    for (const entry of entries) {
      index += 1;
      assert(entry.index === index, 'entries must follow each other without a gap');
      assert(entry.term >= term, 'terms must not decrease along the log');
      term = entry.term;
    }
    if (hardState === null) return;
    assert(hardState.term >= this.hardState.term, 'the term must not go back');
    assert(hardState.commit >= this.hardState.commit, 'the commit index must not go back');
    assert(hardState.commit <= index, 'the commit index must not be beyond the log');
  }

  write(write: WriteBody, place: RecordPlace): void {
    this.written = true;
    const { truncateFrom, snapshot, entries, hardState } = write;
    if (snapshot !== null) this.#restart(snapshot);
    else if (truncateFrom !== null) this.#truncate(truncateFrom);
    const first = entries[0];
    if (first !== undefined) {
      this.index.append(first.index, place.segment, place.offset, place.length);
      let term = this.termRuns.at(-1)?.term;
      for (const entry of entries) {
        if (entry.term === term) continue;
        term = entry.term;
        this.termRuns.push({ from: entry.index, term });
      }
      this.lastIndex = (first.index + entries.length - 1) as Index;
    }
    if (hardState !== null) this.hardState = hardState;
    if (this.former !== null && reaches(this.#end, this.former)) this.former = null;
  }

  compact(snapshot: SnapshotMeta): void {
    this.written = true;
    if (snapshot.index >= this.lastIndex) {
      this.#restart(snapshot);
      return;
    }
    this.index.compact(snapshot.index, this.lastIndex);
    let kept = this.termRuns.findIndex((run) => run.from > snapshot.index);
    if (kept === -1) kept = this.termRuns.length;
    const current = this.termRuns[kept - 1];
    this.termRuns.splice(0, kept);
    const next = (snapshot.index + 1) as Index;
    if (current !== undefined && this.termRuns[0]?.from !== next) {
      this.termRuns.unshift({ from: next, term: current.term });
    }
    this.snapshot = snapshot;
  }

  /** What is to be kept of it when it goes; null: it has promised nothing to anybody. */
  get kept(): KeptOfGroup | null {
    const { term, vote } = this.hardState;
    const end = this.former !== null && !reaches(this.#end, this.former) ? this.former : this.#end;
    return term === 0 && end.index === 0 ? null : { term, vote, end };
  }

  remove(kept: KeptOfGroup | null): void {
    this.#restart({ index: 0 as Index, term: 0 as Term, configuration: emptyConfiguration });
    const { term, vote, end } = kept ?? nothingKept;
    this.hardState = { term, vote, commit: 0 as Index };
    this.former = kept === null ? null : end;
    this.written = true;
    this.removed = true;
  }

  /** It begins with an empty log once more, and with the promises that were kept. */
  readmit(): void {
    assert(this.removed, 'a group comes back that was removed');
    this.removed = false;
  }

  relocate(entries: readonly Entry[], place: RecordPlace): void {
    const first = present(entries[0], 'a relocated entry');
    const last = first.index + entries.length - 1;
    this.index.relocate(first.index, last, this.lastIndex, place.segment, place.offset, place.length);
  }

  /** Takes over what an earlier part of the log, gone now, had made. The entries themselves must turn up later. */
  restore(checkpoint: Checkpoint): void {
    this.written = true;
    this.snapshot = checkpoint.snapshot;
    this.hardState = checkpoint.hardState;
    this.lastIndex = checkpoint.lastIndex;
    this.termRuns = [...checkpoint.termRuns];
    this.former = checkpoint.former;
    if (this.lastIndex > this.snapshot.index) this.index.append(this.snapshot.index + 1, 0, 0, 0);
  }

  /** A checkpoint of what is known anyway must say the same. */
  confirm(checkpoint: Checkpoint): void {
    assert(!this.removed, 'a checkpoint must agree with the removal before it');
    const same =
      sameHardState(checkpoint.hardState, this.hardState) &&
      checkpoint.lastIndex === this.lastIndex &&
      checkpoint.snapshot.index === this.snapshot.index &&
      checkpoint.snapshot.term === this.snapshot.term &&
      checkpoint.termRuns.length === this.termRuns.length &&
      checkpoint.termRuns.every(
        (run, i) => run.from === this.termRuns[i]?.from && run.term === this.termRuns[i].term,
      );
    assert(same, 'a checkpoint must agree with the records before it');
  }

  checkpoint(): Checkpoint | Removal {
    const { snapshot, hardState, lastIndex, termRuns, former } = this;
    if (this.removed) return { kind: 'removal', forgotten: false, kept: this.kept };
    return { kind: 'checkpoint', snapshot, hardState, lastIndex, termRuns, former };
  }

  get lastTerm(): Term {
    return this.termRuns.at(-1)?.term ?? this.snapshot.term;
  }

  get #end(): LogEnd {
    return { term: this.lastTerm, index: this.lastIndex };
  }

  #restart(snapshot: SnapshotMeta): void {
    this.index.truncate(0);
    this.termRuns = [];
    this.snapshot = snapshot;
    this.lastIndex = snapshot.index;
  }

  #truncate(from: Index): void {
    this.index.truncate(from);
    while ((this.termRuns.at(-1)?.from ?? 0) >= from) this.termRuns.pop();
    this.lastIndex = (from - 1) as Index;
  }
}

const nothingKept: KeptOfGroup = {
  term: 0 as Term,
  vote: 0 as NodeId,
  end: { term: 0 as Term, index: 0 as Index },
};

export function sameHardState(a: HardState, b: HardState): boolean {
  return a.term === b.term && a.vote === b.vote && a.commit === b.commit;
}
