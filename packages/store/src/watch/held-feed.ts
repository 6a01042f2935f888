import type { Feed } from './feed.ts';

/** Nothing is told until the next feed is there. */
export class HeldFeed implements Feed {
  readonly revision: number;
  readonly #next: Promise<Feed>;
  #replaced: (next: Feed) => void = () => undefined;

  constructor(revision: number) {
    this.revision = revision;
    this.#next = new Promise((resolve) => {
      this.#replaced = resolve;
    });
  }

  get newestRevision(): number {
    return this.revision;
  }

  async newest(): Promise<number> {
    const next = await this.#next;
    return await next.newest();
  }

  isAhead(nextRevision: number): boolean {
    return nextRevision > this.revision;
  }

  wake(): void {
    // Whoever is behind is found by the next feed.
  }

  whenTold(act: () => void): void {
    act();
  }

  close(): void {
    // Nothing is under way.
  }

  replacedBy(next: Feed): void {
    this.#replaced(next);
  }
}
