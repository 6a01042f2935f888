import { FlotillaError, unreachable } from '@flotilla/platform';
import type { ErrorCode } from '@flotilla/platform';
import { decodeMembershipChange } from '../core/membership-codec.ts';
import { isJoint } from '../core/membership.ts';
import type {
  Configuration,
  CoreView,
  Index,
  MembershipChange,
  NodeId,
  RaftCore,
  Ref,
  RefusalReason,
  SnapshotMeta,
  Term,
} from '../core/types.ts';
import type { HostLimits } from './limits.ts';
import { originIncarnation, originNode, originOf, originSequence, OriginWriter } from './origin.ts';
import { notCounted } from './proposals.ts';
import type { MembershipOutcome } from './types.ts';

/**
 * The changes of membership that this member's callers wait for. They travel as proposals do, with the same promise: a
 * change is handed to a core again only when the former attempt is lost for sure (see `ProposalTable`).
 *
 * ```text
 *            step            appended, forwarded          applied here           the joint configuration is left
 *  waiting ────────▶ stepped ───────────────────▶ sent ───────────────▶ leaving ──────────────▶ answered
 *     ▲                 │ refused for now           │
 *     └─────────────────┴───────────────────────────┘ lost for sure
 * ```
 */
export class MembershipChanges {
  readonly #nodeId: NodeId;
  readonly #incarnation: number;
  readonly #origins: OriginWriter;
  readonly #limits: HostLimits;
  #pending: Map<number, PendingChange> = noChanges;
  #stepped: Map<Ref, PendingChange> = noneStepped;
  /** Set by a refusal that only time or progress can end. */
  #stalled = false;
  #nextSequence: number;
  #closed: FlotillaError | null = null;

  constructor(nodeId: NodeId, incarnation: number, limits: HostLimits, firstSequence = 1) {
    this.#nextSequence = firstSequence;
    this.#nodeId = nodeId;
    this.#incarnation = incarnation;
    this.#origins = new OriginWriter(nodeId, incarnation);
    this.#limits = limits;
  }

