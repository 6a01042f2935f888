import { unreachable } from '@flotilla/platform';
import { holdsKey, orderShard, type ShardId } from '@flotilla/store';
import type { Explanation } from '../../placement/explain.ts';
import type { Operation, Reason } from '../../placement/operation.ts';
import { plan, type Plan } from '../../placement/plan.ts';
import type { PlacementSettings } from '../../placement/settings.ts';
import {
  type ClusterState,
  isSettled,
  type NodeStatus,
  sameNodes,
  type ShardReport,
  type ShardStatus,
} from './cluster-state.ts';
import { groupOf } from '../node-groups.ts';
import { GroupedPlacement } from './grouped-placement.ts';
import { divisibleBytes, placementStateOf } from './placement-view.ts';

/**
 * One thing that brings the cluster nearer to what is wanted. Each names what it was decided on, and is refused where it
 * is carried out when that has changed: so it does not matter who else decides, or has decided before and comes late.
 */
export type Step =
  /** To the order: a shard's replicas are wanted there. The shard's leader sees to it. */
  | {
      readonly kind: 'assign';
      readonly shard: ShardId;
      readonly nodes: readonly number[];
      readonly configuration: number;
      readonly why: Why;
    }
  /** To the order: the node is empty. */
  | { readonly kind: 'leave'; readonly node: number; readonly configuration: number }
  /** To the order: the merge that was asked for cannot be, or need not be, any more. */
  | { readonly kind: 'forget-merge'; readonly shard: ShardId; readonly configuration: number }
  /** To the shard. `at` null: its leader knows the key in the middle. */
  | {
      readonly kind: 'split';
      readonly shard: ShardId;
      readonly at: Uint8Array | null;
      readonly range: number;
      readonly why: Why;
    }
  /** To the shard. */
  | {
      readonly kind: 'merge';
      readonly shard: ShardId;
      readonly into: ShardId;
      readonly range: number;
      readonly why: Why;
    }
  /** To the shard's leader. */
  | {
      readonly kind: 'transfer-leader';
      readonly shard: ShardId;
      readonly from: number;
      readonly to: number;
      readonly why: Why;
    };

/** `asked`: somebody wants it. Otherwise placement does. */
export type Why = Reason | 'asked';

export interface StepOptions {
  readonly settings: PlacementSettings;
  /** Draws where there is too much to look at everything. */
  readonly seed: number;
  /** Bytes that may be moved for balance alone. */
  readonly budgetBytes: number;
  /** What leaders were asked for, and what is not seen in their reports yet. */
  readonly underWay: ReadonlyMap<ShardId, Operation>;
  readonly explain?: readonly ShardId[];
}

export interface NextSteps {
  /** The most urgent first. */
  readonly steps: readonly Step[];
  readonly balancedBytes: number;
  readonly refused: Plan['refused'];
  readonly explanations: readonly Explanation[];
}

/**
 * What is to be done now: a function of what the order has, what leaders report and the seed, of nothing else. So any
 * node can go on where another has stopped. It asks for nothing where nothing is needed.
 */
export function nextSteps(state: ClusterState, options: StepOptions): NextSteps {
  const asked = new AskedSteps(state, options);
  const { settings, seed, explain = [] } = options;
  const grouped = GroupedPlacement.of(state);
  const within = grouped?.stepsWithin(asked.underWay) ?? [];
  const view = grouped?.view ?? state;
  const placement = placementStateOf(view, settings, asked.underWay);
  placement.budgetBytes = options.budgetBytes;
  const { operations, balancedBytes, refused, explanations } = plan(placement, { seed, explain });
  const steps = [...asked.steps, ...within];
  for (const operation of operations) {
    const decided = stepOf(view, operation);
    const step = grouped === null || decided === null ? decided : grouped.stepOf(decided);
    if (step !== null && !isWanted(state, step)) steps.push(step);
  }
  steps.push(...orderShardSteps(state, options));
  return { steps, balancedBytes, refused, explanations };
}

/** What somebody has asked for by name goes before what placement would like. */
class AskedSteps {
  readonly steps: Step[] = [];
  readonly underWay: Map<ShardId, Operation>;
  readonly #state: ClusterState;
  readonly #byShard: ReadonlyMap<ShardId, ShardStatus>;
  readonly #live: ReadonlySet<number>;

