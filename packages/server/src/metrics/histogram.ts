/** Counts of observed values below bounds that grow by a factor. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  get sum(): number {
    return this.#sum;
  }

  get count(): number {
    return this.#count;
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count += 1;
    for (let i = 0; i < this.#bounds.length; i += 1) {
      if (value > (this.#bounds[i] as number)) continue;
      this.#counts[i] = (this.#counts[i] as number) + 1;
      return;
    }
  }

  /** How many values were at most each bound; the last one is infinite. */
  *cumulative(): Iterable<{ readonly bound: number; readonly count: number }> {
    let count = 0;
    for (let i = 0; i < this.#bounds.length; i += 1) {
      count += this.#counts[i] as number;
      yield { bound: this.#bounds[i] as number, count };
    }
    yield { bound: Infinity, count: this.#count };
  }
}

/** `exponentialBounds(0.001, 2, 3)`: 0.001, 0.002, 0.004. */
export function exponentialBounds(first: number, factor: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => first * factor ** i);
}
