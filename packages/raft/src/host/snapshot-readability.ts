import { isVoter } from '../core/quorum.ts';
import type { CoreView, NodeId, RaftCore, Term } from '../core/types.ts';
import type { GroupContext } from './group-context.ts';
import type { GroupId } from './types.ts';

/**
 * Whether this member can read its own state for snapshots. A leader that cannot is one that a member which is behind
 * can never catch up with, however healthy it looks to everybody else: it must not keep the office (hashicorp/raft #522).
 */
export class SnapshotReadability {
  readonly #group: GroupId;
  readonly #context: GroupContext;
  readonly #core: RaftCore;
  readonly #view: CoreView;
  #failures = 0;
  /** The term in which a successor was asked to take over. */
  #handedOverIn: Term | null = null;

  constructor(group: GroupId, context: GroupContext, core: RaftCore) {
    this.#group = group;
    this.#context = context;
    this.#core = core;
    this.#view = core.inspect();
  }

  succeeded(): void {
    this.#failures = 0;
  }

  /** Hands over after some failures in a row; steps down when the successor has not taken over. */
  failed(): void {
    const { platform, config } = this.#context;
    this.#failures += 1;
    if (this.#view.role !== 'leader' || this.#failures < config.limits.snapshotReadFailures) return;
    const to = successor(this.#view);
    // Nobody could take over: better a leader that serves no snapshot than none.
    if (to === null) return;
    this.#failures = 0;
    const again = this.#handedOverIn === this.#view.term;
    this.#handedOverIn = this.#view.term;
    platform.log.error('this leader cannot read its state for snapshots: another one takes over', {
      group: this.#group,
      to,
    });
    this.#core.step(again ? { type: 'resign' } : { type: 'transfer', to });
  }
}

/** The voter that is closest behind, among those that are there and are fed from the log. */
function successor({ configuration, progress, id }: CoreView): NodeId | null {
  let best: NodeId | null = null;
  let bestMatch = -1;
  for (const [peer, { active, state, match }] of progress) {
    if (peer === id || !active || state !== 'replicate' || !isVoter(configuration, peer)) continue;
    if (match <= bestMatch) continue;
    best = peer;
    bestMatch = match;
  }
  return best;
}