  constructor(state: ClusterState, { underWay }: StepOptions) {
    this.#state = state;
    this.underWay = new Map(underWay);
    this.#byShard = new Map(state.shards.map((status) => [status.shard, status]));
    this.#live = new Set(state.nodes.filter(({ live }) => live).map(({ node }) => node));
    for (const status of state.shards) this.#adopt(status);
    for (const [shard, into] of state.wishes.merges) this.#merge(shard, into);
    for (const node of state.wishes.leaving) this.#leave(node);
    this.#presplit();
  }

  /** The child of a shard that was on its way has its newcomers, and nobody who wants them there. */
  #adopt({ shard, assigned, report }: ShardStatus): void {
    if (shard === orderShard || assigned !== null || report === null || this.underWay.has(shard)) return;
    if (report.learners.length === 0 || report.draining || report.outgoing.length > 0) return;
    const { configuration } = this.#state;
    const nodes = [...report.voters].sort((a, b) => a - b);
    this.steps.push({ kind: 'assign', shard, nodes, configuration, why: 'drop-learner' });
  }

  #merge(shard: ShardId, into: ShardId): void {
    const { configuration } = this.#state;
    const [status, other] = [this.#byShard.get(shard), this.#byShard.get(into)];
    if (status === undefined || other === undefined || !areNeighbours(this.#state, shard, into)) {
      this.steps.push({ kind: 'forget-merge', shard, configuration });
      return;
    }
    if (this.underWay.has(shard) || status.report === null || other.report === null) return;
    this.#freeze(status, other);
    if (status.report.draining || !isSettled(other)) return;
    const target = this.#targetOf(other);
    if (isAligned(status, target)) {
      this.steps.push({ kind: 'merge', shard, into, range: status.range, why: 'asked' });
    } else if (!sameNodes(status.assigned ?? status.nodes, target) || status.assigned === null) {
      this.steps.push({ kind: 'assign', shard, nodes: target, configuration, why: 'asked' });
    }
  }

  /** From the right end: shard 0 is cut off what is left of it, as whoever asked for that does it meanwhile. */
  #presplit(): void {
    const at = this.#state.wishes.presplits.at(-1);
    const status = at === undefined ? undefined : this.#state.shards.find(({ span }) => holdsKey(span, at));
    if (at === undefined || status === undefined) return;
    const { shard, range, report } = status;
    if (report === null || report.draining || report.range !== range || this.underWay.has(shard)) return;
    this.steps.push({ kind: 'split', shard, at, range, why: 'asked' });
  }

  /** The order's own shard is on every node; those that are silent take over what they lack when they come back. */
  #targetOf({ shard, report, nodes }: ShardStatus): readonly number[] {
    if (shard !== orderShard) return report?.voters ?? nodes;
    const joined = this.#state.nodes.filter(({ state, node }) => state === 'joined' && nodes.includes(node));
    return joined.filter(({ live }) => live).map(({ node }) => node);
  }

  /** Nothing else is done with a shard that is to be merged; nor with its neighbour, unless that must be repaired. */
  #freeze({ shard, membership, range }: ShardStatus, other: ShardStatus): void {
    const epoch = { membership, range };
    const intoEpoch = { membership: other.membership, range: other.range };
    const reason = 'merge-small';
    this.underWay.set(shard, { kind: 'merge', shard, epoch, into: other.shard, intoEpoch, reason });
    if (other.shard === orderShard || other.report?.voters.some((node) => !this.#live.has(node)) === true)
      return;
    const operation: Operation = { kind: 'finish-change', shard: other.shard, epoch: intoEpoch, reason };
    if (!this.underWay.has(other.shard)) this.underWay.set(other.shard, operation);
  }

  #leave(node: number): void {
    const { nodes, shards, configuration } = this.#state;
    if (nodes.find((its) => its.node === node)?.state !== 'draining') return;
    const isUsed = shards.some(({ shard, nodes: its, assigned, report }) =>
      shard === orderShard
        ? report?.leader === node
        : [its, assigned ?? [], report?.voters ?? [], report?.learners ?? []].some((list) =>
            list.includes(node),
          ),
    );
    if (!isUsed) this.steps.push({ kind: 'leave', node, configuration });
  }
}

