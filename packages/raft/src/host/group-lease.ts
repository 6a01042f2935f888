import { majority } from '../core/quorum.ts';
import type { CoreView, NodeId, PeerMessage, Term } from '../core/types.ts';
import type { Leases } from './lease.ts';
import type { GroupId } from './types.ts';

/** One group's part in leases: the promise that this member has given, and the lease that it holds as a leader. */
export class GroupLease {
  readonly #group: GroupId;
  readonly #view: CoreView;
  /** Null: none is held, and none is promised; only what a former life has promised is kept. */
  readonly #leases: Leases | null;
  /** The restart forgot what was promised before; nobody is elected before the end of what it can have been. */
  readonly #silentUntilMs: number;
  #promisedTo = 0 as NodeId;
  #promisedTerm = 0 as Term;
  #promisedUntilMs = -Infinity;
  /** The term in which heartbeats say that this member leads, and from which list of theirs on. */
  #claimedTerm: Term | null = null;
  #claimedVersion = 0;
  /** The term in which somebody was asked to campaign. */
  #givenUpTerm: Term | null = null;

  constructor(group: GroupId, view: CoreView, leases: Leases | null, silentUntilMs: number) {
    this.#group = group;
    this.#view = view;
    this.#leases = leases;
    this.#silentUntilMs = silentUntilMs;
  }

  // What a follower keeps.

  /**
   * Promises to elect nobody but `leader` before `untilMs`. False when it cannot: a member that is a candidate, or has seen
   * a later term, may have voted for another one already; one whose core has yet to see this term may still grant a vote
   * in it, or in one before it; and what one leader was promised no earlier one may release.
   */
  promise(leader: NodeId, term: Term, untilMs: number): boolean {
    if (this.#view.role !== 'follower' || term !== this.#view.term || term < this.#promisedTerm) return false;
    this.#promisedTo = leader;
    this.#promisedTerm = term;
    this.#promisedUntilMs = Math.max(this.#promisedUntilMs, untilMs);
    return true;
  }

  /** The leader itself says that it leads no longer, or asks this member to campaign: it has given its lease up. */
  released(leader: NodeId): void {
    if (leader === this.#promisedTo) this.#promisedUntilMs = -Infinity;
  }

  /**
   * Whether the core may see the message. Votes are withheld, not refused: a refusal would carry a term. Those of an
   * election that a leader has asked for come after it has given its lease up.
   */
  admits(message: PeerMessage, nowMs: number): boolean {
    if (message.type === 'timeout-now') this.released(message.from);
    if ((message.type !== 'vote' && message.type !== 'pre-vote') || message.forced) return true;
    // A leader's answer tells the asker who leads.
    if (this.#view.role === 'leader') return true;
    return this.#isFree(nowMs) || (message.from === this.#promisedTo && nowMs >= this.#silentUntilMs);
  }

  /** Whether this member may be a candidate. */
  mayCampaign(nowMs: number): boolean {
    return this.#view.role !== 'follower' || this.#isFree(nowMs);
  }

  #isFree(nowMs: number): boolean {
    return nowMs >= this.#promisedUntilMs && nowMs >= this.#silentUntilMs;
  }

  // What a leader holds.

  /** From the list `version` of our heartbeats on they say that this member leads in `term`. */
  claimed(term: Term, version: number): void {
    if (term === this.#claimedTerm) return;
    this.#claimedTerm = term;
    this.#claimedVersion = version;
  }

  /** Called before a `timeout-now` leaves: the election that it asks for does not wait for any promise. */
  givenUp(): void {
    this.#givenUpTerm = this.#view.term;
  }

  /**
   * Whether nobody else can lead at `nowMs`, which must be read after the question was asked: then what is committed here
   * is all that was.
   */
  holds(nowMs: number): boolean {
    const { role, term, commit, configuration } = this.#view;
    if (this.#leases === null) return false;
    if (role !== 'leader' || term !== this.#claimedTerm || term === this.#givenUpTerm) return false;
    // Only then does it know what was committed before its time.
    if (this.#view.termAt(commit) !== term) return false;
    const { voters, votersOutgoing } = configuration;
    return this.#majorityHolds(voters, nowMs) && this.#majorityHolds(votersOutgoing, nowMs);
  }

  #majorityHolds(voters: readonly NodeId[], nowMs: number): boolean {
    if (voters.length === 0) return true;
    let holding = 0;
    for (const id of voters) {
      const self = id === this.#view.id;
      if (self || this.#promisedUntil(id) > nowMs) holding += 1;
    }
    return holding >= majority(voters.length);
  }

  #promisedUntil(id: NodeId): number {
    return this.#leases?.promisedUntil(id, this.#group, this.#claimedVersion) ?? -Infinity;
  }
}
