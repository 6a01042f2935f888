import type { ShardId } from '../shard/shard-entry.ts';

/**
 * What somebody has asked for that takes more than one step, or holds for good: kept with the order, so that whoever
 * controls the shards next goes on with it.
 */
export type WishKind =
  /** How many replicas a shard shall have; under {@link everyShard}: those without a number of their own. */
  | 'replicas'
  /** A shard was made by hand, and is not merged unasked. */
  | 'kept'
  /** A shard shall be merged into the one that is the value. */
  | 'merge'
  /** A node shall leave when it is empty. */
  | 'leaving';

/** Stored by their places. */
export const wishKinds: readonly WishKind[] = ['replicas', 'kept', 'merge', 'leaving'];

export const everyShard = -1;

export interface Wish {
  readonly wish: WishKind;
  /** Of a shard; of a node, if it is to leave. */
  readonly id: number;
  readonly value: number;
  /** The configuration since which it is that. */
  readonly since: number;
}

/** All wishes that are open. */
export class ClusterWishes {
  readonly #wishes = new Map<WishKind, Map<number, Wish>>(wishKinds.map((kind) => [kind, new Map()]));
  readonly #changed: (wish: WishKind, id: number) => void;

  /** `changed`: told of each that has to be stored again. */
  constructor(changed: (wish: WishKind, id: number) => void = () => undefined) {
    this.#changed = changed;
  }

  get(wish: WishKind, id: number): Wish | null {
    return this.#of(wish).get(id) ?? null;
  }

  of(wish: WishKind): Iterable<Wish> {
    return this.#of(wish).values();
  }

  /** Of all that there are, see {@link wishPlace}. */
  *places(): IterableIterator<number> {
    for (const wishes of this.#wishes.values()) {
      for (const { wish, id } of wishes.values()) yield wishPlace(wish, id);
    }
  }

  at(place: number): Wish | null {
    const kind = wishKinds[Math.floor(place / idsOfKind)];
    return kind === undefined ? null : this.get(kind, (place % idsOfKind) - 1);
  }

  /** Null: nobody wishes it any more. */
  set(wish: WishKind, id: number, value: number | null, since: number): void {
    if (value === null) {
      if (!this.#of(wish).delete(id)) return;
    } else this.#of(wish).set(id, { wish, id, value, since });
    this.#changed(wish, id);
  }

  /** A child is wanted as its parent is. */
  split(shard: ShardId, child: ShardId, since: number): void {
    for (const kind of ['replicas', 'kept'] as const) {
      const wish = this.get(kind, shard);
      if (wish !== null) this.set(kind, child, wish.value, since);
    }
  }

  /** With a shard goes what was wanted of it. */
  merged(shard: ShardId): void {
    for (const kind of ['replicas', 'kept', 'merge'] as const) this.set(kind, shard, null, 0);
  }

  restore(wish: Wish): void {
    this.#of(wish.wish).set(wish.id, wish);
  }

  #of(kind: WishKind): Map<number, Wish> {
    return this.#wishes.get(kind) as Map<number, Wish>;
  }
}

/** Tells wishes apart in one number: of stored keys. */
export function wishPlace(wish: WishKind, id: number): number {
  return wishKinds.indexOf(wish) * idsOfKind + id + 1;
}

const idsOfKind = 2 ** 48;
