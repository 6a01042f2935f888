import { assert } from '@flotilla/platform';
import { roles, type Role, type ShardView } from './cluster-view.ts';
import { grown } from './indexed-set.ts';
import type { NodeTable } from './node-table.ts';
import type { Operation } from './operation.ts';
import { placementLimits } from './settings.ts';

/** Shards in columns. A replica is a slot of its shard's row. */
export class ShardTable {
  count = 0;
  readonly stride: number;
  readonly #rows = new Map<number, number>();
  readonly #free: number[] = [];
  readonly #capacity: number;

  id: Float64Array;
  left: Float64Array;
  right: Float64Array;
  membership: Float64Array;
  range: Float64Array;
  policy: Uint8Array;
  bytes: Float64Array;
  writes: Float64Array;
  reads: Float64Array;
  flags: Uint8Array;
  leader: Int32Array;
  replaces: Int32Array;
  movedFrom: Int32Array;
  /** By slot: the node's place or -1, the role, the place in the node's list. */
  node: Int32Array;
  role: Uint8Array;
  listed: Int32Array;
  /** In flight, by row; most rows have none. */
  readonly operations = new Map<number, Operation>();
  need: Uint8Array;
  needPlace: Int32Array;

  constructor(replicasMax: number, capacity: number) {
    // A learner and a voter that leaves stand beside the replicas of the policy.
    this.stride = replicasMax + 2;
    this.#capacity = capacity;
    this.id = new Float64Array(capacity);
    this.left = new Float64Array(capacity);
    this.right = new Float64Array(capacity);
    this.membership = new Float64Array(capacity);
    this.range = new Float64Array(capacity);
    this.policy = new Uint8Array(capacity);
    this.bytes = new Float64Array(capacity);
    this.writes = new Float64Array(capacity);
    this.reads = new Float64Array(capacity);
    this.flags = new Uint8Array(capacity);
    this.leader = new Int32Array(capacity);
    this.replaces = new Int32Array(capacity);
    this.movedFrom = new Int32Array(capacity * placementLimits.movesRemembered);
    this.node = new Int32Array(capacity * this.stride).fill(-1);
    this.role = new Uint8Array(capacity * this.stride);
    this.listed = new Int32Array(capacity * this.stride);
    this.need = new Uint8Array(capacity);
    this.needPlace = new Int32Array(capacity);
  }

  rowOf(id: number): number {
    return this.#rows.get(id) ?? -1;
  }

  rows(): IterableIterator<number> {
    return this.#rows.values();
  }

  make(id: number): number {
    const row = this.#free.pop() ?? this.#rows.size;
    if (row >= this.id.length) this.#grow(Math.max(this.#capacity, this.id.length * 2));
    this.#rows.set(id, row);
    this.id[row] = id;
    this.need[row] = 0;
    this.count += 1;
    return row;
  }

  drop(row: number): void {
    this.#rows.delete(this.id[row] as number);
    this.#free.push(row);
    this.count -= 1;
  }

  write(row: number, view: ShardView, nodes: NodeTable): void {
    assert(view.replicas.length <= this.stride, () => `shard ${view.id} has few enough replicas`);
    assert(
      Number.isSafeInteger(view.bytes) &&
        Number.isSafeInteger(view.writes) &&
        Number.isSafeInteger(view.reads),
      'sizes and loads are whole numbers: sums of them do not drift',
    );
    this.left[row] = view.left ?? -1;
    this.right[row] = view.right ?? -1;
    this.membership[row] = view.epoch.membership;
    this.range[row] = view.epoch.range;
    this.policy[row] = view.policy;
    this.bytes[row] = view.bytes;
    this.writes[row] = view.writes;
    this.reads[row] = view.reads;
    this.flags[row] = (view.hotKey ? hotKeyFlag : 0) | (view.sticky ? stickyFlag : 0);
    this.leader[row] = view.leader === null ? -1 : nodes.placeOf(view.leader);
    this.replaces[row] = view.replaces === null ? -1 : nodes.placeOf(view.replaces);
    for (let i = 0; i < placementLimits.movesRemembered; i += 1) {
      const from = view.movedFrom[i];
      this.movedFrom[row * placementLimits.movesRemembered + i] =
        from === undefined ? -1 : nodes.placeOf(from);
    }
    for (let slot = 0; slot < this.stride; slot += 1) {
      const replica = view.replicas[slot];
      const at = row * this.stride + slot;
      this.node[at] = replica === undefined ? -1 : nodes.placeOf(replica.node);
      this.role[at] = replica === undefined ? 0 : roleCodes[replica.role];
      assert(
        replica === undefined || nodes.placeOf(replica.node) >= 0,
        () => `node ${replica?.node} is known`,
      );
    }
    if (view.operation === null) this.operations.delete(row);
    else this.operations.set(row, view.operation);
  }

