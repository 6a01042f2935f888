import type { Random } from '@flotilla/platform';
import { emptyCensus, isSmall, mayMerge, need, takeCensus } from './needs.ts';
import type { Reason } from './operation.ts';
import type { PlacementState } from './placement-state.ts';
import type { Refusal } from './refusal.ts';
import { dimensions, placementLimits } from './settings.ts';
import { roleCodes } from './shard-table.ts';
import type { Tally } from './tally.ts';
import type { Targets } from './targets.ts';

/** In the order in which they count: bytes, replicas, load. */
const moveDimensions = [1, 0, 3] as const;
const transferDimensions = [2, 3] as const;
const reasonOf: readonly Reason[] = dimensions.map((dimension) => `balance-${dimension}` as const);

/**
 * Brings nodes back into their bands. A replica or an office goes only from a node above its share to one below, never
 * upsets a dimension that counts more, and always lowers the sum of squares ({@link Tally}): three fences against going
 * there and back.
 */
export class Balance {
  readonly #tally: Tally;
  readonly #state: PlacementState;
  readonly #targets: Targets;
  readonly #random: Random;
  readonly #census = emptyCensus();

  constructor(tally: Tally, targets: Targets, random: Random) {
    this.#tally = tally;
    this.#state = tally.state;
    this.#targets = targets;
    this.#random = random;
  }

  /** Moves are dear: they wait while a broken rule waits for the same limits. */
  run(): void {
    for (const dimension of transferDimensions) this.#transferOffices(dimension);
    if (this.#tally.waiting > 0) {
      this.#tally.refuse('rules-first');
      return;
    }
    for (const dimension of moveDimensions) this.#moveReplicas(dimension);
  }

