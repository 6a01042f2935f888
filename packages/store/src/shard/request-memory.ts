import { assert, unreachable } from '@flotilla/platform';
import { TxnResponse } from '@flotilla/wire';
import type { ApplyResult } from '../apply-result.ts';
import { ChangedParts } from '../changed-parts.ts';
import { decodePlain, encodePlain } from '../encoding/plain.ts';
import { encodeReply } from '../sessions/reply.ts';
import { decodeSession, encodeOutcome, encodeSession, resultOf } from './outcome-codec.ts';
import type { Decision } from './shard-entry.ts';

/** By the order group's log; of one session each number stands for one request. */
export interface RequestOrigin {
  readonly session: number;
  /** From 1. */
  readonly request: number;
  /** The session's lowest request that is not finished. */
  readonly floor: number;
}

/** The session of the order group's own requests: revocations, each of them by the index of its entry. It never ends. */
export const orderSession = 0;

/** A request that changed something here alone, or that the order group carried out. */
export interface WrittenOutcome {
  readonly kind: 'written';
  /** 0 where nothing waits for its number. */
  readonly seq: number;
  /** The last seq that was numbered when it was evaluated: its answer names none at or before it. */
  readonly from: number;
  /** Null: no cut has numbered it yet. */
  revision: number | null;
  result: ApplyResult;
}

/** A request that changed nothing, errors among them. It is final all the same. */
export interface UnchangedOutcome {
  readonly kind: 'unchanged';
  result: ApplyResult;
  readonly from: number;
  /** The last seq that it can have seen. */
  readonly seen: number;
  /** Transactions that had been prepared here before it. */
  readonly prepared: number;
  /** The revision up to which it holds; null: nothing has been numbered after it. */
  bound: number | null;
}

/** A transaction of several shards that was carried out, as far as this shard is concerned. */
export interface CommittedOutcome {
  readonly kind: 'committed';
  readonly transaction: string;
  /** The order at which it took place. */
  readonly revision: number;
  readonly effective: boolean;
  /** Not null: it was refused with this error, and has changed nothing. */
  readonly error: ApplyResult | null;
  readonly participants: readonly number[];
  /** What each of these participants answers, over its own keys. */
  readonly parts: Map<number, TxnResponse>;
}

export type Outcome = WrittenOutcome | UnchangedOutcome | CommittedOutcome;

/** What has become of a request that was seen before. */
export type Recalled = 'new' | 'finished' | 'expired' | Outcome;

interface SessionMemory {
  floor: number;
  readonly outcomes: Map<number, Outcome>;
  /** Those that nothing can change any more, as they are written down. */
  readonly encoded: Map<number, Uint8Array>;
}

/**
 * What a shard remembers of each session's requests from its floor on: outcomes, and the decisions of transactions,
 * whether they were prepared here or not. A request that comes again is answered from it; below the floor it is
 * refused, so that no late copy takes effect after its client was answered.
 */
export class RequestMemory {
  readonly #sessions = new Map<number, SessionMemory>();
  /** Of transactions, by their ids. */
  readonly #decided = new Map<string, Decision>();
  /** The same by session. */
  readonly #decidedOf = new Map<number, Set<Decision>>();
  readonly #expired = new Set<number>();
  /** Sessions with lower numbers are all expired. */
  #lowestSession = 0;
  /** Of requests that changed nothing: those whose bound is open, with their sessions. */
  readonly #open = new Map<UnchangedOutcome, number>();
  /** Sessions of which something else is remembered than was written down. */
  readonly #changed = new ChangedParts<number>();
  #expiredChanged = true;

  /** Of a session that is expired, every request is finished. */
  floorOf(session: number): number {
    if (this.isExpired(session)) return Infinity;
    return this.#sessions.get(session)?.floor ?? 0;
  }

  isExpired(session: number): boolean {
    if (session === orderSession) return false;
    return session < this.#lowestSession || this.#expired.has(session);
  }

  /** Raises the session's floor, and says what is known of the request. */
  recall(origin: RequestOrigin): Recalled {
    this.raiseFloor(origin.session, origin.floor);
    return this.look(origin);
  }

