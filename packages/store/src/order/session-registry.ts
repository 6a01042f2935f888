import { ChangedParts } from '../changed-parts.ts';
import { decodePlain, encodePlain } from '../encoding/plain.ts';
import { numberedKey, OrderPart, type WritePart } from './order-parts.ts';

/** Names of expired sessions that open none again, as far as they are remembered. Equal on all nodes. */
export interface ForgottenNames {
  has(name: string): boolean;
  add(name: string): void;
}

/** A session that the order group knows. */
export interface OrderedSession {
  readonly name: string;
  /** Its user; empty: it has none. */
  readonly owner: string;
}

/** Sessions by number and by name. Numbers are given in ascending order, and none is given twice. */
export class SessionRegistry {
  readonly #sessions = new Map<number, OrderedSession>();
  readonly #numbers = new Map<string, number>();
  readonly #forgotten: ForgottenNames;
  readonly #changed = new ChangedParts<number>();
  /** The number of the next one. */
  next = 1;

  constructor(forgotten: ForgottenNames) {
    this.#forgotten = forgotten;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** In ascending order. */
  get numbers(): Iterable<number> {
    return this.#sessions.keys();
  }

  get(number: number): OrderedSession | null {
    return this.#sessions.get(number) ?? null;
  }

  numberOf(name: string): number | null {
    return this.#numbers.get(name) ?? null;
  }

  isForgotten(name: string): boolean {
    return this.#forgotten.has(name);
  }

  open(session: OrderedSession): number {
    const number = this.next;
    this.next += 1;
    this.#set(number, session);
    this.#changed.add(number);
    return number;
  }

  /** False: there is none of this number. */
  drop(number: number): boolean {
    const known = this.#sessions.get(number);
    if (known === undefined) return false;
    this.#sessions.delete(number);
    this.#numbers.delete(known.name);
    this.#forgotten.add(known.name);
    this.#changed.add(number);
    return true;
  }

  /** Numbers of those that were opened first. */
  oldest(count: number): number[] {
    const oldest: number[] = [];
    for (const number of this.#sessions.keys()) {
      if (oldest.length === count) break;
      oldest.push(number);
    }
    return oldest;
  }

  /** Every number below it is of no session. */
  get lowest(): number {
    return this.oldest(1)[0] ?? this.next;
  }

  flush(write: WritePart, everything: boolean): void {
    for (const number of everything ? this.#sessions.keys() : this.#changed.take()) {
      const known = this.#sessions.get(number);
      write(numberedKey(OrderPart.SESSION, number), known === undefined ? null : encodePlain(known));
    }
  }

  /** In the order of their numbers. */
  restore(number: number, record: Uint8Array): void {
    this.#set(number, decodePlain<OrderedSession>(record));
  }

  #set(number: number, session: OrderedSession): void {
    this.#sessions.set(number, session);
    this.#numbers.set(session.name, number);
  }
}
