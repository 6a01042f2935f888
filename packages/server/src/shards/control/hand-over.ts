import { messageOf, type Platform } from '@flotilla/platform';
import type { ShardId } from '@flotilla/store';
import { limits } from '../../limits.ts';
import type { ControlNode } from './local-shards.ts';
import { shardRefusal } from './refusals.ts';
import { askTransfer, type ShardReports } from './shard-reports.ts';
import type { Waiting } from './waiting.ts';

export interface HandOverParts {
  readonly platform: Platform;
  readonly node: ControlNode;
  readonly reports: ShardReports;
  readonly waiting: Waiting;
}

/** Has another node lead a shard, until that says so: a leader may just be going, or may not have begun. */
export async function handOver(
  { platform, node, reports, waiting }: HandOverParts,
  shard: ShardId,
  to: number,
): Promise<void> {
  const untilMs = platform.now() + limits.controlStepCallMs;
  let reason = 'nobody leads it';
  while (platform.now() < untilMs) {
    await reports.ask();
    const leader = reports.report(shard)?.leader;
    if (leader === to) return;
    try {
      if (leader !== undefined) await askTransfer(node, leader, shard, to);
    } catch (error) {
      reason = messageOf(error);
    }
    await waiting.pause(limits.controlPauseMs);
  }
  throw shardRefusal('unanswered', `shard ${shard} was not handed over to node ${to}: ${reason}; try again`);
}
