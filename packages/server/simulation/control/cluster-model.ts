import { assert, type Random, unreachable } from '@flotilla/platform';
import {
  ClusterConfiguration,
  type ConfigurationRefusal,
  type OrderEntry,
  orderShard,
  type RangeChange,
  type ShardId,
  ShardMap,
} from '@flotilla/store';
import type { ClusterState, ShardReport } from '../../src/shards/control/cluster-state.ts';
import { membershipStep } from '../../src/shards/control/membership-plan.ts';
import type { Step } from '../../src/shards/control/next-steps.ts';
import { observedState } from '../../src/shards/control/observed-state.ts';

/** What is behind a shard's row: its Raft group, as far as whoever controls shards has to do with it. */
export interface ModelGroup {
  readonly shard: ShardId;
  voters: number[];
  outgoing: number[];
  /** With how much of the state each has, of 100. */
  readonly learners: Map<number, number>;
  leader: number | null;
  term: number;
  membership: number;
  draining: RangeChange | null;
  bytes: number;
}

export interface ModelNode {
  readonly node: number;
  up: boolean;
  sinceMs: number;
}

/** What the order is told of its configuration, beside changes of ranges. */
type ConfigurationEntry = Extract<
  OrderEntry,
  { readonly kind: 'assign' | 'node' | 'wish' | 'members' | 'presplit' }
>;

const mebibyte = 1024 * 1024;

/**
 * A cluster as its control sees it: the real configuration of the order, and beneath it groups that change their members
 * as Raft does, one change at a time, and their ranges as the machines do, after they have drained. Every step here takes
 * its time and may be lost.
 */
export class ClusterModel {
  readonly random: Random;
  readonly configuration: ClusterConfiguration;
  readonly groups = new Map<ShardId, ModelGroup>();
  readonly nodes: ModelNode[] = [];
  nowMs = 0;
  /** What is asked of anybody is lost as often, of 100. */
  losses = 0;
  /** Replicas that came to a node, and that came back to one which they had been taken from. */
  arrivals = 0;
  readonly assignments: string[] = [];
  #index = 0;
  #nextShard = 1;

  constructor(random: Random, count: number) {
    this.random = random;
    const ids = Array.from({ length: count }, (_, i) => i + 1);
    for (const node of ids) this.nodes.push({ node, up: true, sinceMs: 0 });
    const span = { from: new Uint8Array(0), to: null };
    const row = { shard: orderShard, span, range: 1, membership: 1, nodes: ids };
    this.configuration = new ClusterConfiguration(new ShardMap([row], 0));
    this.configuration.begin(
      ids.map((node) => ({ node, zone: `z${node % 3}`, labels: [] })),
      this.#place(),
    );
    this.#addGroup(orderShard, ids, 600 * mebibyte);
  }

  // What the control sees of it.

  state(): ClusterState {
    return observedState(this.configuration, {
      nowMs: this.nowMs,
      node: (node) => {
        const { up: live, sinceMs } = this.#node(node);
        return { live, sinceMs, usedBytes: 0, capacityBytes: 1024 * 1024 * mebibyte };
      },
      report: (shard) => this.#report(shard),
    });
  }

  #report(shard: ShardId): ShardReport | null {
    const group = this.groups.get(shard);
    const row = this.configuration.map.row(shard);
    if (group === undefined || row === null || group.leader === null || !this.#node(group.leader).up)
      return null;
    return {
      shard,
      leader: group.leader,
      term: group.term,
      range: row.range,
      voters: [...group.voters],
      outgoing: [...group.outgoing],
      learners: [...group.learners.keys()],
      draining: group.draining !== null,
      bytes: group.bytes,
      keys: 100,
      writes: 10,
      reads: 10,
      hotKey: false,
      divisible: this.#middle(shard) !== null,
    };
  }

  // What the control asks for.

