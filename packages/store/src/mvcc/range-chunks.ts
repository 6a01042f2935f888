import { SortOrder, SortTarget } from '@flotilla/wire';
import type { KeyValue, RangeRequest } from '@flotilla/wire';
import type { Cursor } from '../storage.ts';
import { countAt, countLatest } from './counting.ts';
import { isEmpty, keyRange, type KeyRange } from './key-range.ts';
import { isFiltered, type ReadPoint, readRevision } from './range.ts';
import { scanVisible } from './visible-cursor.ts';

/** Whether a range can be answered as it is read: in the order of keys, and nothing is left out. */
export function isStreamable(request: RangeRequest): boolean {
  const inKeyOrder = request.sortTarget === SortTarget.KEY && request.sortOrder !== SortOrder.DESCEND;
  return inKeyOrder && !isFiltered(request);
}

/**
 * A streamable range, piece by piece: what is in memory is one piece. The layers must not change meanwhile. Throws
 * `etcdErrors.compacted` and `etcdErrors.futureRevision` when it is made.
 */
export class RangeChunks {
  readonly #point: ReadPoint;
  readonly #request: RangeRequest;
  readonly #range: KeyRange;
  readonly #revision: number;
  readonly #cursor: Cursor<KeyValue> | null;
  #taken = 0;

  constructor(point: ReadPoint, request: RangeRequest) {
    this.#point = point;
    this.#request = request;
    this.#range = keyRange(request.key, request.rangeEnd);
    this.#revision = readRevision(point, request.revision);
    this.#cursor = request.countOnly || isEmpty(this.#range) ? null : this.#open();
  }

  /** The next ones, up to so many; up to so many bytes, but one at least. */
  next(maxKeys: number, maxBytes: number): KeyValue[] {
    const kvs: KeyValue[] = [];
    let bytes = 0;
    while (!this.ended && kvs.length < maxKeys && (kvs.length === 0 || bytes < maxBytes)) {
      const { value } = this.#cursor as Cursor<KeyValue>;
      kvs.push(this.#request.keysOnly ? { ...value, value: noValue } : value);
      bytes += value.key.length + value.value.length;
      this.#taken += 1;
      this.#cursor?.advance();
    }
    return kvs;
  }

  get ended(): boolean {
    const { limit } = this.#request;
    return this.#cursor === null || this.#cursor.key === null || (limit > 0 && this.#taken >= limit);
  }

  /** Once it has ended. */
  outcome(): { readonly more: boolean; readonly count: number } {
    const more = this.#cursor !== null && this.#cursor.key !== null;
    this.close();
    return { more, count: more || this.#request.countOnly ? this.#count() : this.#taken };
  }

  close(): void {
    this.#cursor?.close();
  }

  #open(): Cursor<KeyValue> {
    const bounds = { from: this.#range.from, to: this.#range.to, reverse: false };
    const { layers, revision } = this.#point;
    return this.#revision === revision
      ? layers.scanLatest(bounds)
      : scanVisible(layers, bounds, this.#revision);
  }

  #count(): number {
    const { layers, revision } = this.#point;
    if (isEmpty(this.#range)) return 0;
    return this.#revision === revision
      ? countLatest(layers, this.#range)
      : countAt(layers, this.#range, this.#revision, revision);
  }
}

const noValue = new Uint8Array(0);
