import type { Connection, Platform } from '@flotilla/platform';
import { demand, within } from './case.ts';

/** Owns one end of a stream: keeps what it hears, and demands what every owner may rely on. */
export class StreamEar {
  readonly connection: Connection;
  /** The chunks as they came: they are ours, and must not change under our hands. */
  readonly chunks: Uint8Array[] = [];
  receivedBytes = 0;
  drains = 0;
  /** How the stream ended; undefined: it has not. */
  closed: Error | null | undefined = undefined;
  /** Why the end of the stream, or what came after it, was wrong. */
  #broken: string | null = null;
  readonly #platform: Platform;
  readonly #patienceMs: number;
  readonly #waiting = new Set<() => void>();
  /** A call of ours is under way: no callback may come from inside it. */
  #calling = false;

  constructor(platform: Platform, patienceMs: number, connection: Connection) {
    this.#platform = platform;
    this.#patienceMs = patienceMs;
    this.connection = connection;
    this.call(() =>
      connection.start({
        data: (chunk) => {
          this.#called('data');
          this.chunks.push(chunk);
          this.receivedBytes += chunk.length;
          this.#wake();
        },
        drained: () => {
          this.#called('drained');
          this.drains += 1;
          this.#wake();
        },
        closed: (error) => {
          this.#called('closed');
          this.closed = error;
          this.#wake();
        },
      }),
    );
  }

  /** Calls a method of the connection. */
  call<T>(action: () => T): T {
    this.#calling = true;
    try {
      return action();
    } finally {
      this.#calling = false;
    }
  }

  write(bytes: Uint8Array): boolean {
    return this.call(() => this.connection.write(bytes));
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    while (!condition()) {
      let wake: () => void = () => undefined;
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      this.#waiting.add(wake);
      try {
        await within(this.#platform, this.#patienceMs, what, woken);
      } finally {
        this.#waiting.delete(wake);
      }
    }
    this.demandOrder();
  }

  /** Everything that came, in one piece. */
  bytes(): Uint8Array {
    const all = new Uint8Array(this.receivedBytes);
    let at = 0;
    for (const chunk of this.chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  demandOrder(): void {
    demand(this.#broken === null, () => this.#broken ?? '');
  }

  #called(callback: string): void {
    if (this.#calling) this.#broken ??= `${callback} was called from inside a call of the owner's`;
    if (this.closed !== undefined) this.#broken ??= `${callback} was called after closed`;
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
