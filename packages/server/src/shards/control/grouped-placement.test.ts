import { expect, it } from 'vitest';
import type { ClusterState, NodeStatus, ShardReport, ShardStatus } from './cluster-state.ts';
import { controlSettings } from './control-settings.ts';
import { GroupedPlacement } from './grouped-placement.ts';
import { nextSteps } from './next-steps.ts';

const nowMs = 1_000_000;

/** Node 10 g + n is of group g; nodes 1 to 3 are of none. */
function node(id: number, more: Partial<NodeStatus> = {}): NodeStatus {
  const group = Math.floor(id / 10);
  return {
    node: id,
    state: 'joined',
    zone: '',
    labels: group === 0 ? [] : [`group=${group}`],
    live: true,
    sinceMs: 0,
    usedBytes: 0,
    capacityBytes: 2 ** 40,
    ...more,
  };
}

function shard(id: number, voters: readonly number[], more: Partial<ShardReport> = {}): ShardStatus {
  const span = { from: Uint8Array.of(id), to: null };
  const report: ShardReport = {
    shard: id,
    leader: voters[0] ?? 0,
    term: 1,
    range: 1,
    voters,
    outgoing: [],
    learners: [],
    draining: false,
    bytes: 0,
    keys: 2,
    writes: 0,
    reads: 0,
    hotKey: false,
    divisible: false,
    ...more,
  };
  return { shard: id, span, range: 1, membership: 1, nodes: voters, assigned: null, report, movedFrom: [] };
}

const groupOf = (group: number): number[] => [1, 2, 3].map((n) => 10 * group + n);

function cluster(
  nodes: readonly NodeStatus[],
  shards: readonly ShardStatus[],
): ClusterState & { readonly shards: readonly ShardStatus[] } {
  const kept = new Set(shards.map((its) => its.shard));
  const wishes = {
    replicas: 3,
    replicasOf: new Map(),
    kept,
    merges: new Map(),
    leaving: new Set<number>(),
    presplits: [],
  };
  return { nowMs, configuration: 1, nodes, shards: [shard(0, [1, 2, 3]), ...shards], wishes };
}

function steps(state: ClusterState): readonly (readonly [number, readonly number[]])[] {
  const options = { settings: controlSettings(60_000), seed: 1, budgetBytes: 2 ** 40, underWay: new Map() };
  return nextSteps(state, options).steps.map((step) => {
    if (step.kind !== 'assign') throw new Error(`a step is ${step.kind}`);
    return [step.shard, step.nodes];
  });
}

const orderers = [1, 2, 3].map((id) => node(id));
const group = (id: number, more: Partial<NodeStatus> = {}): NodeStatus[] =>
  groupOf(id).map((each) => node(each, more));

it('without groups there is nothing to see', () => {
  expect(GroupedPlacement.of(cluster(orderers, []))).toBeNull();
});

it('a group that joins gets whole shards, as many as make it even; nodes without a group get none', () => {
  const shards = [1, 2, 3, 4].map((id) => shard(id, groupOf(1)));
  const decided = steps(cluster([...orderers, ...group(1), ...group(2)], shards));
  expect(decided).toHaveLength(2);
  for (const [, nodes] of decided) expect(nodes).toEqual(groupOf(2));
});

it('a group of which one node drains, or too few have joined, gives everything away', () => {
  const shards = [shard(1, groupOf(1)), shard(2, groupOf(2))];
  const draining = [node(11, { state: 'draining' }), node(12), node(13)];
  expect(steps(cluster([...draining, ...group(2)], shards))).toEqual([[1, groupOf(2)]]);
  expect(steps(cluster([...group(1).slice(1), ...group(2)], shards))).toEqual([[1, groupOf(2)]]);
});

it('a shard goes to those of a group that live, and to the others when they are back', () => {
  const asleep = node(21, { live: false, sinceMs: 0 });
  const shards = [shard(1, groupOf(1)), shard(2, groupOf(1))];
  expect(steps(cluster([...group(1), asleep, ...group(2).slice(1)], shards))).toEqual([[1, [22, 23]]]);
  const behind = [shard(1, [22, 23]), shard(2, groupOf(1))];
  expect(steps(cluster([...group(1), asleep, ...group(2).slice(1)], behind))).toEqual([]);
  expect(steps(cluster([...group(1), ...group(2)], behind))).toEqual([[1, groupOf(2)]]);
});

