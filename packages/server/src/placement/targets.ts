import type { Random } from '@flotilla/platform';
import type { Refusal } from './refusal.ts';
import { placementLimits } from './settings.ts';
import { roleCodes } from './shard-table.ts';
import type { Tally } from './tally.ts';

/** What was found out about one node, for an explanation. */
export interface Candidate {
  readonly node: number;
  /** Null: it was chosen. */
  readonly refusal: Refusal | null;
}

export type Trace = Candidate[];

/** Finds nodes for replicas: the zones that want one most, the least full of a few nodes there. */
export class Targets {
  readonly #tally: Tally;
  readonly #random: Random;
  /** By zone: nodes that may take a replica in; those whose limit is reached go when they are met. */
  readonly #open: number[][];
  /** By zone: nodes that could, if no limit were in the way. */
  readonly #couldTake: number[][];
  readonly #zoneCounts: Int32Array;

  constructor(tally: Tally, random: Random) {
    const { nodes, settings } = tally.state;
    this.#tally = tally;
    this.#random = random;
    this.#open = nodes.zones.map(() => []);
    this.#couldTake = nodes.zones.map(() => []);
    this.#zoneCounts = new Int32Array(nodes.zones.length);
    for (const node of nodes.order) {
      if (!nodes.isServing(node) || nodes.heard[node] === 0) continue;
      if ((nodes.usedBytes[node] as number) >= settings.diskFullShare * (nodes.capacityBytes[node] as number))
        continue;
      this.#couldTake[nodes.zone[node] as number]?.push(node);
      if (nodes.steady[node] === 1 && (tally.movesIn[node] as number) < settings.movesInPerNode) {
        this.#open[nodes.zone[node] as number]?.push(node);
      }
    }
  }

  get areExhausted(): boolean {
    return this.#open.every((zone) => zone.length === 0);
  }

