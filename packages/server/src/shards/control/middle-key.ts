import { countPage, type KeySpan, type ShardStore } from '@flotilla/store';
import { limits } from '../../limits.ts';

/**
 * A key that has half of a span's keys before it, as nearly as counting prefixes tells, and no longer than it must be.
 * Null: there are not two keys to be told apart.
 */
export function middleKey(keys: ShardStore['keys'], span: KeySpan): Uint8Array | null {
  const { revision } = keys;
  const before = (to: Uint8Array): number => countPage(keys, { from: span.from, to }, revision);
  const total = countPage(keys, span, revision);
  if (total < 2) return null;
  return bisectedKey(before, total);
}

/** `before`: how many keys there are before one; `half`: how many should be before the one that is found. */
export function bisectedKey(
  before: (key: Uint8Array) => number,
  total: number,
  half: number = total >> 1,
): Uint8Array | null {
  let prefix: Uint8Array = new Uint8Array(0);
  while (prefix.length < limits.splitKeyBytes) {
    const parent = prefix;
    const at = (byte: number): Uint8Array => withByte(parent, byte);
    // The last byte that at most half of the keys come before.
    let [low, high] = [0, 255];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (before(at(middle)) <= half) low = middle;
      else high = middle - 1;
    }
    const [left, right] = [before(at(low)), low === 255 ? total : before(at(low + 1))];
    // Either side of it will do when it is as near to the half as it can be.
    const isNear = left > 0 && half - left <= total * limits.splitKeySlack;
    if (isNear) return at(low);
    if (right < total && right > half && right - half <= total * limits.splitKeySlack) return at(low + 1);
    prefix = at(low);
  }
  const left = before(prefix);
  return left > 0 && left < total ? prefix : null;
}

function withByte(prefix: Uint8Array, byte: number): Uint8Array {
  const key = new Uint8Array(prefix.length + 1);
  key.set(prefix);
  key[prefix.length] = byte;
  return key;
}
