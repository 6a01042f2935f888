import { ByteWriter } from '../encoding/byte-writer.ts';
import type { TableWrites, WriteBatch } from '../storage.ts';
import { ByteTree } from '../tree/byte-tree.ts';
import type { KeyValue } from '@flotilla/wire';
import type { BucketCount } from './key-counts.ts';
import { writeBucketCount } from './key-counts.ts';
import { writePastVersion, writeVersion } from './records.ts';
import type { PastVersion } from './records.ts';

/**
 * What was applied since the last storage commit, table by table; null removes what the storage holds. Versions stay
 * objects until the commit: a key that is written ten times between two commits is encoded once.
 */
export class WriteBuffer {
  readonly latest: ByteTree<KeyValue | null>;
  readonly history: ByteTree<PastVersion | null>;
  readonly events: ByteTree<Uint8Array | null>;
  readonly buckets: ByteTree<BucketCount | null>;
  readonly system: ByteTree<Uint8Array | null>;
  /** Of the keys and values that wait here, about. */
  bytes = 0;

  constructor(
    latest: ByteTree<KeyValue | null> = new ByteTree(),
    history: ByteTree<PastVersion | null> = new ByteTree(),
    events: ByteTree<Uint8Array | null> = new ByteTree(),
    buckets: ByteTree<BucketCount | null> = new ByteTree(),
    system: ByteTree<Uint8Array | null> = new ByteTree(),
  ) {
    this.latest = latest;
    this.history = history;
    this.events = events;
    this.buckets = buckets;
    this.system = system;
  }

  /** Table writes that a commit would hand over. */
  get operations(): number {
    return this.latest.size + this.history.size + this.events.size + this.buckets.size + this.system.size;
  }

  /** O(1): the copy shares everything until one of them is written. */
  clone(): WriteBuffer {
    return new WriteBuffer(
      this.latest.clone(),
      this.history.clone(),
      this.events.clone(),
      this.buckets.clone(),
      this.system.clone(),
    );
  }

  encode(meta: TableWrites): WriteBatch {
    return {
      clear: false,
      tables: [
        meta,
        encodeTree(this.latest, writeVersion),
        encodeTree(this.history, writePastVersion),
        encodeTree(this.events, writeBytes),
        encodeTree(this.buckets, writeBucketCount),
        encodeTree(this.system, writeBytes),
      ],
    };
  }
}

/** Small: a storage on the heap keeps a slab as long as any record in it. */
const slabBytes = 8 * 1024;

/** Slabs are only ever appended to, so records in flight and records in the making may share one. */
const writer = new ByteWriter(slabBytes);

function encodeTree<V>(
  tree: ByteTree<V | null>,
  write: (writer: ByteWriter, value: V) => void,
): { keys: Uint8Array[]; values: (Uint8Array | null)[] } {
  const keys: Uint8Array[] = [];
  const values: (Uint8Array | null)[] = [];
  const cursor = tree.scan({ from: null, to: null, reverse: false });
  for (; cursor.key !== null; cursor.advance()) {
    keys.push(cursor.key);
    if (cursor.value === null) {
      values.push(null);
    } else {
      write(writer, cursor.value);
      values.push(writer.take());
    }
  }
  return { keys, values };
}

function writeBytes(target: ByteWriter, value: Uint8Array): void {
  target.bytes(value);
}