  /**
   * A node for a replica of a shard, beside its voters but the one that leaves; or why there is none. With `moreLevel`
   * the zone must be better than that of the replica that leaves.
   */
  forRule(row: number, leaving: number, mustSpread: boolean, trace: Trace | null): number | Refusal {
    const { nodes, shards } = this.#tally.state;
    this.#countZones(row, leaving);
    const counts = this.#zoneCounts;
    const zones = nodes.zones
      .map((_, zone) => zone)
      .sort(
        (a, b) => (counts[a] as number) - (counts[b] as number) || (this.#name(a) < this.#name(b) ? -1 : 1),
      );
    const leavingZone = leaving >= 0 ? (nodes.zone[shards.node[leaving] as number] as number) : -1;
    let refusal: Refusal = 'zone-share';
    for (let from = 0; from < zones.length;) {
      const count = counts[zones[from] as number] as number;
      let to = from;
      while (to < zones.length && counts[zones[to] as number] === count) to += 1;
      const group = zones.slice(from, to);
      from = to;
      if (mustSpread && count >= (counts[leavingZone] as number)) {
        if (trace !== null) for (const zone of group) this.#note(row, zone, 'zone-share', trace);
        continue;
      }
      const best = this.#bestOf(row, group, trace);
      if (typeof best === 'number') return best;
      refusal = best;
      // A zone that has nodes for it, only not now, is waited for: in another one the replica would have to move again.
      if (group.some((zone) => this.#hasFurther(row, zone))) return refusal;
    }
    return refusal;
  }

  /** Up to `count` nodes of a list, all of them when there are no more. */
  draw(list: readonly number[], count: number): readonly number[] {
    if (list.length <= count) return list;
    const start = this.#random.below(list.length);
    const step = Math.max(1, Math.floor(list.length / count));
    return Array.from({ length: count }, (_, i) => list[(start + i * step) % list.length] as number);
  }

  /** Why a node may not get a replica of a shard; null: it may. */
  refusalOf(row: number, node: number): Refusal | null {
    const tally = this.#tally;
    const { nodes, shards, settings } = tally.state;
    if (shards.slotOn(row, node) >= 0) return 'holds-replica';
    if (!nodes.isServing(node)) return nodes.isDraining(node) ? 'draining' : 'joining';
    if (nodes.heard[node] === 0) return 'silent';
    if (((nodes.policies[node] as number) & (1 << (shards.policy[row] as number))) === 0) return 'labels';
    if (nodes.steady[node] === 0) return 'unsteady';
    const used = Math.max(
      (nodes.usedBytes[node] as number) + (nodes.incomingBytes[node] as number),
      tally.amounts[1]?.[node] ?? 0,
    );
    const full = settings.diskFullShare * (nodes.capacityBytes[node] as number);
    if (used + (shards.bytes[row] as number) > full) return 'disk-full';
    return (tally.movesIn[node] as number) >= settings.movesInPerNode ? 'moves-in' : null;
  }

  #bestOf(row: number, zones: readonly number[], trace: Trace | null): number | Refusal {
    const { nodes } = this.#tally.state;
    let [best, crowding] = [-1, Infinity];
    let refusal: Refusal = 'zone-share';
    for (const zone of zones) {
      const open = this.#open[zone] as number[];
      if (open.length === 0 && (this.#couldTake[zone] as number[]).length > 0) refusal = 'moves-in';
      const drawn = this.draw(open, placementLimits.targetsPerZone);
      let reached = false;
      for (const node of drawn) {
        const because = this.refusalOf(row, node);
        if (because !== null) {
          refusal = because;
          reached ||= because === 'moves-in';
          continue;
        }
        const its = this.#tally.crowding(row, node);
        if (its < crowding || (its === crowding && nodes.id(node) < nodes.id(best)))
          [best, crowding] = [node, its];
      }
      if (reached) this.#dropFull(zone);
    }
    if (trace !== null) for (const zone of zones) this.#note(row, zone, 'not-better', trace, best);
    return best >= 0 ? best : refusal;
  }

  #name(zone: number): string {
    return this.#tally.state.nodes.zones[zone] ?? '';
  }

  #dropFull(zone: number): void {
    const { movesIn, state } = this.#tally;
    this.#open[zone] = (this.#open[zone] as number[]).filter(
      (node) => (movesIn[node] as number) < state.settings.movesInPerNode,
    );
  }

  #hasFurther(row: number, zone: number): boolean {
    const { nodes, shards } = this.#tally.state;
    const policyBit = 1 << (shards.policy[row] as number);
    const could = this.#couldTake[zone] as number[];
    // Not each of thousands: no shard is on more than the first few.
    for (let i = 0, found = 0; i < could.length && found < 1; i += 1) {
      const node = could[i] as number;
      if (((nodes.policies[node] as number) & policyBit) === 0) continue;
      const because = this.refusalOf(row, node);
      if (because === null || because === 'moves-in' || because === 'unsteady') return true;
    }
    return false;
  }

  #countZones(row: number, leaving: number): void {
    const { nodes, shards } = this.#tally.state;
    this.#zoneCounts.fill(0);
    for (let at = row * shards.stride; at < (row + 1) * shards.stride; at += 1) {
      const node = shards.node[at] as number;
      if (node < 0 || at === leaving || nodes.lost[node] === 1 || shards.role[at] !== roleCodes.voter)
        continue;
      const zone = nodes.zone[node] as number;
      this.#zoneCounts[zone] = (this.#zoneCounts[zone] as number) + 1;
    }
  }

  #note(row: number, zone: number, otherwise: Refusal, trace: Trace, chosen = -1): void {
    const { nodes } = this.#tally.state;
    for (const node of nodes.order) {
      if (trace.length >= placementLimits.explainedNodes) return;
      if (nodes.zone[node] !== zone) continue;
      const refusal = node === chosen ? null : (this.refusalOf(row, node) ?? otherwise);
      trace.push({ node: nodes.id(node), refusal });
    }
  }
}
