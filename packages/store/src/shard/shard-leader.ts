import { assert } from '@flotilla/platform';
import type { ApplyResult } from '../apply-result.ts';
import type { OrderMachine } from '../order/order-machine.ts';
import type {
  CommittedOutcome,
  Outcome,
  RequestOrigin,
  UnchangedOutcome,
  WrittenOutcome,
} from './request-memory.ts';
import { settle } from './settle.ts';
import { type Fact, orderShard, type ShardEntry } from './shard-entry.ts';
import { answeredAt, type ShardMachine } from './shard-machine.ts';

/** What a client can be told. */
export interface ShardAnswer {
  readonly origin: RequestOrigin;
  readonly result: ApplyResult;
  /** At which it took place, whether the result says so or not. */
  readonly revision: number;
  readonly effective: boolean;
}

/** An order that was fetched: the index of an entry, and the frontier after it. */
export interface Frontier {
  readonly index: number;
  readonly revision: number;
}

interface OpenRead {
  readonly origin: RequestOrigin;
  readonly outcome: UnchangedOutcome;
  frontier: Frontier | null;
  asked: boolean;
}

/**
 * What is kept in memory for a shard, and lost with it: who waits for which answer, which any replica can give that has
 * applied the request, and which facts are logged, which is the leader's. `order` is the node's own copy of the order,
 * which may be behind: then an answer is late, and never wrong.
 */
export class ShardLeader {
  /** The last fact that was proposed, and when. */
  #proposed = 0;
  #proposedAtMs = 0;
  readonly #retryMs: number;
  /** By seq. */
  readonly #writes = new Map<number, { readonly origin: RequestOrigin; readonly outcome: WrittenOutcome }>();
  #reads: OpenRead[] = [];
  /** A request wants to know how far the order has come: since this place in the shard's log. */
  #wanted: { readonly position: number; readonly frontier: Frontier | null } | null = null;

  constructor(retryMs: number) {
    this.#retryMs = retryMs;
  }

  /** Facts to log now: each once and in order, unless one seems to be lost (rule 4). */
  facts(machine: ShardMachine, order: OrderMachine, nowMs: number): Fact[] {
    const isStale = nowMs - this.#proposedAtMs > this.#retryMs;
    if (this.#proposed < machine.ordered || isStale) this.#proposed = machine.ordered;
    const facts = order.factsAfter(machine.shard, this.#proposed);
    const last = facts.at(-1);
    if (last !== undefined) {
      this.#proposed = last.index;
      this.#proposedAtMs = nowMs;
    }
    return facts;
  }

  /** An outcome to answer. Null: later, see {@link ready}; a transaction's part is the coordinator's. */
  outcome(
    machine: ShardMachine,
    origin: RequestOrigin,
    outcome: Outcome,
  ): ShardAnswer | CommittedOutcome | null {
    switch (outcome.kind) {
      case 'committed':
        return outcome;
      case 'written': {
        const { revision, result, seq } = outcome;
        if (revision !== null) return { origin, result, revision, effective: true };
        this.#writes.set(seq, { origin, outcome });
        return null;
      }
      case 'unchanged': {
        const { bound, result } = outcome;
        // In the order group's own shard it is the frontier at its place in the log.
        if (machine.shard === orderShard && bound !== null) {
          return { origin, result: answeredAt(result, bound), revision: bound, effective: false };
        }
        this.#reads.push({ origin, outcome, frontier: null, asked: false });
        return null;
      }
      default:
        return assert(false, 'every outcome is answered') as never;
    }
  }

  /**
   * Who has to know how far the order is: answers that wait for it, and a request of the shard's log. Null: nobody. The
   * frontier has to be fetched after the call, and counts for these alone: it may be too old for whoever comes later.
   *
   * @example
   * const tell = leader.ask(machine);
   * if (tell !== null) tell(await frontier());
   */
  ask(machine: ShardMachine): ((frontier: Frontier) => void) | null {
    // What one of them saw must be numbered first: its answer comes after that.
    const reads = this.#reads.filter((read) => !read.asked && read.outcome.seen <= machine.numbered);
    for (const read of reads) read.asked = true;
    const position = this.#wanted === null ? machine.frontierWantedAt : null;
    const wanted = position === null ? null : { position, frontier: null };
    if (wanted !== null) this.#wanted = wanted;
    if (reads.length === 0 && wanted === null) return null;
    return (frontier) => {
      for (const read of reads) read.frontier = frontier;
      if (wanted !== null && this.#wanted === wanted) this.#wanted = { ...wanted, frontier };
    };
  }

  /** Answers that can be given now. */
  ready(machine: ShardMachine, order: OrderMachine): ShardAnswer[] {
    const answers: ShardAnswer[] = [];
    for (const [seq, { origin, outcome }] of this.#writes) {
      const answer = writeAnswer(machine, order, seq, origin, outcome);
      if (answer === null) continue;
      this.#writes.delete(seq);
      answers.push(answer);
    }
    this.#reads = this.#reads.filter((read) => {
      if (read.frontier === null || !hasAll(machine, order, read.frontier.index)) return true;
      const { origin, outcome, frontier } = read;
      const revision = Math.min(frontier.revision, outcome.bound ?? Infinity);
      answers.push({
        origin,
        result: answeredAt(outcome.result, revision),
        revision,
        effective: false,
      });
      return false;
    });
    return answers;
  }

  /** What to log so that requests learn how far the order is; null: nobody asks, or it is not known yet. */
  frontierEntry(machine: ShardMachine, order: OrderMachine): ShardEntry | null {
    const wanted = this.#wanted;
    if (wanted === null || wanted.frontier === null) return null;
    const { index, revision } = wanted.frontier;
    if (!hasAll(machine, order, index)) return null;
    this.#wanted = null;
    const after = order.lastFact(machine.shard, index) ?? 0;
    return { kind: 'frontier', after, revision, asked: wanted.position };
  }
}

/** As soon as the cut is seen here, whether the shard's own log has it or not. Null: later. */
function writeAnswer(
  machine: ShardMachine,
  order: OrderMachine,
  seq: number,
  origin: RequestOrigin,
  outcome: WrittenOutcome,
): ShardAnswer | null {
  const { revision, result } = outcome;
  if (revision !== null) return { origin, result, revision, effective: true };
  const early = order.revisionOf(machine.shard, seq);
  if (early === null) return null;
  // The order forgets what the shard's leader has logged, and this replica may not have applied that.
  let isKnown = true;
  const revisionOf = (other: number): number => {
    if (other <= machine.numbered) return machine.revisionOf(other);
    const known = order.revisionOf(machine.shard, other);
    isKnown &&= known !== null;
    return known ?? 0;
  };
  const settled = settle(result, { own: early, effective: true, revisionOf });
  return isKnown ? { origin, result: settled, revision: early, effective: true } : null;
}

function hasAll(machine: ShardMachine, order: OrderMachine, index: number): boolean {
  const lastFact = order.lastFact(machine.shard, index);
  return order.index >= index && lastFact !== null && machine.ordered >= lastFact;
}
