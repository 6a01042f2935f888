import { assert } from '@flotilla/platform';
import type { FlotillaError } from '@flotilla/platform';
import { createCore } from '../core/core.ts';
import { isSingleVoter } from '../core/quorum.ts';
import type {
  CoreView,
  Effects,
  Index,
  LogRead,
  NodeId,
  PeerMessage,
  RaftCore,
  Ref,
  Restored,
  RoleChange,
  Settlement,
  Term,
  Write,
} from '../core/types.ts';
import { ApplyBatch } from './apply-batch.ts';
import { EarlyCampaign } from './early-campaign.ts';
import { GroupCompaction } from './group-compaction.ts';
import type { GroupContext } from './group-context.ts';
import { GroupSnapshots } from './group-snapshots.ts';
import { announceInstalled } from './installed-snapshot.ts';
import { originSequence } from './origin.ts';
import type { PeerLink } from './peer-link.ts';
import { ProposalTable } from './proposals.ts';
import { ReadTable } from './reads.ts';
import type { SnapshotBegin, SnapshotReceive } from './snapshot-receive.ts';
import { SnapshotReadability } from './snapshot-readability.ts';
import type { Group, GroupId, GroupStatus, ProposeOptions, StateMachine } from './types.ts';

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
  readonly #apply: ApplyBatch<Result>;
  readonly #listeners = new Set<(change: RoleChange) => void>();
  #role: RoleChange;
  readonly #snapshots: GroupSnapshots<Result>;
  readonly #readability: SnapshotReadability;
  readonly #compaction: GroupCompaction;
  readonly #early: EarlyCampaign;
  #nextRef = 1;
  #failure: FlotillaError | null = null;

  constructor(context: GroupContext, id: GroupId, stateMachine: StateMachine<Result>, restored: Restored) {
    this.id = id;
    this.#context = context;
    this.#stateMachine = stateMachine;
    const { platform, config, metrics, nodeId, incarnation } = context;
    const random = platform.random.fork(`replica-${id}`);
    this.#core = createCore(
      { ...config.core, id: nodeId, incarnation },
      restored,
      platform.random.fork(`raft-${id}`),
    );
    this.#view = this.#core.inspect();
    this.#proposals = new ProposalTable(
      nodeId,
      incarnation,
      config.core.maxPayloadBytes - 16,
      config.limits,
      metrics,
    );
    this.#reads = new ReadTable(config.limits, metrics, config.heartbeatMs * 2, config.electionMs);
    this.#apply = new ApplyBatch(stateMachine, this.#proposals, config.limits, metrics);
    this.#role = { role: this.#view.role, term: this.#view.term, leader: this.#view.leader };
    this.#early = new EarlyCampaign(context, this.#view, random, () => {
      this.#core.step({ type: 'campaign' });
      context.schedule(this);
    });
    const membershipIndex = restored.membership.length === 0 ? restored.snapshot.index : restored.applied;
    this.#readability = new SnapshotReadability(id, context, this.#core);
    this.#compaction = new GroupCompaction(id, context, this.#core, stateMachine, membershipIndex);
    const stateIsMissing = stateMachine.applied.index < restored.snapshot.index;
    this.#snapshots = new GroupSnapshots({
      group: this,
      context,
      core: this.#core,
      stateMachine,
      stateIsMissing,
      installed: (link, begin) => this.#snapshotInstalled(link, begin),
    });
    if (stateIsMissing) {
      platform.log.warn('the state is missing: a peer will be asked for a snapshot', {
        group: id,
        applied: stateMachine.applied.index,
        logBegins: restored.snapshot.index,
      });
    }
  }

  propose(payload: Uint8Array, options: ProposeOptions): Promise<Result> {
    const answer = this.#proposals.add(payload, this.#deadline(options.timeoutMs));
    this.#context.schedule(this);
    this.#context.watchDeadlines(this);
    return answer;
  }

  readBarrier(options: ProposeOptions): Promise<void> {
    const answer = this.#reads.add(this.#deadline(options.timeoutMs));
    this.#context.schedule(this);
    this.#context.watchDeadlines(this);
    return answer;
  }

  status(): GroupStatus {
    const { id, term, leader, role, commit, lastIndex, configuration } = this.#view;
    const applied = this.#stateMachine.applied.index;
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
    return this.#core.wantsTicks;
  }

  /** The term in which this member leads, or null. */
  get leadsTerm(): Term | null {
    return this.#role.role === 'leader' ? this.#role.term : null;
  }

  get hasDeadlines(): boolean {
    return this.#proposals.size > 0 || this.#reads.size > 0;
  }

  /** The only voter has nobody to wait for. */
  campaignIfAlone(): void {
    if (this.#view.role !== 'follower' || !isSingleVoter(this.#view.configuration)) return;
    this.#core.step({ type: 'campaign' });
    this.#context.schedule(this);
  }

  tick(count: number): void {
    for (let i = 0; i < count; i += 1) this.#core.step({ type: 'tick' });
    if (this.#core.ready) this.#context.schedule(this);
  }

  receive(link: PeerLink, message: PeerMessage): void {
    if (message.type === 'propose' && !this.#takesForwarded(message.payloads, message.term)) {
      // Not stepped, so not proposed: the other side may propose again at once, instead of at its time-out.
      link.refuseForward({
        type: 'propose-refused',
        group: this.id,
        forward: link.forwardsReceived,
        sequences: message.payloads.map((payload) => originSequence(payload)),
      });
      this.#context.flushSoon();
      return;
    }
    this.#core.step({ type: 'receive', message });
    this.#context.schedule(this);
  }

  forwardRefused(link: PeerLink, forward: number, sequences: readonly number[]): void {
    this.#proposals.refusedByLeader(link.id, link.incarnation, forward, sequences);
    this.#context.schedule(this);
  }

  peerAlive(peer: NodeId, leadsTerm: Term | null): void {
    this.#core.step({ type: 'peer-alive', peer, leadsTerm });
    this.#context.schedule(this);
    this.#early.peerAlive();
  }

  peerConnected(link: PeerLink, forwardsArrived: number): void {
    this.#snapshots.peerConnected(link);
    this.#proposals.reconnected(link.id, link.incarnation, forwardsArrived);
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
    this.#core.step({ type: 'persisted', upTo: write.sequence });
    for (const message of write.thenSend) this.#send(message);
    this.#context.schedule(this);
  }

  /** Everything that can be done now, within the time. */
  turn(deadlineMs: number): void {
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
    this.#proposals.sweep(nowMs);
    this.#proposals.resume();
    this.#reads.sweep(nowMs, this.#view.leader !== 0);
    if (this.#proposals.hasWaiting || this.#reads.due(nowMs)) this.#context.schedule(this);
  }

  /** Once a heartbeat: what nobody else gives cause to. */
  beat(nowMs: number, logIsFull: boolean): void {
    // A core refuses to campaign until what it restored is applied, so the first time may have been too early.
    this.campaignIfAlone();
    if (this.#snapshots.stateReady) this.#compaction.compact(logIsFull);
    else this.#snapshots.ask(nowMs);
  }

  /** Answers nobody any more. Idempotent. Resolves when the state machine is let go of. */
  close(error: FlotillaError): Promise<void> {
    const released = this.#snapshots.close();
    if (this.#failure !== null) return released;
    this.#failure = error;
    this.#early.stop();
    this.#proposals.close(error);
    this.#reads.close(error);
    this.#listeners.clear();
    return released;
  }

  get #hasWork(): boolean {
    if (this.#core.ready || (this.#apply.pending && this.#snapshots.stateReady)) return true;
    return this.#view.leader !== 0 && (this.#proposals.hasWaiting || this.#reads.hasWaiting);
  }

  #feed(): void {
    if (this.#view.leader === 0) return;
    if (this.#proposals.hasWaiting) this.#proposals.step(this.#core, this.#takeRef);
    this.#reads.step(this.#core, this.#takeRef, this.#context.platform.now());
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
        this.#proposals.accepted(ref, settlement.term, settlement.index);
        return;
      case 'forwarded':
        this.#proposals.accepted(ref, settlement.term, 0 as Index);
        return;
      case 'readable':
        this.#reads.readable(ref, settlement.index, this.#readableIndex);
        return;
      case 'read-forwarded':
        return;
      case 'refused':
        if (this.#proposals.refused(ref, settlement.reason)) return;
        this.#reads.refused(ref, this.#context.platform.now());
        return;
      default:
        settlement satisfies never;
    }
  }

  #send(message: PeerMessage): void {
    const link = this.#context.links.get(message.to);
    const sent = link?.send(this.id, message) ?? false;
    if (message.type === 'propose') {
      this.#proposals.forwarded(
        message.payloads,
        message.to,
        link?.incarnation ?? 0,
        sent && link !== undefined ? link.forwardsSent : 0,
      );
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
      this.#proposals.resume();
      this.#reads.retryAll(this.#context.platform.now());
    }
    if (change.role === 'leader' || before.role === 'leader') this.#context.leadershipChanged();
    const { platform } = this.#context;
    if (platform.tracing) {
      const { role, term, leader } = change;
      platform.trace('raft-role', { group: this.id, role, term, leader });
    }
    for (const listener of this.#listeners) listener(change);
  }

  #applySome(deadlineMs: number): void {
    const { platform } = this.#context;
    while (this.#apply.pending && this.#snapshots.stateReady) {
      const upTo = this.#apply.lastIndex;
      const done = this.#apply.applySlice();
      this.#reads.advance(this.#readableIndex);
      if (done) {
        this.#core.step({ type: 'applied', upTo });
        this.#proposals.resume();
        this.#compaction.membershipKnownFrom(this.#apply.membershipIndex);
        break;
      }
      if (platform.now() >= deadlineMs) break;
    }
    if (this.#snapshots.hasDue && !this.#apply.pending) this.#snapshots.sendDue();
  }

  /** Reads of a state that is being replaced see neither the old one nor the new one. */
  get #readableIndex(): Index {
    return this.#snapshots.stateReady ? this.#stateMachine.applied.index : (-1 as Index);
  }

  snapshotSource(): ReturnType<StateMachine<Result>['snapshot']> {
    return this.#stateMachine.snapshot();
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
  snapshotRequested(link: PeerLink, minIndex: Index): void {
    if (!this.#apply.pending) this.#snapshots.requested(link, minIndex);
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
    this.#proposals.jumped(meta);
    this.#apply.jumpedTo(meta.term);
    this.#compaction.membershipKnownFrom(meta.index);
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
  }

  /** Whether the core will take all of them: it takes or refuses them one by one, and says nothing of it. */
  #takesForwarded(payloads: readonly Uint8Array[], term: Term): boolean {
    if (this.#view.role !== 'leader' || this.#view.term !== term) return false;
    const { maxUncommittedBytes, maxPayloadBytes } = this.#context.config.core;
    const before = this.#view.uncommittedBytes;
    let bytes = before;
    for (const payload of payloads) {
      if (payload.length > maxPayloadBytes) return false;
      bytes += payload.length;
    }
    return bytes <= maxUncommittedBytes || (before === 0 && payloads.length === 1);
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
