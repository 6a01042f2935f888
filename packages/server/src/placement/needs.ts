import type { PlacementState } from './placement-state.ts';
import { roleCodes } from './shard-table.ts';

/** What a shard needs, the most urgent first; a shard with several has the first. */
export const needs = [
  'nothing',
  /** A step that is begun: a learner that has caught up or never will, a joint configuration, a voter too many. */
  'finish',
  /** One more loss and no majority is left. */
  'critical',
  'repair',
  'leader',
  'drain',
  'place',
  'split',
  'merge',
] as const;
export type Need = (typeof needs)[number];

/** Counts of one shard's replicas: filled anew for each shard that is looked at, because millions are. */
export interface Census {
  voters: number;
  /** Voters that are heard of. */
  live: number;
  lost: number;
  /** Slots, or -1. */
  learner: number;
  lostVoter: number;
  /** A voter that its node or its labels make leave. */
  unwelcome: number;
  joint: boolean;
}

export const emptyCensus = (): Census => ({
  voters: 0,
  live: 0,
  lost: 0,
  learner: -1,
  lostVoter: -1,
  unwelcome: -1,
  joint: false,
});

export function takeCensus({ nodes, shards }: PlacementState, row: number, census: Census): Census {
  const policyBit = 1 << (shards.policy[row] as number);
  census.voters = 0;
  census.live = 0;
  census.lost = 0;
  census.learner = -1;
  census.lostVoter = -1;
  census.unwelcome = -1;
  census.joint = false;
  const end = (row + 1) * shards.stride;
  for (let at = row * shards.stride; at < end; at += 1) {
    const node = shards.node[at] as number;
    if (node < 0) continue;
    const role = shards.role[at] as number;
    if (role === roleCodes.learner || role === roleCodes['caught-up']) census.learner = at;
    else {
      if (role !== roleCodes.voter) census.joint = true;
      census.voters += 1;
      census.live += nodes.heard[node] as number;
      if (nodes.lost[node] === 1) {
        census.lost += 1;
        census.lostVoter = at;
      } else if (nodes.isDraining(node) || ((nodes.policies[node] as number) & policyBit) === 0) {
        census.unwelcome = at;
      }
    }
  }
  return census;
}

export function majority(voters: number): number {
  return (voters >> 1) + 1;
}

const scratch = emptyCensus();

/** The need of a shard, as a place in {@link needs}. */
export function needOf(state: PlacementState, row: number): number {
  const { nodes, shards, settings } = state;
  if (shards.operations.has(row)) return need.nothing;
  const leader = shards.leader[row] as number;
  const census = takeCensus(state, row, scratch);
  if (leader < 0 || census.live < majority(census.voters)) return need.nothing;
  if (census.joint) return need.finish;
  const replicas = settings.policies[shards.policy[row] as number]?.replicas ?? 0;
  if (census.learner >= 0) {
    if (shards.role[census.learner] === roleCodes['caught-up']) return need.finish;
    const node = shards.node[census.learner] as number;
    if (nodes.heard[node] === 0 || !nodes.isServing(node)) return need.finish;
    return nodes.isDraining(leader) ? need.leader : need.nothing;
  }
  if (census.voters > replicas) return need.finish;
  if (census.lost > 0 || census.voters < replicas) {
    return census.live - majority(census.voters) <= 0 ? need.critical : need.repair;
  }
  if (nodes.isDraining(leader)) return need.leader;
  if (census.unwelcome >= 0) return need.drain;
  if (state.spreadOf(row) >= 2) return need.place;
  return needOfRange(state, row);
}

function needOfRange(state: PlacementState, row: number): number {
  const { shards, settings } = state;
  const bytes = shards.bytes[row] as number;
  const load = state.loadOf(row);
  if (bytes > settings.splitBytes) return need.split;
  if (load > settings.splitLoad && !shards.hasHotKey(row)) return need.split;
  return isSmall(state, row) ? need.merge : need.nothing;
}

/** Whether a shard is to become part of its right neighbour: by sizes and loads alone, whatever is under way. */
export function isSmall(state: PlacementState, row: number): boolean {
  if (!mayMerge(state, row)) return false;
  const { shards, settings } = state;
  const right = shards.rowOf(shards.right[row] as number);
  if (right < 0 || shards.isSticky(row) || shards.isSticky(right)) return false;
  return (
    shards.policy[row] === shards.policy[right] &&
    (shards.bytes[row] as number) + (shards.bytes[right] as number) < settings.mergeBytes &&
    state.loadOf(row) + state.loadOf(right) < settings.mergeLoad
  );
}

/** Whether it could be merged with an empty and idle neighbour; most shards are too large or too busy for any. */
export function mayMerge(state: PlacementState, row: number): boolean {
  const { shards, settings } = state;
  return (shards.bytes[row] as number) < settings.mergeBytes && state.loadOf(row) < settings.mergeLoad;
}

export const need = Object.fromEntries(needs.map((name, code) => [name, code])) as Record<Need, number>;
