import { ChangedParts } from '../changed-parts.ts';

/** The leases that puts of a shard may name. */
export class RegisteredLeases {
  readonly #ids = new Set<bigint>();
  readonly #changed = new ChangedParts<bigint>();

  has(id: bigint): boolean {
    return this.#ids.has(id);
  }

  add(id: bigint): void {
    this.#ids.add(id);
    this.#changed.add(id);
  }

  addAll(ids: Iterable<bigint>): void {
    for (const id of ids) this.add(id);
  }

  delete(id: bigint): void {
    this.#ids.delete(id);
    this.#changed.add(id);
  }

  /** In their order. */
  get sorted(): bigint[] {
    return [...this.#ids].sort((a, b) => (a < b ? -1 : 1));
  }

  [Symbol.iterator](): IterableIterator<bigint> {
    return this.#ids.values();
  }

  /** Those that may have to be written, or taken away, since the last time; or all, and then they do not count as taken. */
  take(everything: boolean): Iterable<bigint> {
    return everything ? this.sorted : this.#changed.take();
  }
}