  /** The same with nothing changed. */
  look({ session, request }: Pick<RequestOrigin, 'session' | 'request'>): Recalled {
    if (this.isExpired(session)) return 'expired';
    const memory = this.#sessions.get(session);
    if (memory === undefined) return 'new';
    if (request < memory.floor) return 'finished';
    return memory.outcomes.get(request) ?? 'new';
  }

  /** Null: it was not executed here, or is finished. */
  outcomeOf({ session, request }: Pick<RequestOrigin, 'session' | 'request'>): Outcome | null {
    return this.#sessions.get(session)?.outcomes.get(request) ?? null;
  }

  remember({ session, request }: Pick<RequestOrigin, 'session' | 'request'>, outcome: Outcome): void {
    if (this.isExpired(session)) return;
    const memory = this.#session(session);
    if (request < memory.floor) return;
    assert(!memory.outcomes.has(request), 'a request of a session is executed once');
    memory.outcomes.set(request, outcome);
    this.#changed.add(session);
    if (outcome.kind === 'unchanged' && outcome.bound === null) this.#open.set(outcome, session);
  }

  raiseFloor(session: number, floor: number): void {
    if (floor === 0 || this.isExpired(session)) return;
    const memory = this.#session(session);
    if (floor <= memory.floor) return;
    memory.floor = floor;
    this.#changed.add(session);
    for (const [request, outcome] of memory.outcomes) {
      if (request >= floor) continue;
      memory.outcomes.delete(request);
      memory.encoded.delete(request);
      if (outcome.kind === 'unchanged') this.#open.delete(outcome);
    }
    this.#forgetDecided(session, floor);
  }

  // Decisions.

  isDecided(transaction: string): boolean {
    return this.#decided.has(transaction);
  }

  decisionOf(transaction: string): Decision | null {
    return this.#decided.get(transaction) ?? null;
  }

  decided(decision: Decision): void {
    const { origin } = decision;
    if (origin.request < this.floorOf(origin.session)) return;
    this.#decide(decision);
    this.#changed.add(origin.session);
  }

