import type { OrderMachine } from '../../src/order/order-machine.ts';
import type { ShardMap } from '../../src/order/shard-map.ts';
import type { ShardId } from '../../src/shard/shard-entry.ts';
import type { ClientReply } from './cluster.ts';
import type { Replica, ReplicaImage } from './group.ts';
import type { Lead } from './lead.ts';

/** One process. What it has written down is one image of all its replicas, as one commit of its storage makes it. */
export class OrderingNode {
  readonly id: number;
  up = true;
  /** Which life of the process it is. */
  incarnation = 0;
  readonly replicas = new Map<ShardId, Replica>();
  readonly leads = new Map<ShardId, Lead>();
  image = new Map<ShardId, ReplicaImage>();
  /** Coordinators' attempts, over all lives: no two transactions have one id. */
  attempts = 0;
  /** Requests of several shards that it is busy with, and whom to answer. */
  readonly coordinating = new Map<string, (reply: ClientReply) => void>();
  /** A map that it has read some time ago: where it sends things. */
  route: ShardMap | null = null;

  constructor(id: number) {
    this.id = id;
  }

  get order(): OrderMachine {
    return (this.replicas.get(0) as Replica).order;
  }

  takeImage(): void {
    this.image = new Map([...this.replicas].map(([id, replica]) => [id, replica.image()]));
  }
}
