import { assert } from '@flotilla/platform';

/**
 * Items by ascending numbers, most of which are taken out about as soon as they were put in: a ring of slots, one for
 * each number from the oldest item on. A `Map` costs a hash, an entry and its share of every rehash for each item.
 *
 * An item that stays much longer than the others would stretch the ring without bound: it moves to a map.
 */
export class SequenceTable<Item> {
  readonly #maxSlots: number;
  /** The slot of a number is its lowest bits: the length is a power of two, or 0 after a release. */
  #slots: (Item | undefined)[] = noSlots;
  /** Numbers in [first, end) have a slot. */
  #first = 0;
  #end = 0;
  #size = 0;
  #stragglers: Map<number, Item> | null = null;

  /** `maxSlots`: a power of two. */
  constructor(maxSlots: number) {
    assert((maxSlots & (maxSlots - 1)) === 0, 'the number of slots is a power of two');
    this.#maxSlots = maxSlots;
  }

  get size(): number {
    return this.#size;
  }

  /** Each number must be larger than all before. */
  add(number: number, item: Item): void {
    assert(number >= this.#end, 'numbers ascend');
    if (this.#size === (this.#stragglers?.size ?? 0)) this.#first = number;
    while (number - this.#first >= this.#slots.length) this.#makeRoom();
    this.#slots[number & (this.#slots.length - 1)] = item;
    this.#end = number + 1;
    this.#size += 1;
  }

  get(number: number): Item | undefined {
    if (number >= this.#first)
      return number < this.#end ? this.#slots[number & (this.#slots.length - 1)] : undefined;
    return this.#stragglers?.get(number);
  }

  /** Whether it was there. */
  delete(number: number): boolean {
    if (this.get(number) === undefined) return false;
    this.#size -= 1;
    if (number < this.#first) return this.#stragglers?.delete(number) ?? false;
    const slots = this.#slots;
    slots[number & (slots.length - 1)] = undefined;
    while (this.#first < this.#end && slots[this.#first & (slots.length - 1)] === undefined) this.#first += 1;
    return true;
  }

  /** In the order of the numbers. What the visitor deletes is gone; what it adds may or may not be visited. */
  forEach(visit: (item: Item) => void): void {
    if (this.#stragglers !== null) for (const item of this.#stragglers.values()) visit(item);
    const end = this.#end;
    for (let number = this.#first; number < end; number += 1) {
      const item = this.get(number);
      if (item !== undefined) visit(item);
    }
  }

  /** Lets go of the memory, if nothing is in it. */
  release(): void {
    if (this.#size > 0) return;
    this.#slots = noSlots;
    this.#stragglers = null;
  }

  #makeRoom(): void {
    const from = this.#slots;
    if (from.length < this.#maxSlots) {
      const to: (Item | undefined)[] = Array.from({ length: Math.max(minSlots, from.length * 2) });
      for (let number = this.#first; number < this.#end; number += 1) {
        to[number & (to.length - 1)] = from[number & (from.length - 1)];
      }
      this.#slots = to;
      return;
    }
    const at = this.#first & (from.length - 1);
    const oldest = from[at];
    from[at] = undefined;
    if (oldest !== undefined) (this.#stragglers ??= new Map()).set(this.#first, oldest);
    this.#first += 1;
  }
}

const minSlots = 16;
const noSlots: never[] = [];
