import { assert } from '@flotilla/platform';
import type { Random } from '@flotilla/platform';
import { Outbox } from './outbox.ts';
import { Progress } from './progress.ts';
import { isVoter, membersOf } from './quorum.ts';
import { RaftLog, reaches } from './raft-log.ts';
import { ReadRounds } from './read-rounds.ts';
import { roles } from './roles.ts';
import { applyChange } from './membership.ts';
import { decodeMembershipChange } from './membership-codec.ts';
import type { FollowReason } from './roles.ts';
import type {
  Configuration,
  CoreConfig,
  Entry,
  HardState,
  Index,
  LogEnd,
  NodeId,
  Ref,
  Restored,
  Role,
  Term,
} from './types.ts';

/** Nobody: no vote, no known leader, no transferee. */
export const nobody = 0 as NodeId;

/** A configuration and the index of the entry (or snapshot) that brought it into force. */
export interface ConfigurationFrom {
  readonly from: Index;
  readonly configuration: Configuration;
}

/**
 * Everything that a member knows about its group, and the changes of role, which keep it consistent. What makes it
 * change lives beside it: `election`, `following`, `replication`, `proposing`, `reading`, `liveness`.
 */
export class CoreState {
  readonly id: NodeId;
  readonly config: CoreConfig;
  readonly random: Random;
  readonly log: RaftLog;
  /**
   * Where an earlier log of this member ended, until this one is as far. Others may have counted on it: whoever lacks
   * what was in it does not get this vote, and nor does this member.
   */
  former: LogEnd | null;
  readonly outbox = new Outbox();

  role: Role = 'follower';
  term: Term;
  vote: NodeId;
  leader: NodeId = nobody;
  configuration: Configuration;

  /** Ticks since the leader was heard; at a leader, since the quorum was last checked. */
  electionElapsed = 0;
  electionTimeout = 0;
  heartbeatElapsed = 0;
  /** Peers that the host says are alive, and the term in which each says that it leads this group. */
  readonly alive = new Map<NodeId, Term | null>();

  /** Of this campaign: one vote per voter, however often its answer comes. */
  readonly votes = new Map<NodeId, boolean>();

  /** At a leader only, in order of ids: itself, voters of both halves, learners. */
  readonly progress = new Map<NodeId, Progress>();
  transferee: NodeId = nobody;
  /** At a leader that is no voter any more: the index of the change that says so. */
  retiresAfter: Index | null = null;
  /** Its last office ended so, and not before the others knew. */
  retired = false;
  /** At a leader: somebody was told to campaign, whatever the others promised. */
  leaseGivenUp = false;
  /** Of priority 0, and needed as a leader all the same. */
  calledUpon = false;
  /** Ticks for which this member does not campaign, after it resigned. */
  restTicks = 0;
  /** The highest priority of a voter that is known of, here or at the leader that was heard last. */
  topPriority: number;
  /** At a leader: election time-outs until it tries to hand over to somebody preferred, and how often it has tried. */
  patience = 1;
  transferTries = 0;
  /** Payload bytes appended in this leadership and not applied; never more than there are. */
  uncommittedBytes = 0;
  /** A drain has to send what was appended or committed since the last one. */
  broadcastDue = false;
  readonly reads = new ReadRounds();
  #sessions = 0;
  #logReads = 0;

  /** Membership entries after the applied index. */
  readonly membership: Entry[] = [];
  /** Since the log's base, each with the index at which it came into force; the last one is `configuration`. */
  readonly configurations: ConfigurationFrom[] = [];
  /** At a leader: where its last membership entry may lie at most. */
  lastChange = 0 as Index;

