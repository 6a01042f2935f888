import { orderShard } from '@flotilla/store';
import type { Member } from '../../../src/member/member.ts';

/**
 * Until a member answers from its own state with everything that anybody was told before: its replicas are told of writes
 * by their own logs, and may be behind the order.
 */
export async function caughtUp(member: Member): Promise<void> {
  await member.backend.readBarrier();
  const { order } = member.shards;
  if (order === null) return;
  const { index } = order;
  for (let attempt = 0; attempt < ATTEMPTS && !hasEverything(member, index); attempt += 1) {
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

function hasEverything({ shards }: Member, index: number): boolean {
  const { order } = shards;
  if (order === null) return true;
  return [...shards.replicas()].every((replica) => {
    const { shard, isReady } = replica;
    // One that the map does not name is on its way out.
    if (shard === orderShard || !order.map.row(shard)?.nodes.includes(shards.nodeId)) return true;
    const last = order.lastFact(shard, index) ?? 0;
    return isReady && replica.machine.ordered >= last;
  });
}

/** A replica that comes, or goes, may never have everything. */
const ATTEMPTS = 500;
const AGAIN_MS = 10;
