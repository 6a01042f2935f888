import { holderOf } from '../../../simulation/scenarios/sharded/shard-operator.ts';
import type { ClusterSight, SeenShard } from './cluster-sight.ts';

interface LabPlaces {
  readonly groupOf: (node: number) => number;
  readonly groupSize: number;
  /** First keys of the courses' shards. */
  readonly cuts: readonly string[];
}

/** What was seen of a cluster, in the courses' words. */
export class LabSight {
  readonly #sight: ClusterSight;
  readonly #places: LabPlaces;

  constructor(sight: ClusterSight, places: LabPlaces) {
    this.#sight = sight;
    this.#places = places;
  }

  /** Groups whose nodes have all joined, in order. */
  get joined(): readonly number[] {
    const { groupOf, groupSize } = this.#places;
    const counts = new Map<number, number>();
    for (const { node, state, group } of this.#sight.nodes) {
      if (state === 'joined' && group !== null)
        counts.set(groupOf(node), (counts.get(groupOf(node)) ?? 0) + 1);
    }
    const whole = [...counts].filter(([, count]) => count === groupSize);
    return whole.map(([group]) => group).sort((a, b) => a - b);
  }

  hasLeft(group: number): boolean {
    return this.#sight.nodes.every((its) => this.#places.groupOf(its.node) !== group || its.group === null);
  }

  /** The group that has the shard; null: none has, or not only one. */
  holder(shard: number): number | null {
    const { groupOf, groupSize } = this.#places;
    const found = this.#shard(shard);
    return found === null ? null : holderOf(found.voters, groupOf, groupSize);
  }

  /** Every shard is with one group that has joined, and no group has two more than another. */
  get isEven(): boolean {
    const { joined } = this;
    const counts = new Map(joined.map((group) => [group, 0]));
    for (let shard = 0; shard < this.#places.cuts.length; shard += 1) {
      const holder = this.holder(shard);
      if (holder === null || !counts.has(holder) || this.#shard(shard)?.isQuiet !== true) return false;
      counts.set(holder, (counts.get(holder) ?? 0) + 1);
    }
    return Math.max(...counts.values()) <= Math.min(...counts.values()) + 1;
  }

  /** Nothing is under way, and every shard has all its replicas, in one group. */
  get isQuiet(): boolean {
    const { shards, nodes } = this.#sight;
    if (nodes.some(({ leaving }) => leaving)) return false;
    return shards.every(({ id, isQuiet, voters }) => {
      return isQuiet && (id === 0 || voters.length === this.#places.groupSize);
    });
  }

  #shard(shard: number): SeenShard | null {
    const cut = this.#places.cuts[shard];
    return this.#sight.shards.find(({ start }) => start === cut) ?? null;
  }
}