  get nextSequence(): number {
    return this.#nextSequence;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Whether {@link MembershipChanges.step} would do anything, once a leader is known. */
  get hasWaiting(): boolean {
    if (this.#stalled) return false;
    for (const pending of this.#pending.values()) if (pending.state === 'waiting') return true;
    return false;
  }

  add(change: MembershipChange, deadlineMs: number): Promise<MembershipOutcome> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    if (this.#pending.size >= this.#limits.pendingMembershipChanges) {
      return Promise.reject(
        new FlotillaError(
          'FLOTILLA_MEMBERSHIP_PENDING',
          'too many changes of membership wait for an answer at this member',
        ),
      );
    }
    const sequence = this.#nextSequence;
    this.#nextSequence += 1;
    const context = this.#origins.write(sequence, change.context);
    return new Promise((resolve, reject) => {
      const pending = new PendingChange(sequence, { ...change, context }, deadlineMs, resolve, reject);
      if (this.#pending === noChanges) this.#pending = new Map();
      this.#pending.set(sequence, pending);
    });
  }

  step(core: RaftCore, nextRef: () => Ref): void {
    for (const pending of this.#pending.values()) {
      if (pending.state !== 'waiting' || this.#stalled) continue;
      const ref = nextRef();
      pending.state = 'stepped';
      if (this.#stepped === noneStepped) this.#stepped = new Map();
      this.#stepped.set(ref, pending);
      core.step({ type: 'change-membership', ref, change: pending.change });
    }
  }

  /** The core has appended it, or sent it to the leader of `term`. False: `ref` is not a change's. */
  accepted(ref: Ref, term: Term, index: Index): boolean {
    const pending = this.#stepped.get(ref);
    if (pending === undefined) return false;
    this.#stepped.delete(ref);
    if (pending.state === 'answered') return true;
    pending.state = 'sent';
    pending.term = term;
    pending.index = index;
    pending.forward = 0;
    return true;
  }

  refused(ref: Ref, reason: RefusalReason): boolean {
    const pending = this.#stepped.get(ref);
    if (pending === undefined) return false;
    this.#stepped.delete(ref);
    if (pending.state !== 'answered') this.#refuse(pending, reason);
    return true;
  }

  /** The change with this payload left for `peer` in its forwarded message number `forward`; 0: it never left. */
  forwarded(payload: Uint8Array, peer: NodeId, peerIncarnation: number, forward: number): void {
    const pending = this.#own(decodeMembershipChange(payload));
    if (pending?.state !== 'sent') return;
    if (forward === 0) {
      this.#wait(pending);
      this.#stalled = true;
      return;
    }
    pending.forward = forward;
    pending.peer = peer;
    pending.peerIncarnation = peerIncarnation;
  }

  /** See `ProposalTable.reconnected`. */
  reconnected(peer: NodeId, peerIncarnation: number, arrived: number | null): void {
    for (const pending of this.#pending.values()) {
      if (pending.state !== 'sent' || pending.forward === 0) continue;
      if (pending.peer !== peer || pending.peerIncarnation !== peerIncarnation) continue;
      if (arrived === null) pending.peerIncarnation = notCounted;
      else if (pending.forward > arrived) this.#wait(pending);
    }
  }

  /** The leader's host did not take the forwarded message number `forward`. */
  refusedByLeader(
    peer: NodeId,
    peerIncarnation: number,
    forward: number,
    sequence: number,
    reason: RefusalReason,
  ): void {
    const pending = this.#pending.get(sequence);
    if (pending?.state !== 'sent' || pending.forward !== forward) return;
    if (pending.peer !== peer || pending.peerIncarnation !== peerIncarnation) return;
    this.#refuse(pending, reason);
  }

  /**
   * The state machine has an entry with this change. Told before {@link MembershipChanges.termApplied} of a later term
   * takes the change for lost.
   */
  applied(change: MembershipChange, index: Index): void {
    const pending = this.#own(change);
    if (pending === undefined) return;
    pending.state = 'leaving';
    pending.index = index;
  }

  /** `configuration` came into force at `index`: whoever waited for it, or for the end of a joint one, has it. */
  inForce(index: Index, configuration: Configuration): void {
    if (isJoint(configuration) && configuration.autoLeave) return;
    for (const pending of this.#pending.values()) {
      if (pending.state !== 'leaving' || pending.index > index) continue;
      this.#forget(pending);
      pending.resolve({ index: pending.index, configuration });
    }
  }

  /** The first entry of `term` is about to be applied: whatever was proposed in an earlier one is lost. */
  termApplied(term: Term): void {
    for (const pending of this.#pending.values()) {
      if (pending.state === 'sent' && pending.term < term) this.#wait(pending);
    }
  }

  /** The state jumped to a snapshot: entries up to `meta` were not seen one by one. */
  jumped(meta: SnapshotMeta): void {
    for (const pending of this.#pending.values()) {
      if (pending.state !== 'sent' || pending.term > meta.term || pending.index > meta.index) continue;
      this.#reject(
        pending,
        'FLOTILLA_PROPOSAL_UNKNOWN',
        'the state jumped to a snapshot that may or may not contain the change: its outcome is unknown',
      );
    }
    this.inForce(meta.index, meta.configuration);
  }

  /** Progress or a new leader: refused changes may be tried again. */
  resume(): void {
    this.#stalled = false;
  }

  /** Rejects what has waited for too long. */
  sweep(nowMs: number, view: CoreView): void {
    for (const pending of this.#pending.values()) {
      if (pending.deadlineMs > nowMs) continue;
      if (pending.state === 'waiting') {
        const reason = pending.refusal ?? 'no-leader';
        this.#reject(pending, codeOf(reason), `nothing was changed in time: ${textOf(reason)}`);
      } else {
        this.#reject(
          pending,
          'FLOTILLA_PROPOSAL_TIMEOUT',
          `no answer in time, the change ${pending.stage(view.commit)}: the outcome is unknown`,
        );
      }
    }
  }

  close(error: FlotillaError): void {
    if (this.#closed !== null) return;
    this.#closed = error;
    for (const pending of this.#pending.values()) {
      this.#forget(pending);
      pending.reject(error);
    }
    this.#stepped.clear();
  }

  #own({ context }: MembershipChange): PendingChange | undefined {
    const origin = originOf(context);
    if (origin === null || originNode(origin) !== this.#nodeId) return undefined;
    if (originIncarnation(origin) !== this.#incarnation) return undefined;
    return this.#pending.get(originSequence(origin));
  }

  #refuse(pending: PendingChange, reason: RefusalReason): void {
    if (!passes(reason)) {
      this.#reject(pending, codeOf(reason), textOf(reason));
      return;
    }
    pending.refusal = reason;
    this.#stalled = true;
    this.#wait(pending);
  }

  #wait(pending: PendingChange): void {
    pending.state = 'waiting';
    pending.forward = 0;
  }

  #reject(pending: PendingChange, code: ErrorCode, message: string): void {
    this.#forget(pending);
    pending.reject(new FlotillaError(code, message));
  }

  #forget(pending: PendingChange): void {
    pending.state = 'answered';
    this.#pending.delete(pending.sequence);
  }
}

class PendingChange {
  readonly sequence: number;
  /** With its origin before the caller's context. */
  readonly change: MembershipChange;
  readonly deadlineMs: number;
  readonly resolve: (outcome: MembershipOutcome) => void;
  readonly reject: (error: Error) => void;
  state: 'waiting' | 'stepped' | 'sent' | 'leaving' | 'answered' = 'waiting';
  term: Term = 0 as Term;
  /** 0: not known, it was forwarded. */
  index: Index = 0 as Index;
  /** The number of the forwarded message on the way to this life of `peer`; 0: it was appended here. */
  forward = 0;
  peer: NodeId = 0 as NodeId;
  /** {@link notCounted}: its number says nothing any more. */
  peerIncarnation = 0;
  /** Why it had to wait last. */
  refusal: RefusalReason | null = null;

