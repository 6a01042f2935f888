import { assert, unreachable } from '@flotilla/platform';
import { DeleteRangeRequest, etcdErrors, RpcError } from '@flotilla/wire';
import type { ApplyResult } from '../apply-result.ts';
import { decodePlain, encodePlain } from '../encoding/plain.ts';
import { limits } from '../limits.ts';
import type { MultiVersionState } from '../mvcc/state.ts';
import { executeChosen, executeTxn, type TxnState } from '../mvcc/txn.ts';
import { covers, type KeySpan, spanOfKey } from './key-span.ts';
import type { NumberRuns } from './number-runs.ts';
import { type Evaluation, leasedKeys, Overlay, type PendingWrite } from './overlay.ts';
import type { Claim, Prepared } from './prepared.ts';
import { PreparedTransactions } from './prepared-transactions.ts';
import {
  type RequestOrigin,
  RequestMemory,
  type UnchangedOutcome,
  type WrittenOutcome,
} from './request-memory.ts';
import { RegisteredLeases } from './registered-leases.ts';
import { settle } from './settle.ts';
import type {
  Decision,
  Epoch,
  Fact,
  FactChange,
  PrepareEntry,
  RangeChange,
  RefusalReason,
  RequestEntry,
  ShardEffect,
  ShardEntry,
  ShardId,
  Vote,
} from './shard-entry.ts';
import { type ShardLife, shardLives } from './shard-life.ts';
import { shardPartKeys, type ShardRecords, sortedShardParts, type WriteShardPart } from './shard-parts.ts';
import type { ShardAccess, ShardStore } from './shard-store.ts';
import { type TransactionLife, transactionLives } from './transaction-life.ts';
import { UnsettledAnswers } from './unsettled-answers.ts';
import { errorOf, firstPlaces, type VoteError, voteErrorOf, voteOn, type VoteTree } from './vote.ts';
import { type StoredWaiting, WaitingEntries, type WaitingEntry, waitingEntry } from './waiting-entries.ts';
import type { Footprint, WriteRequest } from './write-request.ts';

/** Where the order group's own shard takes its revisions from: its writes are numbered where the log has them. */
export interface OwnOrder {
  readonly frontier: number;
  take(): number;
}

/** What a shard may hold of what is not finished. */
export interface ShardBounds {
  readonly overlayBytes: number;
  readonly waitingEntries: number;
  readonly preparedTransactions: number;
  /** Of both of these together. */
  readonly heldBytes: number;
}

/** What a shard begins with. */
export interface ShardParts {
  readonly shard: ShardId;
  readonly span: KeySpan;
  readonly epoch: Epoch;
  readonly store: ShardStore;
  readonly access: ShardAccess;
  /** Null: revisions come with the cuts. */
  readonly order: OwnOrder | null;
  /** That are registered here from the beginning. */
  readonly leases?: readonly bigint[];
  readonly bounds?: ShardBounds;
}

/**
 * One shard: a range of keys, as its own log and what the order group says to it make it. Pure and deterministic:
 * `apply` says what became of an entry, and whoever leads the shard tells the clients.
 *
 * docs/ordering.md has the rules; the numbers in comments are theirs.
 *
 * ```
 *   request ─▶ epoch ─▶ memory ─▶ locks, queue ─▶ evaluated on overlay + numbered state ─▶ seq, or final
 *   ordered ─▶ oldest pending writes get revisions, decisions are carried out, the range changes ─▶ queue again
 * ```
 */
export class ShardMachine {
  readonly shard: ShardId;
  readonly store: ShardStore;
  readonly memory: RequestMemory;
  readonly access: ShardAccess;
  span: KeySpan;
  epoch: Epoch;
  life: ShardLife = 'serving';
  /** What the barrier is for; null: there is none. */
  barrier: RangeChange | null = null;
  /** Index of the last fact that was applied, and the frontier that the log knows. */
  ordered = 0;
  known = 0;
  /** The last seq that was numbered. */
  numbered = 0;
  compactRevision = -1;
  readonly #order: OwnOrder | null;
  readonly #bounds: ShardBounds;
  #overlay: Overlay | null = null;
  #answers: UnsettledAnswers;
  #prepared = new PreparedTransactions();
  #waiting = new WaitingEntries();
  readonly #leases = new RegisteredLeases();
  /** Since it was written down. */
  #accessChanged = true;
  #effects: ShardEffect[] = [];

