import { compareBytes } from '../bytes.ts';
import type { Cursor } from '../storage.ts';

/** The layers as one: `buffers` from the newest on, over what is stored. */
export function merge<V>(
  buffers: readonly Cursor<V | null>[],
  stored: Cursor<Uint8Array>,
  read: ReadRecord<V>,
  reverse: boolean,
): Cursor<V> {
  const layers = buffers.filter((buffer) => buffer.key !== null);
  return layers.length === 0
    ? new StoredCursor(stored, read)
    : new MergedCursor(layers, stored, read, reverse);
}

/** Nothing is buffered in the range: what is stored is what there is. */
class StoredCursor<V> implements Cursor<V> {
  key: Uint8Array | null;
  readonly #stored: Cursor<Uint8Array>;
  readonly #read: ReadRecord<V>;

  constructor(stored: Cursor<Uint8Array>, read: ReadRecord<V>) {
    this.#stored = stored;
    this.#read = read;
    this.key = stored.key;
  }

  /** Decodes on each call: keep the answer. */
  get value(): V {
    return this.#read(this.key as Uint8Array, this.#stored.value);
  }

  advance(): void {
    this.#stored.advance();
    this.key = this.#stored.key;
  }

  close(): void {
    this.key = null;
    this.#stored.close();
  }
}

/** Sorted cursors as one. Where several stand on a key the newest layer's entry counts; a null hides the key. */
class MergedCursor<V> implements Cursor<V> {
  key: Uint8Array | null = null;
  readonly #buffers: readonly Cursor<V | null>[];
  readonly #stored: Cursor<Uint8Array>;
  readonly #read: ReadRecord<V>;
  readonly #reverse: boolean;
  /** The newest layer that stands on `key`; null: the storage. */
  #source: Cursor<V | null> | null = null;

  constructor(
    buffers: readonly Cursor<V | null>[],
    stored: Cursor<Uint8Array>,
    read: ReadRecord<V>,
    reverse: boolean,
  ) {
    this.#buffers = buffers;
    this.#stored = stored;
    this.#read = read;
    this.#reverse = reverse;
    this.#settle();
  }

  /** Decodes a stored record on each call: keep the answer. */
  get value(): V {
    if (this.#source !== null) return this.#source.value as V;
    return this.#read(this.key as Uint8Array, this.#stored.value);
  }

  advance(): void {
    if (this.key === null) return;
    this.#step(this.key);
    this.#settle();
  }

  close(): void {
    this.key = null;
    for (const buffer of this.#buffers) buffer.close();
    this.#stored.close();
  }

  /** Moves every layer that stands on `key`. */
  #step(key: Uint8Array): void {
    for (const buffer of this.#buffers) {
      if (buffer.key !== null && compareBytes(buffer.key, key) === 0) buffer.advance();
    }
    const { key: stored } = this.#stored;
    if (stored !== null && compareBytes(stored, key) === 0) this.#stored.advance();
  }

  #settle(): void {
    for (;;) {
      let key: Uint8Array | null = null;
      let source: Cursor<V | null> | null = null;
      for (const buffer of this.#buffers) {
        if (buffer.key === null || (key !== null && !this.#before(buffer.key, key))) continue;
        key = buffer.key;
        source = buffer;
      }
      const stored = this.#stored.key;
      if (stored !== null && (key === null || this.#before(stored, key))) {
        key = stored;
        source = null;
      }
      this.key = key;
      this.#source = source;
      if (key === null || source === null || source.value !== null) return;
      this.#step(key);
    }
  }

  #before(a: Uint8Array, b: Uint8Array): boolean {
    const order = compareBytes(a, b);
    return this.#reverse ? order > 0 : order < 0;
  }
}

/** Decodes a stored record. */
export type ReadRecord<V> = (key: Uint8Array, record: Uint8Array) => V;
