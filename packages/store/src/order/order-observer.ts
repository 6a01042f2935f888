import type { LogPosition } from '../mvcc/meta.ts';
import type { ShardId } from '../shard/shard-entry.ts';
import type { ShardMachine } from '../shard/shard-machine.ts';
import type { OrderEffect, OrderEntry } from './order-entry.ts';
import type { OrderMachine } from './order-machine.ts';
import type { ShardMap } from './shard-map.ts';

/** An entry of the order group's log, and what has come of it at this node. */
export interface OrderApplied {
  readonly order: OrderMachine;
  readonly position: LogPosition;
  /** Null: it is none of the order's own, but one of users, alarms or members. */
  readonly entry: OrderEntry | null;
  readonly effects: readonly OrderEffect[];
}

/** Who acts on what the order says. Called in the middle of applying. */
export interface OrderObserver {
  applied(applied: OrderApplied): void;
  /** Ranges, members, nodes or what is wanted of them are others: {@link OrderApplied.order} has them already. */
  mapChanged(map: ShardMap): void;
  /**
   * The neighbour of shard 0 on this node, complete up to the fact of that index, whose keys become shard 0's with the next
   * entry; null: it is not there, or not complete. The entry waits, until `Group.resume`.
   */
  drained(shard: ShardId, upTo: number): ShardMachine | null;
}