  constructor(parts: ShardParts, memory = new RequestMemory()) {
    this.shard = parts.shard;
    this.span = parts.span;
    this.epoch = parts.epoch;
    this.store = parts.store;
    this.access = parts.access;
    this.memory = memory;
    this.#answers = new UnsettledAnswers(memory);
    this.#order = parts.order;
    this.#bounds = parts.bounds ?? defaultBounds;
    this.#leases.addAll(parts.leases ?? []);
    this.#bind(0);
  }

  // What is known of it.

  /** The last seq that was taken. */
  get seq(): number {
    return this.#overlay?.seq ?? 0;
  }

  get prepared(): ReadonlyMap<string, Prepared> {
    return this.#prepared.all;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Of requests that wait and transactions that are prepared. */
  get heldBytes(): number {
    return this.#waiting.bytes + this.#prepared.bytes;
  }

  get overlayBytes(): number {
    return this.#overlay?.bytes ?? 0;
  }

  hasLease(id: bigint): boolean {
    return this.#leases.has(id);
  }

  /** Its keys that go with a lease, in their order. */
  readonly keysOf = (lease: bigint): readonly Uint8Array[] =>
    leasedKeys(this.#overlay, this.store.attachments.keysOf(lease), lease, this.span);

  /** Whether everything that the barrier waits for is over: the range can be changed. */
  get isDrained(): boolean {
    return this.#prepared.size === 0 && this.#waiting.size === 0 && this.seq === this.numbered;
  }

  owns(spans: readonly KeySpan[]): boolean {
    return this.life !== 'retired' && spans.every((span) => covers(this.span, span));
  }

  /** Whether this replica may answer reads of `spans` at an index whose last fact for this shard is `lastFact` (rule 10). */
  serves(spans: readonly KeySpan[], lastFact: number): boolean {
    return this.ordered >= lastFact && this.owns(spans);
  }

  /**
   * The place in the log of the newest request that waits for a frontier; null: none does. A leader asks for as long as it
   * is there: whoever led when it came may have gone without asking.
   */
  get frontierWantedAt(): number | null {
    return this.#waiting.frontierWantedAt(this.known);
  }

  /** Whether history may be dropped now: no transaction that is prepared wants to read below the compaction. */
  get mayCompact(): boolean {
    return this.#prepared.oldestRead === null;
  }

  /**
   * From which revision on a snapshot has the history: that of the compaction, or the oldest that a transaction reads which
   * was prepared before it.
   */
  get keptFrom(): number {
    const { compactRevision, compactedThrough } = this.store.keys;
    const oldest = this.#prepared.oldestRead ?? compactRevision;
    // What was gone before is an error by then, and nobody's to read.
    return Math.min(compactRevision, Math.max(oldest, compactedThrough));
  }

  votes(): Vote[] {
    return [...this.prepared.values()].map((prepared) => this.#voteOf(prepared));
  }

  /** Revisions of seqs that an answer of this shard may still name. */
  revisionOf(seq: number): number {
    return this.#answers.revisionOf(seq);
  }

  /** What has to be there before an entry can be applied: a neighbour that has drained, on this node. */
  needs(entry: ShardEntry): { readonly drained: ShardId; readonly upTo: number } | null {
    if (entry.kind !== 'ordered' || entry.fact.previous !== this.ordered) return null;
    const { change } = entry.fact;
    return change?.kind === 'absorbs' ? { drained: change.drained, upTo: change.upTo } : null;
  }

  /** Whether this replica is what a neighbour needs of it, see {@link needs}. */
  isComplete(upTo: number): boolean {
    return this.life !== 'serving' && this.ordered >= upTo && this.isDrained;
  }

  // The log.

  /** `drained`: the neighbour that {@link needs} named. */
  apply(entry: ShardEntry, position: number, drained: ShardMachine | null = null): ShardEffect[] {
    this.#effects = [];
    switch (entry.kind) {
      case 'request':
      case 'prepare':
        this.#arrive(entry, position);
        break;
      case 'barrier':
        this.#raise(entry.change, entry.range);
        break;
      case 'ordered':
        this.#fact(entry.fact, drained);
        break;
      case 'frontier':
        this.#frontier(entry.after, entry.revision, entry.asked);
        break;
      case 'members':
        this.epoch = { ...this.epoch, membership: Math.max(this.epoch.membership, entry.membership) };
        break;
      default:
        unreachable(entry);
    }
    this.#overlay?.rest();
    return this.#effects;
  }

  // The order group's own shard hears of the order in the order's own log.

  ownFact(fact: Fact, drained: ShardMachine | null): ShardEffect[] {
    this.#effects = [];
    this.#carryOut(fact, drained);
    this.#resume();
    return this.#effects;
  }

  /** An entry of the order's log is applied. */
  advance(index: number, frontier: number): void {
    this.ordered = index;
    this.#know(frontier);
  }

  /** Revokes a lease that no other shard knows. False: something here claims it, and it must be asked to vote. */
  revokeAlone(lease: bigint): boolean {
    const keys = this.keysOf(lease);
    const claim = { spans: keys.map(spanOfKey), leases: [], revokes: lease };
    if (this.#prepared.meets(claim)) return false;
    const state = this.#current();
    const before = state.revision;
    this.#revoke(state, lease, null);
    if (state.revision !== before) this.#take(state);
    return true;
  }

  #arrive(entry: RequestEntry | PrepareEntry, position: number): void {
    const item = waitingEntry(entry, position);
    if (this.#attempt(item)) return;
    if (this.#waiting.size >= this.#bounds.waitingEntries || this.#isTooMuch(item.footprint)) {
      this.#refuse(entry, 'overloaded');
      return;
    }
    this.#waiting.add(item);
    if (entry.kind === 'prepare') this.#live(entry.transaction, 'wait', 'unknown');
  }

  /** One alone may be larger than the bound, up to what a request may be. */
  #isTooMuch({ bytes }: Footprint): boolean {
    const { heldBytes } = this;
    return heldBytes > 0 && heldBytes + bytes > this.#bounds.heldBytes;
  }

  /** After something that others may have waited for. */
  #resume(): void {
    this.#waiting.retry((item) => {
      const { entry } = item;
      const isDecided = entry.kind === 'prepare' && this.memory.isDecided(entry.transaction);
      return isDecided || this.#attempt(item);
    });
  }