  constructor(config: CoreConfig, restored: Restored, random: Random) {
    this.id = config.id;
    this.config = config;
    this.random = random;
    this.topPriority = config.priority;
    this.log = new RaftLog(restored, config.maxCachedBytes);
    this.former = restored.former ?? null;
    this.settleFormer();
    this.term = restored.hardState.term;
    this.vote = restored.hardState.vote;
    this.configuration = restored.snapshot.configuration;
    this.configurations.push({ from: restored.snapshot.index, configuration: this.configuration });
    for (const entry of restored.membership) {
      if (entry.index > this.log.applied) this.membership.push(entry);
      else this.#inForce(entry);
    }
    // (A member may be given a snapshot of any term to begin with; entries it has taken in its own terms.)
    const { last, base, lastTerm } = this.log;
    assert(last === base || this.term >= lastTerm, 'no entry is of a term that its member has not seen');
    this.#drawElectionTimeout(false);
  }

  #inForce(entry: Entry): void {
    const result = applyChange(this.configuration, decodeMembershipChange(entry.payload));
    assert(
      result.ok || this.config.replay !== undefined,
      () => `I17: the change at ${entry.index} does not go on from the configuration before it`,
    );
    if (!result.ok) return;
    this.configuration = result.configuration;
    this.configurations.push({ from: entry.index, configuration: this.configuration });
  }

  get hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.commit };
  }

  /** Whether this member may lead. While a snapshot is being written its log on disk is not what it says. */
  get promotable(): boolean {
    return isVoter(this.configuration, this.id) && !this.log.installing && this.former === null;
  }

  /** The log has got further: it holds all of the earlier one that was committed, or a later leader took that back. */
  settleFormer(): void {
    const { former, log } = this;
    if (former !== null && reaches({ term: log.lastTerm, index: log.last }, former)) this.former = null;
  }

  /**
   * A leader that votes no longer stays until others know, and takes nothing new. (In etcd-io/raft one that is a learner
   * now goes on.)
   */
  get retires(): boolean {
    return this.config.replay === undefined ? this.retiresAfter !== null : !this.progress.has(this.id);
  }

  /** A leader may answer reads, and knows what is committed, only from its first commit on (§6.4, step 1). */
  get committedInTerm(): boolean {
    return this.log.termAt(this.log.commit) === this.term;
  }

  /** The configuration in force when `index` was the last applied entry; null before the base, or not applied. */
  configurationAt(index: Index): Configuration | null {
    if (index < this.log.base || index > this.log.applied) return null;
    let found: Configuration | null = null;
    for (const { from, configuration } of this.configurations) if (from <= index) found = configuration;
    return found;
  }

  /** Those that were replaced before the log begins. */
  forgetConfigurations(): void {
    const { configurations, log } = this;
    while (configurations.length > 1 && (configurations[1] as ConfigurationFrom).from <= log.base) {
      configurations.shift();
    }
  }

  /** Numbers a read of the log. */
  nextLogRead(): Ref {
    this.#logReads += 1;
    return this.#logReads as Ref;
  }

  becomeFollower(reason: FollowReason, term: Term, leader: NodeId): void {
    this.role = roles.fire(this.role, reason);
    this.#reset(term, reason === 'lose');
    this.leader = leader;
  }

  /**
   * A candidate that will not have this member's vote has a later term. Only a vote that is given, or a leader, puts
   * off a member's own candidacy (section 5.2 of the paper): a candidate with a short log could otherwise do so again
   * and again, and nobody would ever lead.
   */
  adoptTerm(term: Term): void {
    const { electionElapsed, electionTimeout } = this;
    const waits = this.role !== 'leader' && this.config.liveness === 'peers';
    this.becomeFollower('higher-term', term, nobody);
    if (!waits) return;
    this.electionElapsed = electionElapsed;
    this.electionTimeout = electionTimeout;
  }

  becomePreCandidate(): void {
    this.role = roles.fire(this.role, 'pre-campaign');
    // Nothing durable changes: a pre-vote only asks what would happen.
    this.votes.clear();
    this.leader = nobody;
    if (this.config.liveness === 'peers') this.#drawElectionTimeout(true);
  }

  becomeCandidate(): void {
    this.role = roles.fire(this.role, 'campaign');
    this.#reset((this.term + 1) as Term, true);
    this.vote = this.id;
  }

  becomeLeader(): void {
    this.role = roles.fire(this.role, 'win');
    this.#reset(this.term, false);
    this.leader = this.id;
    this.lastChange = this.log.last;
    this.calledUpon = false;
    this.retired = false;
    this.topPriority = this.config.priority;
    for (const id of membersOf(this.configuration))
      this.progress.set(id, this.#newProgress(id, this.log.last + 1, false));
  }

  /**
   * Progress for every member of the configuration; those that were there keep theirs, promoted or demoted. One that
   * comes (again) gets a session of its own, and most likely lacks the last entry.
   */
  rebuildProgress(): void {
    const before = new Map(this.progress);
    this.progress.clear();
    for (const id of membersOf(this.configuration)) {
      const progress = before.get(id) ?? this.#newProgress(id, Math.max(this.log.last, 1), true);
      progress.learner = !isVoter(this.configuration, id);
      this.progress.set(id, progress);
    }
    this.#findTopPriority();
  }

  /** A leader collects the priorities from answers, and tells the highest one to all with what it sends. */
  priorityLearned(progress: Progress, priority: number): void {
    progress.priority = priority;
    this.#findTopPriority();
  }

  #findTopPriority(): void {
    this.topPriority = this.config.priority;
    for (const { learner, priority } of this.progress.values()) {
      if (!learner && priority > this.topPriority) this.topPriority = priority;
    }
  }

  /** `active`: by ticks, a newcomer counts as alive until an election time-out has shown otherwise. */
  #newProgress(id: NodeId, next: number, active: boolean): Progress {
    this.#sessions += 1;
    const self = id === this.id;
    const progress = new Progress({
      id,
      learner: !isVoter(this.configuration, id),
      next,
      session: this.#sessions,
      active: self || (this.config.liveness === 'peers' ? this.alive.has(id) : active),
      maxInflightMessages: this.config.maxInflightMessages,
      maxInflightBytes: this.config.maxInflightBytes,
    });
    if (self) {
      // What is not durable here does not count, not even for the leader itself.
      progress.match = this.log.durable;
      progress.becomeReplicate();
      progress.next = (this.log.last + 1) as Index;
    }
    return progress;
  }

  /**
   * Ticks until an election. With ticks as the only sign of life, as in the paper: from [n, 2n). When the host tells
   * who is alive, a candidate without a majority tries again sooner, because silence was already waited for. Whoever
   * is preferred less than another voter waits longer, by up to an election time-out.
   */
  #drawElectionTimeout(again: boolean): void {
    const ticks = this.config.electionTicks;
    const soon = again && this.config.liveness === 'peers';
    this.electionTimeout = (soon ? (ticks + 1) >> 1 : ticks) + this.random.below(ticks) + this.handicap;
  }

  /** Ticks that a voter of less priority lets the others go first. */
  get handicap(): number {
    const { topPriority, config } = this;
    if (topPriority <= config.priority) return 0;
    return Math.ceil((config.electionTicks * (topPriority - config.priority)) / topPriority);
  }

  #reset(term: Term, again: boolean): void {
    assert(term >= this.term, 'I2: terms only grow');
    if (term !== this.term) {
      this.term = term;
      // A vote belongs to its term and changes with nothing else: clearing it on stepping down within a term lets a
      // member vote twice (microsoft/CCF #5891).
      this.vote = nobody;
    }
    this.leader = nobody;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.#drawElectionTimeout(again);
    this.votes.clear();
    this.transferee = nobody;
    this.retiresAfter = null;
    this.leaseGivenUp = false;
    this.patience = 1;
    this.transferTries = 0;
    this.uncommittedBytes = 0;
    this.broadcastDue = false;
    this.progress.clear();
    for (const read of this.reads.abandon()) {
      if (read.from === nobody) this.outbox.refuse(read.ref, 'no-leader');
    }
  }
}
