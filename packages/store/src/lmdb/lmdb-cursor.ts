import type { RangeOptions, Transaction } from 'lmdb';
import type { Cursor, ScanRange } from '../storage.ts';
import { decodePointer, isPointer, lowerKey, nodePlace, partOf, upperKey } from './long-keys.ts';
import type { Place, Table } from './long-keys.ts';

type Entries = Iterator<{ key: Uint8Array; value: Uint8Array }>;

/** Walks a table, and on its way the nodes of keys that are too long for LMDB. */
export class LmdbCursor implements Cursor<Uint8Array> {
  key: Uint8Array | null = null;
  value!: Uint8Array;
  readonly #nodes: Table;
  readonly #maxKeyBytes: number;
  readonly #transaction: Transaction | null;
  readonly #reverse: boolean;
  #frame: Frame | null;

  constructor(
    place: Place,
    range: ScanRange,
    transaction: Transaction | null,
    nodes: Table,
    maxKeyBytes: number,
  ) {
    this.#nodes = nodes;
    this.#maxKeyBytes = maxKeyBytes;
    this.#transaction = transaction;
    this.#reverse = range.reverse;
    this.#frame = this.#open(place, range.from, range.to, null, noBytes);
    this.advance();
  }

  advance(): void {
    while (this.#frame !== null) {
      const frame: Frame = this.#frame;
      const { done, value } = frame.entries.next();
      if (done === true) {
        this.#frame = frame.outer;
        continue;
      }
      if (isPointer(frame.place, value.key)) {
        this.#descend(frame, value.key, value.value);
        continue;
      }
      const part = partOf(frame.place, value.key);
      this.key = frame.outer === null ? part : joined(frame.path, part);
      this.value = value.value;
      return;
    }
    this.key = null;
  }

  close(): void {
    this.key = null;
    for (let frame = this.#frame; frame !== null; frame = frame.outer) frame.entries.return?.();
    this.#frame = null;
  }

  #descend(frame: Frame, key: Uint8Array, record: Uint8Array): void {
    const part = partOf(frame.place, key).subarray(0, frame.place.capacity);
    const place = nodePlace(this.#nodes, decodePointer(record).node, this.#maxKeyBytes);
    // Bounds that go on inside the node: those that begin with this very part.
    const from = restAfter(part, frame.from);
    const to = restAfter(part, frame.to);
    this.#frame = this.#open(place, from, to, frame, joined(frame.path, part));
  }

  #open(
    place: Place,
    from: Uint8Array | null,
    to: Uint8Array | null,
    outer: Frame | null,
    path: Uint8Array,
  ): Frame {
    const lower = lowerKey(place, from);
    const upper = upperKey(place, to);
    const options = rangeOptions(lower, upper, this.#reverse, this.#transaction);
    const entries: Entries = place.database.getRange(options)[Symbol.iterator]();
    return { place, from, to, entries, outer, path };
  }
}

interface Frame {
  readonly place: Place;
  readonly from: Uint8Array | null;
  readonly to: Uint8Array | null;
  readonly entries: Entries;
  readonly outer: Frame | null;
  /** The key up to here. */
  readonly path: Uint8Array;
}

const noBytes = new Uint8Array(0);
const leastKey = Uint8Array.of(0);

function joined(path: Uint8Array, part: Uint8Array): Uint8Array {
  const key = new Uint8Array(path.length + part.length);
  key.set(path);
  key.set(part, path.length);
  return key;
}

function restAfter(part: Uint8Array, bound: Uint8Array | null): Uint8Array | null {
  if (bound === null || bound.length <= part.length) return null;
  for (let i = 0; i < part.length; i += 1) if (bound[i] !== part[i]) return null;
  return bound.subarray(part.length);
}

/** LMDB walks in reverse from `start` down to `end`; both ends of our ranges keep their sense. */
function rangeOptions(
  lower: Uint8Array | null,
  upper: Uint8Array | null,
  reverse: boolean,
  transaction: Transaction | null,
): RangeOptions {
  // Where one end is open, lmdb-js has ideas of its own about which key is the least.
  const options: RangeOptions & { exclusiveStart?: boolean; inclusiveEnd?: boolean } = {};
  if (transaction !== null) options.transaction = transaction;
  if (reverse) {
    options.reverse = true;
    if (upper !== null) {
      options.start = upper;
      options.exclusiveStart = true;
    }
    options.end = lower ?? leastKey;
    options.inclusiveEnd = true;
  } else {
    options.start = lower ?? leastKey;
    if (upper !== null) options.end = upper;
  }
  return options;
}