  /** False: it has to wait. */
  #attempt(item: WaitingEntry): boolean {
    const { entry } = item;
    return entry.kind === 'request' ? this.#request(item, entry) : this.#prepare(item, entry);
  }

  // Requests of this shard alone: rules 1, 5, 6, 7, 9.

  #request(item: WaitingEntry, entry: RequestEntry): boolean {
    const { origin, write, user } = entry;
    const isMine = entry.range === this.epoch.range && this.owns(item.footprint.spans);
    // What must know its own revision is decided upon like a transaction of several shards, and never comes here.
    if (!isMine || (this.#overlay !== null && item.footprint.filtersOwn)) {
      this.#refuse(entry, 'epoch');
      return true;
    }
    const isLetIn = this.life === 'serving' || item.admitted;
    if (this.#isKnown(entry, isLetIn)) return true;
    if (!isLetIn) {
      this.#refuse(entry, 'barrier');
      return true;
    }
    if (this.#isHeldUp({ ...item.footprint, revokes: null })) return this.#wait('lock');
    if (this.#needsNumber(item)) return false;
    if (this.#lacksLease(item)) {
      this.#refuse(entry, 'lease-unregistered');
      return true;
    }
    if (!this.access.isCurrent(entry.user)) {
      this.#refuse(entry, 'auth-revision');
      return true;
    }
    if (this.overlayBytes >= this.#bounds.overlayBytes) {
      this.#refuse(entry, 'overloaded');
      return true;
    }
    const evaluation = this.#evaluate(origin, user, write);
    this.#record(origin, evaluation);
    return true;
  }

  /**
   * Answered from memory, or finished. What is not let in changes nothing: a neighbour may already have taken over what
   * is remembered here, and every replica of it the same.
   */
  #isKnown(entry: RequestEntry | PrepareEntry, isLetIn: boolean): boolean {
    const recalled = isLetIn ? this.memory.recall(entry.origin) : this.memory.look(entry.origin);
    switch (recalled) {
      case 'new':
        return false;
      case 'finished':
        this.#refuse(entry, 'finished');
        return true;
      case 'expired':
        this.#refuse(entry, 'session-expired');
        return true;
      default:
        this.#effects.push({ kind: 'outcome', origin: entry.origin, outcome: recalled, known: true });
        if (entry.kind === 'prepare') this.#voteNo(entry);
        return true;
    }
  }

  #evaluate(origin: RequestOrigin, user: RequestEntry['user'], write: WriteRequest): Evaluation {
    try {
      this.access.check(user, write, this.keysOf);
      return this.#overlay === null ? this.#evaluateOrdered(write) : this.#overlay.evaluate(origin, write);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      return { result: { kind: 'error', error }, effective: false };
    }
  }

  /** In the order group's own shard a write's place in the log is its revision. */
  #evaluateOrdered(write: WriteRequest): Evaluation {
    const keys = this.#current();
    const before = keys.revision;
    const result = execute(keys, write);
    const effective = keys.revision !== before;
    if (effective) this.#take(keys);
    return { result, effective };
  }

  #take(keys: MultiVersionState): void {
    const revision = this.#order?.take();
    assert(keys.revision === revision, 'the order and its own shard count alike');
    this.known = keys.revision;
  }

  #record(origin: RequestOrigin, { result, effective }: Evaluation): void {
    const outcome = effective ? this.#written(origin, result) : this.#unchanged(origin, result);
    this.memory.remember(origin, outcome);
    this.#effects.push({ kind: 'outcome', origin, outcome, known: false });
  }

  #written({ session }: RequestOrigin, result: ApplyResult): WrittenOutcome {
    const { seq, numbered: from } = this;
    if (this.#overlay === null) return { kind: 'written', seq, from, revision: this.known, result };
    const outcome: WrittenOutcome = { kind: 'written', seq, from, revision: null, result };
    this.#answers.add(session, outcome, seq);
    return outcome;
  }

  #unchanged({ session }: RequestOrigin, result: ApplyResult): UnchangedOutcome {
    const { seq: seen, numbered: from } = this;
    const bound = this.#order === null ? this.#horizonOf(result) : this.#order.frontier;
    const outcome: UnchangedOutcome = {
      kind: 'unchanged',
      result,
      from,
      seen,
      prepared: this.#prepared.ever,
      bound,
    };
    if (seen > from) this.#answers.add(session, outcome, seen);
    return outcome;
  }

  /** That a revision is in the future is true as long as it is: not at the frontier that is fetched for its answer. */
  #horizonOf(result: ApplyResult): number | null {
    return result.kind === 'error' && result.error === etcdErrors.futureRevision ? this.known : null;
  }

  #isHeldUp(claim: Claim): boolean {
    return this.#prepared.meets(claim) || this.#waiting.holdsUp(claim);
  }

  /** Whether it names revisions beyond those that the shard can tell apart: rule 7. Says so, then. */
  #needsNumber({ footprint, fresh }: WaitingEntry): boolean {
    const overlay = this.#overlay;
    if (overlay === null) return false;
    const { horizon, newestRead, spans } = footprint;
    if (horizon > this.known && overlay.touches(spans)) return !this.#wait('number');
    if (newestRead <= this.known) return false;
    const isFuture = fresh !== null && newestRead > fresh && !overlay.touches(spans);
    if (isFuture) return false;
    this.#effects.push({ kind: 'frontier-wanted' });
    return !this.#wait('frontier');
  }

  /** That a lease is not registered says nothing: the error needs the word of the order group. */
  #lacksLease({ entry, footprint }: WaitingEntry): boolean {
    return footprint.leases.some((lease) => !this.#leases.has(lease) && !entry.absent.includes(lease));
  }

  #wait(why: 'lock' | 'number' | 'frontier'): false {
    this.#effects.push({ kind: 'waits', why });
    return false;
  }

  #refuse(entry: RequestEntry | PrepareEntry, reason: RefusalReason): void {
    this.#effects.push({ kind: 'refused', origin: entry.origin, reason });
    if (entry.kind === 'prepare') this.#voteNo(entry);
  }

  // Transactions of several shards: rule 8.

  #prepare(item: WaitingEntry, entry: PrepareEntry): boolean {
    const { transaction } = entry;
    const voted = this.#prepared.get(transaction);
    if (voted !== null) {
      this.#live(transaction, 'repeat');
      this.#effects.push({ kind: 'vote', vote: this.#voteOf(voted) });
      return true;
    }
    if (this.memory.isDecided(transaction)) {
      // Its decision came first, and whoever wants to know it asks the order group.
      this.#live(transaction, 'repeat');
      return true;
    }
    if (this.#waiting.hasPrepare(transaction)) return true;
    const range = entry.participants.find(({ shard }) => shard === this.shard)?.range;
    if (range !== this.epoch.range || !this.owns(item.footprint.spans)) {
      this.#refuse(entry, 'epoch');
      return true;
    }
    const isLetIn = this.life === 'serving' || item.admitted;
    if (this.#isKnown(entry, isLetIn)) return true;
    if (!isLetIn) {
      this.#refuse(entry, 'barrier');
      return true;
    }
    const claim = this.#claimOf(item, entry);
    if (this.#prepared.meets(claim)) {
      // Waiting could be for ever: the other one may wait for this one elsewhere.
      this.#voteNo(entry);
      return true;
    }
    if (this.#waiting.holdsUp(claim)) return this.#wait('lock');
    if (this.#needsNumber(item)) return false;
    if (this.#lacksLease(item)) {
      this.#refuse(entry, 'lease-unregistered');
      return true;
    }
    if (!this.access.isCurrent(entry.user)) {
      this.#refuse(entry, 'auth-revision');
      return true;
    }
    if (this.#prepared.size >= this.#bounds.preparedTransactions || this.#isTooMuch(item.footprint)) {
      this.#refuse(entry, 'overloaded');
      return true;
    }
    this.#lock(item, entry, claim);
    return true;
  }

  #lock(item: WaitingEntry, entry: PrepareEntry, claim: Claim): void {
    const { transaction, origin, participants, fragment } = entry;
    const { tree, error } = this.#evaluateVote(entry, claim);
    const { seq } = this;
    this.#live(transaction, 'prepare', item.admitted ? 'waiting' : 'unknown');
    const prepared: Prepared = {
      transaction,
      origin,
      participants,
      fragment,
      ...claim,
      oldestRead: item.footprint.oldestRead,
      order: this.#prepared.ever,
      tree,
      error,
      seq,
    };
    this.#prepared.add(prepared);
    this.#effects.push({ kind: 'vote', vote: this.#voteOf(prepared) });
  }

  #claimOf({ footprint }: WaitingEntry, { revokes }: PrepareEntry): Claim {
    const { spans, leases } = footprint;
    if (revokes === null) return { spans, leases, revokes };
    const keys = this.keysOf(revokes);
    return { spans: keys.map(spanOfKey), leases, revokes };
  }

  #evaluateVote(
    { user, fragment }: PrepareEntry,
    claim: Claim,
  ): { readonly tree: VoteTree; readonly error: VoteError | null } {
    if (fragment === null) {
      const changes = claim.spans.length;
      return {
        tree: { compares: [], success: [{ changes, error: null, nested: null }], failure: [] },
        error: null,
      };
    }
    let error: VoteError | null = null;
    try {
      this.access.check(user, { kind: 'txn', request: fragment }, this.keysOf);
    } catch (refusal) {
      if (!(refusal instanceof RpcError)) throw refusal;
      error = voteErrorOf(refusal);
    }
    return { tree: voteOn(this.#evaluated(), fragment), error };
  }

  #voteOf({ transaction, origin, participants, revokes, tree, error, seq }: Prepared): Vote {
    return { transaction, shard: this.shard, origin, participants, revokes, tree, error, seq };
  }

  #voteNo({ transaction, origin, participants, revokes }: PrepareEntry): void {
    const vote: Vote = {
      transaction,
      shard: this.shard,
      origin,
      participants,
      revokes,
      tree: null,
      error: null,
      seq: 0,
    };
    this.#effects.push({ kind: 'vote', vote });
  }

  #decide(decision: Decision): void {
    const { transaction, origin, verdict } = decision;
    const prepared = this.#prepared.get(transaction);
    this.memory.raiseFloor(origin.session, origin.floor);
    assert(
      verdict === 'abort' || prepared !== null,
      () => `shard ${this.shard} has prepared what is committed: ${transaction}`,
    );
    if (prepared === null) {
      // A copy of its Prepare may still come, and must find that it is over.
      if (!this.memory.isDecided(transaction)) this.#live(transaction, 'abort');
      this.memory.decided(decision);
      return;
    }
    this.#live(transaction, verdict);
    this.#prepared.delete(prepared);
    this.memory.decided(decision);
    if (verdict === 'commit') this.#commit(prepared, decision);
  }

  #commit(prepared: Prepared, decision: Decision): void {
    const { origin, fragment, revokes, oldestRead } = prepared;
    const { transaction, revision, effective, error, participants } = decision;
    const keys = this.store.keys;
    keys.skipTo(effective ? revision - 1 : revision);
    const before = keys.revision;
    const parts = new Map<ShardId, ReturnType<typeof executeChosen>>();
    const { compactRevision } = keys;
    // What it wants to read was there when it was prepared, and is kept as long as it is.
    if (oldestRead > 0) keys.compactRevision = Math.min(compactRevision, oldestRead);
    const places = firstPlaces(decision.changes, participants.indexOf(this.shard));
    if (revokes !== null) this.#revoke(keys, revokes, places.get(0) ?? 0);
    else if (error === null)
      parts.set(this.shard, executeChosen(keys, fragment as never, decision.choices, places));
    keys.compactRevision = compactRevision;
    if (keys.revision !== before) {
      this.memory.close((outcome) => outcome.prepared <= prepared.order, revision - 1);
    }
    const refusal: ApplyResult | null = error === null ? null : { kind: 'error', error: errorOf(error) };
    const outcome = { kind: 'committed', transaction, revision, effective, participants, parts } as const;
    this.memory.remember(origin, { ...outcome, error: refusal });
    this.#effects.push({ kind: 'outcome', origin, outcome: { ...outcome, error: refusal }, known: false });
  }

  /** All its keys here go, with those of the other shards in one revision. */
  #revoke(keys: MultiVersionState, lease: bigint, place: number | null): void {
    keys.place = place;
    for (const key of this.keysOf(lease)) keys.executeDelete(DeleteRangeRequest.create({ key }));
    keys.place = null;
    keys.end();
    this.#leases.delete(lease);
  }

  #live(
    transaction: string,
    event: 'prepare' | 'wait' | 'abort' | 'commit' | 'repeat',
    from: TransactionLife = this.#lifeOf(transaction),
  ): void {
    transactionLives.fire(from, event);
  }

  #lifeOf(transaction: string): TransactionLife {
    if (this.#prepared.get(transaction) !== null) return 'prepared';
    if (this.memory.isDecided(transaction)) return 'over';
    return this.#waiting.hasPrepare(transaction) ? 'waiting' : 'unknown';
  }

  // What the order group says: rules 4, 13.

  #fact(fact: Fact, drained: ShardMachine | null): void {
    // Said before, or not yet its turn: whoever leads says it again, in order.
    if (fact.previous !== this.ordered) return;
    this.#carryOut(fact, drained);
    this.#resume();
  }

  #carryOut(fact: Fact, drained: ShardMachine | null): void {
    for (let i = 1; i <= fact.count; i += 1) this.#number(fact.base + i);
    for (const decision of fact.decisions) this.#decide(decision);
    this.ordered = fact.index;
    this.#know(fact.revision);
    if (fact.change !== null) this.#change(fact, fact.change, drained);
  }

  #know(revision: number): void {
    this.known = Math.max(this.known, revision);
    if (this.#overlay !== null) this.#overlay.known = this.known;
  }

  #number(revision: number): void {
    assert(this.#overlay !== null, 'revisions come with facts where there is an overlay');
    const { seq, origin } = this.#overlay.number(revision);
    this.numbered = seq;
    this.#effects.push({ kind: 'numbered', origin, revision });
    this.memory.close((outcome) => outcome.seen < seq, revision - 1);
    this.#answers.number(seq, revision);
  }

  #change(fact: Fact, change: FactChange, drained: ShardMachine | null): void {
    switch (change.kind) {
      case 'registered':
        this.#leases.add(change.lease);
        return;
      case 'sessions-expired':
        this.memory.expire(change.sessions, change.lowest);
        return;
      case 'auth':
        this.access.apply(change.change);
        this.#accessChanged = true;
        return;
      case 'compacted':
        this.#compact(change.revision, fact.revision);
        return;
      case 'refused':
        this.#end('refused', change.range);
        return;
      case 'split':
        this.#split(fact, change);
        return;
      case 'absorbed':
        this.memory.close(() => true, fact.revision);
        this.#end('absorbed', this.epoch.range + 1);
        return;
      case 'absorbs':
        this.#absorb(fact, change, drained);
        return;
      default:
        unreachable(change);
    }
  }

  /** Reads below it are refused from now on; what they would have read is dropped in its own time. */
  #compact(revision: number, frontier: number): void {
    this.compactRevision = Math.max(this.compactRevision, revision);
    if (this.#overlay !== null) this.#overlay.compactRevision = this.compactRevision;
    this.store.keys.skipTo(frontier);
    this.store.keys.compactRevision = this.compactRevision;
  }

  #raise(change: RangeChange, range: number): void {
    if (this.life !== 'serving' || range !== this.epoch.range || change.shard !== this.shard) return;
    this.life = shardLives.fire(this.life, 'barrier');
    this.barrier = change;
  }

  #end(event: 'changed' | 'refused' | 'absorbed', range: number): void {
    this.life = shardLives.fire(this.life, event);
    this.barrier = null;
    this.epoch = { ...this.epoch, range };
  }

  #split(fact: Fact, change: FactChange & { readonly kind: 'split' }): void {
    assert(this.isDrained, 'a shard is split when everything in it is numbered and decided');
    this.memory.close(() => true, fact.revision);
    const child = new ShardMachine({
      shard: change.child.shard,
      span: change.child.span,
      epoch: { membership: this.epoch.membership, range: change.child.range },
      store: this.store.fork(change.child.shard),
      access: this.access.fork(),
      order: null,
      bounds: this.#bounds,
    });
    child.#inherit(this, fact);
    child.#narrow(change.child.span);
    this.#narrow(change.span);
    this.#end('changed', change.range);
    this.#effects.push({ kind: 'split', child });
  }

  #inherit(parent: ShardMachine, fact: Fact): void {
    this.memory.unite(parent.memory, fact.revision);
    this.#leases.addAll(parent.#leases);
    this.compactRevision = parent.compactRevision;
    this.ordered = fact.index;
    this.#bind(0);
    this.#know(fact.revision);
  }

  #absorb(fact: Fact, change: FactChange & { readonly kind: 'absorbs' }, drained: ShardMachine | null): void {
    assert(
      drained !== null && drained.shard === change.drained && drained.isComplete(change.upTo),
      'a neighbour is absorbed when it is complete',
    );
    this.store.absorb(drained.store, drained.span);
    this.memory.unite(drained.memory, fact.revision);
    this.#leases.addAll(drained.#leases);
    this.span = change.span;
    this.epoch = { ...this.epoch, range: change.range };
    if (this.life === 'serving') this.life = shardLives.fire(this.life, 'widened');
    this.#rebind();
    this.#effects.push({ kind: 'absorbed', drained: change.drained });
  }

  #narrow(span: KeySpan): void {
    this.span = span;
    this.store.narrow(span);
    this.#rebind();
  }

  #frontier(after: number, revision: number, asked: number): void {
    if (after > this.ordered) return;
    this.#know(revision);
    this.#waiting.frontier(asked, revision);
    this.#resume();
  }

  // Its state, whole.

  /**
   * Everything but the numbered versions, which the store has. Equal for equal states. Stored nowhere, see {@link flush}:
   * simulations keep it, and states are compared by it.
   */
  encode(): Uint8Array {
    return encodePlain({
      ...this.#plainCore(),
      access: this.access.encode(),
      memory: this.memory.toPlain(),
      leases: this.#leases.sorted,
    });
  }

  /** The same without what others keep: the order group has its own shard's users, memory and leases apart. */
  encodeCore(): Uint8Array {
    return encodePlain(this.#plainCore());
  }

  /**
   * The same as {@link encode}, in records: those that may have changed since the last time; or all of them, and then they
   * do not count as handed out.
   */
  flush(write: WriteShardPart, everything: boolean): void {
    write(shardPartKeys.core, this.encodeCore());
    this.memory.flush((session, record) => {
      write(session === null ? shardPartKeys.expired : shardPartKeys.memory(session), record);
    }, everything);
    if (everything || this.#accessChanged) write(shardPartKeys.access, this.access.encode());
    if (!everything) this.#accessChanged = false;
    for (const lease of this.#leases.take(everything)) {
      write(shardPartKeys.lease(lease), this.#leases.has(lease) ? noRecord : null);
    }
  }

  /** What {@link flush} has handed out. `access`: opens what its `encode` has written. */
  static open(
    records: ShardRecords,
    store: ShardStore,
    access: (encoded: Uint8Array) => ShardAccess,
    bounds?: ShardBounds,
  ): ShardMachine {
    const parts = sortedShardParts(records);
    const memory = new RequestMemory();
    memory.restore(null, parts.expired);
    for (const [session, record] of parts.memory) memory.restore(session, record);
    const surroundings = {
      store,
      access: access(parts.access),
      order: null,
      ...(bounds === undefined ? {} : { bounds }),
    };
    const machine = ShardMachine.decodeCore(parts.core, surroundings, memory, parts.leases);
    machine.#accessChanged = false;
    machine.#leases.take(false);
    return machine;
  }

  #plainCore(): StoredCore {
    return {
      shard: this.shard,
      span: this.span,
      epoch: this.epoch,
      life: this.life,
      barrier: this.barrier,
      ordered: this.ordered,
      known: this.known,
      numbered: this.numbered,
      seq: this.seq,
      compactRevision: this.compactRevision,
      pending: this.#overlay?.pending ?? [],
      numbers: this.#answers.runs,
      prepared: [...this.prepared.values()],
      preparedCount: this.#prepared.ever,
      waiting: this.#waiting.stored,
    };
  }

  /** What {@link encode} has written. `access`: opens what its `encode` has written. */
  static decode(
    bytes: Uint8Array,
    store: ShardStore,
    access: (encoded: Uint8Array) => ShardAccess,
    order: OwnOrder | null,
    bounds?: ShardBounds,
  ): ShardMachine {
    const stored = decodePlain<StoredShard>(bytes);
    const { shard, span, epoch } = stored;
    const parts = { shard, span, epoch, store, access: access(stored.access), order };
    const memory = RequestMemory.fromPlain(stored.memory);
    const machine = new ShardMachine(bounds === undefined ? parts : { ...parts, bounds }, memory);
    machine.#restore(stored, stored.leases);
    return machine;
  }

  /** What {@link encodeCore} has written, and what was kept apart. */
  static decodeCore(
    core: Uint8Array,
    parts: Pick<ShardParts, 'store' | 'access' | 'order' | 'bounds'>,
    memory: RequestMemory,
    leases: Iterable<bigint>,
  ): ShardMachine {
    const stored = decodePlain<StoredCore>(core);
    const { shard, span, epoch } = stored;
    const machine = new ShardMachine({ ...parts, shard, span, epoch }, memory);
    machine.#restore(stored, leases);
    return machine;
  }

  #restore(stored: StoredCore, leases: Iterable<bigint>): void {
    this.life = stored.life;
    this.barrier = stored.barrier;
    this.ordered = stored.ordered;
    this.numbered = stored.numbered;
    this.compactRevision = stored.compactRevision;
    const { keys } = this.store;
    // A snapshot may have come with more history: see `keptFrom`.
    keys.compactRevision = Math.max(keys.compactRevision, stored.compactRevision);
    this.#leases.addAll(leases);
    this.#bind(stored.seq);
    this.#know(stored.known);
    this.#overlay?.restore(stored.pending);
    this.#prepared = new PreparedTransactions(stored.prepared, stored.preparedCount);
    this.#waiting = new WaitingEntries(stored.waiting);
    this.#answers = new UnsettledAnswers(this.memory, this.numbered, stored.numbers);
  }

  /** Numbered versions have another home. */
  #rebind(): void {
    const pending = this.#overlay?.pending ?? [];
    this.#bind(this.seq);
    this.#overlay?.restore(pending);
  }

  #bind(seq: number): void {
    const { keys, attachments } = this.store;
    keys.leases = {
      require: (id) => {
        if (!this.#leases.has(id)) throw errorOf({ name: 'leaseNotFound', revision: 0 });
      },
      moved: (key, from, to) => {
        if (from !== 0n) attachments.detach(from, key);
        if (to !== 0n) attachments.attach(to, key);
      },
    };
    if (this.#order !== null) return;
    this.#overlay = new Overlay(keys, (id) => this.#leases.has(id), seq);
    this.#overlay.known = this.known;
    this.#overlay.compactRevision = this.compactRevision;
  }

  /** The numbered state of the order group's own shard, at the frontier. */
  #current(): MultiVersionState {
    const { keys } = this.store;
    if (this.#order !== null) keys.skipTo(this.#order.frontier);
    return keys;
  }

  #evaluated(): TxnState {
    if (this.#overlay === null) return this.#current();
    this.#overlay.layers.refresh();
    return this.#overlay;
  }
}

