import { assert, FlotillaError } from '@flotilla/platform';
import { createCore } from '../core/core.ts';
import { isSingleVoter, isVoter, membersOf } from '../core/quorum.ts';
import type {
  Configuration,
  CoreView,
  Effects,
  Index,
  LogRead,
  MembershipChange,
  NodeId,
  PeerMessage,
  RaftCore,
  Ref,
  Restored,
  RoleChange,
  Settlement,
  Term,
  Write,
  WriteSequence,
} from '../core/types.ts';
import { ApplyBatch } from './apply-batch.ts';
import { EarlyCampaign } from './early-campaign.ts';
import { ForwardedWork } from './forwarded-work.ts';
import { GroupCompaction } from './group-compaction.ts';
import type { GroupContext } from './group-context.ts';
import { GroupSnapshots } from './group-snapshots.ts';
import { announceInstalled } from './installed-snapshot.ts';
import { GroupLease } from './group-lease.ts';
import { LeadershipTransfers } from './leadership-transfers.ts';
import type { MemberLife } from './member-life.ts';
import { MembershipChanges } from './membership-changes.ts';
import type { HostMessage } from './messages.ts';
import { changeWithoutOrigin, originBytes } from './origin.ts';
import type { PeerLink } from './peer-link.ts';
import { ProposalTable } from './proposals.ts';
import { ReadTable } from './reads.ts';
import type { SnapshotBegin, SnapshotReceive } from './snapshot-receive.ts';
import { SnapshotReadability } from './snapshot-readability.ts';
import { StatelessLead } from './stateless-lead.ts';
import type {
  Group,
  GroupId,
  GroupStatus,
  MembershipOutcome,
  ProposeOptions,
  ReadOptions,
  StateMachine,
} from './types.ts';

type ForwardRefusal = Extract<HostMessage, { type: 'propose-refused' }>;

export interface HostedGroupOptions<Result> {
  readonly context: GroupContext;
  readonly id: GroupId;
  readonly stateMachine: StateMachine<Result>;
  readonly restored: Restored;
  /** Opening. */
  readonly life: MemberLife;
  /** It knows nothing of the group, and waits for the group's leader to bring it in. */
  readonly joining: boolean;
  readonly isKnownToLog: boolean;
  readonly membersMayReturn: boolean;
  /** Proposals are numbered from here on: this life of the member may have numbered others of the same group before. */
  readonly firstSequence: number;
}

const served = Promise.resolve();

/** Turns of drain and apply within one turn of the event loop. More would starve the sockets. */
const maxPasses = 16;

/**
 * One member's part in one group: moves inputs into the core and performs its effects.
 *
 * ```text
 *  propose, readBarrier ─▶ tables ─┐            ┌─▶ send ─────────────▶ links
 *  peers' messages, ticks ─────────┼─▶ core ────┼─▶ write ─▶ log ─▶ thenSend, persisted
 *  peer-alive, peer-silent ────────┘  (drain)   ├─▶ apply ─▶ state machine ─▶ answers
 *                                               └─▶ settle, role, readLog, sendSnapshot
 * ```
 *
 * A group whose state is missing here still takes part in consensus, votes, and may even lead: elections and commits are
 * about *logs*, and its log is whole, because installing a snapshot never touches it before the new state is durable.
 * Only what needs the state waits: applying, hence answers to its own callers, until a peer has sent a snapshot.
 */
export class HostedGroup<Result> implements Group<Result> {
  readonly id: GroupId;
  scheduled = false;
  readonly #context: GroupContext;
  readonly #stateMachine: StateMachine<Result>;
  readonly #core: RaftCore;
  readonly #view: CoreView;
  readonly #proposals: ProposalTable<Result>;
  readonly #reads: ReadTable;
  readonly #changes: MembershipChanges;
  readonly #transfers: LeadershipTransfers;
  readonly #forwarded: ForwardedWork;
  readonly #life: MemberLife;
  readonly #apply: ApplyBatch<Result>;
  readonly #listeners = new Set<(change: RoleChange) => void>();
  #role: RoleChange;
  readonly #snapshots: GroupSnapshots<Result>;
  readonly #readability: SnapshotReadability;
  readonly #compaction: GroupCompaction;
  readonly #early: EarlyCampaign;
  readonly #stateless: StatelessLead;
  readonly #removedListeners: (() => void)[] = [];
  readonly #lease: GroupLease | null;
  /** The removal of this member, while it leads on until the others know of it: only then is it answered. */
  #retirement: { readonly index: Index; readonly configuration: Configuration } | null = null;
  #isKnownToLog: boolean;
  /** What the state machine holds, and since when. */
  #held: { readonly index: Index; readonly sinceMs: number } | null = null;
  /** The state machine has not been asked since again. */
  #waits = false;
  #nextRef = 1;
  #failure: FlotillaError | null = null;

