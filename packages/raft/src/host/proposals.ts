import { assert, FlotillaError, unreachable } from '@flotilla/platform';
import type { Index, NodeId, RaftCore, Ref, RefusalReason, SnapshotMeta, Term } from '../core/types.ts';
import type { HostLimits } from './limits.ts';
import type { HostMetrics } from './metrics.ts';
import { originBytes, originIncarnation, originNode, originSequence, OriginWriter } from './origin.ts';
import { Queue } from './queue.ts';
import { SequenceTable } from './sequence-table.ts';

/**
 * The proposals of this member that have no answer yet.
 *
 * ```text
 *            step            appended, forwarded          applied here
 *  waiting ────────▶ stepped ───────────────────▶ sent ───────────────▶ answered
 *     ▲                 │ refused                   │
 *     └─────────────────┴───────────────────────────┘ lost for sure
 * ```
 *
 * A proposal is handed to a core again only when the former attempt is lost for sure, that is when
 * 1. the core refused it, or its message never left this member, or never arrived (the handshake of the next connection
 *    to the same life of the leader says how many did, when it has counted them all), or the leader's host said that it did not take it; or
 * 2. this member applied an entry of a later term than the one in which it was proposed. The leader of exactly that term
 *    is the only one that may append it, so its entry has that term; terms never decrease along the log; so everything
 *    of that term that will ever be committed comes before the later entry, and has been applied here already.
 * Otherwise it could be applied twice.
 */
export class ProposalTable<Result> {
  readonly #nodeId: NodeId;
  readonly #incarnation: number;
  readonly #origins: OriginWriter;
  readonly #limits: HostLimits;
  readonly #metrics: HostMetrics;
  readonly #maxPayloadBytes: number;
  readonly #pending: SequenceTable<Pending<Result>>;
  /** Handed to the core, settlement outstanding: by their refs, from {@link #steppedFrom} on. */
  #stepped: (Pending<Result> | undefined)[] = [];
  #steppedFrom = 0;
  #outstanding = 0;
  #waiting = new Queue<Pending<Result>>();
  #pendingBytes = 0;
  #nextSequence: number;
  /** Set by a refusal that only time or progress can end. */
  #stalled = false;
  #closed: FlotillaError | null = null;

  constructor(
    nodeId: NodeId,
    incarnation: number,
    maxPayloadBytes: number,
    limits: HostLimits,
    metrics: HostMetrics,
    firstSequence = 1,
  ) {
    this.#nextSequence = firstSequence;
    this.#nodeId = nodeId;
    this.#incarnation = incarnation;
    this.#origins = new OriginWriter(nodeId, incarnation);
    this.#maxPayloadBytes = maxPayloadBytes;
    this.#limits = limits;
    this.#metrics = metrics;
    this.#pending = new SequenceTable(limits.proposalSlots);
  }

