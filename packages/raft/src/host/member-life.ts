import { transitionTable } from '../core/transition-table.ts';
import type { EventOf, StateOf } from '../core/transition-table.ts';

const life = {
  /** Its log is looked up, and repaired when a crash came between an installed snapshot and its log record. */
  opening: {
    restored: 'serving',
    'state-missing': 'awaiting-snapshot',
    // A damaged log, or a state that the log cannot have led to.
    fail: 'failed',
    // The host was closed while the repair was being written: some milliseconds in the life of a member that crashed in
    // the moment after a snapshot, so that simulations hardly ever meet it.
    close: 'closed',
  },
  /** It has a state, applies entries to it and answers. */
  serving: {
    'snapshot-begins': 'installing',
    remove: 'removed',
    fail: 'failed',
    close: 'closed',
  },
  /** It has no state, votes and appends all the same, and asks a peer for a snapshot. */
  'awaiting-snapshot': {
    'snapshot-begins': 'installing',
    remove: 'removed',
    fail: 'failed',
    close: 'closed',
  },
  /** A snapshot replaces its state. */
  installing: {
    // The sender of the former one is gone, and another one has begun.
    'snapshot-begins': 'installing',
    installed: 'serving',
    'cut-off': 'awaiting-snapshot',
    // Refused before anything of the state was touched.
    kept: 'serving',
    remove: 'removed',
    fail: 'failed',
    close: 'closed',
  },
  /** Its group goes on without it, for ever: it neither campaigns nor asks for anything. */
  removed: {
    fail: 'failed',
    close: 'closed',
  },
  /** Going on could lose data or lie. Every call is rejected. */
  failed: {
    close: 'closed',
  },
  closed: {},
} as const;

/** The life of one member in one group, from the opening of the group to its end. */
export const memberLives = transitionTable('member life', life);

/** See {@link memberLives}. */
export type MemberLifeState = StateOf<typeof life>;
export type MemberLifeEvent = EventOf<typeof life>;

/** Where one member stands in {@link memberLives}: the one place that changes it. */
export class MemberLife {
  #state: MemberLifeState = 'opening';
  #hasState = false;

  get state(): MemberLifeState {
    return this.#state;
  }

  /** Whether the state machine has a state that may be read. A removed member keeps the one that it had. */
  get hasState(): boolean {
    return this.#hasState;
  }

  /** Not removed, failed or closed: it takes part. */
  get acts(): boolean {
    return this.#state !== 'removed' && this.#state !== 'failed' && this.#state !== 'closed';
  }

  fire(event: MemberLifeEvent): void {
    this.#state = memberLives.fire(this.#state, event);
    if (this.#state === 'serving') this.#hasState = true;
    else if (this.#state === 'installing' || this.#state === 'awaiting-snapshot') this.#hasState = false;
  }
}
