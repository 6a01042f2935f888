import { assert } from '@flotilla/platform';
import { Inflights } from './inflights.ts';
import { transitionTable } from './transition-table.ts';
import type { Index, NodeId, ProgressView, Ref } from './types.ts';

/**
 * How a leader sends to one follower. `probe`: one append at a time, to find where the logs agree. `replicate`: a
 * pipeline of appends. `snapshot`: nothing until the snapshot is there.
 */
export const progressStates = transitionTable('progress', {
  probe: { match: 'replicate', 'need-snapshot': 'snapshot' },
  replicate: { reject: 'probe', unreachable: 'probe', 'need-snapshot': 'snapshot' },
  snapshot: { match: 'replicate', 'snapshot-sent': 'probe', 'snapshot-failed': 'probe' },
});

export type ProgressState = (typeof progressStates.states)[number];

interface ProgressOptions {
  readonly id: NodeId;
  readonly learner: boolean;
  readonly next: number;
  readonly session: number;
  readonly active: boolean;
  readonly maxInflightMessages: number;
  readonly maxInflightBytes: number;
}

/** What a leader knows about one member. Invariant: match < next. */
export class Progress implements ProgressView {
  readonly id: NodeId;
  learner: boolean;
  /** Numbers this stay of the member: answers to another one are not about this progress. */
  readonly session: number;
  state: ProgressState = 'probe';
  /** The last entry that is known to be durable there and equal to ours. */
  match = 0 as Index;
  next: Index;
  active: boolean;
  /** As the member says; 0: it has not said yet. */
  priority = 0;
  pendingSnapshot = 0 as Index;
  /** The log is being read for this member; 0: it is not. */
  reading = 0 as Ref;
  /** The commit index that the member last said it has. */
  knownCommit = 0 as Index;
  readonly #inflights: Inflights;
  /** The commit index that it was last told; what exceeds `next - 1` waits for entries. */
  #sentCommit = 0;
  #flowPaused = false;

  constructor(options: ProgressOptions) {
    this.id = options.id;
    this.learner = options.learner;
    this.session = options.session;
    this.next = options.next as Index;
    this.active = options.active;
    this.#inflights = new Inflights(options.maxInflightMessages, options.maxInflightBytes);
  }

  get paused(): boolean {
    return this.state === 'snapshot' || this.#flowPaused;
  }

  get inflight(): number {
    return this.#inflights.count;
  }

  get windowFull(): boolean {
    return this.#inflights.full;
  }

  /** The member answered at its matched index (or, as the leader itself, wrote it). */
  becomeReplicate(): void {
    this.#enter(progressStates.fire(this.state, 'match'));
    this.next = (this.match + 1) as Index;
  }

  /** What was sent optimistically may be lost: find the match again. */
  becomeProbe(reason: 'reject' | 'unreachable' | 'snapshot-sent' | 'snapshot-failed'): void {
    const afterSnapshot = reason === 'snapshot-sent' ? this.pendingSnapshot : 0;
    this.#enter(progressStates.fire(this.state, reason));
    this.next = (Math.max(this.match, afterSnapshot) + 1) as Index;
    this.#sentCommit = Math.min(this.#sentCommit, this.next - 1);
  }

  becomeSnapshot(index: Index): void {
    this.#enter(progressStates.fire(this.state, 'need-snapshot'));
    this.pendingSnapshot = index;
    this.next = (index + 1) as Index;
    this.#sentCommit = index;
  }

  /** After an append of so many entries left. In a full window, or while probing, the flow pauses for an answer. */
  sentEntries(count: number, payloadBytes: number): void {
    if (this.state === 'replicate') {
      if (count > 0) {
        this.next = (this.next + count) as Index;
        this.#inflights.add(this.next - 1, payloadBytes);
      }
      this.#flowPaused = this.#inflights.full;
      return;
    }
    assert(this.state === 'probe', 'no append is sent while a snapshot is on its way');
    if (count > 0) this.#flowPaused = true;
  }

  sentCommit(commit: number): void {
    this.#sentCommit = commit;
  }

  /** Whether telling the member `commit` would move its commit index, as far as we know. */
  canBumpCommit(commit: number): boolean {
    return commit > this.#sentCommit && this.#sentCommit < this.next - 1;
  }

  /** What {@link sentCommit} was last told: for those who compare states. */
  get toldCommit(): number {
    return this.#sentCommit;
  }

  /** False: an answer that was overtaken. */
  maybeUpdate(index: Index): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1) as Index;
    this.#flowPaused = false;
    return true;
  }

  /** A refusal of the append after `rejected`; false when it is stale. `hint` is the next index that may match. */
  maybeDecreaseTo(rejected: Index, hint: Index): boolean {
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false;
      this.next = (this.match + 1) as Index;
      this.#sentCommit = Math.min(this.#sentCommit, this.next - 1);
      return true;
    }
    // While probing one append is out at a time, so an answer to another one is stale.
    if (this.next - 1 !== rejected) return false;
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1) as Index;
    this.#sentCommit = Math.min(this.#sentCommit, this.next - 1);
    this.#flowPaused = false;
    return true;
  }

  freeInflights(index: Index): void {
    this.#inflights.freeTo(index);
  }

  pause(): void {
    this.#flowPaused = true;
  }

  resume(): void {
    this.#flowPaused = false;
  }

  #enter(state: ProgressState): void {
    this.state = state;
    this.pendingSnapshot = 0 as Index;
    this.#flowPaused = false;
    this.#inflights.clear();
  }
}