  get nextSequence(): number {
    return this.#nextSequence;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Whether {@link ProposalTable.step} would do anything, once a leader is known. */
  get hasWaiting(): boolean {
    return this.#waiting.length > 0 && !this.#stalled;
  }

  add(payload: Uint8Array, deadlineMs: number): Promise<Result> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    if (payload.length > this.#maxPayloadBytes) {
      return Promise.reject(tooLarge(payload.length, this.#maxPayloadBytes));
    }
    if (
      this.#pending.size >= this.#limits.pendingProposals ||
      this.#pendingBytes + payload.length > this.#limits.pendingProposalBytes
    ) {
      return Promise.reject(
        new FlotillaError(
          'FLOTILLA_TOO_MANY_PROPOSALS',
          'too many proposals wait for an answer at this member',
        ),
      );
    }
    const sequence = this.#nextSequence;
    this.#nextSequence += 1;
    const bytes = this.#origins.write(sequence, payload);
    this.#metrics.proposals += 1;
    this.#pendingBytes += bytes.length;
    const answer = new Promise<Result>(captureSettlers);
    const resolve = settlers.resolve as (result: Result) => void;
    const pending = new Pending<Result>(sequence, bytes, deadlineMs, resolve, settlers.reject);
    this.#pending.add(sequence, pending);
    this.#waiting.push(pending);
    return answer;
  }

  /** Hands what waits to the core. The answers come with the next drain, as settlements. */
  step(core: RaftCore, nextRef: () => Ref): void {
    let left = this.#limits.proposalsPerTurn;
    // The core keeps the payload and not the input, so one input does for all.
    const input = { type: 'propose' as const, ref: 0 as Ref, payload: none };
    while (left > 0 && !this.#stalled) {
      const pending = this.#waiting.shift();
      if (pending === undefined) return;
      if (pending.state === 'answered') continue;
      assert(pending.state === 'waiting', 'only waiting proposals are handed to the core');
      left -= 1;
      pending.state = 'stepped';
      input.ref = nextRef();
      input.payload = pending.payload;
      if (this.#outstanding === 0) this.#steppedFrom = input.ref;
      this.#stepped[input.ref - this.#steppedFrom] = pending;
      this.#outstanding += 1;
      core.step(input);
    }
  }

  /** The core has appended it, or sent it to the leader of `term`. False: `ref` is not a proposal's. */
  accepted(ref: Ref, term: Term, index: Index): boolean {
    const pending = this.#takeStepped(ref);
    if (pending === undefined) return false;
    if (pending.state === 'answered') return true;
    pending.state = 'sent';
    pending.term = term;
    pending.index = index;
    pending.forward = 0;
    return true;
  }

  refused(ref: Ref, reason: RefusalReason): boolean {
    const pending = this.#takeStepped(ref);
    if (pending === undefined) return false;
    if (pending.state === 'answered') return true;
    if (reason === 'too-large') {
      this.#reject(pending, tooLarge(pending.payload.length - originBytes, this.#maxPayloadBytes));
      return true;
    }
    pending.refusal = reason;
    this.#stalled = true;
    this.#wait(pending);
    return true;
  }

  /** These payloads left for `peer` in its forwarded message number `forward`; 0: they never left. */
  forwarded(payloads: readonly Uint8Array[], peer: NodeId, peerIncarnation: number, forward: number): void {
    for (const payload of payloads) {
      const pending = this.#pending.get(originSequence(payload));
      if (pending === undefined || pending.state !== 'sent') continue;
      if (forward === 0) {
        this.#lost(pending);
        this.#stalled = true;
        continue;
      }
      pending.forward = forward;
      pending.peer = peer;
      pending.peerIncarnation = peerIncarnation;
    }
  }

  /**
   * A new connection to `peer`: of the forwarded messages to this life of it only the first `arrived` came in. Null: any
   * of them may have, and those to come are numbered anew.
   */
  reconnected(peer: NodeId, peerIncarnation: number, arrived: number | null): void {
    this.#pending.forEach((pending) => {
      if (pending.state !== 'sent' || pending.forward === 0) return;
      if (pending.peer !== peer || pending.peerIncarnation !== peerIncarnation) return;
      if (arrived === null) pending.peerIncarnation = notCounted;
      else if (pending.forward > arrived) this.#lost(pending);
    });
  }

  /**
   * The leader's host did not step the forwarded message number `forward`. The number, and not only the sequences, is
   * compared: a late refusal of an attempt that was given up meanwhile must not be taken for one of the next attempt.
   */
  refusedByLeader(
    peer: NodeId,
    peerIncarnation: number,
    forward: number,
    sequences: readonly number[],
    reason: RefusalReason,
  ): void {
    for (const sequence of sequences) {
      const pending = this.#pending.get(sequence);
      if (pending === undefined || pending.state !== 'sent') continue;
      if (pending.forward !== forward || pending.peer !== peer) continue;
      if (pending.peerIncarnation !== peerIncarnation) continue;
      pending.refusal = reason;
      this.#lost(pending);
      this.#stalled = true;
    }
  }

  /** An entry with this payload (origin included) was applied here. */
  applied(payload: Uint8Array, result: Result): void {
    const pending = this.#own(payload);
    if (pending === undefined) return;
    assert(pending.state !== 'waiting', 'a proposal that was never sent, or lost for sure, is never applied');
    this.#forget(pending);
    pending.resolve(result);
  }

  /** The entry is in the state already, by a snapshot: its result is not known. */
  skipped(payload: Uint8Array): void {
    const pending = this.#own(payload);
    if (pending !== undefined) this.#reject(pending, unknownOutcome());
  }

  /** The first entry of `term` is about to be applied: whatever was proposed in an earlier one is lost. */
  termApplied(term: Term): void {
    this.#pending.forEach((pending) => {
      if (pending.state === 'sent' && pending.term < term) this.#lost(pending);
    });
  }

  /**
   * The state jumped to a snapshot: entries up to `meta` were not seen one by one. A proposal of that term or an earlier
   * one may have been among them, may be lost, or (of that term) may still come: nobody here can tell.
   */
  jumped(meta: SnapshotMeta): void {
    this.#pending.forEach((pending) => {
      if (pending.state !== 'sent' || pending.term > meta.term || pending.index > meta.index) return;
      this.#reject(pending, unknownOutcome());
    });
  }

  /** Progress or a new leader: refused proposals may be tried again. */
  resume(): void {
    this.#stalled = false;
  }

  /** Rejects what has waited for too long. */
  sweep(nowMs: number, commit: Index): void {
    this.#pending.forEach((pending) => {
      if (pending.deadlineMs > nowMs) return;
      this.#reject(
        pending,
        pending.state === 'waiting' ? notProposed(pending.refusal) : pending.late(commit),
      );
    });
    // This was the last look for as long as nobody proposes: an idle group keeps nothing.
    if (this.#pending.size > 0) return;
    this.#pending.release();
    if (this.#outstanding === 0) this.#stepped = [];
  }

  close(error: FlotillaError): void {
    if (this.#closed !== null) return;
    this.#closed = error;
    this.#pending.forEach((pending) => this.#reject(pending, error));
    this.#stepped = [];
    this.#outstanding = 0;
    this.#waiting = new Queue();
  }

  #takeStepped(ref: Ref): Pending<Result> | undefined {
    const at = ref - this.#steppedFrom;
    const pending = at < 0 ? undefined : this.#stepped[at];
    if (pending === undefined) return undefined;
    this.#stepped[at] = undefined;
    this.#outstanding -= 1;
    return pending;
  }

  #own(payload: Uint8Array): Pending<Result> | undefined {
    if (originNode(payload) !== this.#nodeId) return undefined;
    const pending = this.#pending.get(originSequence(payload));
    if (pending === undefined) return undefined;
    // An entry of an earlier life of this member carries the same node id, and sequences start anew in each life.
    return originIncarnation(payload) === this.#incarnation ? pending : undefined;
  }

  #lost(pending: Pending<Result>): void {
    this.#metrics.proposalsRepeated += 1;
    this.#wait(pending);
  }

  #wait(pending: Pending<Result>): void {
    pending.state = 'waiting';
    pending.forward = 0;
    this.#waiting.push(pending);
  }

  #reject(pending: Pending<Result>, error: FlotillaError): void {
    this.#forget(pending);
    pending.reject(error);
  }

  #forget(pending: Pending<Result>): void {
    assert(pending.state !== 'answered', 'a proposal is answered once');
    pending.state = 'answered';
    this.#pending.delete(pending.sequence);
    this.#pendingBytes -= pending.payload.length;
  }
}

