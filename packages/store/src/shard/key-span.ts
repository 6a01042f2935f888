import { compareBytes, emptyBytes, successor } from '../bytes.ts';
import { isEmpty, keyRange } from '../mvcc/key-range.ts';

/** Keys with `from <= key < to`; `to` null: no end. */
export interface KeySpan {
  readonly from: Uint8Array;
  readonly to: Uint8Array | null;
}

/** Every key there can be. */
export const everyKeySpan: KeySpan = { from: emptyBytes, to: null };

/** Of a request's `key` and `range_end`; null: it holds no key. */
export function spanOf(key: Uint8Array, rangeEnd: Uint8Array): KeySpan | null {
  const range = keyRange(key, rangeEnd);
  return isEmpty(range) ? null : { from: range.from, to: range.to };
}

export function spanOfKey(key: Uint8Array): KeySpan {
  return { from: key, to: successor(key) };
}

/** The one key that it holds; null: there is room for more. */
export function singleKeyOf({ from, to }: KeySpan): Uint8Array | null {
  if (to === null || to.length !== from.length + 1 || to[from.length] !== 0) return null;
  return compareBytes(from, to.subarray(0, from.length)) === 0 ? from : null;
}

export function overlaps(a: KeySpan, b: KeySpan): boolean {
  return isBefore(a.from, b.to) && isBefore(b.from, a.to);
}

export function anyOverlap(a: readonly KeySpan[], b: readonly KeySpan[]): boolean {
  return a.some((one) => b.some((other) => overlaps(one, other)));
}

export function covers(outer: KeySpan, inner: KeySpan): boolean {
  if (compareBytes(inner.from, outer.from) < 0) return false;
  if (outer.to === null) return true;
  return inner.to !== null && compareBytes(inner.to, outer.to) <= 0;
}

/** What two spans share; null: nothing. */
export function intersection(a: KeySpan, b: KeySpan): KeySpan | null {
  if (!overlaps(a, b)) return null;
  const from = compareBytes(a.from, b.from) >= 0 ? a.from : b.from;
  const to = b.to !== null && isBefore(b.to, a.to) ? b.to : a.to;
  return { from, to };
}

/** What of a span is not in the other, in order. */
export function without(span: KeySpan, gone: KeySpan): KeySpan[] {
  const shared = intersection(span, gone);
  if (shared === null) return [span];
  const rest: KeySpan[] = [];
  if (compareBytes(span.from, shared.from) < 0) rest.push({ from: span.from, to: shared.from });
  if (shared.to !== null && isBefore(shared.to, span.to)) rest.push({ from: shared.to, to: span.to });
  return rest;
}

export function holdsKey({ from, to }: KeySpan, key: Uint8Array): boolean {
  return compareBytes(key, from) >= 0 && isBefore(key, to);
}

/** Whether two spans are neighbours, in this order. */
export function touches(left: KeySpan, right: KeySpan): boolean {
  return left.to !== null && compareBytes(left.to, right.from) === 0;
}

/** The `range_end` of a span that has more than one key or an end of its own. */
export function rangeEndOf({ to }: KeySpan): Uint8Array {
  return to ?? noEnd;
}

const noEnd = new Uint8Array(1);

function isBefore(key: Uint8Array, end: Uint8Array | null): boolean {
  return end === null || compareBytes(key, end) < 0;
}
