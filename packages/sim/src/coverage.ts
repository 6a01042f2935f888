/** Counts of what happened, by name. A fault that a search never injected has tested nothing. */
export class Coverage {
  readonly #counts = new Map<string, number>();

  count(name: string, times = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + times);
  }

  /** Names a situation that a search should meet at least once; 0 shows up in reports. */
  expect(name: string): void {
    if (!this.#counts.has(name)) this.#counts.set(name, 0);
  }

  get(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  add(other: Coverage | Readonly<Record<string, number>>): void {
    const rows = other instanceof Coverage ? other.#counts : Object.entries(other);
    for (const [name, times] of rows) this.count(name, times);
  }

  /** Sorted by name. */
  toJSON(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort((a, b) => (a[0] < b[0] ? -1 : 1)));
  }
}
