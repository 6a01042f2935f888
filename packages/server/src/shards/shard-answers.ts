import { isFlotillaError, type Platform } from '@flotilla/platform';
import {
  type CommittedOutcome,
  type Decision,
  type Frontier,
  type OrderMachine,
  type RequestOrigin,
  type ShardEffect,
  ShardLeader,
  type ShardMachine,
} from '@flotilla/store';
import { limits } from '../limits.ts';
import type { SubmitReply } from './types.ts';

export interface ShardAnswersParts {
  readonly platform: Platform;
  /** Those that somebody waits for. */
  readonly busy: Set<ShardAnswers>;
  readonly machine: () => ShardMachine | null;
  readonly order: () => OrderMachine | null;
  readonly frontier: () => Promise<Frontier>;
}

interface Waiter {
  /** Null: of one shard alone. */
  readonly transaction: string | null;
  readonly settle: (reply: SubmitReply) => void;
}

/** Somebody waits for an answer. */
export interface AwaitedAnswer {
  readonly reply: Promise<SubmitReply>;
  /** Nobody does any more. */
  cancel(): void;
}

/**
 * Who waits at this node for what became of a request that it has proposed itself: told as soon as this node's own replica
 * and its own copy of the order say so, whoever leads the shard. What nobody waits for here costs nothing here.
 */
export class ShardAnswers {
  readonly #parts: ShardAnswersParts;
  readonly #waiting = new Map<string, Waiter[]>();
  #settling = new ShardLeader(limits.factRetryMs);
  /** Outcomes that wait for a number or a frontier, and nobody has been told. */
  #unsettled = 0;
  #scheduled = false;
  #ended = false;

  constructor(parts: ShardAnswersParts) {
    this.#parts = parts;
  }

  wait(origin: RequestOrigin, transaction: string | null): AwaitedAnswer {
    const key = keyOf(origin);
    if (this.#ended) {
      return { reply: Promise.resolve({ kind: 'refused', reason: 'epoch' }), cancel: () => undefined };
    }
    this.#parts.busy.add(this);
    let waiter: Waiter | null = null;
    const reply = new Promise<SubmitReply>((resolve) => {
      waiter = { transaction, settle: resolve };
      const waiting = this.#waiting.get(key);
      if (waiting === undefined) this.#waiting.set(key, [waiter]);
      else waiting.push(waiter);
    });
    const cancel = (): void => {
      const left = (this.#waiting.get(key) ?? []).filter((one) => one !== waiter);
      if (left.length === 0) this.#waiting.delete(key);
      else this.#waiting.set(key, left);
      if (this.#waiting.size === 0) this.#parts.busy.delete(this);
    };
    return { reply, cancel };
  }

  /** In the middle of applying. */
  applied(machine: ShardMachine, effects: readonly ShardEffect[]): void {
    if (this.#waiting.size === 0) return;
    for (const effect of effects) {
      if (effect.kind === 'outcome') this.#outcome(machine, effect.origin, effect.outcome);
      else if (effect.kind === 'refused') {
        this.#tell(effect.origin, { kind: 'refused', reason: effect.reason });
      }
    }
    if (this.#unsettled > 0) this.settleSoon();
  }

  /** The order has decided about a transaction of this shard. */
  decided({ transaction, origin, verdict }: Decision): void {
    if (verdict === 'commit') return;
    const waiting = this.#waiting.get(keyOf(origin)) ?? [];
    const aborted = waiting.filter((waiter) => waiter.transaction === transaction);
    if (aborted.length === 0) return;
    const left = waiting.filter((waiter) => waiter.transaction !== transaction);
    if (left.length === 0) this.#waiting.delete(keyOf(origin));
    else this.#waiting.set(keyOf(origin), left);
    for (const { settle } of aborted) settle({ kind: 'aborted' });
  }

  /** The order has come further, or this replica has. */
  settleSoon(): void {
    if (this.#scheduled || this.#unsettled === 0 || this.#ended) return;
    this.#scheduled = true;
    this.#parts.platform.defer(() => {
      this.#scheduled = false;
      if (!this.#ended) this.#settle();
    });
  }

  /** Another state is in the place of the one before: what was seen of that one counts no more. */
  restored(machine: ShardMachine): void {
    this.#settling = new ShardLeader(limits.factRetryMs);
    this.#unsettled = 0;
    for (const key of this.#waiting.keys()) {
      const origin = originOf(key);
      const outcome = machine.memory.outcomeOf(origin);
      if (outcome !== null) this.#outcome(machine, { ...origin, floor: 0 }, outcome);
    }
    this.settleSoon();
  }

  /** The replica is none any more: its keys are somebody else's. */
  end(): void {
    this.#ended = true;
    for (const waiting of this.#waiting.values()) {
      for (const { settle } of waiting) settle({ kind: 'refused', reason: 'epoch' });
    }
    this.#waiting.clear();
    this.#parts.busy.delete(this);
  }

  #outcome(
    machine: ShardMachine,
    origin: RequestOrigin,
    outcome: Parameters<ShardLeader['outcome']>[2],
  ): void {
    if (!this.#waiting.has(keyOf(origin))) return;
    const answer = this.#settling.outcome(machine, origin, outcome);
    if (answer === null) this.#unsettled += 1;
    else if (isPart(answer)) this.#tell(origin, { kind: 'part', outcome: answer });
    else this.#tell(origin, { kind: 'answer', answer });
  }

  #settle(): void {
    const machine = this.#parts.machine();
    const order = this.#parts.order();
    if (machine === null || order === null) return;
    for (const answer of this.#settling.ready(machine, order)) {
      this.#unsettled -= 1;
      this.#tell(answer.origin, { kind: 'answer', answer });
    }
    if (this.#waiting.size === 0) {
      // Whoever waited for the rest has gone.
      this.#settling = new ShardLeader(limits.factRetryMs);
      this.#unsettled = 0;
    }
    const tell = this.#unsettled === 0 ? null : this.#settling.ask(machine);
    if (tell === null) return;
    this.#parts.platform.spawn('shard-frontier', () => this.#fetch(this.#settling, tell));
  }

  /** For all that wait for it by now; those that come later have a round of their own. */
  async #fetch(settling: ShardLeader, tell: (frontier: Frontier) => void): Promise<void> {
    while (!this.#ended && settling === this.#settling && this.#waiting.size > 0) {
      try {
        tell(await this.#parts.frontier());
        break;
      } catch (error) {
        if (isFlotillaError(error, 'FLOTILLA_STOPPED')) break;
        // Nobody leads: whoever waits does so as long as its own patience lasts.
        await this.#pause();
      }
    }
    this.settleSoon();
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#parts.platform.timer(limits.shardTickMs, 'shard-frontier', resolve);
    });
  }

  #tell(origin: RequestOrigin, reply: SubmitReply): void {
    const key = keyOf(origin);
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    this.#waiting.delete(key);
    for (const { settle } of waiting) settle(reply);
  }
}

type Answer = Exclude<ReturnType<ShardLeader['outcome']>, null>;

function isPart(answer: Answer): answer is CommittedOutcome {
  return 'transaction' in answer;
}

function keyOf({ session, request }: Pick<RequestOrigin, 'session' | 'request'>): string {
  return `${session}.${request}`;
}

function originOf(key: string): Pick<RequestOrigin, 'session' | 'request'> {
  const [session, request] = key.split('.').map(Number);
  return { session: session as number, request: request as number };
}
