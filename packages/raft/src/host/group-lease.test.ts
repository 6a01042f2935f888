import { describe, expect, it } from 'vitest';
import { configurationOf } from '../core/configuration.ts';
import type { Configuration, CoreView, Index, NodeId, PeerMessage, Role, Term } from '../core/types.ts';
import { GroupLease } from './group-lease.ts';
import { Leases } from './lease.ts';

const electionMs = 1000;
const term = 3 as Term;

/** A member with the clock, the core's view and the lease that it would have in a host. */
class Member {
  nowMs = 10_000;
  role: Role = 'follower';
  term = term;
  committedTerm = term;
  configuration: Configuration = configurationOf([1, 2, 3] as NodeId[]);
  readonly id: NodeId;
  readonly leases: Leases;
  readonly lease: GroupLease;

  constructor(id: number, startedMs = 0) {
    this.id = id as NodeId;
    this.leases = new Leases(
      {
        platform: { now: () => this.nowMs },
        limits: { unansweredHeartbeats: 4 },
        electionMs,
        leaseDriftFraction: 0.1,
      },
      (group, leader, claimed, untilMs) => group === 0 && this.lease.promise(leader, claimed, untilMs),
    );
    this.lease = new GroupLease(0, this.#view(), this.leases, startedMs + electionMs);
  }

  /** A view is live: it shows what the member is at the time. */
  #view(): CoreView {
    const live = <Name extends 'role' | 'term' | 'configuration'>(name: Name) => ({ get: () => this[name] });
    const view = { id: this.id, commit: 7 as Index, termAt: () => this.committedTerm };
    return Object.defineProperties(view, {
      role: live('role'),
      term: live('term'),
      configuration: live('configuration'),
    }) as unknown as CoreView;
  }

  /** What it says to `other` reaches it at once. */
  beat(other: Member, version = 1): void {
    const leads = new Map(other.role === 'leader' ? [[0, other.term]] : []);
    other.leases.heard(this.id, this.leases.next(other.id, leads, version));
  }

  get holds(): boolean {
    return this.lease.holds(this.nowMs);
  }

  votesFor(candidate: number, forced = false): boolean {
    const vote: PeerMessage = {
      type: 'vote',
      from: candidate as NodeId,
      to: this.id,
      term: (this.term + 1) as Term,
      lastIndex: 9 as Index,
      lastTerm: this.term,
      forced,
    };
    return this.lease.admits(vote, this.nowMs);
  }
}

function leaderAndFollower(): { leader: Member; follower: Member } {
  const leader = new Member(1);
  const follower = new Member(2);
  leader.role = 'leader';
  leader.lease.claimed(term, 1);
  return { leader, follower };
}

/** A heartbeat and its echo. */
function exchange(leader: Member, follower: Member): void {
  leader.beat(follower);
  follower.beat(leader);
}

describe('a lease', () => {
  it('is held while a quorum has acknowledged a heartbeat that is young enough', () => {
    const { leader, follower } = leaderAndFollower();
    expect(leader.holds).toBe(false);
    exchange(leader, follower);
    expect(leader.holds).toBe(true);
    leader.nowMs += 899;
    expect(leader.holds).toBe(true);
    leader.nowMs += 1;
    expect(leader.holds).toBe(false);
  });

  it('counts from when the heartbeat was sent, however late its echo comes', () => {
    const { leader, follower } = leaderAndFollower();
    leader.beat(follower);
    leader.nowMs += 600;
    follower.beat(leader);
    expect(leader.holds).toBe(true);
    leader.nowMs += 300;
    expect(leader.holds).toBe(false);
  });

  it('needs a heartbeat that said that this member leads', () => {
    const { leader, follower } = leaderAndFollower();
    exchange(leader, follower);
    leader.term = 4 as Term;
    leader.committedTerm = leader.term;
    leader.lease.claimed(leader.term, 2);
    expect(leader.holds).toBe(false);
    follower.term = leader.term;
    leader.beat(follower, 2);
    follower.beat(leader);
    expect(leader.holds).toBe(true);
  });

  it('needs a commit of its own term', () => {
    const { leader, follower } = leaderAndFollower();
    leader.committedTerm = 2 as Term;
    exchange(leader, follower);
    expect(leader.holds).toBe(false);
  });

  it('is not held by a member that has stepped down', () => {
    const { leader, follower } = leaderAndFollower();
    exchange(leader, follower);
    leader.role = 'follower';
    expect(leader.holds).toBe(false);
  });

  it('ends before anybody is asked to campaign, for the rest of the term', () => {
    const { leader, follower } = leaderAndFollower();
    exchange(leader, follower);
    leader.lease.givenUp();
    expect(leader.holds).toBe(false);
    exchange(leader, follower);
    expect(leader.holds).toBe(false);
  });

  it('needs a majority of both halves of a joint configuration', () => {
    const { leader, follower } = leaderAndFollower();
    leader.configuration = {
      ...configurationOf([1, 2, 3] as NodeId[]),
      votersOutgoing: [1, 4, 5] as NodeId[],
    };
    exchange(leader, follower);
    expect(leader.holds).toBe(false);
    exchange(leader, new Member(4));
    expect(leader.holds).toBe(true);
  });

  it('counts no promise of a member that may have voted for another', () => {
    const { leader, follower } = leaderAndFollower();
    follower.term = 4 as Term;
    exchange(leader, follower);
    expect(leader.holds).toBe(false);
    follower.term = term;
    follower.role = 'pre-candidate';
    exchange(leader, follower);
    expect(leader.holds).toBe(false);
    follower.role = 'follower';
    exchange(leader, follower);
    expect(leader.holds).toBe(true);
  });

  it('ends with the connection, and comes back with a heartbeat of the next', () => {
    const { leader, follower } = leaderAndFollower();
    exchange(leader, follower);
    leader.leases.reset(follower.id);
    expect(leader.holds).toBe(false);
    // Late by a connection.
    follower.beat(leader);
    expect(leader.holds).toBe(false);
    leader.beat(follower);
    expect(leader.holds).toBe(false);
    follower.beat(leader);
    expect(leader.holds).toBe(true);
  });

  it('takes no echo for one of a heartbeat that it has forgotten', () => {
    const { leader, follower } = leaderAndFollower();
    leader.beat(follower);
    for (let lost = 0; lost < 4; lost += 1) leader.leases.next(follower.id, new Map(), 1);
    follower.beat(leader);
    expect(leader.holds).toBe(false);
  });

  it('lasts no longer than the follower promises', () => {
    const { leader, follower } = leaderAndFollower();
    leader.beat(follower);
    const beat = follower.leases.next(leader.id, new Map([[0, term]]), 1);
    leader.leases.heard(follower.id, { ...beat, promiseMs: 100 });
    leader.nowMs += 89;
    expect(leader.holds).toBe(true);
    leader.nowMs += 1;
    expect(leader.holds).toBe(false);
  });
});

