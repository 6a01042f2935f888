/** A set of small integers with an order to scan: a dense array, and each member's place in it. */
export class IndexedSet {
  #members = new Int32Array(64);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  at(place: number): number {
    return this.#members[place] as number;
  }

  /** Answers the member's place, which its owner keeps. */
  add(member: number): number {
    if (this.#size === this.#members.length) this.#members = grown(this.#members, this.#size * 2);
    this.#members[this.#size] = member;
    this.#size += 1;
    return this.#size - 1;
  }

  /** Answers the member that took the freed place, or -1. */
  removeAt(place: number): number {
    this.#size -= 1;
    if (place === this.#size) return -1;
    const moved = this.#members[this.#size] as number;
    this.#members[place] = moved;
    return moved;
  }

  /** Members from a place on, around the end. */
  window(from: number, count: number): Int32Array {
    const length = Math.min(count, this.#size);
    const result = new Int32Array(length);
    const tail = Math.min(length, this.#size - from);
    result.set(this.#members.subarray(from, from + tail));
    result.set(this.#members.subarray(0, length - tail), tail);
    return result;
  }
}

export function grown<Column extends Int32Array | Float64Array | Uint8Array | Uint16Array>(
  column: Column,
  length: number,
): Column {
  const result = new (column.constructor as new (length: number) => Column)(length);
  result.set(column);
  return result;
}
