import type { Random } from '@flotilla/platform';
import { isVoter, voteResult } from '../core/quorum.ts';
import type { CoreView, NodeId } from '../core/types.ts';

import type { GroupContext } from './group-context.ts';
import type { GroupId } from './types.ts';

/** The first campaigns of members that start together are spread over this many heartbeats; later ones over more. */
const firstSpreadHeartbeats = 2;

/**
 * Members that start together have nobody to wait for: an election time-out without a leader would pass in vain. So
 * as soon as a quorum is connected for the first time, each campaigns after a short time. A leader that is there says
 * so in its first heartbeat, before that; and what a pre-vote asks disturbs nobody.
 *
 * Whose turn it is first goes round with the group's number: a process that opens thousands of groups would otherwise
 * split most of their votes, and the leaders of many groups are spread over the members.
 */
export class EarlyCampaign {
  readonly #context: GroupContext;
  readonly #view: CoreView;
  readonly #group: GroupId;
  readonly #random: Random;
  readonly #campaign: () => void;
  /** A leader was known, or a quorum was connected: from here on election time-outs decide. */
  #startIsOver = false;
  #stopped = false;
  /** Somebody has stood for election since the last time was set. */
  #candidateHeard = false;

  constructor(group: GroupId, context: GroupContext, view: CoreView, random: Random, campaign: () => void) {
    this.#context = context;
    this.#view = view;
    this.#group = group;
    this.#random = random;
    this.#campaign = campaign;
  }

  peerAlive(): void {
    const { config } = this.#context;
    if (this.#startIsOver || !config.core.preVote) return;
    if (this.#view.leader !== 0) this.#startIsOver = true;
    else if (this.#quorumIsConnected()) {
      this.#startIsOver = true;
      const spreadMs = config.heartbeatMs * firstSpreadHeartbeats;
      this.#campaignAfter(this.#turn(spreadMs), spreadMs);
    }
  }

  /** Of a request for a vote, or for a pre-vote. */
  candidateHeard(): void {
    this.#candidateHeard = true;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Voters have their turns one after the other, each somewhere in the first half of its own. */
  #turn(spreadMs: number): number {
    const { voters } = this.#view.configuration;
    const rank = voters.indexOf(this.#context.nodeId) - (this.#group % voters.length);
    const turnMs = spreadMs / voters.length;
    return (rank < 0 ? rank + voters.length : rank) * turnMs + (this.#random.float() * turnMs) / 2;
  }

  /** Candidates that split the votes try again over twice the time, until election time-outs take over. */
  #campaignAfter(delayMs: number, spreadMs: number): void {
    const { platform, config } = this.#context;
    if (spreadMs >= config.electionMs) return;
    const { term } = this.#view;
    this.#candidateHeard = false;
    platform.timer(delayMs, 'raft-early-campaign', () => {
      // A process that was busy for long finds its timers due before what has arrived meanwhile: that comes first.
      platform.defer(() => {
        if (this.#stopped || this.#view.role === 'leader' || this.#view.leader !== 0) return;
        // In a term that began meanwhile somebody else stands for election, and may have won it: to campaign before the
        // news is here would only depose a new leader (scenario 4, seed 121).
        const sameTerm = this.#view.term === term || this.#view.vote === this.#context.nodeId;
        if (sameTerm && !this.#candidateHeard) this.#campaign();
        this.#campaignAfter(this.#random.float() * spreadMs * 2, spreadMs * 2);
      });
    });
  }

  #quorumIsConnected(): boolean {
    const votes = new Map<NodeId, boolean>([[this.#context.nodeId, true]]);
    for (const link of this.#context.links.values()) if (link.alive) votes.set(link.id, true);
    const { configuration } = this.#view;
    return isVoter(configuration, this.#context.nodeId) && voteResult(configuration, votes) === 'won';
  }
}
