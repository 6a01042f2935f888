import { compareBytes } from '../bytes.ts';
import type { Cursor, ScanRange } from '../storage.ts';

/** Entries of a leaf and children of a branch. 32 keeps an insertion's array shifts and a path copy both small. */
const maxFanOut = 32;
const minFanOut = 8;

/**
 * A B+tree over byte keys in which a clone is O(1): nodes are shared until one side writes, and only the path that is
 * written is copied. So a consistent view of a changing tree costs nothing to take.
 *
 * @example
 * const tree = new ByteTree<number>();
 * tree.set(key, 1);
 * const view = tree.clone();
 * tree.set(key, 2); // view.get(key) is still 1
 */
export class ByteTree<V> {
  #root: Node<V> | null = null;
  #owner: Owner = {};
  #size = 0;
  readonly #copyKey: (key: Uint8Array) => Uint8Array;
  /** What the write in progress replaced. */
  #replaced: V | undefined;

  /**
   * By default the tree keeps the keys that it is given, whose bytes must not change then. With `copyKey` it keeps
   * what that answers for a key that is new.
   */
  constructor(copyKey: (key: Uint8Array) => Uint8Array = keep) {
    this.#copyKey = copyKey;
  }

  get size(): number {
    return this.#size;
  }

  get(key: Uint8Array): V | undefined {
    let node = this.#root;
    if (node === null) return undefined;
    beginSearch();
    while (node.children !== null) node = node.children[childIndex(node.keys, key)] as Node<V>;
    const index = lowerBound(node.keys, key);
    return isAt(node.keys, index, key) ? node.values[index] : undefined;
  }

  /** The value of the greatest key at or before `key`. */
  floor(key: Uint8Array): V | undefined {
    let node = this.#root;
    if (node === null || compareBytes(key, node.keys[0] as Uint8Array) < 0) return undefined;
    beginSearch();
    while (node.children !== null) node = node.children[childIndex(node.keys, key)] as Node<V>;
    const index = lowerBound(node.keys, key);
    return node.values[isAt(node.keys, index, key) ? index : index - 1];
  }

