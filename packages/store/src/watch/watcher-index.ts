import { bytesToString, compareBytes } from '../bytes.ts';
import type { KeyRange } from '../mvcc/key-range.ts';

/**
 * Finds the watchers of a key: those of the key itself in a map, those of ranges in an interval tree (a treap by the
 * start of the range, each node knowing the greatest end below it). Watchers of one range share a node.
 */
export class WatcherIndex<W extends { readonly range: KeyRange }> {
  readonly #byKey = new Map<string, Set<W>>();
  #root: RangeNode<W> | null = null;
  /** Any sequence will do: it only keeps the treap balanced. */
  #priority = 0x2545f491;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(watcher: W): void {
    this.#size += 1;
    const { range } = watcher;
    if (range.single) {
      const name = bytesToString(range.from);
      const set = this.#byKey.get(name);
      if (set === undefined) this.#byKey.set(name, new Set([watcher]));
      else set.add(watcher);
      return;
    }
    const node = this.#find(range);
    if (node === null) this.#root = this.#insert(this.#root, watcher);
    else node.watchers.add(watcher);
  }

  delete(watcher: W): void {
    this.#size -= 1;
    const { range } = watcher;
    if (range.single) {
      const name = bytesToString(range.from);
      const set = this.#byKey.get(name);
      set?.delete(watcher);
      if (set?.size === 0) this.#byKey.delete(name);
      return;
    }
    // The tree is as it was, and no end on the way has to be looked at, while others watch the range.
    const node = this.#find(range);
    node?.watchers.delete(watcher);
    if (node?.watchers.size === 0) this.#root = this.#remove(this.#root, range);
  }

  /** Calls back for each watcher whose range holds `key`. */
  match(key: Uint8Array, found: (watcher: W) => void): void {
    if (this.#byKey.size > 0) {
      const set = this.#byKey.get(bytesToString(key));
      if (set !== undefined) for (const watcher of set) found(watcher);
    }
    if (this.#root !== null) stab(this.#root, key, found);
  }

  #find({ from, to }: KeyRange): RangeNode<W> | null {
    let node = this.#root;
    while (node !== null) {
      const order = compareRange(from, to, node);
      if (order === 0) break;
      node = order < 0 ? node.left : node.right;
    }
    return node;
  }

  #insert(node: RangeNode<W> | null, watcher: W): RangeNode<W> {
    const { from, to } = watcher.range;
    if (node === null) {
      return {
        from,
        to,
        maxTo: to,
        priority: this.#nextPriority(),
        watchers: new Set([watcher]),
        left: null,
        right: null,
      };
    }
    if (compareRange(from, to, node) < 0) {
      node.left = this.#insert(node.left, watcher);
      if (node.left.priority > node.priority) return rotateRight(node);
    } else {
      node.right = this.#insert(node.right, watcher);
      if (node.right.priority > node.priority) return rotateLeft(node);
    }
    refresh(node);
    return node;
  }

  #remove(node: RangeNode<W> | null, range: KeyRange): RangeNode<W> | null {
    if (node === null) return null;
    const order = compareRange(range.from, range.to, node);
    if (order === 0) return join(node.left, node.right);
    if (order < 0) node.left = this.#remove(node.left, range);
    else node.right = this.#remove(node.right, range);
    refresh(node);
    return node;
  }

  #nextPriority(): number {
    let x = this.#priority;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#priority = x;
    return x >>> 0;
  }
}

interface RangeNode<W> {
  readonly from: Uint8Array;
  /** Null: no end. */
  readonly to: Uint8Array | null;
  /** The greatest end in this subtree; null: one has none. */
  maxTo: Uint8Array | null;
  readonly priority: number;
  readonly watchers: Set<W>;
  left: RangeNode<W> | null;
  right: RangeNode<W> | null;
}

function stab<W>(node: RangeNode<W>, key: Uint8Array, found: (watcher: W) => void): void {
  if (node.maxTo !== null && compareBytes(key, node.maxTo) >= 0) return;
  if (node.left !== null) stab(node.left, key, found);
  if (compareBytes(key, node.from) < 0) return;
  if (node.to === null || compareBytes(key, node.to) < 0) {
    for (const watcher of node.watchers) found(watcher);
  }
  if (node.right !== null) stab(node.right, key, found);
}

function compareRange<W>(from: Uint8Array, to: Uint8Array | null, node: RangeNode<W>): number {
  const order = compareBytes(from, node.from);
  if (order !== 0) return order;
  if (to === null || node.to === null) return to === node.to ? 0 : to === null ? 1 : -1;
  return compareBytes(to, node.to);
}

function greater(a: Uint8Array | null, b: Uint8Array | null): Uint8Array | null {
  if (a === null || b === null) return null;
  return compareBytes(a, b) >= 0 ? a : b;
}

function refresh<W>(node: RangeNode<W>): void {
  let max = node.to;
  if (node.left !== null) max = greater(max, node.left.maxTo);
  if (node.right !== null) max = greater(max, node.right.maxTo);
  node.maxTo = max;
}

function rotateRight<W>(node: RangeNode<W>): RangeNode<W> {
  const root = node.left as RangeNode<W>;
  node.left = root.right;
  root.right = node;
  refresh(node);
  refresh(root);
  return root;
}

function rotateLeft<W>(node: RangeNode<W>): RangeNode<W> {
  const root = node.right as RangeNode<W>;
  node.right = root.left;
  root.left = node;
  refresh(node);
  refresh(root);
  return root;
}

/** Two subtrees, all of `left` before all of `right`. */
function join<W>(left: RangeNode<W> | null, right: RangeNode<W> | null): RangeNode<W> | null {
  if (left === null) return right;
  if (right === null) return left;
  if (left.priority > right.priority) {
    left.right = join(left.right, right);
    refresh(left);
    return left;
  }
  right.left = join(left, right.left);
  refresh(right);
  return right;
}
