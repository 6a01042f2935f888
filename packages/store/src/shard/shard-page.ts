import type { KeyValue, RangeRequest } from '@flotilla/wire';
import { compareBytes, successor } from '../bytes.ts';
import { countAt, countLatest } from '../mvcc/counting.ts';
import { isFiltered, passes, type ReadPoint } from '../mvcc/range.ts';
import { scanVisible } from '../mvcc/visible-cursor.ts';
import type { Cursor } from '../storage.ts';
import type { KeySpan } from './key-span.ts';

/** Filters of a range by revisions, and whether values are wanted. */
export type PageFilter = Pick<
  RangeRequest,
  'keysOnly' | 'minModRevision' | 'maxModRevision' | 'minCreateRevision' | 'maxCreateRevision'
>;

/** A part of a range, over keys of one shard, at a revision that the replica has all of. */
export interface PageRequest {
  readonly span: KeySpan;
  readonly revision: number;
  readonly reverse: boolean;
  readonly filter: PageFilter;
  /** No more keys that pass the filter than this. */
  readonly wanted: number;
  /** No more keys are visited. */
  readonly maxKeys: number;
  /** It ends behind the key that goes beyond. */
  readonly maxBytes: number;
}

export interface Page {
  readonly kvs: readonly KeyValue[];
  /** Keys that were passed, whether the filter let them through or not. */
  readonly visited: number;
  /** What is left to be read; null: nothing. */
  readonly rest: KeySpan | null;
}

/** A state as it is, or as it was when it was pinned. */
export type PagePoint = Pick<ReadPoint, 'layers' | 'revision'>;

/** Reads at a revision that is not compacted, as of now: pages of one revision fit together, whatever comes between. */
export function readPage(keys: PagePoint, request: PageRequest): Page {
  const { span, reverse, filter, wanted, maxKeys, maxBytes } = request;
  const filtered = isFiltered(filter);
  const kvs: KeyValue[] = [];
  let visited = 0;
  let bytes = 0;
  let last: Uint8Array | null = null;
  if (isOneKey(span)) {
    const kv = oneAt(keys, span.from, request.revision);
    if (kv === null) return { kvs, visited, rest: null };
    if (!filtered || passes(kv, filter)) kvs.push(filter.keysOnly ? keyOnly(kv) : kv);
    return { kvs, visited: 1, rest: null };
  }
  const cursor = open(keys, span, reverse, request.revision);
  while (cursor.key !== null && visited < maxKeys && kvs.length < wanted && bytes < maxBytes) {
    const kv = cursor.value;
    last = kv.key;
    visited += 1;
    if (!filtered || passes(kv, filter)) {
      const taken = filter.keysOnly ? keyOnly(kv) : kv;
      kvs.push(taken);
      bytes += taken.key.length + taken.value.length;
    }
    cursor.advance();
  }
  const isOver = cursor.key === null;
  cursor.close();
  return { kvs, visited, rest: isOver ? null : after(span, last, reverse) };
}

/** How many keys a span has at a revision. */
export function countPage(keys: PagePoint, span: KeySpan, revision: number): number {
  if (isOneKey(span)) return oneAt(keys, span.from, revision) === null ? 0 : 1;
  keys.layers.settle();
  const range = { ...span, single: false };
  if (isLatest(keys, revision)) return countLatest(keys.layers, range);
  return countAt(keys.layers, range, revision, keys.revision);
}

/** Nothing of this state is newer: the latest versions are those of the revision. */
function isLatest({ revision: newest }: PagePoint, revision: number): boolean {
  return newest <= revision;
}

function oneAt(keys: PagePoint, key: Uint8Array, revision: number): KeyValue | null {
  return isLatest(keys, revision) ? keys.layers.latest(key) : keys.layers.visibleAt(key, revision);
}

function open(
  { layers, revision: newest }: PagePoint,
  { from, to }: KeySpan,
  reverse: boolean,
  revision: number,
): Cursor<KeyValue> {
  const bounds = { from, to, reverse };
  return newest <= revision ? layers.scanLatest(bounds) : scanVisible(layers, bounds, revision);
}

function after(span: KeySpan, last: Uint8Array | null, reverse: boolean): KeySpan {
  if (last === null) return span;
  return reverse ? { from: span.from, to: last } : { from: successor(last), to: span.to };
}

function isOneKey({ from, to }: KeySpan): boolean {
  // (No key is empty, and a storage is not asked for one that is.)
  if (to === null || from.length === 0) return false;
  return to.length === from.length + 1 && compareBytes(to, successor(from)) === 0;
}

function keyOnly(kv: KeyValue): KeyValue {
  return { ...kv, value: noValue };
}

const noValue = new Uint8Array(0);