  /** Answers what it replaced. See {@link ByteTree.constructor} on what becomes of `key`. */
  set(key: Uint8Array, value: V): V | undefined {
    if (this.#root === null) {
      this.#root = { owner: this.#owner, keys: [this.#copyKey(key)], values: [value], children: null };
      this.#size = 1;
      return undefined;
    }
    this.#replaced = undefined;
    this.#root = this.#own(this.#root);
    beginSearch();
    const sibling = this.#insert(this.#root, key, value);
    if (sibling !== null) {
      this.#root = {
        owner: this.#owner,
        keys: [this.#root.keys[0] as Uint8Array, sibling.keys[0] as Uint8Array],
        values: [],
        children: [this.#root, sibling],
      };
    }
    return this.#replaced;
  }

  /** Answers what was there. */
  delete(key: Uint8Array): V | undefined {
    const removed = this.get(key);
    if (this.#root === null || removed === undefined) return undefined;
    this.#root = this.#own(this.#root);
    beginSearch();
    this.#remove(this.#root, key);
    this.#size -= 1;
    while (this.#root.children !== null && this.#root.children.length === 1) {
      this.#root = this.#own(this.#root.children[0] as Node<V>);
    }
    if (this.#root.keys.length === 0) this.#root = null;
    return removed;
  }

  clear(): void {
    this.#root = null;
    this.#size = 0;
  }

  clone(): ByteTree<V> {
    const copy = new ByteTree<V>(this.#copyKey);
    copy.#root = this.#root;
    copy.#size = this.#size;
    // The shared nodes belong to neither side from now on: each copies what it writes.
    this.#owner = {};
    return copy;
  }

  /** Valid until the next write to this tree. */
  scan(range: ScanRange): TreeCursor<V> {
    return new TreeCursor(this.#root, range);
  }

  #own(node: Node<V>): Node<V> {
    if (node.owner === this.#owner) return node;
    return {
      owner: this.#owner,
      keys: node.keys.slice(),
      values: node.values.slice(),
      children: node.children === null ? null : node.children.slice(),
    };
  }

  /** Into an owned node. Answers the new right sibling when the node had to be split. */
  #insert(node: Node<V>, key: Uint8Array, value: V): Node<V> | null {
    if (node.children === null) {
      const index = lowerBound(node.keys, key);
      if (isAt(node.keys, index, key)) {
        this.#replaced = node.values[index];
        node.values[index] = value;
        return null;
      }
      insertAt(node.keys, index, this.#copyKey(key));
      insertAt(node.values, index, value);
      this.#size += 1;
    } else {
      const index = childIndex(node.keys, key);
      const child = this.#own(node.children[index] as Node<V>);
      node.children[index] = child;
      const sibling = this.#insert(child, key, value);
      node.keys[index] = child.keys[0] as Uint8Array;
      if (sibling !== null) {
        insertAt(node.keys, index + 1, sibling.keys[0] as Uint8Array);
        insertAt(node.children, index + 1, sibling);
      }
    }
    return node.keys.length > maxFanOut ? this.#split(node, key) : null;
  }

  #split(node: Node<V>, inserted: Uint8Array): Node<V> {
    // Appending in key order, the common load, must not leave half-empty nodes behind.
    const appended = compareBytes(inserted, node.keys[node.keys.length - 1] as Uint8Array) >= 0;
    const at = appended ? node.keys.length - 1 : node.keys.length >> 1;
    return {
      owner: this.#owner,
      keys: node.keys.splice(at),
      values: node.children === null ? node.values.splice(at) : [],
      children: node.children === null ? null : node.children.splice(at),
    };
  }

  /** From an owned node that holds the key. */
  #remove(node: Node<V>, key: Uint8Array): void {
    if (node.children === null) {
      const index = lowerBound(node.keys, key);
      node.keys.splice(index, 1);
      node.values.splice(index, 1);
      return;
    }
    const index = childIndex(node.keys, key);
    const child = this.#own(node.children[index] as Node<V>);
    node.children[index] = child;
    this.#remove(child, key);
    if (child.keys.length === 0) {
      node.keys.splice(index, 1);
      node.children.splice(index, 1);
      return;
    }
    node.keys[index] = child.keys[0] as Uint8Array;
    if (child.keys.length < minFanOut) this.#merge(node, index);
  }

  /** Joins a small child with a neighbour when both fit in one node. */
  #merge(node: Node<V>, index: number): void {
    const children = node.children as Node<V>[];
    const left = index > 0 ? index - 1 : index;
    if (left + 1 >= children.length) return;
    const right = children[left + 1] as Node<V>;
    if ((children[left] as Node<V>).keys.length + right.keys.length > maxFanOut) return;
    const target = this.#own(children[left] as Node<V>);
    children[left] = target;
    target.keys.push(...right.keys);
    target.values.push(...right.values);
    if (target.children !== null) target.children.push(...(right.children as Node<V>[]));
    children.splice(left + 1, 1);
    node.keys.splice(left + 1, 1);
  }
}

/** Walks one tree. See {@link Cursor}. */
export class TreeCursor<V> implements Cursor<V> {
  key: Uint8Array | null = null;
  value!: V;
  readonly #range: ScanRange;
  readonly #path: Node<V>[] = [];
  readonly #places: number[] = [];
  #leaf: Node<V> | null = null;
  #index = 0;

  constructor(root: Node<V> | null, range: ScanRange) {
    this.#range = range;
    if (root === null) return;
    if (range.reverse) this.#seekLast(root, range.to);
    else this.#seekFirst(root, range.from);
  }

  advance(): void {
    const leaf = this.#leaf;
    if (leaf === null) return;
    if (this.#range.reverse) {
      this.#index -= 1;
      if (this.#index < 0) this.#previousLeaf();
    } else {
      this.#index += 1;
      if (this.#index >= leaf.keys.length) this.#nextLeaf();
    }
    this.#settle();
  }

  close(): void {
    this.key = null;
    this.#leaf = null;
  }

  #seekFirst(root: Node<V>, from: Uint8Array | null): void {
    let node = root;
    beginSearch();
    while (node.children !== null) {
      const place = from === null ? 0 : childIndex(node.keys, from);
      this.#path.push(node);
      this.#places.push(place);
      node = node.children[place] as Node<V>;
    }
    this.#leaf = node;
    this.#index = from === null ? 0 : lowerBound(node.keys, from);
    if (this.#index >= node.keys.length) this.#nextLeaf();
    this.#settle();
  }

  /** To the greatest key before `to`. */
  #seekLast(root: Node<V>, to: Uint8Array | null): void {
    let node = root;
    beginSearch();
    while (node.children !== null) {
      const place = to === null ? node.keys.length - 1 : childIndex(node.keys, to);
      this.#path.push(node);
      this.#places.push(place);
      node = node.children[place] as Node<V>;
    }
    this.#leaf = node;
    this.#index = (to === null ? node.keys.length : lowerBound(node.keys, to)) - 1;
    if (this.#index < 0) this.#previousLeaf();
    this.#settle();
  }

  #nextLeaf(): void {
    for (let depth = this.#path.length - 1; depth >= 0; depth -= 1) {
      const place = (this.#places[depth] as number) + 1;
      if (place >= (this.#path[depth] as Node<V>).keys.length) continue;
      this.#places[depth] = place;
      this.#descend(depth, false);
      return;
    }
    this.#leaf = null;
  }

  #previousLeaf(): void {
    for (let depth = this.#path.length - 1; depth >= 0; depth -= 1) {
      const place = (this.#places[depth] as number) - 1;
      if (place < 0) continue;
      this.#places[depth] = place;
      this.#descend(depth, true);
      return;
    }
    this.#leaf = null;
  }

  #descend(depth: number, toLast: boolean): void {
    let node = ((this.#path[depth] as Node<V>).children as Node<V>[])[
      this.#places[depth] as number
    ] as Node<V>;
    for (let level = depth + 1; node.children !== null; level += 1) {
      const place = toLast ? node.keys.length - 1 : 0;
      this.#path[level] = node;
      this.#places[level] = place;
      node = node.children[place] as Node<V>;
    }
    this.#leaf = node;
    this.#index = toLast ? node.keys.length - 1 : 0;
  }

  /** Shows the entry at the cursor's place, unless it is beyond the range. */
  #settle(): void {
    const leaf = this.#leaf;
    if (leaf === null) {
      this.key = null;
      return;
    }
    const key = leaf.keys[this.#index] as Uint8Array;
    const range = this.#range;
    const beyond = range.reverse
      ? range.from !== null && compareBytes(key, range.from) < 0
      : range.to !== null && compareBytes(key, range.to) >= 0;
    if (beyond) {
      this.close();
      return;
    }
    this.key = key;
    this.value = leaf.values[this.#index] as V;
  }
}

function keep(key: Uint8Array): Uint8Array {
  return key;
}

/** Whoever holds the same token may change the node in place. */
type Owner = object;

/** A leaf holds values, a branch children; `keys` of a branch are the first keys of its children. */
interface Node<V> {
  owner: Owner;
  keys: Uint8Array[];
  values: V[];
  children: Node<V>[] | null;
}

/**
 * How much of the key in search is known to be shared by what lies below and above the place that is sought. Keys in
 * between share at least the shorter of the two, so no comparison looks at those bytes again, on the whole way from
 * the root to the leaf: keys with long common prefixes, the usual ones, cost little more than short ones.
 */
let sharedLow = 0;
let sharedHigh = 0;

function beginSearch(): void {
  sharedLow = 0;
  sharedHigh = 0;
}

/** The first place whose key is at or after `key`. */
function lowerBound(keys: readonly Uint8Array[], key: Uint8Array): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = keys[middle] as Uint8Array;
    const shared = sharedLength(other, key, sharedLow < sharedHigh ? sharedLow : sharedHigh);
    if (isBefore(other, key, shared)) {
      low = middle + 1;
      sharedLow = shared;
    } else {
      high = middle;
      sharedHigh = shared;
    }
  }
  return low;
}

/** Whether the place that {@link lowerBound} has just answered holds the key itself. */
function isAt(keys: readonly Uint8Array[], index: number, key: Uint8Array): boolean {
  // The search ended at a key that it compared, unless it ended beyond the last one.
  return (
    index < keys.length && sharedHigh === key.length && (keys[index] as Uint8Array).length === key.length
  );
}

/** The child whose interval covers `key`; the first one also covers everything before it. */
function childIndex(keys: readonly Uint8Array[], key: Uint8Array): number {
  let low = 1;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = keys[middle] as Uint8Array;
    const shared = sharedLength(other, key, sharedLow < sharedHigh ? sharedLow : sharedHigh);
    if (isBefore(other, key, shared) || (shared === key.length && shared === other.length)) {
      low = middle + 1;
      sharedLow = shared;
    } else {
      high = middle;
      sharedHigh = shared;
    }
  }
  return low - 1;
}

/** Of their common prefix, which is at least `from` bytes long. */
function sharedLength(a: Uint8Array, b: Uint8Array, from: number): number {
  const end = a.length < b.length ? a.length : b.length;
  let i = from;
  while (i < end && a[i] === b[i]) i += 1;
  return i;
}

function isBefore(a: Uint8Array, b: Uint8Array, shared: number): boolean {
  if (shared === b.length) return false;
  return shared === a.length || (a[shared] as number) < (b[shared] as number);
}

/** `Array.splice` allocates its answer; this is the hot path. */
function insertAt<T>(array: T[], index: number, value: T): void {
  array.push(value);
  for (let i = array.length - 1; i > index; i -= 1) array[i] = array[i - 1] as T;
  array[index] = value;
}
