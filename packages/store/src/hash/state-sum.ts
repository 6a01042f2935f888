import { crc32 } from 'node:zlib';
import type { KeyValue } from '@flotilla/wire';
import { compareBytes, copyBytes, successor } from '../bytes.ts';
import { limits } from '../limits.ts';
import type { Layers } from '../mvcc/layers.ts';
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
  readonly #readings = new Set<StateReading>();
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
    let change = 0;
    if (before !== null) change -= sumOfVersion(before);
    if (after !== null) change += sumOfVersion(after);
    this.#changes = (this.#changes + change) | 0;
    for (const reading of this.#readings) reading.replaced((after ?? before)?.key, change);
  }

  replacedRecord(place: Uint8Array, before: Uint8Array | null, after: Uint8Array | null): void {
    let change = 0;
    if (before !== null) change -= sumOfRecord(place, before);
    if (after !== null) change += sumOfRecord(place, after);
    this.#changes = (this.#changes + change) | 0;
    for (const reading of this.#readings) reading.replacedRecord(place, change);
  }

  /** After each entry. */
  applied(index: number): void {
    if (index % limits.sumMarkEntries !== 0) return;
    this.#marks.push({ index, changes: this.#changes });
    if (this.#marks.length > limits.sumMarks) this.#marks.shift();
  }

  /** Begins to read the state whose changes are told here. To be ended. */
  begin(layers: Layers): StateReading {
    const reading = new StateReading(layers);
    this.#readings.add(reading);
    return reading;
  }

  end(reading: StateReading): void {
    this.#readings.delete(reading);
    if (reading.done) this.#base ??= (reading.sum - this.#changes) >>> 0;
  }
}

/**
 * The sum of a whole state, read in slices while it changes: what changes among the keys that were read is added, and
 * what changes beyond them is read when its turn comes. So no view is held, which would keep the storage from using any
 * page again for as long as it takes.
 */
export class StateReading {
  readonly #layers: Layers;
  #sum = 0;
  /** All up to and including this one was read; null: nothing was. */
  #lastKey: Uint8Array | null = null;
  #keysDone = false;
  #lastPlace: Uint8Array | null = null;
  done = false;

  /** Use {@link StateSum.begin}. */
  constructor(layers: Layers) {
    this.#layers = layers;
  }

  /** Of what was read, as it is now; of the state when all was. */
  get sum(): number {
    return this.#sum >>> 0;
  }

  /** Reads on while `goesOn` says so, and one record at least. Nothing may be written meanwhile. */
  read(goesOn: () => boolean): void {
    if (!this.#keysDone) this.#keysDone = this.#readKeys(goesOn);
    else if (!this.done) this.done = this.#readRecords(goesOn);
  }

  replaced(key: Uint8Array | undefined, change: number): void {
    if (key !== undefined && (this.#keysDone || isAtOrBefore(key, this.#lastKey))) this.#add(change);
  }

  replacedRecord(place: Uint8Array, change: number): void {
    if (this.done || isAtOrBefore(place, this.#lastPlace)) this.#add(change);
  }

  #readKeys(goesOn: () => boolean): boolean {
    const latest = this.#layers.scanLatest({ from: after(this.#lastKey), to: null, reverse: false });
    for (; latest.key !== null; latest.advance()) {
      this.#add(sumOfVersion(latest.value));
      if (goesOn()) continue;
      this.#lastKey = copyBytes(latest.key);
      latest.close();
      return false;
    }
    return true;
  }

  #readRecords(goesOn: () => boolean): boolean {
    const system = this.#layers.scanSystem({ from: after(this.#lastPlace), to: null, reverse: false });
    for (; system.key !== null; system.advance()) {
      this.#add(sumOfRecord(system.key, system.value));
      if (goesOn()) continue;
      this.#lastPlace = copyBytes(system.key);
      system.close();
      return false;
    }
    return true;
  }

  #add(change: number): void {
    this.#sum = (this.#sum + change) | 0;
  }
}

function after(key: Uint8Array | null): Uint8Array | null {
  return key === null ? null : successor(key);
}

function isAtOrBefore(key: Uint8Array, last: Uint8Array | null): boolean {
  return last !== null && compareBytes(key, last) <= 0;
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
 * What is written of an order at a commit says the same as what was written before it and has changed since: members have
 * other records at one index, of equal orders. Replies that sessions remember have texts and encodings of the build that wrote them: of two builds each is right, and
 * a difference would raise an alarm that stops all writes while a cluster is upgraded.
 */
function sumOfRecord(place: Uint8Array, record: Uint8Array): number {
  if (place[0] === Namespace.SESSION || place[0] === Namespace.ORDER) return 0;
  return crc32(record, crc32(place, place.length));
}
