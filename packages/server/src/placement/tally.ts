import { assert } from '@flotilla/platform';
import type { Operation } from './operation.ts';
import type { PlacementState } from './placement-state.ts';
import type { Refusal } from './refusal.ts';
import { dimensions, placementLimits } from './settings.ts';
import { sharesOf, type Shares } from './shares.ts';

/**
 * The sums of a state as they will be after what one call has decided so far. The state itself is not touched.
 *
 * Balance is one number: the squares of what nodes have, over their shares, summed over all dimensions. A move or a
 * transfer for the sake of balance must lower it, so no sequence of them comes back to where it was: in a cluster that
 * stays as it is balancing ends, and nothing goes there and back.
 */
export class Tally {
  readonly state: PlacementState;
  readonly operations: Operation[] = [];
  readonly touched = new Set<number>();
  readonly refused = new Map<Refusal, number>();
  readonly shares: Shares;
  readonly amounts: readonly Float64Array[];
  readonly movesIn: Int32Array;
  readonly movesOut: Int32Array;
  readonly transfers: Int32Array;
  budgetBytes: number;
  balancedBytes = 0;
  /** Shards with a broken rule that had to wait for a limit. */
  waiting = 0;

  constructor(state: PlacementState) {
    const { nodes } = state;
    this.state = state;
    this.shares = sharesOf(state);
    this.amounts = nodes.amounts.map((amounts) => amounts.slice(0, nodes.count));
    this.movesIn = nodes.movesIn.slice(0, nodes.count);
    this.movesOut = nodes.movesOut.slice(0, nodes.count);
    this.transfers = nodes.transfers.slice(0, nodes.count);
    this.budgetBytes = state.budgetBytes;
  }

  get isFull(): boolean {
    return this.operations.length >= placementLimits.operationsPerCall;
  }

  refuse(refusal: Refusal): void {
    this.refused.set(refusal, (this.refused.get(refusal) ?? 0) + 1);
  }

  decide(operation: Operation): void {
    const { nodes, shards } = this.state;
    const row = shards.rowOf(operation.shard);
    assert(!this.touched.has(row), 'a call decides one thing for a shard');
    this.touched.add(row);
    this.operations.push(operation);
    if (operation.kind === 'add-learner') {
      const node = nodes.placeOf(operation.node);
      const leader = shards.leader[row] as number;
      this.movesIn[node] = (this.movesIn[node] as number) + 1;
      this.movesOut[leader] = (this.movesOut[leader] as number) + 1;
      this.#addReplica(row, node, 1);
      if (operation.replaces !== null) this.#addReplica(row, nodes.placeOf(operation.replaces), -1);
    } else if (operation.kind === 'transfer-leader') {
      const [from, to] = [nodes.placeOf(operation.from), nodes.placeOf(operation.to)];
      this.transfers[from] = (this.transfers[from] as number) + 1;
      this.transfers[to] = (this.transfers[to] as number) + 1;
      this.#addLeader(row, from, -1);
      this.#addLeader(row, to, 1);
    } else if (operation.kind === 'merge') {
      this.touched.add(shards.rowOf(operation.into));
    }
  }

  /** What a node has over its share; 1 is right. */
  level(dimension: number, node: number): number {
    const share = this.shares.share[dimension]?.[node] ?? 0;
    const amount = this.amounts[dimension]?.[node] ?? 0;
    return share > 0 ? amount / share : amount > 0 ? Infinity : 1;
  }

  /** Whether it is above its band, and by at least one replica or leader. */
  isOver(dimension: number, node: number, more = 0): boolean {
    const share = this.shares.share[dimension]?.[node] ?? 0;
    const amount = (this.amounts[dimension]?.[node] ?? 0) + more;
    return (
      amount > share * (1 + this.#band(dimension)) &&
      amount - share >= (this.shares.unit[dimension] as number) * 0.999
    );
  }

  isUnder(dimension: number, node: number, less = 0): boolean {
    const share = this.shares.share[dimension]?.[node] ?? 0;
    const amount = (this.amounts[dimension]?.[node] ?? 0) - less;
    return (
      amount < share * (1 - this.#band(dimension)) &&
      share - amount >= (this.shares.unit[dimension] as number) * 0.999
    );
  }

  isAbove(dimension: number, node: number): boolean {
    return this.level(dimension, node) > 1;
  }

  isBelow(dimension: number, node: number): boolean {
    return this.level(dimension, node) < 1;
  }

  /** How much better balanced the cluster is when `amount` goes from one node to another; below 0: worse. */
  gain(dimension: number, from: number, to: number, amount: number): number {
    const share = this.shares.share[dimension] as Float64Array;
    const amounts = this.amounts[dimension] as Float64Array;
    const [shareFrom, shareTo] = [share[from] as number, share[to] as number];
    if (shareTo <= 0) return -Infinity;
    if (shareFrom <= 0) return Infinity;
    const relief = (2 * (amounts[from] as number) - amount) / shareFrom;
    const burden = (2 * (amounts[to] as number) + amount) / shareTo;
    return (amount * (relief - burden)) / (this.shares.mean[dimension] as number);
  }

  /** How full a node would be with one replica more: what targets are compared by. */
  crowding(row: number, node: number): number {
    const { state } = this;
    return (
      this.#levelWith(0, node, 1) +
      this.#levelWith(1, node, state.replicaBytes(row)) +
      this.#levelWith(3, node, state.replicaLoad(row)) / 2
    );
  }

  #levelWith(dimension: number, node: number, more: number): number {
    const amount = (this.amounts[dimension]?.[node] ?? 0) + more;
    return amount / Math.max(Number.MIN_VALUE, this.shares.share[dimension]?.[node] ?? 0);
  }

  #band(dimension: number): number {
    const name = dimensions[dimension];
    return name === undefined ? 0 : this.state.settings.band[name];
  }

  #addReplica(row: number, node: number, sign: number): void {
    const [replicas, bytes, , load] = this.amounts as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    replicas[node] = (replicas[node] as number) + sign;
    bytes[node] = (bytes[node] as number) + sign * this.state.replicaBytes(row);
    load[node] = (load[node] as number) + sign * this.state.replicaLoad(row);
  }

  #addLeader(row: number, node: number, sign: number): void {
    const [, , leaders, load] = this.amounts as [Float64Array, Float64Array, Float64Array, Float64Array];
    leaders[node] = (leaders[node] as number) + sign;
    load[node] = (load[node] as number) + sign * this.state.loadOf(row);
  }
}
