import { copyBytes } from '../bytes.ts';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import { Namespace } from '../system/namespaces.ts';
import { keyOf, type SystemTable } from '../system/system-table.ts';

/** What was promised to a client: its keys stay for so long after it was last heard of. */
export interface Lease {
  /** Any 64-bit integer but 0. */
  readonly id: bigint;
  /** As granted. Seconds. */
  readonly ttl: number;
  /**
   * The log index of the entry that granted or renewed it last. Whoever wants it gone says which generation has
   * expired, so that a renewal that the log has before that wins.
   */
  readonly generation: number;
  /** Of its time, at the last checkpoint since it was renewed; `ttl` when there was none. Seconds. */
  readonly remaining: number;
}

/** What there is to know of leases, wherever they are kept. */
export type LeaseReader = Pick<LeaseRecords, 'get' | 'has' | 'all' | 'keysOf' | 'countKeys'>;

/**
 * Leases and the keys that go with them, in the system table alone: nothing on the heap grows with either. Attached
 * keys are records of their own, in the order in which a revocation deletes them.
 */
export class LeaseRecords {
  readonly #table: SystemTable;
  readonly #attached: AttachmentPlace;

  constructor(table: SystemTable, attached: AttachmentPlace = ownAttachments) {
    this.#table = table;
    this.#attached = attached;
  }

  get(id: bigint): Lease | null {
    const record = this.#table.get(Namespace.LEASE, encodeId(id));
    return record === null ? null : decodeLease(id, record);
  }

  has(id: bigint): boolean {
    return this.#table.get(Namespace.LEASE, encodeId(id)) !== null;
  }

  /** In the order of their ids as unsigned numbers. May not be changed meanwhile. */
  *all(): Generator<Lease> {
    const cursor = this.#table.scan(Namespace.LEASE);
    try {
      for (; cursor.key !== null; cursor.advance()) {
        yield decodeLease(decodeId(keyOf(cursor.key)), cursor.value);
      }
    } finally {
      cursor.close();
    }
  }

  /** The keys that are attached to a lease, sorted. They are the caller's. */
  keysOf(id: bigint): Uint8Array[] {
    const prefix = this.#placeOf(id, noBytes);
    const keys: Uint8Array[] = [];
    const cursor = this.#table.scan(this.#attached.namespace, prefix);
    for (; cursor.key !== null; cursor.advance()) {
      keys.push(copyBytes(keyOf(cursor.key).subarray(prefix.length)));
    }
    return keys;
  }

  /** How many keys are attached to a lease, up to `most`. */
  countKeys(id: bigint, most: number): number {
    let count = 0;
    const cursor = this.#table.scan(this.#attached.namespace, this.#placeOf(id, noBytes));
    for (; cursor.key !== null && count < most; cursor.advance()) count += 1;
    cursor.close();
    return count;
  }

  put(lease: Lease): void {
    this.#table.set(Namespace.LEASE, encodeId(lease.id), encodeLease(lease));
  }

  remove(id: bigint): void {
    this.#table.set(Namespace.LEASE, encodeId(id), null);
  }

  attach(id: bigint, key: Uint8Array): void {
    this.#table.set(this.#attached.namespace, this.#placeOf(id, key), noBytes);
  }

  detach(id: bigint, key: Uint8Array): void {
    this.#table.set(this.#attached.namespace, this.#placeOf(id, key), null);
  }

  /** Every key that is attached, with its lease. */
  attachments(): Attachment[] {
    const { namespace, prefix } = this.#attached;
    const attachments: Attachment[] = [];
    const cursor = this.#table.scan(namespace, prefix);
    for (; cursor.key !== null; cursor.advance()) {
      const place = copyBytes(keyOf(cursor.key).subarray(prefix.length));
      attachments.push({ id: decodeId(place), key: place.subarray(idBytes) });
    }
    return attachments;
  }

  #placeOf(id: bigint, key: Uint8Array): Uint8Array {
    const { prefix } = this.#attached;
    const place = new Uint8Array(prefix.length + idBytes + key.length);
    place.set(prefix);
    place.set(encodeId(id), prefix.length);
    place.set(key, prefix.length + idBytes);
    return place;
  }
}

/** Where the keys that go with a lease are recorded. */
export interface AttachmentPlace {
  readonly namespace: Namespace;
  readonly prefix: Uint8Array;
}

export interface Attachment {
  readonly id: bigint;
  readonly key: Uint8Array;
}

const idBytes = 8;
const noBytes = new Uint8Array(0);
const ownAttachments: AttachmentPlace = { namespace: Namespace.LEASE_KEY, prefix: noBytes };
const writer = new ByteWriter(8 * 1024);

function encodeLease({ ttl, generation, remaining }: Lease): Uint8Array {
  writer.varint(ttl);
  writer.varint(generation);
  writer.varint(remaining);
  return writer.take();
}

function decodeLease(id: bigint, record: Uint8Array): Lease {
  const reader = new ByteReader(record);
  return { id, ttl: reader.varint(), generation: reader.varint(), remaining: reader.varint() };
}

function encodeId(id: bigint): Uint8Array {
  writer.bigint64(id);
  return writer.take();
}

function decodeId(key: Uint8Array): bigint {
  return new ByteReader(key).bigint64();
}
