import { KeyValue } from '@flotilla/wire';
import { compareBytes } from '../bytes.ts';
import type { ReadPoint } from '../mvcc/range.ts';
import { holdsKey, type KeySpan } from '../shard/key-span.ts';
import { type KeptRecord, keptRecords } from './kept-records.ts';

/** A record of etcd's `key` bucket, to be put in order with those of other shards. */
export interface OrderedRecord {
  readonly revision: number;
  /** Among the changes of its revision, in its shard. */
  readonly sub: number;
  readonly key: Uint8Array;
  /** The version as a message. */
  readonly kv: Uint8Array;
  readonly deleted: boolean;
  /** See {@link KeptRecord.end}. */
  readonly end: number;
}

export interface RecordPiece {
  readonly records: readonly OrderedRecord[];
  readonly isOver: boolean;
}

/**
 * The records that are kept of a shard's keys, up to a revision, in an order that does not depend on which shards there
 * are: by revision, place in it and key. From a view that stays as it is.
 */
export class RecordStream {
  readonly #steps: Iterator<KeptRecord | null>;
  readonly #span: KeySpan;
  readonly #through: number;
  /** Of one revision, which is not over. */
  #gathered: OrderedRecord[] = [];

  constructor(point: ReadPoint, span: KeySpan, through: number) {
    this.#steps = keptRecords(point);
    this.#span = span;
    this.#through = through;
  }

  /** No more than so many are looked at, and what they take is at most about so much; revisions are whole. */
  next(maxRecords: number, maxBytes: number): RecordPiece {
    const records: OrderedRecord[] = [];
    let bytes = 0;
    for (let left = maxRecords; left > 0 && bytes < maxBytes; left -= 1) {
      const step = this.#steps.next();
      const record = step.done === true ? null : step.value;
      if (step.done === true || (record !== null && record.revision > this.#through)) {
        this.#steps.return?.();
        this.#flush(records);
        return { records, isOver: true };
      }
      if (record === null) continue;
      if (this.#gathered[0] !== undefined && this.#gathered[0].revision !== record.revision)
        this.#flush(records);
      if (!holdsKey(this.#span, record.kv.key)) continue;
      const next = ordered(record);
      bytes += next.key.length + next.kv.length;
      this.#gathered.push(next);
    }
    return { records, isOver: false };
  }

  close(): void {
    this.#steps.return?.();
  }

  #flush(records: OrderedRecord[]): void {
    records.push(...this.#gathered.sort(compareRecords));
    this.#gathered = [];
  }
}

/** Their order, whatever shards they are of. */
export function compareRecords(a: OrderedRecord, b: OrderedRecord): number {
  return a.revision - b.revision || a.sub - b.sub || compareBytes(a.key, b.key);
}

function ordered({ revision, sub, kv, deleted, end }: KeptRecord): OrderedRecord {
  return { revision, sub, key: kv.key, kv: KeyValue.encode(kv), deleted, end };
}
