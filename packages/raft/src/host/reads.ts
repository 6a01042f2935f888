import { FlotillaError } from '@flotilla/platform';
import type { Index, RaftCore, Ref } from '../core/types.ts';
import type { HostLimits } from './limits.ts';
import type { HostMetrics } from './metrics.ts';
import type { ReadOptions } from './types.ts';

/**
 * Callers of `readBarrier`, and the ReadIndex rounds that they wait for (dissertation, section 6.4).
 *
 * A round begins after all its callers have called, so the index that comes back covers everything that was
 * acknowledged before any of them did. For the same reason an answer to a former attempt of the same round is as good as
 * one to the latest: on a slow network answers later than the retry time still end the round.
 */
export class ReadTable {
  readonly #limits: HostLimits;
  readonly #metrics: HostMetrics;
  readonly #retryMs: number;
  readonly #maxRetryMs: number;
  /** Callers since the last round began, grouped by deadline: those of one turn share a promise. */
  #waiting: Waiter[] = [];
  /** The same, of callers that are content with a lease. */
  #leaseWaiting: Waiter[] = [];
  #callers = 0;
  #rounds: Set<Round> = noRounds;
  #byRef: Map<Ref, Round> = noRefs;
  /** Rounds with an index that is not applied yet. */
  #confirmed: Set<Round> = noRounds;
  #closed: FlotillaError | null = null;

  constructor(limits: HostLimits, metrics: HostMetrics, retryMs: number, maxRetryMs: number) {
    this.#limits = limits;
    this.#metrics = metrics;
    this.#retryMs = retryMs;
    this.#maxRetryMs = maxRetryMs;
  }

  get size(): number {
    return this.#callers;
  }

  /** Whether {@link ReadTable.step} would do anything, once a leader is known. */
  get hasWaiting(): boolean {
    return this.hasLeaseWaiting || (this.#waiting.length > 0 && this.#rounds.size < this.#limits.readRounds);
  }

  /** Whether {@link ReadTable.step} needs to know whether there is a lease. */
  get hasLeaseWaiting(): boolean {
    return this.#leaseWaiting.length > 0;
  }

  add(deadlineMs: number, policy: ReadPolicy = 'read-index'): Promise<void> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    if (this.#callers >= this.#limits.pendingReads) {
      return Promise.reject(
        new FlotillaError('FLOTILLA_TOO_MANY_READS', 'too many reads wait at this member'),
      );
    }
    this.#metrics.readBarriers += 1;
    this.#callers += 1;
    const waiting = policy === 'lease' ? this.#leaseWaiting : this.#waiting;
    const last = waiting[waiting.length - 1];
    if (last !== undefined && last.deadlineMs === deadlineMs) {
      last.callers += 1;
      return last.promise;
    }
    const waiter = new Waiter(deadlineMs);
    waiting.push(waiter);
    return waiter.promise;
  }