/** The answer of an outcome that holds at a revision, for those that could not know it. */
export function answeredAt(result: ApplyResult, revision: number): ApplyResult {
  return settle(result, {
    own: revision,
    effective: false,
    revisionOf: (seq) => assert(false, () => `seq ${seq} is numbered before its reader is answered`) as never,
  });
}

const noRecord = new Uint8Array(0);

const defaultBounds: ShardBounds = {
  overlayBytes: limits.overlayBytes,
  waitingEntries: limits.waitingEntries,
  preparedTransactions: limits.preparedTransactions,
  heldBytes: limits.heldBytes,
};

interface StoredShard extends StoredCore {
  readonly access: Uint8Array;
  readonly memory: unknown;
  readonly leases: readonly bigint[];
}

interface StoredCore {
  readonly shard: ShardId;
  readonly span: KeySpan;
  readonly epoch: Epoch;
  readonly life: ShardLife;
  readonly barrier: RangeChange | null;
  readonly ordered: number;
  readonly known: number;
  readonly numbered: number;
  readonly seq: number;
  readonly compactRevision: number;
  readonly pending: readonly PendingWrite[];
  readonly numbers: NumberRuns['runs'];
  readonly prepared: readonly Prepared[];
  readonly preparedCount: number;
  readonly waiting: readonly StoredWaiting[];
}

function execute(keys: MultiVersionState, write: WriteRequest): ApplyResult {
  switch (write.kind) {
    case 'put':
      return { kind: 'put', response: keys.put(write.request) };
    case 'delete-range':
      return { kind: 'delete-range', response: keys.deleteRange(write.request) };
    case 'txn':
      return { kind: 'txn', response: executeTxn(keys, write.request) };
    default:
      return unreachable(write);
  }
}
