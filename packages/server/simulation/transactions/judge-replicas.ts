import type { World } from '@flotilla/sim';
import type { Member } from '../../src/member/member.ts';
import { describeReplica } from '../shards/replica-state.ts';

/** All replicas of a shard that is at rest have the same. */
export function judgeReplicas(world: World, members: readonly Member[]): void {
  const first = new Map<number, { readonly node: number; readonly state: string }>();
  for (const { shards } of members) {
    for (const replica of shards.replicas()) {
      const { shard } = replica;
      // One that is on its way out may have lost what it had.
      if (!replica.isReady || shards.order?.map.row(shard) === null) continue;
      const state = describeReplica(replica.machine);
      const other = first.get(shard);
      if (other === undefined) first.set(shard, { node: shards.nodeId, state });
      else if (other.state !== state) {
        const message = `shard ${shard} is ${other.state} at ${other.node} and ${state} at ${shards.nodeId}`;
        world.violate('replicas differ', message);
      }
    }
  }
}