  /** Why a shard is not to be touched for balance; null: it may be. */
  refusalOfShard(row: number): Refusal | null {
    const { shards, nodes } = this.#state;
    if (shards.operations.has(row) || this.#tally.touched.has(row)) return 'in-flight';
    if (isSmall(this.#state, row) || this.#isMergedInto(row)) return 'to-be-merged';
    if (shards.need[row] !== need.nothing) return 'rules-first';
    const census = takeCensus(this.#state, row, this.#census);
    if (census.learner >= 0) return 'catching-up';
    const leader = shards.leader[row] as number;
    if (leader < 0) return 'no-leader';
    // A shard that misses a voter for a moment, or is inside a change, is not weakened further.
    return census.live < census.voters || census.joint || nodes.heard[leader] === 0 ? 'rules-first' : null;
  }

  /** Why a replica may not go from one node to another for the sake of a dimension; null: it may. */
  refusalOfMove(row: number, from: number, to: number, dimension: number): Refusal | null {
    const tally = this.#tally;
    const { shards } = this.#state;
    if (shards.leader[row] === from && this.#state.replicasOf(row) > 1) return 'is-leader';
    const outside = tally.isOver(dimension, from) || tally.isUnder(dimension, to);
    if (!outside || !tally.isAbove(dimension, from) || !tally.isBelow(dimension, to)) return 'within-band';
    if (shards.hasLeft(row, to)) return 'moved-from';
    const target = this.#targets.refusalOf(row, to);
    if (target !== null) return target;
    if (!this.#keepsSpread(row, from, to)) return 'zone-share';
    const parts = [1, this.#state.replicaBytes(row), 0, this.#state.replicaLoad(row)];
    let gain = 0;
    let binds = true;
    for (const other of moveDimensions) {
      const amount = parts[other] as number;
      // What comes before it binds, what comes after it does not: a large replica may go where a small one comes from.
      if (binds && tally.isOver(other, to, amount)) return 'target-over';
      if (binds && tally.isUnder(other, from, amount)) return 'source-under';
      binds &&= other !== dimension;
      gain += tally.gain(other, from, to, amount);
    }
    return gain > placementLimits.leastGain ? null : 'no-gain';
  }

  /** Why the leader may not go from one node to another for the sake of a dimension; null: it may. */
  refusalOfTransfer(row: number, from: number, to: number, dimension: number): Refusal | null {
    const tally = this.#tally;
    const { shards, nodes, settings } = this.#state;
    const slot = shards.slotOn(row, to);
    if (slot < 0 || shards.role[slot] !== roleCodes.voter) return 'not-voter';
    if (!nodes.isServing(to)) return nodes.isDraining(to) ? 'draining' : 'joining';
    if (nodes.steady[to] === 0) return nodes.heard[to] === 0 ? 'silent' : 'unsteady';
    const outside = tally.isOver(dimension, from) || tally.isUnder(dimension, to);
    if (!outside || !tally.isAbove(dimension, from) || !tally.isBelow(dimension, to)) return 'within-band';
    const limit = settings.transfersPerNode;
    if ((tally.transfers[from] as number) >= limit || (tally.transfers[to] as number) >= limit)
      return 'transfers';
    const load = this.#state.loadOf(row);
    // For the load a hot shard may go where two idle ones come from.
    if (tally.isOver(3, to, load) || (dimension === 2 && tally.isOver(2, to, 1))) return 'target-over';
    if (tally.isUnder(3, from, load) || (dimension === 2 && tally.isUnder(2, from, 1))) return 'source-under';
    const gain = tally.gain(2, from, to, 1) + tally.gain(3, from, to, load);
    return gain > placementLimits.leastGain ? null : 'no-gain';
  }

  #moveReplicas(dimension: number): void {
    const { above, below, over, under } = this.#sides(dimension, 'move');
    for (const from of this.#window(over)) {
      this.#moveBetween(dimension, [from], () => this.#targets.draw(below, placementLimits.targetsPerZone));
      if (this.#mustStop()) return;
    }
    for (const to of this.#window(under)) {
      if (!this.#tally.isUnder(dimension, to)) continue;
      this.#moveBetween(dimension, this.#targets.draw(above, placementLimits.targetsPerZone), () => [to]);
      if (this.#mustStop()) return;
    }
  }

  #mustStop(): boolean {
    if (this.#tally.isFull) this.#tally.refuse('operations');
    else if (this.#tally.budgetBytes <= 0) this.#tally.refuse('budget');
    else return false;
    return true;
  }

  /** Moves the fittest replicas from some nodes to some others, a few of them. */
  #moveBetween(dimension: number, sources: readonly number[], draw: () => readonly number[]): void {
    const { shards, nodes } = this.#state;
    for (let moves = 0; moves < placementLimits.movesPerNode; moves += 1) {
      if (this.#tally.budgetBytes <= 0 || this.#tally.isFull) return;
      const targets = draw().filter((to) => this.#hasRoom(to));
      if (targets.length === 0) return;
      let [bestRow, bestFrom, bestTo, fitness] = [-1, -1, -1, -Infinity];
      for (const from of sources) {
        if (!this.#tally.isAbove(dimension, from)) continue;
        this.#eachReplica(from, placementLimits.replicasPerNode / sources.length, (row) => {
          if (this.refusalOfShard(row) !== null || !this.#maySend(row)) return;
          for (const to of targets) {
            if (this.refusalOfMove(row, from, to, dimension) !== null) continue;
            const its = this.#fitness(row, dimension, from, to);
            const isBetter = its > fitness || (its === fitness && this.#precedes(row, to, bestRow, bestTo));
            if (isBetter) [bestRow, bestFrom, bestTo, fitness] = [row, from, to, its];
          }
        });
      }
      if (bestRow < 0) {
        this.#tally.refuse('no-gain');
        return;
      }
      const bytes = shards.bytes[bestRow] as number;
      this.#tally.budgetBytes -= bytes;
      this.#tally.balancedBytes += bytes;
      this.#tally.decide({
        kind: 'add-learner',
        shard: shards.id[bestRow] as number,
        epoch: shards.epoch(bestRow),
        reason: reasonOf[dimension] as Reason,
        node: nodes.id(bestTo),
        replaces: nodes.id(bestFrom),
      });
    }
  }

  #transferOffices(dimension: number): void {
    const { over, under } = this.#sides(dimension, 'transfer');
    const tally = this.#tally;
    for (const from of this.#window(over)) {
      for (
        let count = 0;
        count < placementLimits.transfersPerNode && tally.isOver(dimension, from);
        count += 1
      ) {
        if (tally.isFull || !this.#transferBest(dimension, from, 'give')) break;
      }
    }
    for (const to of this.#window(under)) {
      for (
        let count = 0;
        count < placementLimits.transfersPerNode && tally.isUnder(dimension, to);
        count += 1
      ) {
        if (tally.isFull || !this.#transferBest(dimension, to, 'take')) break;
      }
    }
  }

  #transferBest(dimension: number, node: number, direction: 'give' | 'take'): boolean {
    const { shards, nodes } = this.#state;
    let [bestRow, bestTo, most] = [-1, -1, 0];
    this.#eachReplica(node, placementLimits.replicasPerNode * 3, (row) => {
      const leader = shards.leader[row] as number;
      if ((direction === 'give') !== (leader === node) || this.refusalOfShard(row) !== null) return;
      for (let at = row * shards.stride; at < (row + 1) * shards.stride; at += 1) {
        const to = shards.node[at] as number;
        if (to < 0 || to === leader || (direction === 'take' && to !== node)) continue;
        if (this.refusalOfTransfer(row, leader, to, dimension) !== null) continue;
        const gain =
          this.#tally.gain(2, leader, to, 1) + this.#tally.gain(3, leader, to, this.#state.loadOf(row));
        if (gain > most || (gain === most && this.#precedes(row, to, bestRow, bestTo))) {
          [bestRow, bestTo, most] = [row, to, gain];
        }
      }
    });
    if (bestRow < 0) return false;
    this.#tally.decide({
      kind: 'transfer-leader',
      shard: shards.id[bestRow] as number,
      epoch: shards.epoch(bestRow),
      reason: reasonOf[dimension] as Reason,
      from: nodes.id(shards.leader[bestRow] as number),
      to: nodes.id(bestTo),
    });
    return true;
  }

  /** Nodes on either side of their share, and those outside of the band, the furthest first. */
  #sides(dimension: number, kind: 'move' | 'transfer'): Sides {
    const { nodes } = this.#state;
    const tally = this.#tally;
    const sides: Sides = { above: [], below: [], over: [], under: [] };
    for (const node of nodes.order) {
      if ((tally.shares.share[dimension]?.[node] ?? 0) <= 0) continue;
      // One that has just come back gets nothing, but what is too much on it may go.
      const isSteady = nodes.steady[node] === 1;
      if (!isSteady && (kind === 'transfer' || nodes.heard[node] === 0 || !tally.isAbove(dimension, node)))
        continue;
      // Load that comes with offices is moved with them, at no cost: after a restart a node is idle for want of offices.
      const isForOffices = tally.isAbove(3, node) ? tally.isOver(2, node) : tally.isUnder(2, node);
      if (dimension === 3 && kind === 'move' && isForOffices) continue;
      if (tally.isAbove(dimension, node)) sides.above.push(node);
      else sides.below.push(node);
      if (tally.isOver(dimension, node)) sides.over.push(node);
      else if (tally.isUnder(dimension, node)) sides.under.push(node);
    }
    const level = (node: number): number => tally.level(dimension, node);
    sides.over.sort((a, b) => level(b) - level(a) || nodes.id(a) - nodes.id(b));
    sides.under.sort((a, b) => level(a) - level(b) || nodes.id(a) - nodes.id(b));
    return sides;
  }

  /** All, or as many as a call may look at, from a place that is drawn: nobody waits for ever behind hopeless cases. */
  #window(all: readonly number[]): readonly number[] {
    const count = placementLimits.nodesPerDimension;
    if (all.length <= count) return all;
    const from = this.#random.below(all.length);
    return [...all.slice(from, from + count), ...all.slice(0, Math.max(0, from + count - all.length))];
  }

  #eachReplica(node: number, count: number, look: (row: number) => void): void {
    const { nodes, shards } = this.#state;
    const listed = nodes.listed[node] as number;
    const list = nodes.lists[node] as Int32Array;
    const start = listed <= count ? 0 : this.#random.below(listed);
    const end = Math.min(listed, count);
    for (let i = 0; i < end; i += 1) {
      const at = list[(start + i) % listed] as number;
      if (shards.role[at] === roleCodes.voter) look(Math.floor(at / shards.stride));
    }
  }

  /** A small shard where replicas are too many, one of the right size where both are: few bytes go a long way. */
  #fitness(row: number, dimension: number, from: number, to: number): number {
    const bytes = this.#state.replicaBytes(row);
    if (dimension === 3) return this.#state.replicaLoad(row) / bytes;
    const wanted =
      (this.#missing(1, from, to) / this.#missing(0, from, to)) * (this.#tally.shares.unit[1] as number);
    return -Math.abs(Math.log(bytes / wanted));
  }

  /** What one node has too much of, and the other too little, in mean replicas. */
  #missing(dimension: number, from: number, to: number): number {
    return Math.max(0.01, this.#excess(dimension, from) - this.#excess(dimension, to));
  }

  #excess(dimension: number, node: number): number {
    const { share, unit } = this.#tally.shares;
    const amount = this.#tally.amounts[dimension]?.[node] ?? 0;
    return (amount - (share[dimension]?.[node] ?? 0)) / (unit[dimension] as number);
  }

  #precedes(row: number, to: number, otherRow: number, otherTo: number): boolean {
    const { shards, nodes } = this.#state;
    if (otherRow < 0) return true;
    const [id, otherId] = [shards.id[row] as number, shards.id[otherRow] as number];
    return id < otherId || (id === otherId && nodes.id(to) < nodes.id(otherTo));
  }

  #hasRoom(node: number): boolean {
    return (this.#tally.movesIn[node] as number) < this.#state.settings.movesInPerNode;
  }

  #maySend(row: number): boolean {
    const leader = this.#state.shards.leader[row] as number;
    return (this.#tally.movesOut[leader] as number) < this.#state.settings.movesOutPerNode;
  }

  #isMergedInto(row: number): boolean {
    if (!mayMerge(this.#state, row)) return false;
    const { shards } = this.#state;
    const left = shards.rowOf(shards.left[row] as number);
    return left >= 0 && isSmall(this.#state, left);
  }

  /** In the zone of the replica that goes, or in one that has fewer of the shard. */
  #keepsSpread(row: number, from: number, to: number): boolean {
    const { shards, nodes } = this.#state;
    const [zoneFrom, zoneTo] = [nodes.zone[from], nodes.zone[to]];
    if (zoneFrom === zoneTo) return true;
    let [there, here] = [0, 0];
    for (let at = row * shards.stride; at < (row + 1) * shards.stride; at += 1) {
      const node = shards.node[at] as number;
      if (node < 0) continue;
      if (nodes.zone[node] === zoneTo) there += 1;
      if (nodes.zone[node] === zoneFrom) here += 1;
    }
    return there < here;
  }
}

interface Sides {
  readonly above: number[];
  readonly below: number[];
  readonly over: number[];
  readonly under: number[];
}
