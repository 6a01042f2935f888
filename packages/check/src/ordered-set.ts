/**
 * A set of small integers that mostly holds a prefix: everything below some point and a few members beyond it, as the
 * placed calls of a history do. Snapshots leave the full words of the prefix out, so remembering thousands of them
 * costs a few words each and not the length of the history.
 */
export class OrderedSet {
  readonly #words: Int32Array;
  /** The first word that is not full. */
  #low = 0;
  /** The last word that is not empty, or `low - 1`. */
  #high = -1;
  /** Zobrist: the exclusive or of one random word for each member. */
  hash = 0;

  constructor(size: number) {
    this.#words = new Int32Array((size >>> 5) + 1);
  }

  add(member: number): void {
    const word = member >>> 5;
    this.#words[word] = entry(this.#words, word) | (1 << (member & 31));
    this.hash ^= mix(member);
    if (word > this.#high) this.#high = word;
    while (this.#words[this.#low] === -1) this.#low += 1;
  }

  remove(member: number): void {
    const word = member >>> 5;
    this.#words[word] = entry(this.#words, word) & ~(1 << (member & 31));
    this.hash ^= mix(member);
    if (word < this.#low) this.#low = word;
    while (this.#high >= 0 && this.#words[this.#high] === 0) this.#high -= 1;
  }

  /** The number of full words, then the words up to the last one that is not empty. */
  snapshot(): Int32Array {
    const length = Math.max(0, this.#high + 1 - this.#low);
    const snapshot = new Int32Array(length + 1);
    snapshot[0] = this.#low;
    for (let i = 0; i < length; i += 1) snapshot[i + 1] = entry(this.#words, this.#low + i);
    return snapshot;
  }

  equalsSnapshot(snapshot: Int32Array): boolean {
    const length = Math.max(0, this.#high + 1 - this.#low);
    if (snapshot.length !== length + 1 || snapshot[0] !== this.#low) return false;
    for (let i = 0; i < length; i += 1) {
      if (snapshot[i + 1] !== this.#words[this.#low + i]) return false;
    }
    return true;
  }
}

/** The finalizer of MurmurHash3: any two members get words that look unrelated. */
function mix(member: number): number {
  let hash = member + 0x9e3779b9;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** A word of a typed array whose index is known to be in range: no check in the innermost loop. */
export function entry(words: Int32Array, index: number): number {
  return words[index] as number;
}
