import type { Entry, Index, StateMachine, Term } from '@flotilla/raft';

/** A state machine that costs next to nothing: what is measured is the replication. */
export class CountingMachine implements StateMachine<number> {
  readonly installed = null;
  applied = { index: 0 as Index, term: 0 as Term };

  /** Nothing is kept, so nothing of the log has to stay for it. */
  get flushed(): StateMachine<number>['flushed'] {
    return this.applied;
  }

  apply(entries: readonly Entry[]): readonly number[] {
    const results: number[] = [];
    for (const entry of entries) results.push(entry.index);
    const last = entries[entries.length - 1];
    if (last !== undefined) this.applied = { index: last.index, term: last.term };
    return results;
  }

  snapshot(): never {
    throw new Error('nobody falls behind far enough for a snapshot here');
  }

  install(): never {
    throw new Error('nobody falls behind far enough for a snapshot here');
  }
}
