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

const initialCapacity = 8;

/**
 * Finds the record that holds an entry of one group. A run is what one record holds; it ends where the next one
 * begins. 20 bytes a run in four typed arrays, nothing per entry, so that a log of many small entries written in
 * batches has a small index.
 */
export class EntryIndex {
  readonly #live: LiveBytes;
  #first = new Float64Array(initialCapacity);
  #segment = new Uint32Array(initialCapacity);
  #offset = new Uint32Array(initialCapacity);
  #length = new Uint32Array(initialCapacity);
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
    return this.#first.length;
  }

  /** The run that `index` is in; `lastIndex` is the group's. */
  find(index: number, lastIndex: number): RunLocation | null {
    const at = this.#search(index);
    return at < this.#start || index > lastIndex ? null : this.#at(at, lastIndex);
  }

  /** The first run at or after `index` that lies in `segment`. */
  findIn(segment: number, index: number, lastIndex: number): RunLocation | null {
    for (let at = Math.max(this.#start, this.#search(index)); at < this.#end; at += 1) {
      if (this.#segment[at] === segment && this.#lastOf(at, lastIndex) >= index)
        return this.#at(at, lastIndex);
    }
    return null;
  }

  /** Adds a run behind all others. */
  append(first: number, segment: number, offset: number, length: number): void {
    if (this.#end === this.#first.length) this.#resize();
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
    if (this.#start < this.#end && this.#firstOf(this.#start) <= index) this.#first[this.#start] = index + 1;
    if (this.runs < this.#first.length / 4 && this.#first.length > initialCapacity) this.#resize();
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
      offset: this.#offset[at] ?? 0,
      length: this.#lengthOf(at),
    };
  }

  #firstOf(at: number): number {
    return this.#first[at] ?? 0;
  }

  #segmentOf(at: number): number {
    return this.#segment[at] ?? 0;
  }

  #lengthOf(at: number): number {
    return this.#length[at] ?? 0;
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
    this.#first[at] = first;
    this.#segment[at] = segment;
    this.#offset[at] = offset;
    this.#length[at] = length;
  }

  #release(at: number): void {
    this.#live.add(this.#segmentOf(at), -this.#lengthOf(at));
  }

  /** Makes room for `more` runs behind the one at `at`; answers where that one is now. */
  #open(at: number, more: number): number {
    if (more === 0) return at;
    const rank = at - this.#start;
    while (this.#end + more > this.#first.length) this.#resize();
    const moved = this.#start + rank;
    for (const column of [this.#first, this.#segment, this.#offset, this.#length]) {
      column.copyWithin(moved + 1 + more, moved + 1, this.#end);
    }
    this.#end += more;
    return moved;
  }

  /** Moves the runs to the front of arrays with room for twice as many. */
  #resize(): void {
    const capacity = Math.max(initialCapacity, this.runs * 2);
    this.#first = copied(this.#first, new Float64Array(capacity), this.#start, this.#end);
    this.#segment = copied(this.#segment, new Uint32Array(capacity), this.#start, this.#end);
    this.#offset = copied(this.#offset, new Uint32Array(capacity), this.#start, this.#end);
    this.#length = copied(this.#length, new Uint32Array(capacity), this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
  }
}

function copied<Column extends Float64Array | Uint32Array>(
  from: Column,
  to: Column,
  start: number,
  end: number,
): Column {
  to.set(from.subarray(start, end));
  return to;
}