/** Another order than that of the merge would do no harm, but what is drained must be where it is taken over. */
function isAligned(status: ShardStatus, target: readonly number[]): boolean {
  return isSettled(status) && target.every((node) => status.report?.voters.includes(node) === true);
}

function areNeighbours({ shards }: ClusterState, shard: ShardId, into: ShardId): boolean {
  const place = shards.findIndex((status) => status.shard === shard);
  return shards[place - 1]?.shard === into || shards[place + 1]?.shard === into;
}

/** It was said before, and is on its way. */
function isWanted({ shards }: ClusterState, step: Step): boolean {
  if (step.kind !== 'assign') return false;
  const assigned = shards.find(({ shard }) => shard === step.shard)?.assigned ?? null;
  return assigned !== null && sameNodes(assigned, step.nodes);
}

function stepOf({ configuration, shards }: ClusterState, operation: Operation): Step | null {
  const { shard, reason: why } = operation;
  const status = shards.find((its) => its.shard === shard);
  if (status === undefined) return null;
  const wanted = status.assigned ?? status.report?.voters ?? status.nodes;
  switch (operation.kind) {
    case 'add-learner': {
      const { node, replaces } = operation;
      const nodes = [...wanted.filter((its) => its !== replaces && its !== node), node].sort((a, b) => a - b);
      return { kind: 'assign', shard, nodes, configuration, why };
    }
    case 'remove': {
      const voters = status.report?.voters ?? wanted;
      // A newcomer is given up: whom it was to replace stays.
      const stay = voters.includes(operation.node) ? wanted : voters;
      return {
        kind: 'assign',
        shard,
        nodes: stay.filter((its) => its !== operation.node),
        configuration,
        why,
      };
    }
    case 'transfer-leader':
      return { kind: 'transfer-leader', shard, from: operation.from, to: operation.to, why };
    case 'split':
      return { kind: 'split', shard, at: null, range: status.range, why };
    case 'merge':
      return { kind: 'merge', shard, into: operation.into, range: status.range, why };
    // The shard's own leader does these: it knows when the newcomer has caught up.
    case 'promote':
    case 'finish-change':
      return null;
    default:
      return unreachable(operation);
  }
}

/** The order group is on every node and never goes: it can only be split, or led from elsewhere. */
function orderShardSteps(state: ClusterState, { settings, underWay }: StepOptions): Step[] {
  const status = state.shards.find(({ shard }) => shard === orderShard);
  const report = status?.report ?? null;
  if (status === undefined || report === null || report.draining || underWay.has(orderShard)) return [];
  const steps: Step[] = [];
  const leader = state.nodes.find(({ node }) => node === report.leader);
  if (leader?.state === 'draining') {
    const heirs = state.nodes.filter(
      ({ node, state: its, live }) => its === 'joined' && live && report.voters.includes(node),
    );
    const leaving = leavingGroups(state);
    const merit = ({ node, labels }: NodeStatus): number =>
      (leaving.has(groupOf(labels)) ? 1e6 : 0) + leadersOf(state, node);
    const [heir] = heirs.sort((a, b) => merit(a) - merit(b) || a.node - b.node);
    if (heir !== undefined) {
      const ends = { from: leader.node, to: heir.node };
      steps.push({ kind: 'transfer-leader', shard: orderShard, ...ends, why: 'leave-draining' });
    }
  }
  const isMerging = [...state.wishes.merges.values()].includes(orderShard);
  const why = rangeReason(report, settings);
  if (why !== null && !isMerging) {
    steps.push({ kind: 'split', shard: orderShard, at: null, range: status.range, why });
  }
  return steps;
}

/** Groups of which a node drains: the others will, most likely, one after the other. */
function leavingGroups({ nodes }: ClusterState): ReadonlySet<string | null> {
  const groups = new Set(
    nodes.filter(({ state }) => state === 'draining').map(({ labels }) => groupOf(labels)),
  );
  groups.delete(null);
  return groups;
}

function rangeReason(
  report: ShardReport,
  { splitBytes, splitLoad }: PlacementSettings,
): 'split-size' | 'split-load' | null {
  const { writes, reads, hotKey } = report;
  if (divisibleBytes(report, splitBytes) > splitBytes) return 'split-size';
  return writes + reads > splitLoad && !hotKey ? 'split-load' : null;
}

function leadersOf({ shards }: ClusterState, node: number): number {
  return shards.filter(({ report }) => report?.leader === node).length;
}
