import { compareBytes } from '../bytes.ts';

/** Where a record is to be found: the change that it is of, and the key. */
export interface Place {
  readonly revision: number;
  readonly sub: number;
  readonly key: Uint8Array;
  readonly deleted: boolean;
}

/**
 * Sorts places by revision and sub-revision. They are kept in a few flat arrays, not as objects, and sorted in short
 * runs that are merged as they are read: nothing takes longer than some milliseconds at a time.
 */
export class PlaceSorter {
  #count = 0;
  #revisions = new Float64Array(runPlaces);
  #subs = new Uint32Array(runPlaces);
  #deleted = new Uint8Array(runPlaces);
  #ends = new Float64Array(runPlaces);
  #keys = new Uint8Array(64 * runPlaces);
  #order = new Uint32Array(runPlaces);

  add({ revision, sub, key, deleted }: Place): void {
    const at = this.#count;
    if (at === this.#revisions.length) this.#grow();
    const start = this.#start(at);
    if (start + key.length > this.#keys.length) {
      this.#keys = larger(this.#keys, new Uint8Array(2 * (this.#keys.length + key.length)));
    }
    this.#revisions[at] = revision;
    this.#subs[at] = sub;
    this.#deleted[at] = deleted ? 1 : 0;
    this.#keys.set(key, start);
    this.#ends[at] = start + key.length;
    this.#order[at] = at;
    this.#count += 1;
    if (this.#count % runPlaces === 0) this.#sortRun(this.#count - runPlaces);
  }

  /** In order. Nothing may be added any more. */
  *sorted(): Iterable<Place> {
    const rest = this.#count % runPlaces;
    if (rest > 0) this.#sortRun(this.#count - rest);
    const heap: Run[] = [];
    for (let from = 0; from < this.#count; from += runPlaces) {
      heap.push({ at: from, end: Math.min(from + runPlaces, this.#count) });
    }
    for (let i = (heap.length >> 1) - 1; i >= 0; i -= 1) this.#sink(heap, i);
    while (heap.length > 0) {
      const first = heap[0] as Run;
      yield this.#place(this.#order[first.at] as number);
      first.at += 1;
      if (first.at === first.end) {
        const last = heap.pop() as Run;
        if (heap.length > 0) heap[0] = last;
      }
      if (heap.length > 0) this.#sink(heap, 0);
    }
  }

  #place(at: number): Place {
    return {
      revision: this.#revisions[at] as number,
      sub: this.#subs[at] as number,
      key: this.#key(at),
      deleted: this.#deleted[at] === 1,
    };
  }

  #start(at: number): number {
    return at === 0 ? 0 : (this.#ends[at - 1] as number);
  }

  #key(at: number): Uint8Array {
    return this.#keys.subarray(this.#start(at), this.#ends[at]);
  }

  #sortRun(from: number): void {
    this.#order.subarray(from, Math.min(from + runPlaces, this.#count)).sort((a, b) => this.#compare(a, b));
  }

  #compare(a: number, b: number): number {
    const order = (this.#revisions[a] as number) - (this.#revisions[b] as number);
    if (order !== 0) return order;
    const subs = (this.#subs[a] as number) - (this.#subs[b] as number);
    return subs !== 0 ? subs : compareBytes(this.#key(a), this.#key(b));
  }

  #sink(heap: Run[], from: number): void {
    let at = from;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && this.#before(heap[child] as Run, heap[least] as Run)) least = child;
      }
      if (least === at) return;
      [heap[at], heap[least]] = [heap[least] as Run, heap[at] as Run];
      at = least;
    }
  }

  #before(a: Run, b: Run): boolean {
    return this.#compare(this.#order[a.at] as number, this.#order[b.at] as number) < 0;
  }

  #grow(): void {
    const capacity = 2 * this.#revisions.length;
    this.#revisions = larger(this.#revisions, new Float64Array(capacity));
    this.#subs = larger(this.#subs, new Uint32Array(capacity));
    this.#deleted = larger(this.#deleted, new Uint8Array(capacity));
    this.#ends = larger(this.#ends, new Float64Array(capacity));
    this.#order = larger(this.#order, new Uint32Array(capacity));
  }
}

/** What one sort takes about a millisecond for. */
const runPlaces = 4_096;

interface Run {
  at: number;
  readonly end: number;
}

function larger<A extends { set(source: A): void }>(from: A, to: A): A {
  to.set(from);
  return to;
}
