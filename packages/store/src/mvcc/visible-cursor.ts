import type { KeyValue } from '@flotilla/wire';
import { compareBytes } from '../bytes.ts';
import type { Cursor, ScanRange } from '../storage.ts';
import { historyStart, keyOfHistory } from './keys.ts';
import type { Layers } from './layers.ts';
import type { PastVersion } from './records.ts';

/** Walks the keys of a range as they were at `revision`: latest versions and past ones, merged by key. */
export function scanVisible(layers: Layers, range: ScanRange, revision: number): Cursor<KeyValue> {
  return new VisibleCursor(layers, range, revision);
}

class VisibleCursor implements Cursor<KeyValue> {
  key: Uint8Array | null = null;
  value!: KeyValue;
  readonly #revision: number;
  readonly #reverse: boolean;
  readonly #latest: Cursor<KeyValue>;
  readonly #past: Cursor<PastVersion>;

  constructor(layers: Layers, range: ScanRange, revision: number) {
    this.#revision = revision;
    this.#reverse = range.reverse;
    this.#latest = layers.scanLatest(range);
    this.#past = layers.scanHistory({
      from: range.from === null ? null : historyStart(range.from),
      to: range.to === null ? null : historyStart(range.to),
      reverse: range.reverse,
    });
    this.advance();
  }

  /**
   * Key by key: neither cursor runs ahead of the other, or the first page of a list at an old revision would read
   * everything that has changed since.
   */
  advance(): void {
    for (;;) {
      const latestKey = this.#latest.key;
      const pastKey = this.#past.key === null ? null : keyOfHistory(this.#past.key);
      const key = this.#first(latestKey, pastKey);
      if (key === null) {
        this.key = null;
        return;
      }
      let visible: KeyValue | null = null;
      if (latestKey !== null && compareBytes(latestKey, key) === 0) {
        const kv = this.#latest.value;
        if (kv.modRevision <= this.#revision) visible = kv;
        this.#latest.advance();
      }
      if (pastKey !== null && compareBytes(pastKey, key) === 0) visible = this.#pastOf(key) ?? visible;
      if (visible === null) continue;
      this.key = key;
      this.value = visible;
      return;
    }
  }

  close(): void {
    this.key = null;
    this.#latest.close();
    this.#past.close();
  }

  /** Passes all past versions of `key` and answers the one that was its newest at the revision. */
  #pastOf(key: Uint8Array): KeyValue | null {
    let visible: KeyValue | null = null;
    do {
      const { kv, end } = this.#past.value;
      if (kv.modRevision <= this.#revision && this.#revision < end) visible = kv;
      this.#past.advance();
    } while (this.#past.key !== null && compareBytes(keyOfHistory(this.#past.key), key) === 0);
    return visible;
  }

  #first(latest: Uint8Array | null, past: Uint8Array | null): Uint8Array | null {
    if (latest === null || past === null) return latest ?? past;
    const order = compareBytes(latest, past);
    return order < 0 === this.#reverse ? past : latest;
  }
}
