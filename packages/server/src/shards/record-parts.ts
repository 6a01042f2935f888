import { compareRecords, everyKeySpan, type OrderedRecord, type RecordPiece } from '@flotilla/store';
import { limits } from '../limits.ts';
import type { Deadline } from './deadline.ts';
import type { PinnedPart, PinnedParts } from './pinned-parts.ts';
import type { ReadPlace } from './reader.ts';

/**
 * All records that are kept, of all shards, as one stream in one order, each shard's at a replica that has everything of
 * it: what hashes and snapshots are made of. What is in memory is a piece of each shard, and all pieces are bounded
 * together. Throws as {@link PinnedParts.open} and its parts do: then it can be read again, as of then.
 */
export async function* allRecords(
  pinned: PinnedParts,
  at: ReadPlace,
  through: number,
  deadline: Deadline,
): AsyncGenerator<OrderedRecord> {
  const { compactRevision } = at;
  const parts = await pinned.open(everyKeySpan, at, { kind: 'records', compactRevision, through }, deadline);
  try {
    yield* merged(parts);
  } finally {
    for (const part of parts) part.close();
  }
}

/** In their one order, with places in their revisions that no two of them share. */
async function* merged(parts: readonly PinnedPart[]): AsyncGenerator<OrderedRecord> {
  const heads: Head[] = [];
  const pieceBytes = Math.min(limits.shardPageBytes, Math.ceil(limits.shardRecordsBytes / parts.length));
  for (const part of parts) {
    const head = new Head(part, pieceBytes);
    if (await head.advance()) insert(heads, head);
  }
  let last = { revision: -1, sub: -1 };
  for (let first = heads.pop(); first !== undefined; first = heads.pop()) {
    const { record } = first;
    const sub = record.revision === last.revision ? Math.max(record.sub, last.sub + 1) : record.sub;
    last = { revision: record.revision, sub };
    yield { ...record, sub };
    if (await first.advance()) insert(heads, first);
  }
}

/** The one that comes first is the last of the list. */
function insert(heads: Head[], head: Head): void {
  let from = 0;
  let to = heads.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (compareRecords((heads[middle] as Head).record, head.record) > 0) from = middle + 1;
    else to = middle;
  }
  heads.splice(from, 0, head);
}

class Head {
  record!: OrderedRecord;
  readonly #part: PinnedPart;
  readonly #pieceBytes: number;
  #piece: RecordPiece = { records: [], isOver: false };
  #at = 0;

  constructor(part: PinnedPart, pieceBytes: number) {
    this.#part = part;
    this.#pieceBytes = pieceBytes;
  }

  /** False: there is no other. */
  async advance(): Promise<boolean> {
    while (this.#at >= this.#piece.records.length) {
      if (this.#piece.isOver) return false;
      this.#piece = await this.#part.records(this.#pieceBytes);
      this.#at = 0;
    }
    this.record = this.#piece.records[this.#at] as OrderedRecord;
    this.#at += 1;
    return true;
  }
}
