import type { Random } from '@flotilla/platform';
import { isVoter, voteResult } from '../core/quorum.ts';
import type { CoreView, NodeId } from '../core/types.ts';
import type { GroupContext } from './group-context.ts';

/** The first campaigns of members that start together are spread over this many heartbeats; later ones over more. */
const firstSpreadHeartbeats = 2;

/**
 * Members that start together have nobody to wait for: an election time-out without a leader would pass in vain. So
 * as soon as a quorum is connected for the first time, each campaigns after a short random time. A leader that is
 * there says so in its first heartbeat, before that; and what a pre-vote asks disturbs nobody.
 */
export class EarlyCampaign {
  readonly #context: GroupContext;
  readonly #view: CoreView;
  readonly #random: Random;
  readonly #campaign: () => void;
  /** A leader was known, or a quorum was connected: from here on election time-outs decide. */
  #startIsOver = false;
  #stopped = false;

  constructor(context: GroupContext, view: CoreView, random: Random, campaign: () => void) {
    this.#context = context;
    this.#view = view;
    this.#random = random;
    this.#campaign = campaign;
  }

  peerAlive(): void {
    const { config } = this.#context;
    if (this.#startIsOver || !config.core.preVote) return;
    if (this.#view.leader !== 0) this.#startIsOver = true;
    else if (this.#quorumIsConnected()) {
      this.#startIsOver = true;
      this.#campaignWithin(config.heartbeatMs * firstSpreadHeartbeats);
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Candidates that split the votes try again over twice the time, until election time-outs take over. */
  #campaignWithin(spreadMs: number): void {
    const { platform, config } = this.#context;
    if (spreadMs >= config.electionMs) return;
    const { term } = this.#view;
    platform.timer(this.#random.float() * spreadMs, 'raft-early-campaign', () => {
      if (this.#stopped || this.#view.role === 'leader' || this.#view.leader !== 0) return;
      // In a term that began meanwhile somebody else stands for election, and may have won it: to campaign before the
      // news is here would only depose a new leader (scenario 4, seed 121).
      if (this.#view.term === term || this.#view.vote === this.#context.nodeId) this.#campaign();
      this.#campaignWithin(spreadMs * 2);
    });
  }

  #quorumIsConnected(): boolean {
    const votes = new Map<NodeId, boolean>([[this.#context.nodeId, true]]);
    for (const link of this.#context.links.values()) if (link.alive) votes.set(link.id, true);
    const { configuration } = this.#view;
    return isVoter(configuration, this.#context.nodeId) && voteResult(configuration, votes) === 'won';
  }
}
