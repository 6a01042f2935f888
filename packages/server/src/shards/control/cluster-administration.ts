import type { Platform } from '@flotilla/platform';
import { everyShard, orderShard, type OrderMachine, type ShardId } from '@flotilla/store';
import type {
  NodeJoinRequest,
  NodeLeaveRequest,
  ShardBeginRequest,
  ShardExplainResponse,
  ShardHistoryRequest,
  ShardHistoryResponse,
  ShardMergeRequest,
  ShardMoveRequest,
  ShardQueryResponse,
  ShardSetReplicasRequest,
  ShardSplitRequest,
  ShardTransferLeaderRequest,
} from '@flotilla/wire';
import type { Onlooker, ShardAdministration } from '../../api/shards.ts';
import { limits } from '../../limits.ts';
import type { PlacementSettings } from '../../placement/settings.ts';
import {
  finish,
  holdersOf,
  mergeProgress,
  nodesAfterMove,
  noLeader,
  noNode,
  notSharded,
  requireMovable,
  requireNeighbours,
  requireOthers,
  rowAndAssignment,
  sparedNode,
  statusOf,
  superseded,
} from './administration-checks.ts';
import { beginSharding } from './begin.ts';
import { type ClusterState, sameNodes, type ShardStatus } from './cluster-state.ts';
import { compareKeys } from './compare-keys.ts';
import { explainShard } from './explain-shard.ts';
import { keyText } from './key-text.ts';
import { handOver, type HandOverParts } from './hand-over.ts';
import { historyOf, type NodeName, nodeRows, queryConfiguration, shardRows } from './listings.ts';
import type { ControlNode } from './local-shards.ts';
import { observedState } from './observed-state.ts';
import { proposeChange } from './order-proposals.ts';
import { wantedReplicas } from './placement-view.ts';
import { shardRefusal } from './refusals.ts';
import { ShardReports } from './shard-reports.ts';
import { findMiddle, logBarrier } from './step-runner.ts';
import { Waiting } from './waiting.ts';

export interface AdministrationParts {
  readonly platform: Platform;
  readonly node: ControlNode;
  /** Members of the cluster; learners and others that do not answer yet among them. */
  readonly members: () => readonly (NodeName & { readonly node: number })[];
  /** Whether every member knows what an order is. */
  readonly isUnderstood: () => boolean;
  readonly settings: PlacementSettings;
}

/**
 * What operators ask for, at any node: the order is told what is wanted, whoever controls the shards brings it about, and
 * this only looks on. So it harms nothing when it ends in the middle.
 */
export class ClusterAdministration implements ShardAdministration {
  readonly #parts: AdministrationParts;
  readonly #reports: ShardReports;
  readonly #waiting: Waiting;

  constructor(parts: AdministrationParts) {
    this.#parts = parts;
    this.#reports = new ShardReports(parts.platform, parts.node);
    this.#waiting = new Waiting(parts.platform, parts.node);
  }

  get configuration(): number {
    return this.#parts.node.order?.configuration.number ?? 0;
  }

  // Questions.