  constructor(
    sequence: number,
    change: MembershipChange,
    deadlineMs: number,
    resolve: (outcome: MembershipOutcome) => void,
    reject: (error: Error) => void,
  ) {
    this.sequence = sequence;
    this.change = change;
    this.deadlineMs = deadlineMs;
    this.resolve = resolve;
    this.reject = reject;
  }

  stage(commit: Index): string {
    if (this.state === 'leaving') {
      return `is applied at ${this.index}, and a joint configuration, or the leader that it removes, is still in office`;
    }
    if (this.forward > 0) return `was forwarded to member ${this.peer}`;
    if (this.index === 0) return 'was handed to the core';
    return this.index > commit
      ? `was appended at ${this.index}`
      : `is committed at ${this.index}, not applied`;
  }
}

/** Whether waiting may end it: then the change is tried again until its time-out. */
function passes(reason: RefusalReason): boolean {
  switch (reason) {
    case 'no-leader':
    case 'uncommitted-bytes':
    case 'transferring':
    case 'term-not-committed':
    case 'not-ready':
      return true;
    case 'change-pending':
    case 'id-reused':
    case 'learner-behind':
    case 'invalid-change':
    case 'too-large':
      return false;
    default:
      return unreachable(reason);
  }
}

function codeOf(reason: RefusalReason): ErrorCode {
  switch (reason) {
    case 'no-leader':
    case 'not-ready':
      return 'FLOTILLA_NO_LEADER';
    case 'uncommitted-bytes':
      return 'FLOTILLA_TOO_MANY_PROPOSALS';
    case 'transferring':
      return 'FLOTILLA_TRANSFERRING';
    case 'term-not-committed':
      return 'FLOTILLA_TERM_NOT_COMMITTED';
    case 'change-pending':
      return 'FLOTILLA_MEMBERSHIP_PENDING';
    case 'id-reused':
      return 'FLOTILLA_MEMBERSHIP_ID_REUSED';
    case 'learner-behind':
      return 'FLOTILLA_LEARNER_BEHIND';
    case 'invalid-change':
      return 'FLOTILLA_MEMBERSHIP_INVALID';
    case 'too-large':
      return 'FLOTILLA_PROPOSAL_TOO_LARGE';
    default:
      return unreachable(reason);
  }
}

function textOf(reason: RefusalReason): string {
  switch (reason) {
    case 'no-leader':
    case 'not-ready':
      return 'no leader is known';
    case 'uncommitted-bytes':
      return 'the leader has too many bytes proposed that are not committed';
    case 'transferring':
      return 'leadership is being transferred';
    case 'term-not-committed':
      return 'the leader has not committed an entry of its own term yet';
    case 'change-pending':
      return 'another change of membership is on its way';
    case 'id-reused':
      return 'an id that was removed is never used again';
    case 'learner-behind':
      return 'the learner has to catch up before it may vote';
    case 'invalid-change':
      return 'the change does not apply to the present configuration';
    case 'too-large':
      return 'the change is too large';
    default:
      return unreachable(reason);
  }
}

/** Shared by all groups that have none, which is most of them: never written. */
const noChanges: Map<number, PendingChange> = new Map();

/** Shared by all groups that have none, which is most of them: never written. */
const noneStepped: Map<Ref, PendingChange> = new Map();
