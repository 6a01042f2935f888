import { assert } from '@flotilla/platform';
import type { ShardView } from '../../src/placement/cluster-view.ts';
import type { PlacementState } from '../../src/placement/placement-state.ts';
import type { PlacementSettings } from '../../src/placement/settings.ts';

/** What must be true of a shard at every moment. */
export function judgeShard(state: PlacementState | null, view: ShardView, settings: PlacementSettings): void {
  const wanted = settings.policies[view.policy]!.replicas;
  const nodes = new Set(view.replicas.map(({ node }) => node));
  assert(nodes.size === view.replicas.length, () => `shard ${view.id} has two replicas on a node`);
  const voters = view.replicas.filter(({ role }) => role === 'voter' || role === 'leaving');
  const next = view.replicas.filter(({ role }) => role === 'voter' || role === 'joining');
  assert(voters.length > 0 && next.length > 0, () => `shard ${view.id} has a voter`);
  assert(view.replicas.length <= wanted + 2, () => `shard ${view.id} has ${view.replicas.length} replicas`);
  if (state === null || view.leader === null) return;
  const before = state.shard(view.id);
  if (before === null || before.epoch.membership === view.epoch.membership) return;
  const live = (of: typeof voters): number =>
    of.filter(({ node }) => state.nodes.heard[state.nodes.placeOf(node)] === 1).length;
  for (const half of [voters, next]) {
    assert(live(half) > half.length >> 1, () => `a change leaves shard ${view.id} without a majority`);
  }
}

/** What must be true when a cluster has come to rest. Judged from the views, with no part of what decides. */
export function judgeEnd(state: PlacementState): void {
  const nodes = state.nodes.views;
  const able = nodes.filter((node) => node.life === 'serving' && !node.silent);
  const zones = [...new Set(able.map(({ zone }) => zone))];
  const holding = new Map<number, number>();
  let replicasWanted = 0;
  for (const view of state.shardViews()) {
    const wanted = state.settings.policies[view.policy]!.replicas;
    replicasWanted += wanted;
    assert(
      view.replicas.length === Math.min(wanted, able.length) &&
        view.replicas.every(({ role }) => role === 'voter'),
      () => `shard ${view.id} has ${view.replicas.length} replicas of ${wanted} at rest`,
    );
    assert(view.leader !== null, () => `shard ${view.id} has a leader at rest`);
    const counts = new Map<string, number>(zones.map((zone) => [zone, 0]));
    for (const { node } of view.replicas) {
      holding.set(node, (holding.get(node) ?? 0) + 1);
      const { zone } = nodes[state.nodes.placeOf(node)]!;
      counts.set(zone, (counts.get(zone) ?? 0) + 1);
    }
    const most = Math.max(...counts.values());
    for (const [zone, count] of counts) {
      const further = able.filter((node) => node.zone === zone).length > count;
      assert(!further || most - count < 2, () => `shard ${view.id} is not spread over its zones at rest`);
    }
  }
  for (const node of nodes) {
    const held = holding.get(node.id) ?? 0;
    assert(held === 0 || (node.life === 'serving' && !node.silent), () => `node ${node.id} is empty at rest`);
  }
  judgeBalance(state, able.length, zones.length, replicasWanted);
}

/** Loose on purpose: bytes, loads and numbers pull in different directions. */
function judgeBalance(state: PlacementState, able: number, zones: number, replicas: number): void {
  const { nodes } = state;
  if (zones > 1 || replicas / able < 8) return;
  const capacities = new Set(nodes.views.map(({ capacityBytes }) => capacityBytes));
  if (capacities.size > 1) return;
  const counts = nodes.views
    .filter((node) => node.life === 'serving' && !node.silent)
    .map(({ id }) => nodes.amounts[0]![nodes.placeOf(id)]!);
  const mean = replicas / able;
  assert(
    Math.max(...counts) <= mean * 2 + 2,
    () => `a node has ${Math.max(...counts)} replicas, the mean is ${mean}`,
  );
}