  /**
   * Begins one round for everybody who waits, and repeats those whose answer did not come. `leaseHolds`, now, after all of
   * them have called: then the core can answer those that are content with it, at once.
   */
  step(core: RaftCore, nextRef: () => Ref, nowMs: number, leaseHolds = false): void {
    for (const round of this.#rounds) {
      if (round.retryAtMs > nowMs) continue;
      round.retryMs = Math.min(round.retryMs * 2, this.#maxRetryMs);
      this.#ask(round, core, nextRef(), nowMs, 'read-index');
    }
    if (leaseHolds && this.hasLeaseWaiting) this.#beginLeaseRound(core, nextRef(), nowMs);
    this.#waiting.push(...this.#leaseWaiting);
    this.#leaseWaiting = [];
    if (!this.hasWaiting) return;
    const round = new Round(this.#waiting, this.#retryMs);
    this.#waiting = [];
    if (this.#rounds === noRounds) this.#rounds = new Set();
    this.#rounds.add(round);
    this.#ask(round, core, nextRef(), nowMs, 'read-index');
  }

  /** Not counted with the others: the next drain answers it. Should the core know better, it is a round as any. */
  #beginLeaseRound(core: RaftCore, ref: Ref, nowMs: number): void {
    const round = new Round(this.#leaseWaiting, this.#retryMs);
    for (const { callers } of this.#leaseWaiting) this.#metrics.leaseReads += callers;
    this.#leaseWaiting = [];
    if (this.#rounds === noRounds) this.#rounds = new Set();
    this.#rounds.add(round);
    this.#ask(round, core, ref, nowMs, 'lease');
  }

  /** Whether a round should be repeated now. */
  due(nowMs: number): boolean {
    for (const round of this.#rounds) if (round.retryAtMs <= nowMs) return true;
    return false;
  }

  /** False: `ref` is not a read's. */
  readable(ref: Ref, index: Index, applied: Index): boolean {
    const round = this.#byRef.get(ref);
    if (round === undefined) return false;
    this.#rounds.delete(round);
    for (const asked of round.refs) this.#byRef.delete(asked);
    round.index = index;
    if (index <= applied) this.#resolve(round);
    else this.#await(round);
    return true;
  }

  /** Asked again at the next sweep, or as soon as a leader appears. */
  refused(ref: Ref, nowMs: number): boolean {
    const round = this.#byRef.get(ref);
    if (round === undefined) return false;
    this.#byRef.delete(ref);
    round.retryAtMs = nowMs + this.#retryMs;
    return true;
  }

  /** Another leader: what was asked of the former one may never be answered. */
  retryAll(nowMs: number): void {
    for (const round of this.#rounds) round.retryAtMs = nowMs;
  }

  /** The state machine has everything up to `applied`. */
  advance(applied: Index): void {
    for (const round of this.#confirmed) {
      if (round.index > applied) continue;
      this.#confirmed.delete(round);
      this.#resolve(round);
    }
  }

  sweep(nowMs: number, leaderKnown: boolean): void {
    const late = (waiter: Waiter): boolean => {
      if (waiter.deadlineMs > nowMs) return false;
      this.#callers -= waiter.callers;
      waiter.reject(
        leaderKnown
          ? new FlotillaError('FLOTILLA_READ_TIMEOUT', 'the read was not confirmed in time')
          : new FlotillaError('FLOTILLA_NO_LEADER', 'no leader is known: the read could not be confirmed'),
      );
      return true;
    };
    this.#waiting = this.#waiting.filter((waiter) => !late(waiter));
    this.#leaseWaiting = this.#leaseWaiting.filter((waiter) => !late(waiter));
    for (const round of [...this.#rounds, ...this.#confirmed]) {
      round.waiters = round.waiters.filter((waiter) => !late(waiter));
      if (round.waiters.length > 0) continue;
      this.#rounds.delete(round);
      this.#confirmed.delete(round);
      for (const asked of round.refs) this.#byRef.delete(asked);
    }
  }

  close(error: FlotillaError): void {
    if (this.#closed !== null) return;
    this.#closed = error;
    const waiters = [...this.#waiting, ...this.#leaseWaiting];
    for (const round of [...this.#rounds, ...this.#confirmed]) waiters.push(...round.waiters);
    for (const waiter of waiters) waiter.reject(error);
    this.#waiting = [];
    this.#leaseWaiting = [];
    this.#rounds.clear();
    this.#confirmed.clear();
    this.#byRef.clear();
    this.#callers = 0;
  }

  #ask(round: Round, core: RaftCore, ref: Ref, nowMs: number, policy: ReadPolicy): void {
    if (policy === 'read-index') this.#metrics.readRounds += 1;
    round.refs.push(ref);
    if (round.refs.length > maxRefs) {
      const oldest = round.refs.shift();
      if (oldest !== undefined) this.#byRef.delete(oldest);
    }
    round.retryAtMs = nowMs + round.retryMs;
    if (this.#byRef === noRefs) this.#byRef = new Map();
    this.#byRef.set(ref, round);
    core.step({ type: 'read', ref, policy });
  }

  #await(round: Round): void {
    if (this.#confirmed === noRounds) this.#confirmed = new Set();
    this.#confirmed.add(round);
  }

  #resolve(round: Round): void {
    for (const waiter of round.waiters) {
      this.#callers -= waiter.callers;
      waiter.resolve();
    }
  }
}

type ReadPolicy = NonNullable<ReadOptions['policy']>;

/** Attempts of one round whose late answer still counts. */
const maxRefs = 4;

class Waiter {
  readonly deadlineMs: number;
  readonly promise: Promise<void>;
  callers = 1;
  resolve: () => void = () => undefined;
  reject: (error: Error) => void = () => undefined;

  constructor(deadlineMs: number) {
    this.deadlineMs = deadlineMs;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

class Round {
  waiters: readonly Waiter[];
  readonly refs: Ref[] = [];
  index: Index = 0 as Index;
  retryAtMs = 0;
  retryMs: number;

  constructor(waiters: readonly Waiter[], retryMs: number) {
    this.waiters = waiters;
    this.retryMs = retryMs;
  }
}

/** Shared by all groups that have none, which is most of them: never written. */
const noRounds: Set<Round> = new Set();

/** Shared by all groups that have none, which is most of them: never written. */
const noRefs: Map<Ref, Round> = new Map();
