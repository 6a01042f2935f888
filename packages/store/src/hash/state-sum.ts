import { crc32 } from 'node:zlib';
import type { KeyValue } from '@flotilla/wire';
import { limits } from '../limits.ts';
import type { ReadPoint } from '../mvcc/range.ts';
import { Namespace } from '../system/namespaces.ts';

/** A sum, and the entry after which the state has it. */
export interface SumAt {
  readonly index: number;
  readonly sum: number;
}

/**
 * The sum (modulo 2^32) of a checksum of every live key with its fields, and of every record of the system table: equal
 * on all members at equal applied index, kept up to date by what each entry takes away and adds, and found again by
 * reading the whole state. So it tells members that applied one entry differently, and a storage that does not hold
 * any more what was written to it.
 *
 * Of the history nothing counts: how far compaction has come differs from member to member. Neither do sub-revisions,
 * which states from before they were stored lack.
 *
 * After a start without a stored sum, or a snapshot, only changes are known ({@link StateSum.begin}) until the state
 * was read once.
 */
export class StateSum {
  /** Of all changes since the base. */
  #changes = 0;
  /** What the state was when the changes began; null: it is being read. */
  #base: number | null;
  /** Changes at certain indexes, the oldest first: the same indexes on all members. */
  #marks: { readonly index: number; readonly changes: number }[] = [];

  constructor(stored: number | null) {
    this.#base = stored;
  }

  /** Of the state as it is now; null: not known yet. */
  get value(): number | null {
    return this.#base === null ? null : (this.#base + this.#changes) >>> 0;
  }

  /** Those that members can compare, the oldest first. */
  get marks(): readonly SumAt[] {
    const base = this.#base;
    if (base === null) return [];
    return this.#marks.map(({ index, changes }) => ({ index, sum: (base + changes) >>> 0 }));
  }

  replaced(before: KeyValue | null, after: KeyValue | null): void {
    if (before !== null) this.#changes = (this.#changes - sumOfVersion(before)) | 0;
    if (after !== null) this.#changes = (this.#changes + sumOfVersion(after)) | 0;
  }

  replacedRecord(place: Uint8Array, before: Uint8Array | null, after: Uint8Array | null): void {
    if (before !== null) this.#changes = (this.#changes - sumOfRecord(place, before)) | 0;
    if (after !== null) this.#changes = (this.#changes + sumOfRecord(place, after)) | 0;
  }

  /** After each entry. */
  applied(index: number): void {
    if (index % limits.sumMarkEntries !== 0) return;
    this.#marks.push({ index, changes: this.#changes });
    if (this.#marks.length > limits.sumMarks) this.#marks.shift();
  }

  /** From now on a state is being read that is the one of now. The answer takes what was found. */
  begin(): (found: number) => void {
    const before = this.#changes;
    return (found) => {
      this.#base ??= (found - before) >>> 0;
    };
  }
}

/** The sum of a whole state, from a pinned view. Yields often; returns it. */
export function* sumState({ layers }: ReadPoint): Generator<void, number> {
  let sum = 0;
  const latest = layers.scanLatest({ from: null, to: null, reverse: false });
  for (; latest.key !== null; latest.advance()) {
    sum = (sum + sumOfVersion(latest.value)) | 0;
    yield;
  }
  const system = layers.scanSystem({ from: null, to: null, reverse: false });
  for (; system.key !== null; system.advance()) {
    sum = (sum + sumOfRecord(system.key, system.value)) | 0;
    yield;
  }
  return sum >>> 0;
}

const fields = new Uint8Array(32);
const fieldsView = new DataView(fields.buffer);

function sumOfVersion(kv: KeyValue): number {
  fieldsView.setFloat64(0, kv.createRevision);
  fieldsView.setFloat64(8, kv.modRevision);
  fieldsView.setFloat64(16, kv.version);
  fieldsView.setBigInt64(24, kv.lease);
  // The length keeps a byte from wandering between key and value.
  return crc32(kv.value, crc32(kv.key, crc32(fields, kv.key.length)));
}

/**
 * Replies that sessions remember have texts and encodings of the build that wrote them: of two builds each is right, and
 * a difference would raise an alarm that stops all writes while a cluster is upgraded.
 */
function sumOfRecord(place: Uint8Array, record: Uint8Array): number {
  if (place[0] === Namespace.SESSION) return 0;
  return crc32(record, crc32(place, place.length));
}
