import { assert } from '@flotilla/platform';
import type { LiveBytes } from './live-bytes.ts';

/** Where a run of entries lies: one record of one segment. */
export interface RunLocation {
  /** Of the first entry of the record that is live. */
  readonly first: number;
  /** Of the last entry of the record that is live. */
  readonly last: number;
  /** 0: in a segment that is gone; a relocation further on in the log has the entries. */
  readonly segment: number;
  readonly offset: number;
  /** Of the whole record. */
  readonly length: number;
}

const initialCapacity = 2;
/** First entry, segment, offset and length of the record. */
const columns = 4;

/**
 * Finds the record that holds an entry of one group. A run is what one record holds; it ends where the next one
 * begins. 32 bytes a run in one typed array, nothing per entry, so that a log of many small entries written in batches
 * has a small index, and a log of many idle groups too.
 */
export class EntryIndex {
  readonly #live: LiveBytes;
  #runs = noRuns;
  #start = 0;
  #end = 0;

  constructor(live: LiveBytes) {
    this.#live = live;
  }

  get runs(): number {
    return this.#end - this.#start;
  }

  /** How many runs there is memory for. */
  get capacity(): number {
    return this.#runs.length / columns;
  }

  /** The run that `index` is in; `lastIndex` is the group's. */
  find(index: number, lastIndex: number): RunLocation | null {
    const at = this.#search(index);
    return at < this.#start || index > lastIndex ? null : this.#at(at, lastIndex);
  }

  /** The first run at or after `index` that lies in `segment`. */
  findIn(segment: number, index: number, lastIndex: number): RunLocation | null {
    for (let at = Math.max(this.#start, this.#search(index)); at < this.#end; at += 1) {
      if (this.#segmentOf(at) === segment && this.#lastOf(at, lastIndex) >= index)
        return this.#at(at, lastIndex);
    }
    return null;
  }

  /** Adds a run behind all others. */
  append(first: number, segment: number, offset: number, length: number): void {
    if (this.#end === this.capacity) this.#resize();
    this.#set(this.#end, first, segment, offset, length);
    this.#end += 1;
    this.#live.add(segment, length);
  }

  /** Drops entries from `index` on. */
  truncate(index: number): void {
    while (this.#end > this.#start && this.#firstOf(this.#end - 1) >= index) {
      this.#end -= 1;
      this.#release(this.#end);
    }
  }

  /** Drops entries up to and including `index`. */
  compact(index: number, lastIndex: number): void {
    while (this.#start < this.#end && this.#lastOf(this.#start, lastIndex) <= index) {
      this.#release(this.#start);
      this.#start += 1;
    }
    if (this.#start < this.#end && this.#firstOf(this.#start) <= index)
      this.#runs[this.#start * columns] = index + 1;
    if (this.runs < this.capacity / 4 && this.capacity > initialCapacity) this.#resize();
  }

  /** The entries `first` to `last`, all of a run or within one, lie elsewhere now. */
  relocate(
    first: number,
    last: number,
    lastIndex: number,
    segment: number,
    offset: number,
    length: number,
  ): void {
    const at = this.#search(first);
    assert(
      at >= this.#start && last <= this.#lastOf(at, lastIndex),
      'only entries of one run can be relocated',
    );
    const before = this.#at(at, lastIndex);
    const pieces: RunLocation[] = [{ first, last, segment, offset, length }];
    if (before.first < first) pieces.unshift({ ...before, last: first - 1 });
    if (before.last > last) pieces.push({ ...before, first: last + 1 });
    this.#release(at);
    const target = this.#open(at, pieces.length - 1);
    for (const [i, piece] of pieces.entries()) {
      this.#set(target + i, piece.first, piece.segment, piece.offset, piece.length);
      this.#live.add(piece.segment, piece.length);
    }
  }

  #at(at: number, lastIndex: number): RunLocation {
    return {
      first: this.#firstOf(at),
      last: this.#lastOf(at, lastIndex),
      segment: this.#segmentOf(at),
      offset: this.#runs[at * columns + 2] ?? 0,
      length: this.#lengthOf(at),
    };
  }

  #firstOf(at: number): number {
    return this.#runs[at * columns] ?? 0;
  }

  #segmentOf(at: number): number {
    return this.#runs[at * columns + 1] ?? 0;
  }

  #lengthOf(at: number): number {
    return this.#runs[at * columns + 3] ?? 0;
  }

  #lastOf(at: number, lastIndex: number): number {
    return at + 1 < this.#end ? this.#firstOf(at + 1) - 1 : lastIndex;
  }

  /** The last run that begins at or before `index`; one before the first when there is none. */
  #search(index: number): number {
    let low = this.#start;
    let high = this.#end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#firstOf(middle) <= index) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #set(at: number, first: number, segment: number, offset: number, length: number): void {
    const runs = this.#runs;
    runs[at * columns] = first;
    runs[at * columns + 1] = segment;
    runs[at * columns + 2] = offset;
    runs[at * columns + 3] = length;
  }

  #release(at: number): void {
    this.#live.add(this.#segmentOf(at), -this.#lengthOf(at));
  }

  /** Makes room for `more` runs behind the one at `at`; answers where that one is now. */
  #open(at: number, more: number): number {
    if (more === 0) return at;
    const rank = at - this.#start;
    if (this.#end + more > this.capacity) this.#resize(more);
    const moved = this.#start + rank;
    this.#runs.copyWithin((moved + 1 + more) * columns, (moved + 1) * columns, this.#end * columns);
    this.#end += more;
    return moved;
  }

  /** Moves the runs to the front of an array with room for twice as many, and for `more`. */
  #resize(more = 1): void {
    const runs = new Float64Array(Math.max(initialCapacity, this.runs * 2, this.runs + more) * columns);
    runs.set(this.#runs.subarray(this.#start * columns, this.#end * columns));
    this.#runs = runs;
    this.#end -= this.#start;
    this.#start = 0;
  }
}

const noRuns = new Float64Array(0);
