import { assert } from '@flotilla/platform';
import type { Entry, Index, Term } from '../core/types.ts';
import type { HostLimits } from './limits.ts';
import type { HostMetrics } from './metrics.ts';
import { decodeMembershipChange } from '../core/membership-codec.ts';
import type { MembershipChanges } from './membership-changes.ts';
import { withoutOrigin } from './origin.ts';
import type { ProposalTable } from './proposals.ts';
import type { StateMachine } from './types.ts';

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

  /** Applies the next slice. True: the batch is done. */
  applySlice(): boolean {
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
    const from = this.#position;
    const to = this.#sliceEnd(from);
    if (to > from) this.#apply(from, to, applied);
    this.#position = to;
    if (to < this.#entries.length) return false;
    this.#entries = none;
    return true;
  }

  /** The state jumped to a snapshot that has all of the batch. */
  drop(): void {
    this.#entries = none;
  }

  jumpedTo(term: Term): void {
    if (term > this.#lastTerm) this.#lastTerm = term;
  }

  #apply(from: number, to: number, applied: Index): void {
    const slice = this.#entries.slice(from, to);
    for (let i = 0; i < slice.length; i += 1) slice[i] = withoutOrigin(slice[i] as Entry);
    const first = slice[0] as Entry;
    assert(first.index === applied + 1, () => `entry ${first.index} follows ${applied} in the state machine`);
    const results = this.#stateMachine.apply(slice);
    assert(results.length === slice.length, 'the state machine answers each entry');
    for (let i = 0; i < slice.length; i += 1) {
      const entry = this.#entries[from + i] as Entry;
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

  #sliceEnd(from: number): number {
    const { applySliceBytes, applySliceEntries } = this.#limits;
    const most = Math.min(this.#entries.length, from + applySliceEntries);
    let bytes = 0;
    let to = from;
    while (to < most && bytes < applySliceBytes) {
      bytes += (this.#entries[to] as Entry).payload.length;
      to += 1;
    }
    return to;
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