  constructor(options: HostedGroupOptions<Result>) {
    const { context, id, stateMachine, restored, life } = options;
    this.id = id;
    this.#context = context;
    this.#stateMachine = stateMachine;
    this.#life = life;
    this.#isKnownToLog = options.isKnownToLog;
    const { platform, config, metrics, nodeId, incarnation } = context;
    const random = platform.random.fork(`replica-${id}`);
    this.#core = createCore(
      {
        ...config.core,
        id: nodeId,
        incarnation,
        reusableIds: options.membersMayReturn,
        admitsChange: (change) => admits(stateMachine, change),
      },
      restored,
      platform.random.fork(`raft-${id}`),
    );
    this.#view = this.#core.inspect();
    this.#proposals = new ProposalTable(
      nodeId,
      incarnation,
      config.core.maxPayloadBytes - originBytes,
      config.limits,
      metrics,
      options.firstSequence,
    );
    this.#reads = new ReadTable(config.limits, metrics, config.heartbeatMs * 2, config.electionMs);
    this.#changes = new MembershipChanges(nodeId, incarnation, config.limits, options.firstSequence);
    this.#transfers = new LeadershipTransfers(this.#core, config.electionMs);
    this.#forwarded = new ForwardedWork(id, context, this.#core, this.#takeRef);
    this.#apply = new ApplyBatch(stateMachine, this.#proposals, this.#changes, config.limits, metrics);
    this.#role = { role: this.#view.role, term: this.#view.term, leader: this.#view.leader };
    this.#lease = leaseOf(id, this.#view, context);
    this.#stateless = new StatelessLead(id, context, this.#core, platform.random.fork(`stateless-${id}`));
    this.#early = new EarlyCampaign(id, context, this.#view, random, () => this.campaign());
    this.#readability = new SnapshotReadability(id, context, this.#core);
    this.#compaction = new GroupCompaction(id, context, this.#core, stateMachine);
    const isBehind = stateMachine.applied.index < restored.snapshot.index;
    const stateIsMissing = options.joining || isBehind || stateMachine.stateMissing === true;
    life.fire(stateIsMissing ? 'state-missing' : 'restored');
    this.#snapshots = new GroupSnapshots({
      group: this,
      context,
      core: this.#core,
      stateMachine,
      life,
      installed: (link, begin) => this.#snapshotInstalled(link, begin),
      kept: () => this.#reads.advance(this.#readableIndex),
    });
    if (options.joining) {
      platform.log.info('this member waits for its first snapshot', { group: id });
    } else if (stateIsMissing) {
      platform.log.warn('the state is missing: a peer will be asked for a snapshot', {
        group: id,
        applied: stateMachine.applied.index,
        logBegins: restored.snapshot.index,
      });
    }
    if (this.#isRemoved) this.remove();
  }

  propose(payload: Uint8Array, options: ProposeOptions): Promise<Result> {
    const answer = this.#proposals.add(payload, this.#deadline(options.timeoutMs));
    this.#context.schedule(this);
    this.#context.watchDeadlines(this);
    return answer;
  }

  readBarrier(options: ReadOptions): Promise<void> {
    if (options.policy === 'lease' && this.#leaseServes) {
      this.#context.metrics.leaseReads += 1;
      return served;
    }
    const answer = this.#reads.add(this.#deadline(options.timeoutMs), options.policy);
    this.#context.schedule(this);
    this.#context.watchDeadlines(this);
    return answer;
  }

  changeMembership(change: MembershipChange, options: ProposeOptions): Promise<MembershipOutcome> {
    const answer = this.#changes.add(change, this.#deadline(options.timeoutMs));
    this.#context.schedule(this);
    this.#context.watchDeadlines(this);
    return answer;
  }

  transferLeadership(to: NodeId | null, options: ProposeOptions): Promise<void> {
    const nowMs = this.#context.platform.now();
    const answer = this.#transfers.add(to, nowMs, this.#deadline(options.timeoutMs));
    this.#context.schedule(this);
    this.#context.watchDeadlines(this);
    return answer;
  }

  campaign(): void {
    if (!this.#life.acts || this.#context.diskStalled || !this.#mayCampaign) return;
    this.#core.step({ type: 'campaign' });
    this.#context.schedule(this);
  }

  resign(): void {
    this.#core.step({ type: 'resign' });
    this.#context.schedule(this);
  }

  forgetLeader(): void {
    if (this.#context.leases !== null) {
      throw new FlotillaError('FLOTILLA_LEASE_PROMISED', 'with leases on no member may forget its leader');
    }
    this.#core.step({ type: 'forget-leader' });
    this.#context.schedule(this);
  }

  resume(): void {
    if (this.#held === null) return;
    this.#waits = false;
    this.#context.schedule(this);
  }

  requestSnapshot(): void {
    if (this.#held !== null) this.#snapshots.askFrom(this.#held.index);
  }

  /** The log has not taken an append for too long: another member serves better. The only voter has none. */
  diskStalls(): void {
    const { role, configuration } = this.#view;
    if (role !== 'leader' || isSingleVoter(configuration)) return;
    this.#context.platform.log.warn('the disk stalls: this member steps down', { group: this.id });
    this.resign();
  }

  /** This member belongs to the group no more, and never will again. Idempotent. */
  remove(): void {
    if (!this.#life.acts) return;
    this.#life.fire('remove');
    this.#context.platform.log.warn('this member was removed from the group', { group: this.id });
    const error = new FlotillaError(
      'FLOTILLA_PEER_REMOVED',
      `member ${this.#context.nodeId} was removed from group ${this.id}`,
    );
    this.#early.stop();
    // Others may have applied its removal, and have said so, before a leader with a slow disk has.
    if (this.#view.role === 'leader') this.resign();
    void this.#snapshots.close();
    this.#rejectAll(error);
    for (const listener of this.#removedListeners) listener();
    this.#removedListeners.length = 0;
  }

  /** A peer, which has applied it, says so. */
  removedBy(peer: NodeId): void {
    const { role, configuration } = this.#view;
    const members = membersOf(configuration);
    if (members.length > 0 && !members.includes(peer)) return;
    // That a learner knows it helps no voter. A leader sees to it that they come to know, and applies it itself.
    if (role === 'leader' && !isVoter(configuration, peer)) return;
    this.#answerRetirement();
    this.remove();
  }

  /** Those who go on know that this member is removed: it may be switched off. */
  #answerRetirement(): void {
    if (this.#retirement === null) return;
    this.#changes.inForce(this.#retirement.index, this.#retirement.configuration);
    this.#retirement = null;
  }

  get #isRemoved(): boolean {
    return this.#view.configuration.removed.includes(this.#context.nodeId);
  }

  onRemoved(listener: () => void): void {
    if (this.#life.state === 'removed') listener();
    else this.#removedListeners.push(listener);
  }

  status(): GroupStatus {
    const { id, term, leader, role, commit, lastIndex, configuration } = this.#view;
    const applied = this.#stateMachine.applied.index;
    const held = this.#held;
    return {
      id,
      term,
      leader,
      role,
      commit,
      applied,
      lastIndex,
      configuration,
      failure: this.#failure?.message ?? null,
      stateReady: this.#snapshots.stateReady,
      life: this.#life.state,
      diskStalled: this.#context.diskStalled,
      held:
        held === null
          ? null
          : { index: held.index, forMs: Math.round(this.#context.platform.now() - held.sinceMs) },
    };
  }

  onRoleChange(listener: (change: RoleChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** For tests, invariants and metrics. */
  get view(): CoreView {
    return this.#view;
  }

  get wantsTicks(): boolean {
    return this.#life.acts && this.#core.wantsTicks;
  }

  /** The term in which this member leads, or null. */
  get leadsTerm(): Term | null {
    return this.#role.role === 'leader' ? this.#role.term : null;
  }

  get hasDeadlines(): boolean {
    if (this.#proposals.size > 0 || this.#reads.size > 0) return true;
    return this.#changes.size > 0 || this.#transfers.size > 0;
  }

  /** The only voter has nobody to wait for. */
  campaignIfAlone(): void {
    const { role, configuration, id } = this.#view;
    if (role === 'follower' && isSingleVoter(configuration) && isVoter(configuration, id)) this.campaign();
  }

  tick(count: number): void {
    // Whoever cannot write must not stand for leader: it would win, and nothing would be served.
    if (this.#context.diskStalled && this.#view.role !== 'leader') return;
    if (!this.#mayCampaign) return;
    for (let i = 0; i < count; i += 1) this.#core.step({ type: 'tick' });
    if (this.#core.ready) this.#context.schedule(this);
  }

  receive(link: PeerLink, message: PeerMessage): void {
    if (message.type === 'pre-vote' || message.type === 'vote') this.#early.candidateHeard();
    if (message.type === 'propose') this.#forwarded.receive(link, message);
    else if (this.#takes(message)) this.#core.step({ type: 'receive', message });
    this.#context.schedule(this);
  }

  #takes(message: PeerMessage): boolean {
    if (this.#lease?.admits(message, this.#context.platform.now()) === false) return false;
    return !(message.type === 'timeout-now' && this.#context.diskStalled);
  }

  forwardRefused(link: PeerLink, refusal: ForwardRefusal): void {
    const { forward, sequences, reason } = refusal;
    if (refusal.kind === 'command') {
      this.#proposals.refusedByLeader(link.id, link.incarnation, forward, sequences, reason);
    } else {
      for (const sequence of sequences) {
        this.#changes.refusedByLeader(link.id, link.incarnation, forward, sequence, reason);
      }
    }
    this.#context.schedule(this);
  }

  /** Or leads itself. */
  get hearsLeader(): boolean {
    const { leader } = this.#view;
    return leader === this.#context.nodeId || (this.#context.links.get(leader)?.alive ?? false);
  }

  get #mayCampaign(): boolean {
    return this.#lease === null || this.#lease.mayCampaign(this.#context.platform.now());
  }

  /** See {@link GroupLease.promise}. */
  promise(leader: NodeId, term: Term, untilMs: number): boolean {
    return this.#lease?.promise(leader, term, untilMs) ?? false;
  }

  /** See {@link GroupLease.claimed}. */
  claimed(term: Term, version: number): void {
    this.#lease?.claimed(term, version);
  }

  /** Whether a lease answers a read of the state as it is now. The clock is read here, after the caller has called. */
  get #leaseServes(): boolean {
    if (this.#lease === null || this.#failure !== null || this.#readableIndex < this.#view.commit)
      return false;
    return this.#lease.holds(this.#context.platform.now());
  }

  peerAlive(peer: NodeId, leadsTerm: Term | null): void {
    if (leadsTerm === null) this.#lease?.released(peer);
    this.#core.step({ type: 'peer-alive', peer, leadsTerm });
    this.#context.schedule(this);
    this.#early.peerAlive();
  }

  peerConnected(link: PeerLink, forwardsArrived: number | null): void {
    this.#snapshots.peerConnected(link);
    this.#proposals.reconnected(link.id, link.incarnation, forwardsArrived);
    this.#changes.reconnected(link.id, link.incarnation, forwardsArrived);
    this.#reads.retryAll(this.#context.platform.now());
    this.#context.schedule(this);
  }

  peerSilent(link: PeerLink): void {
    this.#snapshots.peerSilent(link);
    this.#core.step({ type: 'peer-silent', peer: link.id });
    this.#context.schedule(this);
  }

  /** The record of `write` is durable. */
  persisted(write: Write): void {
    this.#isKnownToLog = true;
    this.#core.step({ type: 'persisted', upTo: write.sequence });
    for (const message of write.thenSend) this.#send(message);
    this.#context.schedule(this);
  }

  /** Of what this member has proposed, none has this number or a higher one. */
  get nextSequence(): number {
    return Math.max(this.#proposals.nextSequence, this.#changes.nextSequence);
  }

  /** Everything that can be done now, within the time. */
  turn(deadlineMs: number): void {
    if (this.#life.state === 'closed') return;
    const { platform } = this.#context;
    for (let pass = 0; pass < maxPasses; pass += 1) {
      this.#feed();
      if (this.#core.ready) this.#perform(this.#core.drain());
      this.#applySome(deadlineMs);
      if (!this.#hasWork) return;
      if (platform.now() >= deadlineMs) break;
    }
    this.#context.schedule(this);
  }

  sweep(nowMs: number): void {
    this.#proposals.sweep(nowMs, this.#view.commit);
    this.#changes.sweep(nowMs, this.#view);
    this.#transfers.sweep(nowMs);
    this.#retry();
    this.#reads.sweep(nowMs, this.#view.leader !== 0);
    if (this.#hasWork || this.#reads.due(nowMs)) this.#context.schedule(this);
  }

  /** Whether {@link HostedGroup.beat} could do anything. Not so for a group that has nothing to do. */
  get wantsBeats(): boolean {
    if (!this.#life.acts || !this.#snapshots.stateReady || this.#compaction.due) return true;
    if (this.#held !== null) return true;
    return this.#view.role === 'follower' && isSingleVoter(this.#view.configuration);
  }

  /** Once a heartbeat: what nobody else gives cause to. */
  beat(nowMs: number, logIsFull: boolean): void {
    // A core refuses to campaign until what it restored is applied, so the first time may have been too early.
    this.campaignIfAlone();
    if (!this.#life.acts) return;
    if (this.#snapshots.stateReady) this.#compaction.compact(logIsFull);
    this.#snapshots.beat(nowMs);
    const heldMs = this.#held === null ? null : nowMs - this.#held.sinceMs;
    this.#stateless.beat(nowMs, this.#snapshots.stateReady, heldMs);
    if (this.#core.ready) this.#context.schedule(this);
  }

  /** Answers nobody any more. Idempotent. Resolves when the state machine is let go of. */
  close(error: FlotillaError, event: 'close' | 'fail'): Promise<void> {
    const released = this.#snapshots.close();
    if (event === 'close' ? this.#life.state !== 'closed' : this.#failure === null) this.#life.fire(event);
    if (this.#failure !== null) return released;
    this.#failure = error;
    this.#early.stop();
    this.#rejectAll(error);
    this.#listeners.clear();
    return released;
  }

  #rejectAll(error: FlotillaError): void {
    this.#proposals.close(error);
    this.#reads.close(error);
    this.#changes.close(error);
    this.#transfers.close(error);
  }

  get #hasWork(): boolean {
    if (this.#core.ready || this.#mayApply) return true;
    if (this.#view.leader === 0) return false;
    return this.#proposals.hasWaiting || this.#reads.hasWaiting || this.#changes.hasWaiting;
  }

  #feed(): void {
    if (this.#view.leader === 0) return;
    if (this.#proposals.hasWaiting) this.#proposals.step(this.#core, this.#takeRef);
    if (this.#changes.hasWaiting) this.#changes.step(this.#core, this.#takeRef);
    const now = this.#context.platform.now();
    const leaseHolds = this.#reads.hasLeaseWaiting && this.#lease !== null && this.#lease.holds(now);
    this.#reads.step(this.#core, this.#takeRef, now, leaseHolds);
  }

  #perform(effects: Effects): void {
    for (const settlement of effects.settle) this.#settle(settlement);
    for (const message of effects.send) this.#send(message);
    if (effects.write !== null) this.#context.append(this.id, effects.write);
    if (effects.apply.length > 0) this.#apply.put(effects.apply);
    for (const read of effects.readLog) this.#readLog(read);
    for (const wish of effects.sendSnapshot) this.#snapshots.wish(wish);
    if (effects.role !== null) this.#roleChanged(effects.role);
  }

  #settle(settlement: Settlement): void {
    const { ref } = settlement;
    switch (settlement.type) {
      case 'appended':
        if (this.#proposals.accepted(ref, settlement.term, settlement.index)) return;
        if (this.#changes.accepted(ref, settlement.term, settlement.index)) return;
        this.#forwarded.settled(ref, null);
        return;
      case 'forwarded':
        if (this.#proposals.accepted(ref, settlement.term, 0 as Index)) return;
        this.#changes.accepted(ref, settlement.term, 0 as Index);
        return;
      case 'readable':
        this.#reads.readable(ref, settlement.index, this.#readableIndex);
        return;
      case 'read-forwarded':
        return;
      case 'refused':
        if (this.#proposals.refused(ref, settlement.reason)) return;
        if (this.#changes.refused(ref, settlement.reason)) return;
        if (this.#forwarded.settled(ref, settlement.reason)) return;
        this.#reads.refused(ref, this.#context.platform.now());
        return;
      default:
        settlement satisfies never;
    }
  }

  #send(message: PeerMessage): void {
    if (message.type === 'timeout-now') this.#lease?.givenUp();
    const link = this.#context.links.get(message.to);
    const sent = link?.send(this.id, message) ?? false;
    if (message.type === 'propose') {
      const forward = sent && link !== undefined ? link.forwardsSent : 0;
      const incarnation = link?.incarnation ?? 0;
      if (message.kind === 'command') {
        this.#proposals.forwarded(message.payloads, message.to, incarnation, forward);
      } else {
        for (const payload of message.payloads) {
          this.#changes.forwarded(payload, message.to, incarnation, forward);
        }
      }
    }
    // The loss of a connection was told as silence; a full queue is told here.
    if (!sent && link?.alive === true) this.#core.step({ type: 'unreachable', peer: message.to });
  }

  #readLog(read: LogRead): void {
    const { log, fail } = this.#context;
    log.read(this.id, read.from, read.to, read.maxBytes).then((result) => {
      if (this.#failure !== null) return;
      this.#core.step({ type: 'log-read', ref: read.ref, result });
      this.#context.schedule(this);
    }, fail);
  }

  #roleChanged(change: RoleChange): void {
    const before = this.#role;
    this.#role = change;
    if (change.leader !== before.leader || change.term !== before.term) {
      this.#retry();
      this.#transfers.leaderChanged();
      this.#reads.retryAll(this.#context.platform.now());
    }
    // Votes that were on their way when it was told that it is removed.
    if (change.role === 'leader' && this.#life.state === 'removed') this.resign();
    if (before.role === 'leader' && change.role !== 'leader' && this.#isRemoved) {
      if (this.#view.retired) this.#answerRetirement();
      this.remove();
    }
    if (change.role === 'leader' || before.role === 'leader') this.#context.leadershipChanged();
    const { platform } = this.#context;
    if (platform.tracing) {
      const { role, term, leader } = change;
      platform.trace('raft-role', { group: this.id, role, term, leader });
    }
    for (const listener of this.#listeners) listener(change);
  }

  get #mayApply(): boolean {
    return this.#apply.pending && this.#snapshots.stateReady && !this.#waits;
  }

  #applySome(deadlineMs: number): void {
    const { platform } = this.#context;
    while (this.#mayApply) {
      const { lastIndex } = this.#apply;
      const outcome = this.#apply.applySlice();
      this.#reads.advance(this.#readableIndex);
      this.#hold(outcome === 'held');
      if (outcome !== 'more') {
        const upTo = outcome === 'done' ? lastIndex : this.#stateMachine.applied.index;
        this.#core.step({ type: 'applied', upTo });
        this.#retry();
        this.#membershipApplied();
        break;
      }
      if (platform.now() >= deadlineMs) break;
    }
    if (this.#snapshots.hasDue && this.#coreKnowsState) this.#snapshots.sendDue();
  }

  /** The core has applied what the state machine has. */
  get #coreKnowsState(): boolean {
    return !this.#apply.pending || this.#waits;
  }

  #hold(isHeld: boolean): void {
    this.#waits = isHeld;
    const index = (this.#stateMachine.applied.index + 1) as Index;
    if (!isHeld) this.#held = null;
    else if (this.#held?.index !== index) this.#held = { index, sinceMs: this.#context.platform.now() };
  }

  #retry(): void {
    this.#proposals.resume();
    this.#changes.resume();
  }

  /** The changes of the batch that is done are in force in the core. */
  #membershipApplied(): void {
    const indexes = this.#apply.takeMembership();
    if (indexes.length === 0) return;
    for (const index of indexes) {
      const configuration = this.#view.configurationAt(index);
      if (configuration === null) continue;
      const retires = this.leadsTerm !== null && configuration.removed.includes(this.#context.nodeId);
      if (retires) this.#retirement = { index, configuration };
      else this.#changes.inForce(index, configuration);
    }
    // A core that finds that the others know already has left office with that.
    if (this.#view.role !== 'leader' && this.#view.retired) this.#answerRetirement();
    this.#membershipChanged();
  }

  #membershipChanged(): void {
    // A leader stays until the others know, or they might never learn of it; see `retireIfKnown` of the core.
    if (this.#isRemoved && this.#view.role !== 'leader') this.remove();
    this.#context.membershipChanged();
  }

  /** Reads of a state that is being replaced see neither the old one nor the new one. */
  get #readableIndex(): Index {
    return this.#snapshots.stateReady ? this.#stateMachine.applied.index : (-1 as Index);
  }

  snapshotSource(): ReturnType<StateMachine<Result>['snapshot']> {
    return this.#stateMachine.snapshot();
  }

  /**
   * Before the state machine gets its first snapshot, the log has a record of the group: a state without a log is then
   * always one that has lost it, and with it its votes.
   */
  async beKnownToLog(): Promise<void> {
    if (this.#isKnownToLog) return;
    const { term, vote, commit, durable } = this.#view;
    const write = {
      sequence: 0 as WriteSequence,
      truncateFrom: null,
      entries: [],
      // The entries that are committed beyond that may come to the log after this record.
      hardState: { term, vote, commit: Math.min(commit, durable) as Index },
      snapshot: null,
      mustSync: true,
      thenSend: [],
    };
    await this.#context.log.append([{ group: this.id, write }]);
    this.#isKnownToLog = true;
  }

  snapshotSent(to: NodeId, ok: boolean): void {
    this.#core.step({ type: 'snapshot-sent', to, ok });
    this.#context.schedule(this);
  }

  /** The state machine has, or has not, given what it was asked for. */
  snapshotReadable(): void {
    this.#readability.succeeded();
  }

  snapshotUnreadable(): void {
    this.#readability.failed();
    this.#context.schedule(this);
  }

  /** A peer without a state asks for one. */
  snapshotRequested(link: PeerLink, minIndex: Index, lags: boolean): void {
    if (this.#coreKnowsState) this.#snapshots.requested(link, minIndex, lags);
  }

  snapshotBegins(link: PeerLink, begin: SnapshotBegin): void {
    this.#snapshots.begins(link, begin);
  }

  get incoming(): SnapshotReceive | null {
    return this.#snapshots.incoming;
  }

  /** The state is durable and live; only now may the core, and through it the log, hear of the snapshot. */
  #snapshotInstalled(link: PeerLink, begin: SnapshotBegin): void {
    const { meta } = begin;
    assert(this.#stateMachine.applied.index === meta.index, 'the state machine has what was installed');
    this.#hold(false);
    this.#proposals.jumped(meta);
    this.#apply.jumpedTo(meta.term);
    this.#changes.jumped(meta);
    announceInstalled(this.#core, begin, link.id, this.#context.nodeId);
    // A batch that reaches beyond the snapshot goes on after it, and is acknowledged when it is done.
    if (this.#apply.pending && this.#apply.lastIndex > meta.index) return;
    this.#apply.drop();
    // A snapshot that this member asked for may be ahead of what it knows to be committed: then the entries beyond that
    // come in their own time, and are skipped. What was dropped just now must be acknowledged in any case, or the core
    // would wait for it for ever.
    const { commit, durable } = this.#view;
    this.#core.step({ type: 'applied', upTo: Math.min(meta.index, commit, durable) as Index });
    this.#reads.advance(this.#readableIndex);
    this.#membershipChanged();
  }

  /** Rounded up to the next sweep, so that all callers of a turn share a deadline. */
  #deadline(timeoutMs: number): number {
    const { platform, config } = this.#context;
    const { sweepMs } = config.limits;
    return Math.ceil((platform.now() + timeoutMs) / sweepMs) * sweepMs;
  }

  readonly #takeRef = (): Ref => {
    const ref = this.#nextRef as Ref;
    this.#nextRef += 1;
    return ref;
  };
}

function admits(stateMachine: StateMachine<unknown>, change: MembershipChange): boolean {
  return stateMachine.admits?.(changeWithoutOrigin(change)) ?? true;
}

/** Null: this member promises nothing, and has not in a former life. */
function leaseOf(id: GroupId, view: CoreView, context: GroupContext): GroupLease | null {
  const { platform, config, leases, formerPromiseMs } = context;
  if (leases === null && formerPromiseMs === 0) return null;
  // The former life may have run on longer time-outs than this one.
  const silentMs = Math.max(formerPromiseMs, leases === null ? 0 : config.electionMs);
  return new GroupLease(id, view, leases, platform.now() + silentMs);
}
