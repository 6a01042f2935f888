import { limits } from '../limits.ts';
import { orderSession } from '../shard/request-memory.ts';
import type { PrepareEntry, ShardId, Vote } from '../shard/shard-entry.ts';
import { type Tally, tallyOf, type VoteTree } from '../shard/vote.ts';
import type { OrderEntry, ProposedDecision } from './order-entry.ts';
import type { OrderMachine } from './order-machine.ts';

/** Votes that have come for one transaction. */
interface Ballot {
  readonly sinceMs: number;
  readonly vote: Vote;
  readonly votes: Map<ShardId, Vote>;
}

interface Revocation {
  readonly sinceMs: number;
  /** The same lease may be granted, and revoked, once more. */
  readonly revokedAt: number;
  readonly transaction: string;
  readonly prepares: readonly { readonly shard: ShardId; readonly entry: PrepareEntry }[];
}

/**
 * What the order group's leader keeps in memory, and loses with its term: all of it comes again. Reports are
 * cumulative, votes are resent, and a decision that was not logged was none.
 */
export class OrderLeader {
  readonly #term: number;
  readonly #timeoutMs: number;
  readonly #seqs = new Map<ShardId, number>();
  readonly #ordered = new Map<ShardId, number>();
  readonly #ballots = new Map<string, Ballot>();
  /** Of leases that are about to end, and of no others. */
  #revocations = new Map<bigint, Revocation>();
  #attempts = 0;

  /** A transaction that is not decided by then is aborted. */
  constructor(term: number, timeoutMs: number) {
    this.#term = term;
    this.#timeoutMs = timeoutMs;
  }

  /** What a shard's leader has committed, and how far it has applied what was said to it. */
  report(shard: ShardId, seq: number, ordered: number): void {
    this.#seqs.set(shard, Math.max(this.#seqs.get(shard) ?? 0, seq));
    this.#ordered.set(shard, Math.max(this.#ordered.get(shard) ?? 0, ordered));
  }

  vote(machine: OrderMachine, vote: Vote, nowMs: number): void {
    const { transaction, shard } = vote;
    if (machine.decisionOf(transaction) !== null) return;
    let ballot = this.#ballots.get(transaction);
    if (ballot === undefined) {
      ballot = { sinceMs: nowMs, vote, votes: new Map() };
      this.#ballots.set(transaction, ballot);
    }
    // What was refused first may be prepared by now.
    if (ballot.votes.get(shard)?.tree !== null || vote.tree !== null) ballot.votes.set(shard, vote);
  }

  /** Whether votes wait for others, or for their time-out: {@link cut} has to be asked again. */
  get isWaiting(): boolean {
    return this.#ballots.size > 0;
  }

