import type { Entry, Index, SnapshotMeta, Term } from '../../src/core/types.ts';

/** What one member of a script has on its disk: written when its batch is processed, as the scripts can tell. */
export class ScriptStorage {
  #entries: Entry[] = [];
  #base: Index;

  constructor(base: Index) {
    this.#base = base;
  }

  get firstIndex(): number {
    return this.#base + 1;
  }

  get lastIndex(): number {
    return this.#base + this.#entries.length;
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** Replaces everything from the first of them on. */
  append(entries: readonly Entry[]): void {
    const added = entries.filter((entry) => entry.index > this.#base);
    const first = added[0];
    if (first === undefined) return;
    if (first.index > this.lastIndex + 1) throw new Error(`a gap before entry ${first.index} on the disk`);
    this.#entries = [...this.#entries.slice(0, first.index - this.#base - 1), ...added];
  }

  install(snapshot: SnapshotMeta): void {
    this.#entries = [];
    this.#base = snapshot.index;
  }

  /** Drops everything up to `index`, and gives the position that the log begins after now. */
  compact(index: Index): { readonly index: Index; readonly term: Term } {
    if (index <= this.#base) throw new Error('requested index is unavailable due to compaction');
    const at = this.#entries[index - this.#base - 1];
    if (at === undefined) throw new Error(`compact ${index} is out of bound lastindex(${this.lastIndex})`);
    this.#entries = this.#entries.slice(index - this.#base);
    this.#base = index;
    return { index, term: at.term };
  }
}