  async list(): ReturnType<ShardAdministration['list']> {
    if (this.#parts.node.order === null) return { configuration: 0, shards: [] };
    const state = await this.#look();
    return { configuration: state.configuration, shards: shardRows(state) };
  }

  async nodes(): ReturnType<ShardAdministration['nodes']> {
    if (this.#parts.node.order === null) return { configuration: 0, nodes: [] };
    const state = await this.#look();
    return { configuration: state.configuration, nodes: nodeRows(state, (node) => this.#nameOf(node)) };
  }

  async query(configuration: number): Promise<ShardQueryResponse> {
    return queryConfiguration((await this.#latest()).configuration, configuration);
  }

  async history({ shard, limit }: ShardHistoryRequest): Promise<ShardHistoryResponse> {
    return historyOf((await this.#latest()).configuration, shard, limit);
  }

  async explain(shard: number): Promise<ShardExplainResponse> {
    const state = await this.#look();
    statusOf(state, shard);
    return explainShard(state, shard, this.#parts.settings);
  }

  // Changes.

  async begin(request: ShardBeginRequest, onlooker: Onlooker): Promise<void> {
    const { node, members, isUnderstood } = this.#parts;
    const parts = { node, members: members(), isUnderstood, waiting: this.#waiting, reports: this.#reports };
    await beginSharding(parts, request, onlooker);
  }

  async split({ shard, key, configuration }: ShardSplitRequest, onlooker: Onlooker): Promise<void> {
    const state = await this.#look();
    const { range, span, report } = statusOf(state, shard);
    const { node } = this.#parts;
    this.#requireFresh(shard, configuration);
    if (report === null) throw noLeader(shard);
    if (report.draining)
      throw shardRefusal('stale', `shard ${shard} drains for another change: wait for that`);
    const at = key.length > 0 ? key : await findMiddle(node, this.#reports, shard);
    const order = this.#order();
    if (!order.map.allows({ kind: 'split', shard, at })) {
      const to = span.to === null ? 'the end' : keyText(span.to);
      const text = `shard ${shard} cannot be split at ${keyText(at)}: it has the keys from ${keyText(span.from)} to ${to}, and the key must be behind its first`;
      throw shardRefusal('bad-key', text);
    }
    await proposeChange(node, {
      kind: 'wish',
      wish: 'kept',
      id: shard,
      value: 1,
      configuration: this.configuration,
    });
    onlooker.report({
      shard,
      phase: 'splitting',
      text: `shard ${shard} drains`,
      done: 0,
      total: 1,
      finished: false,
    });
    await logBarrier(node, { kind: 'split', shard, at }, range);
    const row = await this.#waiting.until(
      onlooker,
      () => {
        const now = this.#order().map;
        return (now.row(shard)?.range ?? Infinity) > range ? now.ofKey(at) : null;
      },
      this.#waiting.again(() => logBarrier(node, { kind: 'split', shard, at }, range)),
    );
    if (row === null) return;
    if (compareKeys(row.span.from, at) !== 0) {
      const text = `shard ${shard} was changed otherwise, or the split was refused; ${keyText(at)} is in shard ${row.shard} now: split that, if it shall be`;
      throw superseded(text);
    }
    finish(onlooker, row.shard, `shard ${row.shard} has the keys from ${keyText(at)} on`);
  }

  async merge({ shard, into, configuration }: ShardMergeRequest, onlooker: Onlooker): Promise<void> {
    const state = await this.#look();
    statusOf(state, shard);
    statusOf(state, into);
    if (shard === orderShard) {
      throw shardRefusal(
        'order-shard',
        `shard 0 is the order group's own and stays: merge shard ${into} into it`,
      );
    }
    requireNeighbours(this.#order().map.rows, shard, into);
    const { node } = this.#parts;
    this.#requireFresh(shard, configuration);
    this.#requireFresh(into, configuration);
    const wish = { kind: 'wish', wish: 'merge', id: shard, value: into } as const;
    await proposeChange(node, { ...wish, configuration: configuration || state.configuration });
    const outcome = await this.#waiting.until(
      onlooker,
      () => {
        const { map, wishes } = this.#order().configuration;
        if (map.row(shard) === null) return 'merged';
        return wishes.get('merge', shard)?.value === into ? null : 'superseded';
      },
      async () => {
        onlooker.report(mergeProgress(await this.#look(), shard, into));
      },
    );
    if (outcome === 'superseded') throw superseded(`somebody has decided otherwise about shard ${shard}`);
    if (outcome !== null) finish(onlooker, into, `shard ${shard} is part of shard ${into}`);
  }

  async move(request: ShardMoveRequest, withOffice: boolean, onlooker: Onlooker): Promise<void> {
    const { shard, to, configuration } = request;
    const state = await this.#look();
    const status = statusOf(state, shard);
    const from = request.from === 0 ? sparedNode(state, status) : request.from;
    if (this.#order().configuration.node(to)?.state === 'left') {
      throw shardRefusal('node-left', `node ${to} has left: have it join again, or choose another`);
    }
    requireMovable(state, status, from, to);
    this.#requireFresh(shard, configuration);
    const { node } = this.#parts;
    const nodes = nodesAfterMove(state, status, from, to);
    const led = status.report?.leader === from;
    await proposeChange(node, {
      kind: 'assign',
      shard,
      nodes,
      configuration: configuration || state.configuration,
    });
    const since = this.#order().configuration.assignment(shard)?.since ?? 0;
    const arrived = await this.#arrival(shard, since, onlooker);
    if (!arrived) return;
    if (withOffice && led) await handOver(this.#handOverParts, shard, to);
    finish(onlooker, shard, `shard ${shard} is on ${nodes.join(', ')}`);
  }

  async setReplicas(
    { shard, replicas, configuration }: ShardSetReplicasRequest,
    onlooker: Onlooker,
  ): Promise<void> {
    const state = await this.#look();
    if (shard !== everyShard) statusOf(state, shard);
    const joined = state.nodes.filter((its) => its.state === 'joined').length;
    if (replicas < 1 || replicas > limits.shardReplicas) {
      throw shardRefusal('bad-request', `${replicas} replicas: 1 to ${limits.shardReplicas} are possible`);
    }
    if (replicas > joined) {
      throw shardRefusal('too-few-nodes', `${replicas} replicas want as many nodes; ${joined} have joined`);
    }
    this.#requireKnown(configuration);
    const entry = { kind: 'wish', wish: 'replicas', id: shard, value: replicas } as const;
    await proposeChange(this.#parts.node, { ...entry, configuration: configuration || state.configuration });
    const concerned = (now: ClusterState): ShardStatus[] =>
      now.shards.filter((its) => its.shard !== orderShard && (shard === everyShard || its.shard === shard));
    const isDone = (now: ClusterState, its: ShardStatus): boolean =>
      its.report?.voters.length === wantedReplicas(now, its.shard) && its.report.outgoing.length === 0;
    await this.#untilAll(
      onlooker,
      concerned,
      isDone,
      (done, total) => `${done} of ${total} shards have their replicas`,
    );
  }

  async drain({ node, configuration }: NodeLeaveRequest, leaves: boolean, onlooker: Onlooker): Promise<void> {
    const state = await this.#look();
    const known = this.#order().configuration.node(node);
    if (known === null) throw noNode(node, state);
    if (known.state === 'left') {
      if (leaves) return finish(onlooker, 0, `node ${node} has left already`);
      throw shardRefusal('node-left', `node ${node} has left: there is nothing to be moved away`);
    }
    this.#requireKnown(configuration);
    requireOthers(state, node);
    const asOf = configuration || state.configuration;
    const { zone, labels } = known;
    if (known.state !== 'draining') {
      const entry = { kind: 'node', state: 'draining', node, zone, labels, configuration: asOf } as const;
      await proposeChange(this.#parts.node, entry);
    }
    if (leaves) await this.#wishToLeave(node);
    const total = holdersOf(state, node).length;
    const outcome = await this.#waiting.until(onlooker, () => {
      const now = this.#order().configuration;
      const its = now.node(node)?.state;
      if (its === 'left') return 'done';
      if (its === 'joined') return 'superseded';
      const rest = now.map.rows.filter((row) => row.shard !== orderShard && row.nodes.includes(node)).length;
      const text = `${rest} shards are still on node ${node}`;
      onlooker.report({
        shard: 0,
        phase: 'moving',
        text,
        done: Math.max(0, total - rest),
        total,
        finished: false,
      });
      return rest === 0 && !leaves ? 'done' : null;
    });
    if (outcome === 'superseded') throw superseded(`node ${node} has joined again`);
    if (outcome !== null) finish(onlooker, 0, leaves ? `node ${node} has left` : `node ${node} is empty`);
  }

  async #wishToLeave(node: number): Promise<void> {
    const wish = { kind: 'wish', wish: 'leaving', id: node, value: 1 } as const;
    try {
      await proposeChange(this.#parts.node, { ...wish, configuration: this.configuration });
    } catch (error) {
      // Somebody else may want the same, or have had it done.
      const { configuration } = this.#order();
      const isWanted = configuration.wishes.get('leaving', node)?.value === 1;
      if (!isWanted && configuration.node(node)?.state !== 'left') throw error;
    }
  }

  async transferLeader({
    shard,
    to,
    configuration,
  }: ShardTransferLeaderRequest): ReturnType<ShardAdministration['transferLeader']> {
    const state = await this.#look();
    const { report } = statusOf(state, shard);
    this.#requireFresh(shard, configuration);
    if (report === null) throw noLeader(shard);
    if (state.nodes.every((its) => its.node !== to)) throw noNode(to, state);
    if (!report.voters.includes(to)) {
      const text = `node ${to} has no replica of shard ${shard} that votes; ${report.voters.join(', ')} have`;
      throw shardRefusal('holds-none', text);
    }
    if (state.nodes.find((its) => its.node === to)?.live !== true) {
      const others = report.voters.filter((node) => state.nodes.some((its) => its.node === node && its.live));
      throw shardRefusal('node-silent', `node ${to} does not answer; ${others.join(', ')} could lead`);
    }
    if (report.leader !== to) await handOver(this.#handOverParts, shard, to);
    return { configuration: this.configuration, leader: to };
  }

  async join({
    node,
    zone,
    labels,
    configuration,
  }: NodeJoinRequest): ReturnType<ShardAdministration['join']> {
    const order = await this.#latest();
    if (this.#nameOf(node) === null) {
      const known = this.#parts.members().map((its) => its.node);
      known.sort((a, b) => a - b);
      const text = `node ${node} is no member of the cluster: add it as one first; members are ${known.join(', ')}`;
      throw shardRefusal('no-such-node', text);
    }
    this.#requireKnown(configuration);
    const asOf = configuration || order.configuration.number;
    await proposeChange(this.#parts.node, {
      kind: 'node',
      state: 'joined',
      node,
      zone,
      labels,
      configuration: asOf,
    });
    return { configuration: this.configuration };
  }

  // What all of them need.

  #order(): OrderMachine {
    const { order } = this.#parts.node;
    if (order === null) throw notSharded();
    return order;
  }

  /** As new as whatever was answered before. */
  async #latest(): Promise<OrderMachine> {
    this.#order();
    await this.#parts.node.frontier({ timeoutMs: limits.controlStepCallMs });
    return this.#order();
  }

  async #look(): Promise<ClusterState> {
    await this.#latest();
    await this.#reports.ask();
    return observedState(this.#order().configuration, this.#reports);
  }

  #nameOf(node: number): NodeName | null {
    return this.#parts.members().find((its) => its.node === node) ?? null;
  }

  /** Nobody can have looked at one that is still to come. */
  #requireKnown(configuration: number): void {
    if (configuration <= this.configuration) return;
    const text = `configuration ${configuration} is still to come; it is ${this.configuration} now: look again`;
    throw shardRefusal('no-such-configuration', text);
  }

  #requireFresh(shard: ShardId, configuration: number): void {
    if (configuration === 0) return;
    this.#requireKnown(configuration);
    const { configuration: now } = this.#order();
    const since = now.since(shard);
    if (since <= configuration) return;
    const text = `shard ${shard} has changed in configuration ${since}, after ${configuration}; it is ${now.number} now: look again`;
    throw shardRefusal('stale', text);
  }

  async #arrival(shard: ShardId, since: number, onlooker: Onlooker): Promise<boolean> {
    const total = 3;
    const outcome = await this.#waiting.until(
      onlooker,
      () => {
        const { map, assignment } = rowAndAssignment(this.#order(), shard);
        if (map === null || assignment?.since !== since) return 'superseded';
        return sameNodes(map.nodes, assignment.nodes) ? 'done' : null;
      },
      async () => {
        const status = (await this.#look()).shards.find((its) => its.shard === shard);
        const learns = (status?.report?.learners.length ?? 0) > 0;
        const phase = learns ? 'catching-up' : 'moving';
        const text = learns ? 'the new replica catches up' : 'members change';
        onlooker.report({ shard, phase, text, done: learns ? 1 : 0, total, finished: false });
      },
    );
    if (outcome === 'superseded') throw superseded(`somebody has decided otherwise about shard ${shard}`);
    return outcome !== null;
  }

  get #handOverParts(): HandOverParts {
    const { platform, node } = this.#parts;
    return { platform, node, reports: this.#reports, waiting: this.#waiting };
  }

  async #untilAll(
    onlooker: Onlooker,
    concerned: (state: ClusterState) => readonly ShardStatus[],
    isDone: (state: ClusterState, status: ShardStatus) => boolean,
    textOf: (done: number, total: number) => string,
  ): Promise<void> {
    let over: string | null = null;
    const look = async (): Promise<void> => {
      const state = await this.#look();
      const all = concerned(state);
      const done = all.filter((status) => isDone(state, status)).length;
      const text = textOf(done, all.length);
      if (done === all.length) over = text;
      else onlooker.report({ shard: 0, phase: 'moving', text, done, total: all.length, finished: false });
    };
    const text = await this.#waiting.until(onlooker, () => over, look);
    if (text !== null) finish(onlooker, 0, text);
  }
}