class Pending<Result> {
  readonly sequence: number;
  readonly payload: Uint8Array;
  readonly deadlineMs: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
  state: 'waiting' | 'stepped' | 'sent' | 'answered' = 'waiting';
  term: Term = 0 as Term;
  /** 0: not known, it was forwarded. */
  index: Index = 0 as Index;
  /** The number of the forwarded message on the way to this life of `peer`; 0: it was appended here. */
  forward = 0;
  peer: NodeId = 0 as NodeId;
  /** {@link notCounted}: its number says nothing any more. */
  peerIncarnation = 0;
  /** Why it had to wait last; null: it has not been refused. */
  refusal: RefusalReason | null = null;

  constructor(
    sequence: number,
    payload: Uint8Array,
    deadlineMs: number,
    resolve: (result: Result) => void,
    reject: (error: Error) => void,
  ) {
    this.sequence = sequence;
    this.payload = payload;
    this.deadlineMs = deadlineMs;
    this.resolve = resolve;
    this.reject = reject;
  }

  /** Says how far it came: an operator finds the slow part by it. */
  late(commit: Index): FlotillaError {
    let stage = 'handed to the core';
    if (this.forward > 0) stage = `forwarded to member ${this.peer}`;
    else if (this.index > commit) stage = `appended at ${this.index}, not committed`;
    else if (this.index > 0) stage = `committed at ${this.index}, not applied`;
    return new FlotillaError(
      'FLOTILLA_PROPOSAL_TIMEOUT',
      `no answer in time, the proposal was ${stage}: the outcome is unknown`,
    );
  }
}

/** No life of a peer has this number, so that neither a count nor a refusal is taken for one of this attempt. */
export const notCounted = -1;

function notProposed(refusal: RefusalReason | null): FlotillaError {
  switch (refusal) {
    case 'transferring':
      return new FlotillaError(
        'FLOTILLA_TRANSFERRING',
        'leadership was being transferred until the time-out: nothing was proposed',
      );
    case 'uncommitted-bytes':
      return new FlotillaError(
        'FLOTILLA_TOO_MANY_PROPOSALS',
        'the leader had too many bytes proposed and not committed until the time-out: nothing was proposed',
      );
    case 'no-leader':
    case 'not-ready':
    case 'too-large':
    case 'change-pending':
    case 'term-not-committed':
    case 'id-reused':
    case 'learner-behind':
    case 'invalid-change':
    case null:
      return new FlotillaError(
        'FLOTILLA_NO_LEADER',
        'no leader took the proposal in time, it waited for one: nothing was proposed',
      );
    default:
      return unreachable(refusal);
  }
}

/** The two functions of the promise that was made last: a closure for each proposal would cost half as much again. */
const settlers: { resolve: (result: never) => void; reject: (error: Error) => void } = {
  resolve: () => undefined,
  reject: () => undefined,
};

function captureSettlers(resolve: (result: never) => void, reject: (error: Error) => void): void {
  settlers.resolve = resolve;
  settlers.reject = reject;
}

const none: Uint8Array = new Uint8Array(0);

function tooLarge(sizeBytes: number, bound: number): FlotillaError {
  return new FlotillaError(
    'FLOTILLA_PROPOSAL_TOO_LARGE',
    `a proposal of ${sizeBytes} bytes exceeds the bound of ${bound}`,
  );
}

function unknownOutcome(): FlotillaError {
  return new FlotillaError(
    'FLOTILLA_PROPOSAL_UNKNOWN',
    'the state jumped to a snapshot that may or may not contain the proposal: its outcome is unknown',
  );
}
