import type { Random } from '@flotilla/platform';
import { isVoter } from '../core/quorum.ts';
import type { CoreView, NodeId, RaftCore } from '../core/types.ts';
import type { GroupContext } from './group-context.ts';
import type { GroupId } from './types.ts';

/** Election time-outs for which a leader waits for what it holds an entry for: its neighbours may be about to bring it. */
const heldPatience = 5;

/**
 * Elections are about logs, so whoever has no state to apply them to may win one; and nobody would be served while the
 * state does not come. It hands over, to each of the others in turn of chance: it cannot tell which of them has one.
 */
export class StatelessLead {
  readonly #group: GroupId;
  readonly #context: GroupContext;
  readonly #core: RaftCore;
  readonly #view: CoreView;
  readonly #random: Random;
  #sinceMs: number | null = null;

  constructor(group: GroupId, context: GroupContext, core: RaftCore, random: Random) {
    this.#group = group;
    this.#context = context;
    this.#core = core;
    this.#view = core.inspect();
    this.#random = random;
  }

  /** `heldMs`: for how long an entry has been held that the state waits for; null: it waits for none. */
  beat(nowMs: number, stateReady: boolean, heldMs: number | null): void {
    const { electionMs } = this.#context.config;
    const isHeld = heldMs !== null && heldMs >= heldPatience * electionMs;
    if (this.#view.role !== 'leader' || (stateReady && !isHeld)) {
      this.#sinceMs = null;
      return;
    }
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs < electionMs) return;
    this.#sinceMs = nowMs;
    const heirs = this.#heirs();
    const to = heirs[this.#random.below(Math.max(1, heirs.length))];
    // Nobody could take over, or not yet.
    if (to === undefined) return;
    this.#context.platform.log.warn('this leader has no state to serve from: another one takes over', {
      group: this.#group,
      to,
    });
    this.#core.step({ type: 'transfer', to });
  }

  #heirs(): readonly NodeId[] {
    const { progress, id, commit, configuration } = this.#view;
    const heirs: NodeId[] = [];
    for (const [peer, { active, match }] of progress) {
      if (peer !== id && active && match >= commit && isVoter(configuration, peer)) heirs.push(peer);
    }
    return heirs;
  }
}
