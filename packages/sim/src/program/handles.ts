/**
 * What keeps a program running: timers, servers, sockets, operations under way. As in Node, one that has none left ends.
 */
export class Handles {
  readonly #idle: () => void;
  #count = 0;

  /** `idle` is called when the last one is gone. */
  constructor(idle: () => void) {
    this.#idle = idle;
  }

  get count(): number {
    return this.#count;
  }

  open(): Handle {
    return new Handle((by) => {
      this.#count += by;
      if (this.#count === 0) this.#idle();
    });
  }
}

/** One of them. Does not count while it is unref'd, nor when it is closed. */
export class Handle {
  readonly #add: (by: number) => void;
  #counts = true;
  #closed = false;

  constructor(add: (by: number) => void) {
    this.#add = add;
    add(1);
  }

  get hasRef(): boolean {
    return this.#counts && !this.#closed;
  }

  ref(): void {
    this.#set(true);
  }

  unref(): void {
    this.#set(false);
  }

  close(): void {
    this.#set(false);
    this.#closed = true;
  }

  #set(counts: boolean): void {
    if (this.#closed || this.#counts === counts) return;
    this.#counts = counts;
    this.#add(counts ? 1 : -1);
  }
}
