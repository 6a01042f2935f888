import type { BenchSettings } from './settings.ts';

/** All keys of a measurement begin with it. */
export const KEY_PREFIX = 'bench/';

/** The key of a number: the prefix, then the number, zero-padded to the wanted size. */
export function keyOf(settings: BenchSettings, index: number): Uint8Array {
  return Buffer.from(KEY_PREFIX + String(index).padStart(digitsOf(settings), '0'), 'latin1');
}

function digitsOf({ keySize, keySpace }: BenchSettings): number {
  return Math.max(keySize - KEY_PREFIX.length, String(keySpace - 1).length);
}

/**
 * Answers numbers below `keySpace` in an order that looks random, the same in every measurement, so that two servers
 * get the same work.
 */
export function keySequence(keySpace: number): () => number {
  let state = 0x2545f491;
  return () => {
    // xorshift32 (Marsaglia 2003)
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % keySpace;
  };
}

/** The end of the range of all keys with the prefix. */
export function prefixEnd(): Uint8Array {
  const end = Buffer.from(KEY_PREFIX, 'latin1');
  end[end.length - 1] = KEY_PREFIX.charCodeAt(KEY_PREFIX.length - 1) + 1;
  return end;
}