  view(row: number, nodes: NodeTable): ShardView {
    const replicas = [];
    for (let at = row * this.stride; at < (row + 1) * this.stride; at += 1) {
      const node = this.node[at] as number;
      if (node >= 0) replicas.push({ node: nodes.id(node), role: roles[this.role[at] as number] as Role });
    }
    const idOf = (node: number | undefined): number | null =>
      node === undefined || node < 0 ? null : nodes.id(node);
    const [left, right] = [this.left[row], this.right[row]];
    return {
      id: this.id[row] as number,
      left: left === -1 ? null : (left as number),
      right: right === -1 ? null : (right as number),
      epoch: this.epoch(row),
      policy: this.policy[row] as number,
      bytes: this.bytes[row] as number,
      writes: this.writes[row] as number,
      reads: this.reads[row] as number,
      hotKey: this.hasHotKey(row),
      sticky: this.isSticky(row),
      replicas,
      leader: idOf(this.leader[row]),
      replaces: idOf(this.replaces[row]),
      movedFrom: this.#left(row).map((node) => nodes.id(node)),
      operation: this.operations.get(row) ?? null,
    };
  }

  epoch(row: number): { readonly membership: number; readonly range: number } {
    return { membership: this.membership[row] as number, range: this.range[row] as number };
  }

  hasHotKey(row: number): boolean {
    return ((this.flags[row] as number) & hotKeyFlag) !== 0;
  }

  isSticky(row: number): boolean {
    return ((this.flags[row] as number) & stickyFlag) !== 0;
  }

  hasLeft(row: number, node: number): boolean {
    const from = row * placementLimits.movesRemembered;
    for (let i = 0; i < placementLimits.movesRemembered; i += 1)
      if (this.movedFrom[from + i] === node) return true;
    return false;
  }

  #left(row: number): number[] {
    const from = row * placementLimits.movesRemembered;
    return [...this.movedFrom.subarray(from, from + placementLimits.movesRemembered)].filter(
      (node) => node >= 0,
    );
  }

  /** The slot of a replica on a node, or -1. */
  slotOn(row: number, node: number): number {
    // Empty slots hold -1, and so does who asks for a node that is not known.
    if (node < 0) return -1;
    const end = (row + 1) * this.stride;
    for (let at = row * this.stride; at < end; at += 1) if (this.node[at] === node) return at;
    return -1;
  }

  #grow(length: number): void {
    this.id = grown(this.id, length);
    this.left = grown(this.left, length);
    this.right = grown(this.right, length);
    this.membership = grown(this.membership, length);
    this.range = grown(this.range, length);
    this.policy = grown(this.policy, length);
    this.bytes = grown(this.bytes, length);
    this.writes = grown(this.writes, length);
    this.reads = grown(this.reads, length);
    this.flags = grown(this.flags, length);
    this.leader = grown(this.leader, length);
    this.replaces = grown(this.replaces, length);
    this.movedFrom = grown(this.movedFrom, length * placementLimits.movesRemembered);
    const used = this.node.length;
    this.node = grown(this.node, length * this.stride).fill(-1, used);
    this.role = grown(this.role, length * this.stride);
    this.listed = grown(this.listed, length * this.stride);
    this.need = grown(this.need, length);
    this.needPlace = grown(this.needPlace, length);
  }
}

export const roleCodes = {
  voter: 0,
  learner: 1,
  'caught-up': 2,
  joining: 3,
  leaving: 4,
} as const satisfies Record<Role, number>;
const hotKeyFlag = 1;
const stickyFlag = 2;
