import { assert } from '@flotilla/platform';
import type { Entry, Index, Term } from '../core/types.ts';
import type { HostLimits } from './limits.ts';
import type { HostMetrics } from './metrics.ts';
import { decodeMembershipChange } from '../core/membership-codec.ts';
import type { MembershipChanges } from './membership-changes.ts';
import { withoutOrigin } from './origin.ts';
import type { ProposalTable } from './proposals.ts';
import type { StateMachine } from './types.ts';

/** What came of a slice: `held` says that the next entry has to wait. */
export type SliceOutcome = 'more' | 'held' | 'done';

/** Gives committed entries to the state machine in slices, and the results to whoever proposed them here. */
export class ApplyBatch<Result> {
  readonly #stateMachine: StateMachine<Result>;
  readonly #proposals: ProposalTable<Result>;
  readonly #changes: MembershipChanges;
  readonly #limits: HostLimits;
  readonly #metrics: HostMetrics;
  /** Of the last entry that was applied or skipped: a later one settles the proposals of earlier terms. */
  #lastTerm: Term;
  #entries: readonly Entry[] = none;
  #position = 0;
  #membership: Index[] = [];

  constructor(
    stateMachine: StateMachine<Result>,
    proposals: ProposalTable<Result>,
    changes: MembershipChanges,
    limits: HostLimits,
    metrics: HostMetrics,
  ) {
    this.#stateMachine = stateMachine;
    this.#proposals = proposals;
    this.#changes = changes;
    this.#limits = limits;
    this.#metrics = metrics;
    this.#lastTerm = stateMachine.applied.term;
  }

  /** A batch of the core is not wholly applied. */
  get pending(): boolean {
    return this.#entries !== none;
  }

  /** The last index of the batch, or 0. */
  get lastIndex(): Index {
    return this.#entries[this.#entries.length - 1]?.index ?? (0 as Index);
  }

  put(entries: readonly Entry[]): void {
    assert(!this.pending, 'the core has one batch out at a time');
    assert(entries.length > 0, 'a batch holds an entry');
    this.#entries = entries;
    this.#position = 0;
    this.#metrics.applyBatches += 1;
  }

  /** Applies the next slice. */
  applySlice(): SliceOutcome {
    const applied = this.#stateMachine.applied.index;
    // What a snapshot has brought already must not be applied again.
    while (this.#position < this.#entries.length) {
      const entry = this.#entries[this.#position] as Entry;
      if (entry.index > applied) break;
      this.#meetTerm(entry.term);
      if (entry.kind === 'command') this.#proposals.skipped(entry.payload);
      else if (entry.kind === 'membership') this.#changed(entry);
      this.#position += 1;
    }
    const slice = this.#nextSlice();
    if (slice.length === 0 && this.#position < this.#entries.length) return 'held';
    if (slice.length > 0) this.#apply(slice, applied);
    this.#position += slice.length;
    if (this.#position < this.#entries.length) return 'more';
    this.#entries = none;
    return 'done';
  }

  /** The state jumped to a snapshot that has all of the batch. */
  drop(): void {
    this.#entries = none;
  }

  jumpedTo(term: Term): void {
    if (term > this.#lastTerm) this.#lastTerm = term;
  }

  #apply(slice: readonly Entry[], applied: Index): void {
    const first = slice[0] as Entry;
    assert(first.index === applied + 1, () => `entry ${first.index} follows ${applied} in the state machine`);
    const results = this.#stateMachine.apply(slice);
    assert(results.length === slice.length, 'the state machine answers each entry');
    for (let i = 0; i < slice.length; i += 1) {
      const entry = this.#entries[this.#position + i] as Entry;
      this.#meetTerm(entry.term);
      if (entry.kind === 'command') this.#proposals.applied(entry.payload, results[i] as Result);
      else if (entry.kind === 'membership') this.#changed(entry);
    }
    const last = slice[slice.length - 1] as Entry;
    assert(
      this.#stateMachine.applied.index === last.index,
      () => `the state machine says ${this.#stateMachine.applied.index} after entry ${last.index}`,
    );
    this.#metrics.entriesApplied += slice.length;
  }

  /** Where the batch that is done changed the membership. */
  takeMembership(): readonly Index[] {
    if (this.#membership.length === 0) return noIndexes;
    const indexes = this.#membership;
    this.#membership = [];
    return indexes;
  }

  #changed(entry: Entry): void {
    this.#membership.push(entry.index);
    this.#changes.applied(decodeMembershipChange(entry.payload), entry.index);
  }

  /** As the state machine sees them. It ends before what that holds. */
  #nextSlice(): Entry[] {
    const { applySliceBytes, applySliceEntries } = this.#limits;
    const slice: Entry[] = [];
    let bytes = 0;
    for (let at = this.#position; at < this.#entries.length; at += 1) {
      if (slice.length >= applySliceEntries || bytes >= applySliceBytes) break;
      const logged = this.#entries[at] as Entry;
      const entry = withoutOrigin(logged);
      if (this.#stateMachine.holds?.(entry) === true) break;
      bytes += logged.payload.length;
      slice.push(entry);
    }
    return slice;
  }

  #meetTerm(term: Term): void {
    if (term <= this.#lastTerm) return;
    this.#lastTerm = term;
    this.#proposals.termApplied(term);
    this.#changes.termApplied(term);
  }
}

const none: readonly Entry[] = [];
const noIndexes: readonly Index[] = [];
