import { FlotillaError, isFlotillaError, type Platform, type Timer } from '@flotilla/platform';
import type { OrderEffect, OrderEntry, OrderMachine, RequestOrigin, ShardAnswer } from '@flotilla/store';
import { limits } from '../limits.ts';
import type { AdministerReply, Patience } from './types.ts';

interface Waiter {
  readonly everywhere: boolean;
  readonly settle: (reply: AdministerReply) => void;
}

interface Spreading {
  readonly waiter: Waiter;
  readonly answer: ShardAnswer;
  readonly index: number;
  readonly timer: Timer;
}

/**
 * Requests of the order group that this node has proposed. A compaction is answered when every shard has heard of it
 * (rule 16), which this node's own copy of the order says; all else when it is applied here. One that is down is waited
 * for a little only: nobody reads what is compacted there, since whoever reads at a revision asks the order first. Changes of users come as
 * proposals of group 0, and `ShardedBackend.everywhere` waits for them.
 */
export class Administering {
  readonly #platform: Platform;
  readonly #waiting = new Map<string, Waiter[]>();
  #spreading: Spreading[] = [];

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** `propose`: again, when a snapshot has jumped over it. Rejects with `FLOTILLA_PROPOSAL_TIMEOUT`, or as it does. */
  ask(
    entry: OrderEntry & { readonly origin: RequestOrigin },
    { timeoutMs }: Patience,
    propose: () => Promise<void>,
  ): Promise<AdministerReply> {
    return new Promise((resolve, reject) => {
      const key = keyOf(entry.origin);
      let over = false;
      const end = (): void => {
        over = true;
        timer.cancel();
        this.#forget(key, waiter);
      };
      const waiter: Waiter = {
        everywhere: entry.kind === 'compact',
        settle: (reply) => {
          end();
          resolve(reply);
        },
      };
      const fail = (error: Error): void => {
        end();
        reject(error);
      };
      const timer = this.#platform.timer(timeoutMs, 'order-request', () => {
        fail(new FlotillaError('FLOTILLA_PROPOSAL_TIMEOUT', 'the order group has not answered in time'));
      });
      const waiting = this.#waiting.get(key);
      if (waiting === undefined) this.#waiting.set(key, [waiter]);
      else waiting.push(waiter);
      const attempt = (): void => {
        propose().catch((error: unknown) => {
          if (over) return;
          if (isFlotillaError(error, 'FLOTILLA_PROPOSAL_UNKNOWN')) attempt();
          else fail(error as Error);
        });
      };
      attempt();
    });
  }

  /** In the middle of applying. */
  applied(order: OrderMachine, effects: readonly OrderEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'refused') {
        this.#tell(effect.origin, { kind: 'refused', reason: effect.reason });
      } else if (effect.kind === 'outcome') {
        this.#outcome(order, effect.origin, effect.outcome);
      }
    }
    if (this.#spreading.length > 0) this.#spread(order);
  }

  /** Another state is there: what it remembers is the answer. */
  restored(order: OrderMachine): void {
    for (const key of this.#waiting.keys()) {
      const [session, request] = key.split('.').map(Number) as [number, number];
      const outcome = order.own.memory.outcomeOf({ session, request });
      if (outcome !== null && outcome.kind !== 'committed') {
        this.#outcome(order, { session, request, floor: 0 }, outcome);
      }
    }
    this.#spread(order);
  }

  stop(): void {
    const stopped = new FlotillaError('FLOTILLA_STOPPED', 'this member stops');
    for (const { timer } of this.#spreading) timer.cancel();
    this.#spreading = [];
    this.#waiting.clear();
    this.#platform.log.debug('requests of the order are given up', { reason: stopped.message });
  }

  #outcome(
    order: OrderMachine,
    origin: RequestOrigin,
    outcome: Extract<OrderEffect, { readonly kind: 'outcome' }>['outcome'],
  ): void {
    const waiting = this.#waiting.get(keyOf(origin)) ?? [];
    const revision = (outcome.kind === 'written' ? outcome.revision : outcome.bound) ?? order.frontier;
    const answer: ShardAnswer = { origin, result: outcome.result, revision, effective: false };
    for (const waiter of waiting) {
      if (waiter.everywhere) this.#spreadLater(waiter, answer, order.index);
      else waiter.settle({ kind: 'answer', answer });
    }
  }

  #spreadLater(waiter: Waiter, answer: ShardAnswer, index: number): void {
    const timer = this.#platform.timer(limits.everywhereMs, 'order-spread', () => {
      waiter.settle({ kind: 'answer', answer });
    });
    this.#spreading.push({ waiter, answer, index, timer });
  }

  #spread(order: OrderMachine): void {
    // Whoever is answered is no more in the list that comes of it.
    for (const { waiter, answer, index } of this.#spreading) {
      if (order.isEverywhere(index)) waiter.settle({ kind: 'answer', answer });
    }
  }

  #tell(origin: RequestOrigin, reply: AdministerReply): void {
    for (const { settle } of this.#waiting.get(keyOf(origin)) ?? []) settle(reply);
  }

  #forget(key: string, waiter: Waiter): void {
    const left = (this.#waiting.get(key) ?? []).filter((one) => one !== waiter);
    if (left.length === 0) this.#waiting.delete(key);
    else this.#waiting.set(key, left);
    this.#spreading = this.#spreading.filter((one) => {
      if (one.waiter !== waiter) return true;
      one.timer.cancel();
      return false;
    });
  }
}

function keyOf({ session, request }: Pick<RequestOrigin, 'session' | 'request'>): string {
  return `${session}.${request}`;
}
