import { present } from '../assert.ts';
import { inRange, type EtcdEvent, type KeyValue } from './requests.ts';

/**
 * The keys and values at one revision, with undo. The names of all keys that can ever appear are given at the start,
 * sorted once; a range is then a slice of them, and no tree has to be kept in balance.
 */
export class KeySpace {
  readonly #names: readonly string[];
  readonly #position = new Map<string, number>();
  readonly #values: (KeyValue | null)[];
  readonly #journal: { readonly position: number; readonly before: KeyValue | null }[] = [];

  constructor(names: Iterable<string>) {
    this.#names = [...new Set(names)].sort((a, b) => (a < b ? -1 : 1));
    for (const [position, name] of this.#names.entries()) this.#position.set(name, position);
    this.#values = this.#names.map(() => null);
  }

  get(key: string): KeyValue | null {
    const position = this.#position.get(key);
    return position === undefined ? null : (this.#values[position] ?? null);
  }

  /** In the order of their keys. */
  range(key: string, rangeEnd: string): KeyValue[] {
    if (rangeEnd === '') {
      const value = this.get(key);
      return value === null ? [] : [value];
    }
    const found: KeyValue[] = [];
    for (let position = this.#firstFrom(key); position < this.#names.length; position += 1) {
      if (!inRange(this.#names[position] ?? '', key, rangeEnd)) break;
      const value = this.#values[position];
      if (value !== null && value !== undefined) found.push(value);
    }
    return found;
  }

  apply(events: readonly EtcdEvent[]): void {
    for (const event of events) {
      if (event.type === 'put') this.put(event.kv);
      else this.delete(event.key);
    }
  }

  put(kv: KeyValue): void {
    this.#set(kv.key, kv);
  }

  delete(key: string): void {
    this.#set(key, null);
  }

  /** A mark for {@link undo}. */
  mark(): number {
    return this.#journal.length;
  }

  /** Takes back every change since the mark. */
  undo(mark: number): void {
    while (this.#journal.length > mark) {
      const change = present(this.#journal.pop(), 'change');
      this.#values[change.position] = change.before;
    }
  }

  #set(key: string, value: KeyValue | null): void {
    const position = present(this.#position.get(key), `key ${JSON.stringify(key)} among the known names`);
    this.#journal.push({ position, before: this.#values[position] ?? null });
    this.#values[position] = value;
  }

  #firstFrom(key: string): number {
    let low = 0;
    let high = this.#names.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#names[middle] ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
