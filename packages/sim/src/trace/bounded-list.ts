/** Keeps the newest `max` items or a few more: what led to a failure is near its end. */
export class BoundedList<T> {
  readonly #max: number;
  readonly #items: T[] = [];
  #leftOut = 0;

  constructor(max: number) {
    this.#max = max;
  }

  push(item: T): void {
    this.#items.push(item);
    // In one go and seldom, so that an item costs the same however many there are.
    if (this.#items.length >= this.#max * 1.25) {
      const tooMany = this.#items.length - this.#max;
      this.#items.splice(0, tooMany);
      this.#leftOut += tooMany;
    }
  }

  get items(): readonly T[] {
    return this.#items;
  }

  /** How many of the oldest are gone. */
  get leftOut(): number {
    return this.#leftOut;
  }
}
