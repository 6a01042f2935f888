import { isFlotillaError, messageOf, type Platform, type Timer } from '@flotilla/platform';
import type { NodeId } from '@flotilla/raft';
import { type OrderEntry, OrderLeader, type OrderMachine, type ShardEntry } from '@flotilla/store';
import type { ShardId } from '@flotilla/store';
import { limits } from '../limits.ts';
import type { ReportMessage } from './node-messages.ts';
import type { Patience } from './types.ts';

export interface OrderLeadParts {
  readonly platform: Platform;
  readonly nodeId: NodeId;
  readonly term: number;
  readonly order: () => OrderMachine | null;
  readonly propose: (entry: OrderEntry, patience: Patience) => Promise<void>;
  /** Has a shard log an entry, wherever it is. */
  readonly log: (shard: ShardId, entry: ShardEntry, patience: Patience) => Promise<void>;
}

/**
 * What the node does that leads the order group, in one term of it: it collects how far shards are and what they vote, has
 * that cut into revisions and decisions, has leases end, and aborts what is not decided in time (rules 2, 3, 8, 14). It
 * keeps nothing that does not come again to whoever leads next, and costs nothing while nothing happens. When the time of
 * a lease is over is the lessor's affair, here as in a cluster that is not sharded.
 */
export class OrderLead {
  readonly term: number;
  readonly #parts: OrderLeadParts;
  readonly #leader: OrderLeader;
  #cutting = false;
  #cutDue = false;
  #lastCutMs = -Infinity;
  #lastRevocationMs = -Infinity;
  #pause: Timer | null = null;
  #tick: Timer | null = null;
  #stopped = false;

  constructor(parts: OrderLeadParts) {
    this.#parts = parts;
    this.term = parts.term;
    this.#leader = new OrderLeader(parts.term, limits.transactionTimeoutMs);
    this.#watch();
  }

  /** What another node, or this one, says of the shards that it leads. */
  take({ rows, votes }: ReportMessage): void {
    const order = this.#parts.order();
    if (order === null || this.#stopped) return;
    for (const { shard, seq, ordered } of rows) this.#leader.report(shard, seq, ordered);
    for (const vote of votes) this.#leader.vote(order, vote, this.#parts.platform.now());
    this.#cutSoon();
    this.#watch();
  }

  /** An entry of the order's log is applied here: a lease may be about to end. */
  applied(): void {
    this.#watch();
  }

  stop(): void {
    this.#stopped = true;
    this.#pause?.cancel();
    this.#tick?.cancel();
  }

  /** One cut is under way at most, and what comes meanwhile is in the next: the more comes, the more is in each. */
  #cutSoon(): void {
    this.#cutDue = true;
    if (this.#cutting || this.#pause !== null || this.#stopped) return;
    const { platform } = this.#parts;
    const leftMs = this.#lastCutMs + limits.cutPauseMs - platform.now();
    if (leftMs <= 0) {
      this.#cut();
      return;
    }
    this.#pause = platform.timer(leftMs, 'order-cut', () => {
      this.#pause = null;
      this.#cut();
    });
  }

  #cut(): void {
    const { platform, propose } = this.#parts;
    const order = this.#parts.order();
    if (order === null || this.#stopped || this.#cutting) return;
    this.#cutDue = false;
    const cut = this.#leader.cut(order, platform.now());
    if (cut === null) return;
    this.#lastCutMs = platform.now();
    this.#cutting = true;
    platform.spawn('order-cut', async () => {
      try {
        await propose(cut, { timeoutMs: limits.orderProposalMs });
      } catch (error) {
        // What was in it comes again: shards report, and votes are sent, until they are decided.
        if (isFlotillaError(error, 'FLOTILLA_STOPPED')) this.stop();
        platform.log.debug('a cut is not known to be logged', { reason: messageOf(error) });
      }
      this.#cutting = false;
      if (this.#cutDue || this.#leader.isWaiting) this.#cutSoon();
    });
  }

  /** Looks at the clock while something waits for it. */
  #watch(): void {
    if (this.#tick !== null || this.#stopped || !this.#isWaiting) return;
    this.#tick = this.#parts.platform.timer(limits.shardTickMs, 'order-lead', () => {
      this.#tick = null;
      if (this.#stopped) return;
      if (this.#leader.isWaiting) this.#cutSoon();
      this.#revoke();
      this.#watch();
    });
    this.#revoke();
  }

  get #isWaiting(): boolean {
    const order = this.#parts.order();
    if (this.#leader.isWaiting) return true;
    return order !== null && order.leases.revoking().next().done !== true;
  }

  /** Prepares of leases that end, again and again until it is decided. */
  #revoke(): void {
    const { platform, log } = this.#parts;
    const order = this.#parts.order();
    const nowMs = platform.now();
    if (order === null || nowMs - this.#lastRevocationMs < limits.revocationAgainMs) return;
    const prepares = this.#leader.revocations(order, nowMs);
    if (prepares.length === 0) return;
    this.#lastRevocationMs = nowMs;
    for (const { shard, entry } of prepares) {
      platform.spawn('lease-revocation', async () => {
        try {
          await log(shard, entry, { timeoutMs: limits.revocationAgainMs });
        } catch (error) {
          platform.log.debug('a revocation is not known to be logged', { shard, reason: messageOf(error) });
        }
      });
    }
  }
}