  /** Whether a cut would let go of shards that have ended, be there anything else to log or not. */
  mayForget(machine: OrderMachine): boolean {
    return machine.mayForget((shard) => this.#ordered.get(shard) ?? 0);
  }

  /** What is to be logged now; null: nothing new is known. */
  cut(machine: OrderMachine, nowMs: number): (OrderEntry & { readonly kind: 'cut' }) | null {
    const counts = new Map<ShardId, number>();
    for (const [shard, seq] of this.#seqs) raise(counts, machine, shard, seq);
    const decisions: ProposedDecision[] = [];
    let bytes = 0;
    for (const [transaction, ballot] of this.#ballots) {
      if (machine.decisionOf(transaction) !== null) {
        this.#ballots.delete(transaction);
        continue;
      }
      const decision = this.#decide(machine, ballot, nowMs);
      if (decision === null) continue;
      bytes += bytesOf(decision);
      // The log takes no entry of any size: the rest goes with the next one.
      if (decisions.length > 0 && bytes > limits.cutDecisionBytes) break;
      decisions.push(decision);
      // A copy of its votes may open the ballot again: the first decision stands.
      this.#ballots.delete(transaction);
      if (decision.verdict === 'abort') continue;
      for (const [shard, { seq }] of ballot.votes) raise(counts, machine, shard, seq);
    }
    const logged = [...this.#ordered].flatMap(([shard, index]) =>
      index > machine.logged(shard) ? [{ shard, index }] : [],
    );
    if (counts.size === 0 && decisions.length === 0) {
      // What may be forgotten is worth an entry only when somebody waits for it.
      const isAwaited = logged.length > 0 && !machine.isEverywhere(machine.index);
      if (!isAwaited && !this.mayForget(machine)) return null;
    }
    return {
      kind: 'cut',
      counts: [...counts].map(([shard, upTo]) => ({ shard, upTo })),
      decisions,
      logged,
    };
  }

  /** Prepares that are to be sent, again and again, for leases that are about to end. */
  revocations(machine: OrderMachine, nowMs: number): Revocation['prepares'] {
    const before = this.#revocations;
    this.#revocations = new Map();
    for (const { lease, revokedAt, shards } of machine.leases.revoking()) {
      const known = before.get(lease);
      const isKnown = known?.revokedAt === revokedAt && !this.#isOver(machine, known, nowMs);
      const revocation = isKnown ? known : this.#attempt(machine, lease, revokedAt, shards, nowMs);
      this.#revocations.set(lease, revocation);
    }
    return [...this.#revocations.values()].flatMap(({ prepares }) => prepares);
  }

  #isOver(machine: OrderMachine, { transaction, sinceMs }: Revocation, nowMs: number): boolean {
    return machine.decisionOf(transaction) !== null || nowMs - sinceMs > 2 * this.#timeoutMs;
  }

  /** Participants and epochs are those of one place in the order. */
  #attempt(
    machine: OrderMachine,
    lease: bigint,
    revokedAt: number,
    shards: ReadonlySet<ShardId>,
    nowMs: number,
  ): Revocation {
    this.#attempts += 1;
    const transaction = `${orderSession}.${revokedAt}.${this.#term}-${this.#attempts}`;
    const floor = machine.leases.oldestRevocation ?? revokedAt;
    const origin = { session: orderSession, request: revokedAt, floor };
    const participants = machine.map.rows
      .filter(({ shard }) => shards.has(shard))
      .map(({ shard, range }) => ({ shard, range }));
    const prepares = participants.map(({ shard }) => ({
      shard,
      entry: {
        kind: 'prepare',
        transaction,
        origin,
        user: null,
        participants,
        fragment: null,
        revokes: lease,
        absent: [],
      } as const,
    }));
    return { sinceMs: nowMs, revokedAt, transaction, prepares };
  }

  #decide(machine: OrderMachine, { sinceMs, vote, votes }: Ballot, nowMs: number): ProposedDecision | null {
    const { transaction, origin, participants, revokes } = vote;
    const shards = participants.map(({ shard }) => shard);
    const decision = { transaction, origin, participants: shards, revokes };
    const trees = shards.map((shard) => votes.get(shard)?.tree);
    const isRefused = trees.includes(null) || machine.isFinished(origin) || nowMs - sinceMs > this.#timeoutMs;
    if (isRefused) {
      return { ...decision, verdict: 'abort', choices: [], effective: false, changes: [], error: null };
    }
    if (trees.includes(undefined)) return null;
    const tally = tallyOf(trees as VoteTree[]);
    const { choices, changes, error } = withErrors(tally, [...votes.values()]);
    return { ...decision, verdict: 'commit', choices, effective: changes.length > 0, changes, error };
  }
}

/** What is refused whatever its branches are comes before what one of them does. */
function withErrors(tally: Tally, votes: readonly Vote[]): Tally {
  const error = votes.find((vote) => vote.error !== null)?.error ?? tally.error;
  return { ...tally, error, changes: error === null ? tally.changes : [] };
}

/** At most, as an entry has it. */
function bytesOf({ transaction, participants, choices, changes }: ProposedDecision): number {
  return decisionBytes + transaction.length + 5 * participants.length + choices.length + 15 * changes.length;
}

/** What a decision takes beside its lists. */
const decisionBytes = 64;

function raise(counts: Map<ShardId, number>, machine: OrderMachine, shard: ShardId, seq: number): void {
  const numbered = machine.numbered(shard);
  if (numbered !== null && seq > Math.max(numbered, counts.get(shard) ?? 0)) counts.set(shard, seq);
}
