/**
 * How many bytes of each segment hold entries that are still in some group's log. A segment without any can go once
 * it is the oldest; a record counts whole as long as one of its entries lives.
 */
export class LiveBytes {
  readonly #bySegment = new Map<number, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  of(sequence: number): number {
    return this.#bySegment.get(sequence) ?? 0;
  }

  add(sequence: number, bytes: number): void {
    const sum = this.of(sequence) + bytes;
    if (sum === 0) this.#bySegment.delete(sequence);
    else this.#bySegment.set(sequence, sum);
    this.#total += bytes;
  }
}
