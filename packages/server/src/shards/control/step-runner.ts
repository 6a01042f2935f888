import { unreachable } from '@flotilla/platform';
import type { RangeChange } from '@flotilla/store';
import { limits } from '../../limits.ts';
import type { ControlNode } from './local-shards.ts';
import type { Step } from './next-steps.ts';
import { proposeChange } from './order-proposals.ts';
import { shardRefusal } from './refusals.ts';
import { askMiddle, askTransfer, type ShardReports } from './shard-reports.ts';

/** Has one step carried out by whom it concerns. Rejects when that is refused, or not known to be done. */
export async function runStep(node: ControlNode, reports: ShardReports, step: Step): Promise<void> {
  switch (step.kind) {
    case 'assign': {
      const { shard, nodes, configuration } = step;
      return await proposeChange(node, { kind: 'assign', shard, nodes, configuration });
    }
    case 'leave': {
      const known = node.order?.configuration.node(step.node);
      const { zone = '', labels = [] } = known ?? {};
      const entry = { node: step.node, zone, labels, configuration: step.configuration };
      return await proposeChange(node, { kind: 'node', state: 'left', ...entry });
    }
    case 'forget-merge': {
      const { shard: id, configuration } = step;
      return await proposeChange(node, { kind: 'wish', wish: 'merge', id, value: null, configuration });
    }
    case 'split': {
      const { shard, range } = step;
      const of = step.why === 'split-load' ? 'writes' : 'keys';
      const at = step.at ?? (await findMiddle(node, reports, shard, of));
      return await logBarrier(node, { kind: 'split', shard, at }, range);
    }
    case 'merge': {
      const { shard, into, range } = step;
      return await logBarrier(node, { kind: 'merge', shard, into }, range);
    }
    case 'transfer-leader':
      return await askTransfer(node, step.from, step.shard, step.to);
    default:
      return unreachable(step);
  }
}

/** The range that it names makes it count once, however often it is logged. */
export async function logBarrier(node: ControlNode, change: RangeChange, range: number): Promise<void> {
  await node.log(change.shard, { kind: 'barrier', change, range }, { timeoutMs: limits.controlStepCallMs });
}

export async function findMiddle(
  node: ControlNode,
  reports: ShardReports,
  shard: number,
  of: 'keys' | 'writes' = 'keys',
): Promise<Uint8Array> {
  const leader = reports.report(shard)?.leader;
  if (leader === undefined) throw shardRefusal('no-leader', `nobody leads shard ${shard} now: try again`);
  const key = await askMiddle(node, leader, shard, of);
  if (key === null) {
    throw shardRefusal('indivisible', `shard ${shard} has no key in its middle to be split at; give one`);
  }
  return key;
}
