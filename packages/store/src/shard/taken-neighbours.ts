import type { Index } from '@flotilla/raft';
import type { MetaRow } from '../node-store/store-part.ts';

interface TakenNeighbour {
  /** That take away what was stored of it. */
  readonly rows: readonly MetaRow[];
  /** Of the entry with which it was taken over. */
  readonly index: Index;
  readonly flushed: () => void;
}

/** Neighbours that a replica has taken over, until that survives a crash. */
export class TakenNeighbours {
  #list: readonly TakenNeighbour[] = [];

  /** With those that it had taken over itself. Resolves when none of them comes back any more. */
  add(rows: readonly MetaRow[], its: TakenNeighbours, index: Index): Promise<void> {
    const former = its.#list.map((taken) => ({ ...taken, index }));
    its.#list = [];
    return new Promise((flushed) => {
      this.#list = [...this.#list, ...former, { rows, index, flushed }];
    });
  }

  /** For the commit that has what took them over. */
  get rows(): MetaRow[] {
    return this.#list.flatMap(({ rows }) => rows);
  }

  /** Nothing brings any of them back: whoever took them over is gone, or the next one's, and that survives a crash. */
  settle(): void {
    this.flushed(Infinity as Index);
  }

  /** What took them over, up to this entry, survives a crash. */
  flushed(through: Index): void {
    const over = this.#list.filter(({ index }) => index <= through);
    this.#list = this.#list.filter(({ index }) => index > through);
    for (const { flushed } of over) flushed();
  }
}
