import { everyShard, type OrderMachine, orderShard } from '@flotilla/store';
import { etcdErrors, type ShardBeginRequest } from '@flotilla/wire';
import { compareKeys } from './compare-keys.ts';
import type { Onlooker } from '../../api/shards.ts';
import { limits } from '../../limits.ts';
import type { ControlNode } from './local-shards.ts';
import { proposeChange } from './order-proposals.ts';
import { shardRefusal } from './refusals.ts';
import type { ShardReports } from './shard-reports.ts';
import { keyText } from './key-text.ts';
import { evenKeys } from './even-keys.ts';
import { logBarrier } from './step-runner.ts';
import type { Waiting } from './waiting.ts';
import { replicasUnlessSaid } from './wishes.ts';

interface BeginParts {
  readonly node: ControlNode;
  readonly members: readonly { readonly node: number }[];
  readonly waiting: Waiting;
  readonly reports: ShardReports;
  /** Whether every member knows what an order is: one that does not would stop. */
  readonly isUnderstood: () => boolean;
}

/**
 * Makes a cluster sharded, and cuts shard 0 from its right end: each cut takes the last keys off it. Where to cut is kept
 * with the order, so the control of shards goes on when this node does not, and so does this when it is begun again.
 */
export async function beginSharding(
  parts: BeginParts,
  request: ShardBeginRequest,
  onlooker: Onlooker,
): Promise<void> {
  const { node, waiting, reports } = parts;
  const keys = checkedKeys(request);
  const replicas = checkedReplicas(request, parts.members.length);
  const order = await shardedOrder(parts);
  if (order.map.rows.length === 1 && order.configuration.presplits.length === 0) {
    const cuts = keys.length > 0 ? keys : evenKeys(order, request.shards);
    await wantShards(node, order, replicas, cuts);
  }
  const total = await cutAll(parts, onlooker);
  if (total === null) return;
  const led = await waiting.until(
    onlooker,
    () => (isMade(node, reports) ? true : null),
    () => reports.ask(),
  );
  if (led === null) return;
  requireCut(node, keys);
  const text = `${total + 1} shards, each with a leader`;
  onlooker.report({ shard: 0, phase: 'done', text, done: total, total, finished: true });
}

/** That of a cluster whose shards can still be begun: it has one, or some of those that were wanted are not cut yet. */
async function shardedOrder(parts: BeginParts): Promise<OrderMachine> {
  const { node } = parts;
  if (node.order === null) {
    await makeSharded(parts);
  } else if (node.order.map.rows.length > 1 && node.order.configuration.presplits.length === 0) {
    const text = `the cluster has ${node.order.map.rows.length} shards already: split those that are too large`;
    throw shardRefusal('already-sharded', text);
  }
  const { order } = node;
  if (order === null) throw shardRefusal('unanswered', 'the cluster did not become sharded: try again');
  return order;
}

async function makeSharded({ node, members, waiting, isUnderstood }: BeginParts): Promise<void> {
  // Members that have just started are about to say so.
  for (let waitedMs = 0; !isUnderstood(); waitedMs += limits.controlBusyMs) {
    if (waitedMs >= limits.controlStepCallMs) throw etcdErrors.notCapable;
    await waiting.pause(limits.controlBusyMs);
  }
  const ids = members.map((its) => its.node).sort((a, b) => a - b);
  const nodes = ids.map((id) => ({ node: id, zone: '', labels: [] }));
  await node.propose({ kind: 'begin', nodes }, { timeoutMs: limits.controlStepCallMs });
}

/** How many cuts there are, all of them made; null: nobody looks on any more. */
async function cutAll({ node, waiting }: BeginParts, onlooker: Onlooker): Promise<number | null> {
  const cuts = node.order?.configuration.presplits ?? [];
  const made = (node.order?.map.rows.length ?? 1) - 1;
  const total = made + cuts.length;
  for (const [place, at] of [...cuts].reverse().entries()) {
    const done = made + place;
    const text = `${done + 1} of ${total + 1} shards`;
    onlooker.report({ shard: 0, phase: 'splitting', text, done, total, finished: false });
    if (!(await cut(node, waiting, onlooker, at))) return null;
  }
  return total;
}

