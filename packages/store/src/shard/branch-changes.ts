import { countLatest } from '../mvcc/counting.ts';
import type { Layers } from '../mvcc/layers.ts';
import { holdsKey, type KeySpan, without } from './key-span.ts';

/** How many keys each operation of a branch would change, one after the other, while nothing is changed. */
export class BranchChanges {
  readonly #layers: Layers;
  /** What operations before have deleted is not there any more; */
  readonly #deleted: KeySpan[] = [];
  /** and what they have put is there, unless it was deleted since. */
  #put: Uint8Array[] = [];

  constructor(layers: Layers) {
    this.#layers = layers;
  }

  put(key: Uint8Array): number {
    this.#put.push(key);
    return 1;
  }

  delete(span: KeySpan, isOneKey: boolean): number {
    const put = this.#put.filter((key) => holdsKey(span, key));
    const created = put.filter((key) => !this.#has(key)).length;
    const changes = created + (isOneKey ? (this.#has(span.from) ? 1 : 0) : this.#left(span));
    if (put.length > 0) this.#put = this.#put.filter((key) => !put.includes(key));
    this.#deleted.push(span);
    return changes;
  }

  /** Of what was there before the branch. */
  #has(key: Uint8Array): boolean {
    return this.#layers.latest(key) !== null && !this.#deleted.some((gone) => holdsKey(gone, key));
  }

  #left(span: KeySpan): number {
    const left = this.#deleted.reduce((spans, gone) => spans.flatMap((one) => without(one, gone)), [span]);
    return left.reduce(
      (sum, { from, to }) => sum + countLatest(this.#layers, { from, to, single: false }),
      0,
    );
  }
}