  propose(entry: ConfigurationEntry): ConfigurationRefusal | null {
    const { configuration } = this;
    switch (entry.kind) {
      case 'assign': {
        const refusal = configuration.assign(entry, this.#place());
        if (refusal === null) this.assignments.push(`${entry.shard}: ${entry.nodes.join()}`);
        return refusal;
      }
      case 'node':
        return configuration.changeNode(entry, this.#place());
      case 'wish':
        return configuration.wish(entry, this.#place());
      case 'presplit':
        return configuration.presplit(entry, this.#place());
      case 'members':
        configuration.members(entry, this.#place());
        return null;
      default:
        return unreachable(entry);
    }
  }

  /** As the nodes carry a step out, and refuse it when it is too late. */
  execute(step: Step): void {
    if (this.#isLost()) return;
    switch (step.kind) {
      case 'assign': {
        const { shard, nodes, configuration } = step;
        this.propose({ kind: 'assign', shard, nodes, configuration });
        return;
      }
      case 'leave': {
        const { node, configuration } = step;
        this.propose({ kind: 'node', node, state: 'left', zone: '', labels: [], configuration });
        return;
      }
      case 'forget-merge': {
        const { shard: id, configuration } = step;
        this.propose({ kind: 'wish', wish: 'merge', id, value: null, configuration });
        return;
      }
      case 'split': {
        const at = step.at ?? this.#middle(step.shard);
        if (at !== null) this.barrier({ kind: 'split', shard: step.shard, at }, step.range);
        return;
      }
      case 'merge':
        this.barrier({ kind: 'merge', shard: step.shard, into: step.into }, step.range);
        return;
      case 'transfer-leader':
        this.#transfer(step.shard, step.from, step.to);
        return;
      default:
        unreachable(step);
    }
  }

  barrier(change: RangeChange, range: number): void {
    const group = this.groups.get(change.shard);
    const row = this.configuration.map.row(change.shard);
    if (group === undefined || row === null || row.range !== range || group.draining !== null) return;
    if (group.leader !== null && this.#hasQuorum(group)) group.draining = change;
  }

  #transfer(shard: ShardId, from: number, to: number): void {
    const group = this.groups.get(shard);
    if (group === undefined || group.leader !== from || !group.voters.includes(to) || !this.#node(to).up)
      return;
    group.leader = to;
    group.term += 1;
  }

  // What happens by itself.

  tick(): void {
    this.nowMs += 1_000;
    for (const group of this.groups.values()) {
      this.#elect(group);
      if (group.leader === null || !this.#hasQuorum(group)) continue;
      for (const [node, progress] of group.learners) {
        if (this.#node(node).up) group.learners.set(node, progress + this.random.below(60));
      }
      if (group.draining !== null && this.random.below(2) === 0) this.#changeRange(group, group.draining);
      else this.#changeMembers(group);
      this.#tellMembers(group);
    }
  }

  setUp(node: number, up: boolean): void {
    const its = this.#node(node);
    if (its.up === up) return;
    its.up = up;
    its.sinceMs = this.nowMs;
  }

  #elect(group: ModelGroup): void {
    if (group.leader !== null && this.#node(group.leader).up && group.voters.includes(group.leader)) return;
    group.leader = null;
    if (!this.#hasQuorum(group)) return;
    const live = group.voters.filter((node) => this.#node(node).up);
    group.leader = live[this.random.below(live.length)] ?? null;
    group.term += 1;
  }

  #hasQuorum({ voters, outgoing }: ModelGroup): boolean {
    return [voters, outgoing].every(
      (nodes) => nodes.length === 0 || nodes.filter((node) => this.#node(node).up).length * 2 > nodes.length,
    );
  }

  #changeMembers(group: ModelGroup): void {
    if (group.shard === orderShard || this.#isLost()) return;
    const step = membershipStep({
      self: group.leader as number,
      configuration: {
        voters: group.voters,
        votersOutgoing: group.outgoing,
        learners: [...group.learners.keys()],
      },
      wanted: this.configuration.assignment(group.shard)?.nodes ?? null,
      draining: group.draining !== null,
      isLive: (node) => this.#node(node).up,
    });
    if (step === null) return;
    switch (step.kind) {
      case 'add-learner':
        assert(!group.voters.includes(step.node), 'a voter does not become a learner');
        group.learners.set(step.node, 0);
        this.arrivals += 1;
        break;
      case 'remove':
        assert(group.learners.delete(step.node), 'what is removed is there');
        break;
      case 'promote':
        if (step.nodes.some((node) => (group.learners.get(node) ?? 0) < 100)) return;
        group.outgoing = [...group.voters];
        group.voters = [...group.voters.filter((node) => !step.removes.includes(node)), ...step.nodes];
        for (const node of step.nodes) group.learners.delete(node);
        assert(group.voters.length > 0, 'the last replica is never removed');
        break;
      case 'leave-joint':
        group.outgoing = [];
        break;
      case 'transfer-leader':
        this.#transfer(group.shard, group.leader as number, step.to);
        return;
      default:
        unreachable(step);
    }
    group.membership += 1;
  }

  #tellMembers({ shard, membership, voters, outgoing, learners }: ModelGroup): void {
    const row = this.configuration.map.row(shard);
    if (row === null || shard === orderShard || row.membership >= membership || this.#isLost()) return;
    const nodes = [...new Set([...voters, ...outgoing, ...learners.keys()])].sort((a, b) => a - b);
    this.propose({ kind: 'members', shard, membership, nodes });
  }

  #changeRange(group: ModelGroup, change: RangeChange): void {
    const { configuration } = this;
    group.draining = null;
    const nodes = change.shard === orderShard ? this.#threeNodes() : [];
    if (!configuration.map.allows(change) || configuration.refusalOf(change, nodes) !== null) {
      configuration.refuse(change, this.#place());
      return;
    }
    if (change.kind === 'split') {
      const child = this.#nextShard;
      this.#nextShard += 1;
      configuration.split(change, child, nodes, this.#place());
      group.bytes /= 2;
      const childGroup = this.#addGroup(
        child,
        change.shard === orderShard ? nodes : group.voters,
        group.bytes,
      );
      childGroup.outgoing = change.shard === orderShard ? [] : [...group.outgoing];
      if (change.shard !== orderShard)
        for (const [node, progress] of group.learners) childGroup.learners.set(node, progress);
      childGroup.membership = configuration.map.row(child)?.membership ?? 1;
      return;
    }
    const into = this.groups.get(change.into) as ModelGroup;
    configuration.merge(change, this.#place());
    into.bytes += group.bytes;
    this.groups.delete(change.shard);
  }

  #threeNodes(): number[] {
    const joined = this.configuration.nodes.filter(({ state }) => state === 'joined').map(({ node }) => node);
    const from = this.random.below(joined.length);
    return [0, 1, 2].map((i) => joined[(from + i) % joined.length] as number).sort((a, b) => a - b);
  }

  #addGroup(shard: ShardId, nodes: readonly number[], bytes: number): ModelGroup {
    const empty = { outgoing: [], learners: new Map<number, number>(), draining: null, leader: null };
    const group: ModelGroup = { shard, voters: [...nodes], term: 1, membership: 1, bytes, ...empty };
    this.groups.set(shard, group);
    return group;
  }

  /** Keys are numbers of two bytes. */
  #middle(shard: ShardId): Uint8Array | null {
    const row = this.configuration.map.row(shard);
    if (row === null) return null;
    const { from, to } = row.span;
    const low = ((from[0] ?? 0) << 8) + (from[1] ?? 0);
    const high = to === null ? 1 << 16 : ((to[0] ?? 0) << 8) + (to[1] ?? 0);
    const middle = (low + high) >> 1;
    return middle <= low ? null : Uint8Array.of(middle >> 8, middle & 255);
  }

  #isLost(): boolean {
    return this.random.below(100) < this.losses;
  }

  #node(node: number): ModelNode {
    return this.nodes[node - 1] as ModelNode;
  }

  #place(): { readonly index: number; readonly revision: number } {
    this.#index += 1;
    return { index: this.#index, revision: this.#index };
  }
}