describe('a promise', () => {
  it('withholds votes and candidacies for an election time-out after the heartbeat was heard', () => {
    const { leader, follower } = leaderAndFollower();
    leader.beat(follower);
    follower.nowMs += 400;
    follower.beat(leader);
    expect(follower.votesFor(3)).toBe(false);
    expect(follower.lease.mayCampaign(follower.nowMs)).toBe(false);
    follower.nowMs += 599;
    expect(follower.votesFor(3)).toBe(false);
    follower.nowMs += 1;
    expect(follower.votesFor(3)).toBe(true);
    expect(follower.lease.mayCampaign(follower.nowMs)).toBe(true);
  });

  it('is not given before it is said', () => {
    const { leader, follower } = leaderAndFollower();
    leader.beat(follower);
    expect(follower.votesFor(3)).toBe(true);
  });

  it('is given for no term that the core has not seen: in that, and in one before, it may grant its vote', () => {
    const { leader, follower } = leaderAndFollower();
    follower.term = 2 as Term;
    exchange(leader, follower);
    expect(leader.holds).toBe(false);
    follower.term = term;
    exchange(leader, follower);
    expect(leader.holds).toBe(true);
  });

  it('outlives the connection on which it was given', () => {
    const { leader, follower } = leaderAndFollower();
    exchange(leader, follower);
    follower.leases.reset(leader.id);
    expect(follower.votesFor(3)).toBe(false);
  });

  it('does not bind against the leader itself, nor in an election that a leader has asked for', () => {
    const { leader, follower } = leaderAndFollower();
    exchange(leader, follower);
    expect(follower.votesFor(1)).toBe(true);
    expect(follower.votesFor(3, true)).toBe(true);
    expect(follower.votesFor(3)).toBe(false);
  });

  it('ends when the leader says that it leads no longer, and not when an earlier leader does', () => {
    const { leader, follower } = leaderAndFollower();
    exchange(leader, follower);
    const earlier = new Member(3);
    earlier.role = 'leader';
    earlier.term = 2 as Term;
    follower.term = 2 as Term;
    exchange(earlier, follower);
    follower.lease.released(earlier.id);
    expect(follower.votesFor(3)).toBe(false);
    follower.lease.released(leader.id);
    expect(follower.votesFor(3)).toBe(true);
  });

  it('ends at whoever the leader asks to campaign', () => {
    const { leader, follower } = leaderAndFollower();
    exchange(leader, follower);
    follower.lease.admits({ type: 'timeout-now', from: leader.id, to: follower.id, term }, follower.nowMs);
    expect(follower.lease.mayCampaign(follower.nowMs)).toBe(true);
  });

  it('may have been given in a former life: a member that starts waits as long before it votes', () => {
    const restarted = new Member(2, 9_500);
    expect(restarted.votesFor(3)).toBe(false);
    expect(restarted.lease.mayCampaign(restarted.nowMs)).toBe(false);
    restarted.nowMs += 500;
    expect(restarted.votesFor(3)).toBe(true);
  });

  it('of a former life is kept with leases off, too, when none is given and no lease is held', () => {
    const nowMs = 10_000;
    const view = { id: 2, role: 'follower', term } as CoreView;
    const lease = new GroupLease(0, view, null, nowMs + 500);
    const vote: PeerMessage = {
      type: 'vote',
      from: 3 as NodeId,
      to: 2 as NodeId,
      term: 4 as Term,
      lastIndex: 9 as Index,
      lastTerm: term,
      forced: false,
    };
    expect(lease.admits(vote, nowMs + 499)).toBe(false);
    expect(lease.mayCampaign(nowMs + 499)).toBe(false);
    expect(lease.admits(vote, nowMs + 500)).toBe(true);
    expect(lease.mayCampaign(nowMs + 500)).toBe(true);
    expect(lease.holds(nowMs)).toBe(false);
  });
});
