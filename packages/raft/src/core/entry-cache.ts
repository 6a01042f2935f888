import { assert, present } from '@flotilla/platform';
import { entryOverheadBytes } from './limits.ts';
import type { Entry } from './types.ts';

/**
 * The bodies of the newest entries, without a gap up to the end of the log. Older ones are read back from the log:
 * memory is bounded however far a follower, or the state machine, has fallen behind.
 */
export class EntryCache {
  #entries: Entry[] = [];
  /** Evicted entries are skipped, not shifted: the array is compacted when half of it is skipped. */
  #head = 0;
  #first: number;
  #sizeBytes = 0;

  constructor(first: number) {
    this.#first = first;
  }

  /** The index of the oldest body here; one past the end of the log when there is none. */
  get first(): number {
    return this.#first;
  }

  get end(): number {
    return this.#first + this.#entries.length - this.#head;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  push(entry: Entry): void {
    assert(entry.index === this.end, 'entries follow each other');
    this.#entries.push(entry);
    this.#sizeBytes += entrySize(entry);
  }

  /** Drops the entries from `from` on. */
  truncate(from: number): void {
    if (from <= this.#first) {
      this.clear(from);
      return;
    }
    while (this.end > from) this.#sizeBytes -= entrySize(present(this.#entries.pop(), 'the last entry'));
  }

  /** Drops everything; the next entry is `first`. */
  clear(first: number): void {
    this.#entries = [];
    this.#head = 0;
    this.#first = first;
    this.#sizeBytes = 0;
  }

  /** Drops the oldest entries up to `through` while more than `maxBytes` are held. */
  evict(through: number, maxBytes: number): void {
    const entries = this.#entries;
    while (this.#sizeBytes > maxBytes && this.#first <= through && this.#head < entries.length) {
      this.#sizeBytes -= entrySize(entries[this.#head] as Entry);
      (entries as (Entry | null)[])[this.#head] = null;
      this.#head += 1;
      this.#first += 1;
    }
    if (this.#head > 32 && this.#head * 2 > entries.length) {
      this.#entries = entries.slice(this.#head);
      this.#head = 0;
    }
  }

  /**
   * Entries in [from, to), as many as fit into `maxBytes` but one at least; null when the first is not here any more.
   */
  slice(from: number, to: number, maxBytes: number): readonly Entry[] | null {
    if (from < this.#first) return null;
    const start = this.#head + from - this.#first;
    const limit = this.#head + to - this.#first;
    assert(start < limit && limit <= this.#entries.length, 'the range lies in the log');
    // All that is here fits: nothing has to be added up.
    if (this.#sizeBytes <= maxBytes) return this.#entries.slice(start, limit);
    let end = start + 1;
    let sizeBytes = entrySize(this.#entries[start] as Entry);
    while (end < limit) {
      sizeBytes += entrySize(this.#entries[end] as Entry);
      if (sizeBytes > maxBytes) break;
      end += 1;
    }
    return this.#entries.slice(start, end);
  }
}

/** What an entry takes in memory and in a message. */
export function entrySize(entry: Entry): number {
  return entry.payload.length + entryOverheadBytes;
}

/** What entries count against the windows that are in payload bytes: no-ops are free. */
export function payloadBytes(entries: readonly Entry[]): number {
  let total = 0;
  for (const entry of entries) total += entry.payload.length;
  return total;
}
