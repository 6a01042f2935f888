import { orderShard, type ShardId } from '@flotilla/store';
import type { World } from '@flotilla/sim';
import type { Member } from '../../src/member/member.ts';

/** No transaction is in doubt for longer, from when all its shards are led again. */
const inDoubtMs = 5_000;

/**
 * Looks at the locks of transactions in a cluster that nothing is wrong with any more. One that stays in spite of that
 * violates «in doubt».
 */
export class InDoubt {
  readonly #world: World;
  /** Since when each transaction was seen with all its shards led. */
  readonly #sinceMs = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
  }

  look(members: readonly Member[]): void {
    const prepared = preparedOf(members);
    for (const transaction of this.#sinceMs.keys()) {
      if (!prepared.has(transaction)) this.#sinceMs.delete(transaction);
    }
    const led = ledShards(members);
    for (const [transaction, shards] of prepared) {
      const isBack = [orderShard, ...shards].every((shard) => led.has(shard));
      if (!isBack) this.#sinceMs.delete(transaction);
      else this.#judge(transaction, shards);
    }
  }

  #judge(transaction: string, shards: ReadonlySet<ShardId>): void {
    const { now } = this.#world;
    const sinceMs = this.#sinceMs.get(transaction) ?? now;
    this.#sinceMs.set(transaction, sinceMs);
    if (now - sinceMs <= inDoubtMs) return;
    const message = `${transaction} locks shards ${[...shards].join(', ')} for ${now - sinceMs} ms`;
    this.#world.violate('in doubt', message);
  }
}

/** Where each transaction is prepared, as the leaders of its shards have it. */
function preparedOf(members: readonly Member[]): Map<string, Set<ShardId>> {
  const found = new Map<string, Set<ShardId>>();
  for (const { shards } of members) {
    for (const replica of shards.replicas()) {
      if (!replica.leads || !replica.isReady) continue;
      for (const { transaction, participants } of replica.machine.prepared.values()) {
        const all = found.get(transaction) ?? new Set();
        for (const { shard } of participants) all.add(shard);
        found.set(transaction, all);
      }
    }
  }
  return found;
}

function ledShards(members: readonly Member[]): Set<ShardId> {
  const replicas = members.flatMap(({ shards }) => [...shards.replicas()]);
  return new Set(replicas.filter(({ leads, isReady }) => leads && isReady).map(({ shard }) => shard));
}
