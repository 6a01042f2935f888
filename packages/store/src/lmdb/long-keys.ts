import type { Database } from 'lmdb';

export type Table = Database<Uint8Array, Uint8Array>;

const nodeIdBytes = 6;

/**
 * LMDB bounds its keys (1978 bytes with pages of 4 KiB), the database above does not. A key that is too long is cut:
 * where its first part ends stands a pointer to a node, an ordered collection of its own for all that begins so, in
 * which the rest of the key is stored, cut again if need be. The order of keys stays what it is: a pointer is its
 * part and a zero byte, one byte longer than any key that is stored whole, so it sorts after its part and before
 * whatever follows.
 *
 * A place is where a collection (a table, or a node) stores its entries.
 */
export interface Place {
  readonly database: Table;
  /** Of the table; of nodes none. */
  readonly name: string;
  /** Null: a whole table. */
  readonly node: number | null;
  /** Longest key, or part of one, that is stored here as it is. */
  readonly capacity: number;
}

export function tablePlace(database: Table, name: string, maxKeyBytes: number): Place {
  return { database, name, node: null, capacity: maxKeyBytes - 1 };
}

export function nodePlace(nodes: Table, node: number, maxKeyBytes: number): Place {
  return { database: nodes, name: '', node, capacity: maxKeyBytes - 1 - nodeIdBytes };
}

/** The LMDB key of an entry whose key, or rest of one, fits here. */
export function entryKey(place: Place, rest: Uint8Array): Uint8Array {
  return place.node === null ? rest : concat(nodeId(place.node), rest);
}

/** The LMDB key of the pointer for a rest that does not fit here. */
export function pointerKey(place: Place, rest: Uint8Array): Uint8Array {
  return entryKey(place, withByte(rest.subarray(0, place.capacity), 0));
}

export function isPointer(place: Place, key: Uint8Array): boolean {
  return partOf(place, key).length > place.capacity;
}

/** What an LMDB key says of the key that it stands for: without the node, a pointer without its last byte. */
export function partOf(place: Place, key: Uint8Array): Uint8Array {
  return place.node === null ? key : key.subarray(nodeIdBytes);
}

/** LMDB's bounds for the entries of a place with `from <= rest < to`, pointers on the way to those included. */
export function lowerKey(place: Place, from: Uint8Array | null): Uint8Array | null {
  if (from === null) return place.node === null ? null : nodeId(place.node);
  return from.length > place.capacity ? pointerKey(place, from) : entryKey(place, from);
}

export function upperKey(place: Place, to: Uint8Array | null): Uint8Array | null {
  if (to === null) return place.node === null ? null : nodeId(place.node + 1);
  // The pointer itself is within: it leads to keys before `to`, and nothing but it begins so.
  return to.length > place.capacity
    ? entryKey(place, withByte(to.subarray(0, place.capacity), 1))
    : entryKey(place, to);
}

/** What a pointer leads to. */
export interface Pointer {
  readonly node: number;
  /** Entries and pointers in the node: with the last one the pointer goes. */
  count: number;
}

export function encodePointer({ node, count }: Pointer): Uint8Array {
  return concat(nodeId(node), nodeId(count));
}

export function decodePointer(record: Uint8Array): Pointer {
  return { node: readNodeId(record, 0), count: readNodeId(record, nodeIdBytes) };
}

/** The entry of a key of any length. */
export function getLong(
  place: Place,
  key: Uint8Array,
  read: (database: Table, key: Uint8Array) => Uint8Array | undefined,
  nodes: Table,
  maxKeyBytes: number,
): Uint8Array | undefined {
  let at = place;
  let rest = key;
  while (rest.length > at.capacity) {
    const record = read(at.database, pointerKey(at, rest));
    if (record === undefined) return undefined;
    rest = rest.subarray(at.capacity);
    at = nodePlace(nodes, decodePointer(record).node, maxKeyBytes);
  }
  return read(at.database, entryKey(at, rest));
}