it('a newcomer that falls asleep is not waited for when the others are enough', () => {
  const asleep = node(21, { live: false, sinceMs: 0 });
  const onItsWay = { ...shard(1, groupOf(1), { learners: [22] }), assigned: groupOf(2) };
  const nodes = [...group(1), asleep, ...group(2).slice(1)];
  expect(steps(cluster(nodes, [onItsWay]))).toEqual([[1, [22, 23]]]);
  const justNow = node(21, { live: false, sinceMs: nowMs - 10 });
  expect(steps(cluster([...group(1), justNow, ...group(2).slice(1)], [onItsWay]))).toEqual([]);
});

// Scenario 64 (0 clients, unreliable), seed 1: it was asked for again and again, and refused, for 10 s.
it('a shard on its way between groups that both drain goes where it may, one newcomer asleep or not', () => {
  const draining = (id: number, live = true): NodeStatus =>
    node(id, { state: 'draining', live, sinceMs: live ? 0 : nowMs - 2_000 });
  const nodes = [
    ...group(1),
    draining(21, false),
    draining(22),
    draining(23),
    ...group(3).map((its) => draining(its.node)),
  ];
  const between = { ...shard(1, [22, 31, 32, 33]), assigned: groupOf(2) };
  expect(steps(cluster(nodes, [between]))).toEqual([[1, groupOf(3)]]);
  const held = { ...shard(1, groupOf(3)), assigned: groupOf(3) };
  expect(steps(cluster(nodes, [held]))).toEqual([[1, groupOf(1)]]);
});

// Scenario 64 (0 clients), seed 1: nodes drain one after the other, and each step in vain takes time.
it('to a group of which one node drains already nothing goes, and no office of another that drains', () => {
  const half = [node(21, { state: 'draining' }), node(22), node(23)];
  const onItsWay = { ...shard(1, groupOf(1), { learners: groupOf(2) }), assigned: groupOf(2) };
  expect(steps(cluster([...group(1), ...half], [onItsWay]))).toEqual([[1, groupOf(1)]]);
  const idle = cluster([...group(1), ...half], [shard(1, groupOf(1))]);
  const everybody = idle.nodes.map((its) => its.node);
  const office = { ...idle, shards: [shard(0, everybody, { leader: 21 }), ...idle.shards.slice(1)] };
  const options = { settings: controlSettings(60_000), seed: 1, budgetBytes: 0, underWay: new Map() };
  expect(nextSteps(office, options).steps).toMatchObject([{ kind: 'transfer-leader', from: 21, to: 12 }]);
});

it('what is on its way counts where it goes to', () => {
  // Nobody leads the first: it is in the hands of the new nodes, and its row names both.
  const moving = {
    ...shard(1, groupOf(1)),
    report: null,
    nodes: [...groupOf(1), ...groupOf(2)],
    assigned: groupOf(2),
  };
  const rest = [shard(2, groupOf(1)), shard(3, groupOf(1)), shard(4, groupOf(2))];
  expect(steps(cluster([...group(1), ...group(2)], [moving, ...rest]))).toEqual([]);
});

it('a shard that is on nodes of several groups is brought to the one that has most of it', () => {
  const mixed = shard(1, [11, 12, 21]);
  expect(steps(cluster([...group(1), ...group(2)], [mixed, shard(2, groupOf(2))]))).toEqual([
    [1, groupOf(1)],
  ]);
});

it('a move names a node, and takes the shard to its group; the last group cannot leave', () => {
  const grouped = GroupedPlacement.of(cluster([...orderers, ...group(1), ...group(2)], []));
  expect(grouped?.nodesBeside(22)).toEqual(groupOf(2));
  expect(grouped?.nodesBeside(1)).toEqual([]);
  expect(grouped?.hasOthers(11)).toBe(true);
  expect(GroupedPlacement.of(cluster([...orderers, ...group(1)], []))?.hasOthers(11)).toBe(false);
});