/** Everything that the rest follows from, whoever sees to it. */
async function wantShards(
  node: ControlNode,
  { configuration: { number: configuration } }: OrderMachine,
  replicas: number,
  cuts: readonly Uint8Array[],
): Promise<void> {
  if (replicas !== replicasUnlessSaid) {
    const wish = { kind: 'wish', wish: 'replicas', id: everyShard, value: replicas } as const;
    await proposeChange(node, { ...wish, configuration });
  }
  // What is made by hand is not merged unasked, however small it is; children are wanted as their parent is.
  await proposeChange(node, { kind: 'wish', wish: 'kept', id: orderShard, value: 1, configuration });
  await proposeChange(node, { kind: 'presplit', keys: cuts, configuration });
}

function isMade({ order }: ControlNode, reports: ShardReports): boolean {
  if (order === null || order.configuration.presplits.length > 0) return false;
  return order.map.rows.every(({ shard }) => reports.report(shard) !== null);
}

/** Somebody else may have begun at the same time, with other keys. */
function requireCut({ order }: ControlNode, cuts: readonly Uint8Array[]): void {
  const missed = cuts.find((at) => compareKeys(order?.map.ofKey(at).span.from ?? at, at) !== 0);
  if (missed === undefined) return;
  const text = `somebody else has begun, and no shard begins at ${keyText(missed)}: look, and split what is too large`;
  throw shardRefusal('superseded', text);
}

/** False: nobody looks on any more. */
async function cut(
  node: ControlNode,
  waiting: Waiting,
  onlooker: Onlooker,
  at: Uint8Array,
): Promise<boolean> {
  for (;;) {
    const row = node.order?.map.ofKey(at);
    if (row === undefined || row.shard !== orderShard) return true;
    const barrier = (): Promise<void> =>
      logBarrier(node, { kind: 'split', shard: orderShard, at }, row.range);
    await barrier();
    const now = await waiting.until(
      onlooker,
      () => ((node.order?.map.row(orderShard)?.range ?? 0) > row.range ? 'changed' : null),
      waiting.again(barrier),
    );
    if (now === null) return false;
  }
}

function checkedKeys({ keys, shards }: ShardBeginRequest): readonly Uint8Array[] {
  const sorted = [...keys].sort(compareKeys);
  const isDouble = sorted.some((key, i) => i > 0 && compareKeys(sorted[i - 1] as Uint8Array, key) === 0);
  if (isDouble || sorted.some((key) => key.length === 0)) {
    throw shardRefusal('bad-key', 'keys to cut at must be different, and none of them empty');
  }
  const count = sorted.length > 0 ? sorted.length + 1 : shards;
  if (count < 1 || count > limits.shardsAtBegin) {
    throw shardRefusal('bad-request', `${count} shards: 1 to ${limits.shardsAtBegin} can be begun with`);
  }
  if (sorted.length > 0 && shards > 0 && shards !== count) {
    throw shardRefusal('bad-request', `${sorted.length} keys make ${count} shards, not ${shards}`);
  }
  return sorted;
}

function checkedReplicas({ replicas }: ShardBeginRequest, nodes: number): number {
  if (replicas === 0) return Math.min(replicasUnlessSaid, nodes);
  if (replicas < 0 || replicas > limits.shardReplicas) {
    throw shardRefusal('bad-request', `${replicas} replicas: 1 to ${limits.shardReplicas} are possible`);
  }
  if (replicas > nodes) {
    throw shardRefusal('too-few-nodes', `${replicas} replicas want as many nodes; there are ${nodes}`);
  }
  return replicas;
}
