import type { PlacementState } from './placement-state.ts';
import { dimensions } from './settings.ts';

/** What each node should have of each dimension: its part by capacity, as far as the rules let it have that. */
export interface Shares {
  /** By dimension and node; 0 where the node is not to have anything. */
  readonly share: readonly Float64Array[];
  /** By dimension: the mean of one replica, or of one leader, and the mean of a node. */
  readonly unit: readonly number[];
  readonly mean: readonly number[];
}

export function sharesOf(state: PlacementState): Shares {
  const { nodes } = state;
  const holds = (place: number): boolean => nodes.isServing(place) && nodes.lost[place] === 0;
  const leads = (place: number): boolean => nodes.isServing(place) && nodes.steady[place] === 1;
  const fractions = [
    spreadFractions(state, nodes.capacityBytes, holds),
    spreadFractions(state, nodes.capacityBytes, holds),
    plainFractions(state, nodes.capacityLoad, leads),
    spreadFractions(state, nodes.capacityLoad, holds),
  ];
  const totals = nodes.amounts.map((amounts) => sum(amounts, nodes.count));
  const counts = [totals[0], totals[0], totals[2], totals[0]];
  const members = Math.max(1, fractions[0]?.filter((fraction) => fraction > 0).length ?? 0);
  return {
    share: fractions.map((fraction, dimension) =>
      fraction.map((part) => part * (totals[dimension] as number)),
    ),
    unit: dimensions.map(
      (_, dimension) => (totals[dimension] as number) / Math.max(1, counts[dimension] as number),
    ),
    mean: totals.map((total) => Math.max(Number.MIN_VALUE, total / members)),
  };
}

function plainFractions(
  { nodes }: PlacementState,
  weights: Float64Array,
  belongs: (place: number) => boolean,
): Float64Array {
  const result = new Float64Array(nodes.count);
  for (let place = 0; place < nodes.count; place += 1)
    if (belongs(place)) result[place] = weights[place] as number;
  const total = sum(result, nodes.count);
  return total === 0 ? result : result.map((weight) => weight / total);
}

/**
 * Each zone has between ⌊replicas / zones⌋ and ⌈replicas / zones⌉ replicas of a shard, whatever its size, and a node at
 * most one: a zone or a node that is larger than that is full before the others, and the others have more.
 */
function spreadFractions(
  state: PlacementState,
  weights: Float64Array,
  belongs: (place: number) => boolean,
): Float64Array {
  const { nodes } = state;
  const result = plainFractions(state, weights, belongs);
  const zoneWeights = new Float64Array(nodes.zones.length);
  for (let place = 0; place < nodes.count; place += 1) {
    const zone = nodes.zone[place] as number;
    zoneWeights[zone] = (zoneWeights[zone] as number) + (result[place] as number);
  }
  const used = zoneWeights.filter((weight) => weight > 0).length;
  const { least, most, node } = boundsOf(state, used);
  const zoneShares = filled(zoneWeights, least, most, 1);
  const members: number[][] = nodes.zones.map(() => []);
  for (let place = 0; place < nodes.count; place += 1) {
    if ((result[place] as number) > 0) members[nodes.zone[place] as number]?.push(place);
  }
  members.forEach((places, zone) => {
    const parts = filled(
      Float64Array.from(places, (place) => result[place] as number),
      0,
      node,
      zoneShares[zone] as number,
    );
    places.forEach((place, at) => {
      result[place] = parts[at] as number;
    });
  });
  return result;
}

function boundsOf(state: PlacementState, zones: number): { least: number; most: number; node: number } {
  let [shards, replicas, floors, ceilings] = [0, 0, 0, 0];
  state.settings.policies.forEach((policy, place) => {
    const count = state.shardsOfPolicy[place] as number;
    shards += count;
    replicas += count * policy.replicas;
    floors += count * Math.floor(policy.replicas / Math.max(1, zones));
    ceilings += count * Math.ceil(policy.replicas / Math.max(1, zones));
  });
  if (replicas === 0) return { least: 0, most: 1, node: 1 };
  return { least: floors / replicas, most: ceilings / replicas, node: shards / replicas };
}

/** Parts of `total` in proportion to the weights, none of them out of bounds, as far as that is possible. */
function filled(weights: Float64Array, least: number, most: number, total: number): Float64Array {
  const result = new Float64Array(weights.length);
  const fixed = new Uint8Array(weights.length);
  let left = total;
  for (let round = 0; round <= weights.length; round += 1) {
    let open = 0;
    for (let i = 0; i < weights.length; i += 1) if (fixed[i] === 0) open += weights[i] as number;
    if (open === 0) break;
    let low = 0;
    let high = 0;
    for (let i = 0; i < weights.length; i += 1) {
      if (fixed[i] === 1 || weights[i] === 0) continue;
      const part = (left * (weights[i] as number)) / open;
      result[i] = part;
      low += Math.max(0, least - part);
      high += Math.max(0, part - most);
    }
    if (low <= rounding && high <= rounding) break;
    // The side that is further out of its bounds is fixed first: that can only bring the other side back in.
    for (let i = 0; i < weights.length; i += 1) {
      if (fixed[i] === 1 || weights[i] === 0) continue;
      const part = result[i] as number;
      const bound = high >= low ? most : least;
      if (high >= low ? part < most : part > least) continue;
      result[i] = bound;
      fixed[i] = 1;
    }
    left = total;
    for (let i = 0; i < weights.length; i += 1) if (fixed[i] === 1) left -= result[i] as number;
    left = Math.max(0, left);
  }
  return result;
}

const rounding = 1e-9;

function sum(values: Float64Array, count: number): number {
  let total = 0;
  for (let i = 0; i < count; i += 1) total += values[i] as number;
  return total;
}
