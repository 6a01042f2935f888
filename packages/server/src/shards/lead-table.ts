import type { Platform, Timer } from '@flotilla/platform';
import type { Frontier, OrderEntry, OrderMachine, ShardEffect, ShardEntry, ShardId } from '@flotilla/store';
import { limits } from '../limits.ts';
import { HeldReplica, type HeldShard } from './held-replica.ts';
import { nodesForChild } from './nodes-for-child.ts';
import type { OrderReports } from './order-reports.ts';
import { ShardLead } from './shard-lead.ts';
import type { ShardMembers } from './shard-members.ts';

export interface LeadTableParts {
  readonly platform: Platform;
  readonly order: () => OrderMachine | null;
  readonly reports: OrderReports;
  readonly members: ShardMembers;
  /** As whoever leads group 0 sees it. */
  readonly isLive: (node: number) => boolean;
  readonly frontier: () => Promise<Frontier>;
  /** Nobody waits for these. */
  readonly log: (held: HeldShard, entry: ShardEntry) => void;
  readonly propose: (entry: OrderEntry) => void;
}

/**
 * The shards that this node leads. What happens to one has it act at the end of the turn; what it waits for has it looked
 * at by one tick of the node, together with all others that wait. A shard with nothing to do is in no list here.
 */
export class LeadTable {
  readonly #parts: LeadTableParts;
  #due = new Set<HeldShard>();
  readonly #waiting = new Set<HeldShard>();
  readonly #leading = new Set<HeldShard>();
  #scheduled = false;
  #tick: Timer | null = null;
  #stopped = false;

  constructor(parts: LeadTableParts) {
    this.#parts = parts;
  }

  stop(): void {
    this.#stopped = true;
    this.#tick?.cancel();
  }

  roleChanged(held: HeldShard): void {
    if (this.#stopped) return;
    if (!held.leads) {
      held.lead?.end();
      held.lead = null;
      this.#leading.delete(held);
      this.#waiting.delete(held);
      return;
    }
    held.lead ??= this.#begin(held);
    this.wake(held);
  }

  /** An entry of the shard's log is applied here. */
  applied(held: HeldShard, effects: readonly ShardEffect[]): void {
    if (held.lead === null) return;
    for (const effect of effects) if (effect.kind === 'vote') this.#parts.reports.vote(effect.vote);
    this.wake(held);
  }

  /** An entry of the order's log is applied here, which says something to these shards; null: to all. */
  orderApplied(told: readonly ShardId[] | null, held: (shard: ShardId) => HeldShard | null): void {
    if (told === null) {
      for (const one of this.#leading) this.wake(one);
      return;
    }
    for (const shard of told) {
      const one = held(shard);
      if (one !== null) this.wake(one);
    }
  }

  /** It may have something to do. */
  wake(held: HeldShard): void {
    if (held.lead === null || this.#stopped) return;
    this.#due.add(held);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#parts.platform.defer(() => this.#act());
  }

  #begin(held: HeldShard): ShardLead {
    const { platform, order, reports, frontier, log, propose, isLive } = this.#parts;
    this.#leading.add(held);
    return new ShardLead({
      platform,
      replica: held,
      order,
      frontier,
      log: (entry) => log(held, entry),
      propose,
      report: (row) => reports.report(row),
      vote: (vote) => reports.vote(vote),
      isKnown: () => reports.isKnown,
      nodesForChild: (its) => nodesForChild(its, isLive),
      wake: () => this.wake(held),
    });
  }

  #act(): void {
    this.#scheduled = false;
    if (this.#stopped) return;
    const due = this.#due;
    this.#due = new Set();
    for (const held of due) {
      const { lead } = held;
      if (lead === null) {
        this.#leading.delete(held);
        this.#waiting.delete(held);
        continue;
      }
      lead.act();
      const moves = held instanceof HeldReplica && this.#parts.members.isWanted(held);
      if (moves) this.#parts.members.act(held, () => this.wake(held));
      // One that has just been elected has its first entry still to come.
      if (lead.isWaiting || moves || !held.isReady) this.#waiting.add(held);
      else this.#waiting.delete(held);
    }
    this.#watch();
  }

  #watch(): void {
    if (this.#tick !== null || this.#stopped) return;
    if (this.#waiting.size === 0 && !this.#parts.reports.isPending) return;
    this.#tick = this.#parts.platform.timer(limits.shardTickMs, 'shard-tick', () => {
      this.#tick = null;
      for (const held of this.#waiting) {
        if (held.lead === null) this.#waiting.delete(held);
        else this.wake(held);
      }
      this.#parts.reports.tick();
      this.#watch();
    });
  }
}