/** The first node id that is not in use: one more than the last node that has entries. */
export function nextNode(nodes: Table): number {
  for (const key of nodes.getKeys({ reverse: true, end: nodeId(0), limit: 1 })) return readNodeId(key, 0) + 1;
  return 1;
}

/** Writes long keys as part of one batch. Pointers change many times in a batch and are written at its end. */
export class LongKeyWriter {
  readonly #nodes: Table;
  readonly #maxKeyBytes: number;
  /** The batch begins by clearing everything: nothing that is stored counts. */
  readonly #cleared: boolean;
  readonly #steps = new Map<string, Step>();
  nextNode: number;

  constructor(nodes: Table, maxKeyBytes: number, cleared: boolean, firstNode: number) {
    this.#nodes = nodes;
    this.#maxKeyBytes = maxKeyBytes;
    this.#cleared = cleared;
    this.nextNode = firstNode;
  }

  put(table: Place, key: Uint8Array, value: Uint8Array): void {
    const path = this.#walk(table, key, true) as { place: Place; rest: Uint8Array; step: Step };
    const { place, rest, step } = path;
    if (!this.#has(place, rest)) step.pointer.count += 1;
    void place.database.put(entryKey(place, rest), value);
  }

  remove(table: Place, key: Uint8Array): void {
    const path = this.#walk(table, key, false);
    if (path === null || !this.#has(path.place, path.rest)) return;
    void path.place.database.remove(entryKey(path.place, path.rest));
    for (let step: Step | null = path.step; step !== null; step = step.parent) {
      step.pointer.count -= 1;
      if (step.pointer.count > 0) return;
    }
  }

  /** Writes the pointers. */
  finish(): void {
    for (const { place, key, pointer } of this.#steps.values()) {
      if (pointer.count > 0) void place.database.put(key, encodePointer(pointer));
      else void place.database.remove(key);
    }
  }

  /** To the place where the last part of `key` is stored; null when there is none and none is to be made. */
  #walk(table: Place, key: Uint8Array, make: boolean): { place: Place; rest: Uint8Array; step: Step } | null {
    let place = table;
    let rest = key;
    let step: Step | null = null;
    while (rest.length > place.capacity) {
      const next = this.#step(place, pointerKey(place, rest), step);
      if (next.pointer.count === 0) {
        if (!make) return null;
        if (step !== null) step.pointer.count += 1;
      }
      rest = rest.subarray(place.capacity);
      place = nodePlace(this.#nodes, next.pointer.node, this.#maxKeyBytes);
      step = next;
    }
    return { place, rest, step: step as Step };
  }

  #step(place: Place, key: Uint8Array, parent: Step | null): Step {
    const name = `${place.node ?? place.name}/${Buffer.from(key).toString('latin1')}`;
    const known = this.#steps.get(name);
    if (known !== undefined) return known;
    const record = this.#cleared ? undefined : place.database.get(key);
    const pointer = record === undefined ? { node: this.nextNode++, count: 0 } : decodePointer(record);
    const step: Step = { place, key, pointer, parent };
    this.#steps.set(name, step);
    return step;
  }

  /** A batch names a key once, so what is stored is what was there before it. */
  #has(place: Place, rest: Uint8Array): boolean {
    return !this.#cleared && place.database.get(entryKey(place, rest)) !== undefined;
  }
}

/** One pointer on the way to long keys. */
interface Step {
  readonly place: Place;
  readonly key: Uint8Array;
  readonly pointer: Pointer;
  readonly parent: Step | null;
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const whole = new Uint8Array(a.length + b.length);
  whole.set(a);
  whole.set(b, a.length);
  return whole;
}

function withByte(bytes: Uint8Array, byte: number): Uint8Array {
  return concat(bytes, Uint8Array.of(byte));
}

function nodeId(value: number): Uint8Array {
  const bytes = new Uint8Array(nodeIdBytes);
  let rest = value;
  for (let i = nodeIdBytes - 1; i >= 0; i -= 1) {
    bytes[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return bytes;
}

function readNodeId(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = at; i < at + nodeIdBytes; i += 1) value = value * 256 + (bytes[i] as number);
  return value;
}
