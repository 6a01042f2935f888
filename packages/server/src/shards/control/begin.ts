import { everyShard, orderShard } from '@flotilla/store';
import { etcdErrors, type ShardBeginRequest } from '@flotilla/wire';
import { compareKeys } from './compare-keys.ts';
import type { Onlooker } from '../../api/shards.ts';
import { limits } from '../../limits.ts';
import type { ControlNode } from './local-shards.ts';
import { proposeChange } from './order-proposals.ts';
import { shardRefusal } from './refusals.ts';
import type { ShardReports } from './shard-reports.ts';
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
 * Makes a cluster sharded, and cuts shard 0 from its right end: each cut takes the last keys off it. Begun again it goes
 * on where it was cut off.
 */
export async function beginSharding(
  { node, members, waiting, reports, isUnderstood }: BeginParts,
  request: ShardBeginRequest,
  onlooker: Onlooker,
): Promise<void> {
  const keys = checkedKeys(request);
  const replicas = checkedReplicas(request, members.length);
  if (node.order === null) {
    if (!isUnderstood()) throw etcdErrors.notCapable;
    const ids = members.map((its) => its.node).sort((a, b) => a - b);
    const nodes = ids.map((id) => ({ node: id, zone: '', labels: [] }));
    await node.propose({ kind: 'begin', nodes }, { timeoutMs: limits.controlStepCallMs });
  } else if (node.order.map.rows.length > 1) {
    const text = `the cluster has ${node.order.map.rows.length} shards already: split those that are too large`;
    throw shardRefusal('already-sharded', text);
  }
  const { order } = node;
  if (order === null) throw shardRefusal('unanswered', 'the cluster did not become sharded: try again');
  if (replicas !== replicasUnlessSaid) {
    const wish = { kind: 'wish', wish: 'replicas', id: everyShard, value: replicas } as const;
    await proposeChange(node, { ...wish, configuration: order.configuration.number });
  }
  // What is made by hand is not merged unasked, however small it is; children are wanted as their parent is.
  const kept = { kind: 'wish', wish: 'kept', id: orderShard, value: 1 } as const;
  await proposeChange(node, { ...kept, configuration: order.configuration.number });
  const cuts = keys.length > 0 ? keys : evenKeys(order, request.shards);
  const total = cuts.length;
  for (const [place, at] of [...cuts].reverse().entries()) {
    const text = `${place + 1} of ${total + 1} shards`;
    onlooker.report({ shard: 0, phase: 'splitting', text, done: place, total, finished: false });
    if (!(await cut(node, waiting, onlooker, at))) return;
  }
  const led = await waiting.until(
    onlooker,
    () => (node.order?.map.rows.every(({ shard }) => reports.report(shard) !== null) === true ? true : null),
    () => reports.ask(),
  );
  if (led === null) return;
  const text = `${total + 1} shards, each with a leader`;
  onlooker.report({ shard: 0, phase: 'done', text, done: total, total, finished: true });
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