  #decide(decision: Decision): void {
    const { transaction, origin } = decision;
    const { session } = origin;
    const before = this.#decided.get(transaction);
    if (before !== undefined) this.#decidedOf.get(before.origin.session)?.delete(before);
    this.#decided.set(transaction, decision);
    const others = this.#decidedOf.get(session);
    if (others === undefined) this.#decidedOf.set(session, new Set([decision]));
    else others.add(decision);
  }

  // Sessions.

  /** `lowest`: every session with a lower number is expired. */
  expire(sessions: readonly number[], lowest: number): void {
    this.#expiredChanged = true;
    for (const session of sessions) {
      this.#forget(session);
      this.#expired.add(session);
    }
    this.#lowestSession = Math.max(this.#lowestSession, lowest);
    for (const session of this.#sessions.keys()) if (this.isExpired(session)) this.#forget(session);
    for (const session of this.#expired) if (session < this.#lowestSession) this.#expired.delete(session);
  }

  /** Sets the bound of the open outcomes that `includes` picks. */
  close(includes: (outcome: UnchangedOutcome) => boolean, bound: number): void {
    for (const [outcome, session] of this.#open) {
      if (!includes(outcome)) continue;
      outcome.bound = bound;
      this.#open.delete(outcome);
      this.#changed.add(session);
    }
  }

  /** An outcome of this session is known better than when it was remembered. */
  settled(session: number): void {
    this.#changed.add(session);
  }

  /** Every outcome that is kept, with its session. */
  *outcomes(): IterableIterator<readonly [session: number, outcome: Outcome]> {
    for (const [session, { outcomes }] of this.#sessions) {
      for (const outcome of outcomes.values()) yield [session, outcome];
    }
  }

  /**
   * Takes in what another shard remembers: two shards become one, or one becomes two. Nothing of it waits for a number,
   * and what changed nothing holds up to `bound`.
   */
  unite(other: RequestMemory, bound: number): void {
    this.expire([...other.#expired], other.#lowestSession);
    for (const [session, { floor, outcomes }] of other.#sessions) {
      this.raiseFloor(session, floor);
      for (const [request, outcome] of outcomes) {
        const mine = this.outcomeOf({ session, request });
        if (mine === null) this.remember({ session, request }, copyOf(outcome, bound));
        else if (mine.kind === 'committed' && outcome.kind === 'committed') {
          addParts(mine, outcome);
          this.#session(session).encoded.delete(request);
        }
        this.#changed.add(session);
      }
    }
    for (const decision of other.#decided.values()) this.decided(decision);
  }

  /** Sessions that are refused by name, beside all those below the lowest one that lives. */
  get expired(): number {
    return this.#expired.size;
  }

  /** How many outcomes and decisions are kept. */
  get size(): number {
    let size = this.#decided.size;
    for (const { outcomes } of this.#sessions.values()) size += outcomes.size;
    return size;
  }

  /** Hands out one record for each session of which something has changed, and one for those that are expired. */
  flush(write: WriteMemory, everything: boolean): void {
    if (everything || this.#expiredChanged) {
      const expired = [...this.#expired].sort((a, b) => a - b);
      write(null, encodePlain({ expired, lowest: this.#lowestSession }));
    }
    const changed = everything ? null : this.#changed.take();
    if (!everything) this.#expiredChanged = false;
    if (changed?.size === 0) return;
    for (const session of changed ?? new Set([...this.#sessions.keys(), ...this.#decidedOf.keys()])) {
      const memory = this.#sessions.get(session) ?? null;
      const decided = this.#decidedOf.get(session);
      if (memory === null && decided === undefined) write(session, null);
      else write(session, encodeMemory(memory, sortedDecisions(decided ?? [])));
    }
  }

  /** What {@link flush} has handed out; the one of the expired sessions first. */
  restore(session: number | null, record: Uint8Array): void {
    if (session === null) {
      const { expired, lowest } = decodePlain<{ expired: number[]; lowest: number }>(record);
      this.expire(expired, lowest);
      this.#expiredChanged = false;
      return;
    }
    const { floor, outcomes, decided } = decodeSession(record);
    if (floor !== null) {
      this.#sessions.set(session, newMemory(floor));
      for (const [request, outcome] of outcomes) this.remember({ session, request }, outcome);
    }
    for (const decision of decided) this.#decide(decision);
    this.#changed.take();
  }

  /** Stored nowhere: simulations keep it, and states are compared by it with those that {@link restore} has made. */
  toPlain(): unknown {
    return {
      sessions: sorted(this.#sessions).map(([session, { floor, outcomes }]) => ({
        session,
        floor,
        outcomes: plainOutcomes(outcomes),
      })),
      decided: sortedDecisions(this.#decided.values()),
      expired: [...this.#expired].sort((a, b) => a - b),
      lowestSession: this.#lowestSession,
    };
  }

  static fromPlain(plain: unknown): RequestMemory {
    const stored = plain as PlainMemory;
    const memory = new RequestMemory();
    memory.expire(stored.expired, stored.lowestSession);
    for (const { session, floor, outcomes } of stored.sessions) {
      memory.#sessions.set(session, newMemory(floor));
      for (const { request, outcome } of outcomes) {
        memory.remember({ session, request }, outcomeFromPlain(outcome));
      }
    }
    for (const decision of stored.decided) memory.#decide(decision);
    return memory;
  }

  #session(session: number): SessionMemory {
    let memory = this.#sessions.get(session);
    if (memory === undefined) {
      memory = newMemory(0);
      this.#sessions.set(session, memory);
    }
    return memory;
  }

  #forget(session: number): void {
    for (const outcome of this.#sessions.get(session)?.outcomes.values() ?? []) {
      if (outcome.kind === 'unchanged') this.#open.delete(outcome);
    }
    this.#sessions.delete(session);
    this.#changed.add(session);
    this.#forgetDecided(session, Infinity);
  }

  #forgetDecided(session: number, floor: number): void {
    const decided = this.#decidedOf.get(session);
    if (decided === undefined) return;
    for (const decision of decided) {
      if (decision.origin.request >= floor) continue;
      decided.delete(decision);
      this.#decided.delete(decision.transaction);
    }
    if (decided.size === 0) this.#decidedOf.delete(session);
  }
}

/** `session` null: of those that are expired. `record` null: nothing is kept any more. */
export type WriteMemory = (session: number | null, record: Uint8Array | null) => void;

function newMemory(floor: number): SessionMemory {
  return { floor, outcomes: new Map(), encoded: new Map() };
}

function encodeMemory(memory: SessionMemory | null, decided: readonly Decision[]): Uint8Array {
  if (memory === null) return encodeSession(null, [], decided);
  const { floor, outcomes, encoded } = memory;
  const all = sorted(outcomes).map(([request, outcome]): [number, Uint8Array] => {
    const before = encoded.get(request);
    if (before !== undefined) return [request, before];
    const bytes = encodeOutcome(outcome);
    if (isFinal(outcome)) encoded.set(request, bytes);
    return [request, bytes];
  });
  return encodeSession(floor, all, decided);
}

/** Parts of a transaction come to it where two shards become one. */
function isFinal(outcome: Outcome): boolean {
  return outcome.kind === 'committed' || (outcome.kind === 'written' && outcome.revision !== null);
}

function plainOutcomes(outcomes: ReadonlyMap<number, Outcome>): readonly PlainRequest[] {
  return sorted(outcomes).map(([request, outcome]) => ({ request, outcome: outcomeToPlain(outcome) }));
}

function sortedDecisions(decided: Iterable<Decision>): Decision[] {
  return [...decided].sort((a, b) => (a.transaction < b.transaction ? -1 : 1));
}

function addParts(mine: CommittedOutcome, other: CommittedOutcome): void {
  for (const [shard, part] of other.parts) mine.parts.set(shard, part);
}

function copyOf(outcome: Outcome, bound: number): Outcome {
  switch (outcome.kind) {
    case 'committed':
      return { ...outcome, parts: new Map(outcome.parts) };
    case 'written':
      assert(outcome.revision !== null, 'a shard that drained has numbered everything');
      return { ...outcome, seq: 0, from: 0 };
    case 'unchanged':
      return { ...outcome, from: 0, seen: 0, prepared: 0, bound: outcome.bound ?? bound };
    default:
      return unreachable(outcome);
  }
}

function sorted<V>(map: ReadonlyMap<number, V>): [number, V][] {
  return [...map].sort(([a], [b]) => a - b);
}

const noDigest = new Uint8Array(0);

interface PlainMemory {
  readonly sessions: readonly {
    readonly session: number;
    readonly floor: number;
    readonly outcomes: readonly PlainRequest[];
  }[];
  readonly decided: readonly Decision[];
  readonly expired: readonly number[];
  readonly lowestSession: number;
}

interface PlainRequest {
  readonly request: number;
  readonly outcome: PlainOutcome;
}

type PlainOutcome =
  | {
      readonly kind: 'written';
      readonly seq: number;
      readonly from: number;
      readonly revision: number | null;
      readonly result: Uint8Array;
    }
  | {
      readonly kind: 'unchanged';
      readonly from: number;
      readonly seen: number;
      readonly prepared: number;
      readonly bound: number | null;
      readonly result: Uint8Array;
    }
  | (Omit<CommittedOutcome, 'error' | 'parts'> & {
      readonly error: Uint8Array | null;
      readonly parts: readonly { readonly shard: number; readonly part: Uint8Array }[];
    });

function outcomeToPlain(outcome: Outcome): PlainOutcome {
  if (outcome.kind !== 'committed') return { ...outcome, result: encodeReply(noDigest, outcome.result) };
  const { error, parts, ...rest } = outcome;
  return {
    ...rest,
    error: error === null ? null : encodeReply(noDigest, error),
    parts: sorted(parts).map(([shard, part]) => ({ shard, part: TxnResponse.encode(part) })),
  };
}

function outcomeFromPlain(plain: PlainOutcome): Outcome {
  if (plain.kind !== 'committed') return { ...plain, result: resultOf(plain.result) };
  return {
    ...plain,
    error: plain.error === null ? null : resultOf(plain.error),
    parts: new Map(plain.parts.map(({ shard, part }) => [shard, TxnResponse.decode(part)])),
  };
}
