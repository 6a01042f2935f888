import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import { limits } from '../limits.ts';
import { Namespace } from '../system/namespaces.ts';
import type { SystemTable } from '../system/system-table.ts';
import { forgottenBoundsKey, forgottenKey, forgottenOrderKey, markOf } from './session-key.ts';

/**
 * Names of sessions that were forgotten, the last so many of them: such a name opens no session. Request 1 of a
 * session opens it, so without this a late repetition of it would be executed twice.
 */
export class Forgotten {
  readonly #system: SystemTable;
  /** The marks are kept at places from the one up to, but not including, the other. */
  #from = 0;
  #to = 0;

  constructor(system: SystemTable) {
    this.#system = system;
    const record = system.get(Namespace.SESSION, forgottenBoundsKey);
    if (record === null) return;
    const reader = new ByteReader(record);
    this.#from = reader.varint();
    this.#to = reader.varint();
  }

  get size(): number {
    return this.#to - this.#from;
  }

  has(id: string): boolean {
    return this.#system.get(Namespace.SESSION, forgottenKey(markOf(id))) !== null;
  }

  add(id: string): void {
    const mark = markOf(id);
    const place = this.#to;
    this.#to += 1;
    this.#set(forgottenOrderKey(place), mark);
    this.#set(forgottenKey(mark), placeRecord(place));
    if (this.size > limits.forgottenSessions) this.#dropOldest();
    this.#set(forgottenBoundsKey, placeRecord(this.#from, this.#to));
  }

  #dropOldest(): void {
    const order = forgottenOrderKey(this.#from);
    const mark = this.#system.get(Namespace.SESSION, order);
    if (mark !== null) {
      // The same mark may have come again since: then it stays for that one's sake.
      const record = this.#system.get(Namespace.SESSION, forgottenKey(mark));
      if (record !== null && new ByteReader(record).varint() === this.#from) {
        this.#set(forgottenKey(mark), null);
      }
    }
    this.#set(order, null);
    this.#from += 1;
  }

  #set(key: Uint8Array, record: Uint8Array | null): void {
    this.#system.set(Namespace.SESSION, key, record);
  }
}

function placeRecord(...places: readonly number[]): Uint8Array {
  const writer = new ByteWriter(24);
  for (const place of places) writer.varint(place);
  return writer.take();
}
