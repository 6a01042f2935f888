import { assert } from '@flotilla/platform';
import type { CoreView, Index, RaftCore } from '../core/types.ts';
import type { GroupContext } from './group-context.ts';
import type { GroupId, StateMachine } from './types.ts';

/** Decides how much of a group's log may go. */
export class GroupCompaction {
  readonly #group: GroupId;
  readonly #context: GroupContext;
  readonly #core: RaftCore;
  readonly #view: CoreView;
  readonly #stateMachine: StateMachine<unknown>;
  #running = false;

  constructor(group: GroupId, context: GroupContext, core: RaftCore, stateMachine: StateMachine<unknown>) {
    this.#group = group;
    this.#context = context;
    this.#core = core;
    this.#view = core.inspect();
    this.#stateMachine = stateMachine;
  }

  /** Whether {@link GroupCompaction.compact} could do anything while the log is not full. */
  get due(): boolean {
    return this.#view.applied - this.#view.firstIndex + 1 >= this.#context.config.snapshotCount;
  }

  compact(logIsFull: boolean): void {
    const { config, log, metrics, fail } = this.#context;
    if (this.#running) return;
    const through = this.#compactionIndex(logIsFull);
    const compacted = this.#view.firstIndex - 1;
    const enough = logIsFull ? 1 : config.snapshotCount;
    if (through - compacted < enough) return;
    const term = this.#view.termAt(through);
    // Not the present one: a member that starts from here applies the changes after it once more.
    const configuration = this.#view.configurationAt(through);
    assert(term !== null && configuration !== null, 'the log holds what it is compacted to');
    const meta = { index: through, term, configuration };
    this.#running = true;
    metrics.compactions += 1;
    this.#core.step({ type: 'compacted', through: meta });
    log.compact(this.#group, meta).then(() => {
      this.#running = false;
    }, fail);
  }

  /** How far the log may go: what every start needs, and what followers are likely to need, stays. */
  #compactionIndex(logIsFull: boolean): Index {
    const { config } = this.#context;
    const { applied, durable, progress, id } = this.#view;
    // Never past what survives a crash in the state machine: it is replayed from the log. A snapshot may have brought
    // the state further than the log is written: those records must not come after the compaction.
    const flushed = Math.min(this.#stateMachine.flushed.index, applied, durable);
    if (logIsFull) return flushed as Index;
    let through = Math.min(flushed, applied - config.tailEntries);
    // A follower that gets a snapshot goes on from there.
    through = Math.min(through, this.#context.oldestSnapshotSend(this.#group) ?? through);
    for (const [peer, { match, active }] of progress) {
      const close = active && applied - match <= config.laggingEntries;
      if (peer !== id && close) through = Math.min(through, match);
    }
    return through as Index;
  }
}
