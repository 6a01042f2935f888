import { EMPTY_BYTES } from '@flotilla/wire';
import { toBytes } from './bytes.ts';
import type { Bytes } from './bytes.ts';

/**
 * Some of the keys, in the order of their bytes: those that begin with a prefix, those from one up to but without
 * another, those from one on, or all.
 *
 * @example
 * const inFlight = await client.count({ prefix: 'jobs/running/' });
 */
export type Span =
  { readonly prefix: Bytes } | { readonly from: Bytes; readonly to?: Bytes } | { readonly all: true };

/** One key, or a {@link Span} of them. */
export type KeyOrSpan = Bytes | Span;

/** As requests have it (etcd's `key` and `range_end`). */
export interface KeyRange {
  readonly key: Uint8Array;
  /** Empty: the key alone. One zero byte: to the end. */
  readonly rangeEnd: Uint8Array;
}

export function isSpan(keys: KeyOrSpan): keys is Span {
  return typeof keys !== 'string' && !(keys instanceof Uint8Array);
}

export function keyRange(keys: KeyOrSpan): KeyRange {
  if (!isSpan(keys)) return { key: toBytes(keys), rangeEnd: EMPTY_BYTES };
  if ('all' in keys) return { key: ZERO, rangeEnd: ZERO };
  if ('prefix' in keys) return prefixRange(toBytes(keys.prefix));
  return { key: lowest(toBytes(keys.from)), rangeEnd: keys.to === undefined ? ZERO : toBytes(keys.to) };
}

/** The first key after `key`. */
export function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

function prefixRange(prefix: Uint8Array): KeyRange {
  return { key: lowest(prefix), rangeEnd: prefixEnd(prefix) };
}

/** The first key that does not begin with the prefix; of 0xff there is none, nor of no bytes. */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  const end = Uint8Array.from(prefix);
  for (let i = end.length - 1; i >= 0; i -= 1) {
    const byte = end[i] as number;
    if (byte < 0xff) {
      end[i] = byte + 1;
      return end.subarray(0, i + 1);
    }
  }
  return ZERO;
}

/** No key is empty: a request for it would be refused. */
function lowest(key: Uint8Array): Uint8Array {
  return key.length === 0 ? ZERO : key;
}

const ZERO: Uint8Array = Uint8Array.of(0);
