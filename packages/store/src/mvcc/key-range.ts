import { compareBytes, successor } from '../bytes.ts';

/** Keys with `from <= key < to`; `to` null: no end. */
export interface KeyRange {
  readonly from: Uint8Array;
  readonly to: Uint8Array | null;
  /** The one key, when the request named one. */
  readonly single: boolean;
}

/**
 * etcd's convention for `key` and `range_end`: no end is the one key, an end of a single zero byte is every key from
 * `key` on, anything else is exclusive (so a key with its last byte raised makes a prefix).
 */
export function keyRange(key: Uint8Array, rangeEnd: Uint8Array): KeyRange {
  if (rangeEnd.length === 0) return { from: key, to: successor(key), single: true };
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { from: key, to: null, single: false };
  return { from: key, to: rangeEnd, single: false };
}

export function isEmpty(range: KeyRange): boolean {
  return range.to !== null && compareBytes(range.from, range.to) >= 0;
}

export function contains(range: KeyRange, key: Uint8Array): boolean {
  return compareBytes(key, range.from) >= 0 && (range.to === null || compareBytes(key, range.to) < 0);
}
