import { compareBytes } from '../bytes.ts';
import type { KeySpan } from '../shard/key-span.ts';

/** Keys of several spans, put together where they meet. */
export class SpanSet {
  /** Sorted, with keys between any two of them. */
  readonly spans: readonly KeySpan[];

  /** `max`: where there would be more, neighbours are taken for one, with what lies between. */
  constructor(spans: Iterable<KeySpan>, max: number = Number.MAX_SAFE_INTEGER) {
    let united = unite([...spans].sort((a, b) => compareBytes(a.from, b.from)));
    while (united.length > max) united = pairs(united);
    this.spans = united;
  }

  holds(key: Uint8Array): boolean {
    const { spans } = this;
    // The last one that begins at or before the key.
    let low = 0;
    let high = spans.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareBytes((spans[middle] as KeySpan).from, key) <= 0) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return false;
    const { to } = spans[low - 1] as KeySpan;
    return to === null || compareBytes(key, to) < 0;
  }
}

function unite(sorted: readonly KeySpan[]): KeySpan[] {
  const united: KeySpan[] = [];
  for (const { from, to } of sorted) {
    const last = united[united.length - 1];
    if (last === undefined || (last.to !== null && compareBytes(last.to, from) < 0))
      united.push({ from, to });
    else if (last.to !== null && (to === null || compareBytes(to, last.to) > 0)) {
      united[united.length - 1] = { from: last.from, to };
    }
  }
  return united;
}

function pairs(spans: readonly KeySpan[]): KeySpan[] {
  const joined: KeySpan[] = [];
  for (let i = 0; i < spans.length; i += 2) {
    const left = spans[i] as KeySpan;
    const right = spans[i + 1] ?? left;
    joined.push({ from: left.from, to: right.to });
  }
  return joined;
}
