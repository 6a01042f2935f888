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
  /** When the next one may begin. */
  #nextCutMs = -Infinity;
  #lastRevocationMs = -Infinity;
  #clockMs = 0;
  #lookedMs: number;
  #pause: Timer | null = null;
  #tick: Timer | null = null;
  #stopped = false;

  constructor(parts: OrderLeadParts) {
    this.#parts = parts;
    this.term = parts.term;
    this.#lookedMs = parts.platform.now();
    this.#leader = new OrderLeader(parts.term, limits.transactionTimeoutMs);
    this.#watch();
  }

  /** What another node, or this one, says of the shards that it leads. */
  take({ rows, votes }: ReportMessage): void {
    const order = this.#parts.order();
    if (order === null || this.#stopped) return;
    for (const { shard, seq, ordered } of rows) this.#leader.report(shard, seq, ordered);
    const waitedMs = this.#waitedMs();
    for (const vote of votes) this.#leader.vote(order, vote, waitedMs);
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

  /**
   * One cut is under way at most, and what comes meanwhile is in the next: the more comes, the more is in each. After one
   * comes a pause as long as it took, within bounds: where processors or disks are what is short, half as many rounds of
   * all nodes are worth more than what a write waits for the next one. A write that comes alone waits for none.
   */
  #cutSoon(): void {
    this.#cutDue = true;
    if (this.#cutting || this.#pause !== null || this.#stopped) return;
    const { platform } = this.#parts;
    const leftMs = this.#nextCutMs - platform.now();
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
    const cut = this.#leader.cut(order, this.#waitedMs());
    if (cut === null) return;
    const begunMs = platform.now();
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
      const endedMs = platform.now();
      this.#nextCutMs = endedMs + pauseAfter(endedMs - begunMs);
      if (this.#cutDue || this.#leader.isWaiting) this.#cutSoon();
    });
  }

  /** Looks at the clock while something waits for it. */
  #watch(): void {
    if (this.#tick !== null || this.#stopped || !this.#isWaiting) return;
    this.#tick = this.#parts.platform.timer(limits.shardTickMs, 'order-lead', () => {
      this.#tick = null;
      if (this.#stopped) return;
      if (this.#leader.isWaiting || this.#mayForget) this.#cutSoon();
      this.#revoke();
      this.#watch();
    });
    this.#revoke();
  }

  get #isWaiting(): boolean {
    const order = this.#parts.order();
    if (this.#leader.isWaiting || this.#mayForget) return true;
    return order !== null && order.leases.revoking().next().done !== true;
  }

  get #mayForget(): boolean {
    const order = this.#parts.order();
    return order !== null && this.#leader.mayForget(order);
  }

  /**
   * The clock by which votes are waited for. A process that was stopped has not waited: what came meanwhile is still in its
   * sockets, and all that was under way would be aborted at once.
   */
  #waitedMs(): number {
    const nowMs = this.#parts.platform.now();
    this.#clockMs += Math.min(nowMs - this.#lookedMs, limits.orderLookMs);
    this.#lookedMs = nowMs;
    return this.#clockMs;
  }

  /** Prepares of leases that end, again and again until it is decided. */
  #revoke(): void {
    const { platform, log } = this.#parts;
    const order = this.#parts.order();
    const nowMs = platform.now();
    if (order === null || nowMs - this.#lastRevocationMs < limits.revocationAgainMs) return;
    const prepares = this.#leader.revocations(order, this.#waitedMs());
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

function pauseAfter(cutMs: number): number {
  return Math.min(Math.max(cutMs, limits.cutPauseMs), limits.cutPauseMostMs);
}
