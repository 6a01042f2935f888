import { assert } from '@flotilla/platform';
import type { FlotillaError, Platform, Random } from '@flotilla/platform';
import { createCore } from '../core/core.ts';
import { isSingleVoter, voteResult } from '../core/quorum.ts';
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
  SnapshotMeta,
  Term,
  Write,
} from '../core/types.ts';
import type { WriteAheadLog } from '../log/types.ts';
import { ApplyBatch } from './apply-batch.ts';
import type { ResolvedConfig } from './config.ts';
import { originSequence } from './origin.ts';
import type { HostMetrics } from './metrics.ts';
import type { PeerLink } from './peer-link.ts';
import { ProposalTable } from './proposals.ts';
import { ReadTable } from './reads.ts';
import { SnapshotReceive } from './snapshot-receive.ts';
import type { SnapshotBegin } from './snapshot-receive.ts';
import type { Group, GroupId, GroupStatus, ProposeOptions, StateMachine } from './types.ts';

/** What a replica needs of its host. */
export interface ReplicaContext {
  readonly platform: Platform;
  readonly nodeId: NodeId;
  readonly incarnation: number;
  readonly config: ResolvedConfig;
  readonly metrics: HostMetrics;
  readonly log: WriteAheadLog;
  readonly links: ReadonlyMap<NodeId, PeerLink>;
  /** Has the replica's turn run, and what was queued sent, at the end of this turn of the event loop. */
  schedule(replica: AnyReplica): void;
  /** Sends what was queued at the end of this turn. */
  readonly flushSoon: () => void;
  /** Deadlines are looked at from now on. */
  watchDeadlines(replica: AnyReplica): void;
  append(group: GroupId, write: Write): void;
  /** Whether this member leads, or the term in which it does, has changed. */
  leadershipChanged(): void;
  sendSnapshot(wish: SnapshotWish): void;
  /** Indexes that snapshots on their way out of this group start from. */
  oldestSnapshotSend(group: GroupId): Index | null;
  readonly fail: (error: unknown) => void;
}

export interface SnapshotWish {
  readonly replica: AnyReplica;
  readonly link: PeerLink;
  readonly term: Term;
  readonly session: number;
  readonly meta: SnapshotMeta;
}

// oxlint-disable-next-line typescript/no-explicit-any -- a host has groups of many result types
export type AnyReplica = Replica<any>;

/**
 * Whether the state machine has a state.
 * - `ready`: it has, as of its applied index.
 * - `installing`: a snapshot is replacing it.
 * - `missing`: it has none (a snapshot was cut off, or the data was lost), and a peer is asked for one.
 */
type StateOfState = 'ready' | 'installing' | 'missing';

/** The first campaigns of members that start together are spread over this many heartbeats; later ones over more. */
const earlyCampaignHeartbeats = 2;

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
 * A replica whose state is `missing` still takes part in consensus, votes, and may even lead: elections and commits are
 * about *logs*, and its log is whole, because installing a snapshot never touches it before the new state is durable.
 * Only what needs the state waits: applying, hence answers to its own callers, until a peer has sent a snapshot.
 */
export class Replica<Result> implements Group<Result> {
  readonly id: GroupId;
  scheduled = false;
  readonly #context: ReplicaContext;
  readonly #stateMachine: StateMachine<Result>;
  readonly #core: RaftCore;
  readonly #view: CoreView;
  readonly #proposals: ProposalTable<Result>;
  readonly #reads: ReadTable;
  readonly #apply: ApplyBatch<Result>;
  readonly #listeners = new Set<(change: RoleChange) => void>();
  #role: RoleChange;
  #state: StateOfState;
  #incoming: SnapshotReceive | null = null;
  #incomingDone: Promise<void> = Promise.resolve();
  #snapshotsDue: { link: PeerLink; term: Term; session: number; index: Index }[] = [];
  #nextRef = 1;
  #compacting = false;
  /** Configurations take effect when applied: a compaction at or after this index has the present one. */
  #membershipIndex: Index;
  #askedForSnapshotMs = -Infinity;
  #asked = 0;
  /** A leader was known, or a quorum was connected: from here on election time-outs decide. */
  #startIsOver = false;
  readonly #random: Random;
  #failure: FlotillaError | null = null;

  constructor(context: ReplicaContext, id: GroupId, stateMachine: StateMachine<Result>, restored: Restored) {
    this.id = id;
    this.#context = context;
    this.#stateMachine = stateMachine;
    const { platform, config, metrics, nodeId, incarnation } = context;
    this.#random = platform.random.fork(`replica-${id}`);
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
    this.#state = stateMachine.applied.index < restored.snapshot.index ? 'missing' : 'ready';
    if (this.#state === 'missing') {
      platform.log.warn('the state is missing: a peer will be asked for a snapshot', {
        group: id,
        applied: stateMachine.applied.index,
        logBegins: restored.snapshot.index,
      });
    }
    this.#membershipIndex = restored.membership.length === 0 ? restored.snapshot.index : restored.applied;
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
      stateReady: this.#state === 'ready',
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
    this.#campaignEarly();
  }

  /**
   * Members that start together have nobody to wait for: an election time-out without a leader would pass in vain. So
   * as soon as a quorum is connected for the first time, each campaigns after a short random time. A leader that is
   * there says so in its first heartbeat, before that; and what a pre-vote asks disturbs nobody.
   */
  #campaignEarly(): void {
    const { config } = this.#context;
    if (this.#startIsOver || !config.core.preVote) return;
    if (this.#view.leader !== 0) this.#startIsOver = true;
    else if (this.#quorumIsConnected()) {
      this.#startIsOver = true;
      this.#campaignWithin(config.heartbeatMs * earlyCampaignHeartbeats);
    }
  }

  /** Candidates that split the votes try again over twice the time, until election time-outs take over. */
  #campaignWithin(spreadMs: number): void {
    const { platform, config } = this.#context;
    if (spreadMs >= config.electionMs) return;
    platform.timer(this.#random.float() * spreadMs, 'raft-early-campaign', () => {
      if (this.#failure !== null || this.#view.role === 'leader' || this.#view.leader !== 0) return;
      this.#core.step({ type: 'campaign' });
      this.#context.schedule(this);
      this.#campaignWithin(spreadMs * 2);
    });
  }

  #quorumIsConnected(): boolean {
    const votes = new Map<NodeId, boolean>([[this.#context.nodeId, true]]);
    for (const link of this.#context.links.values()) if (link.alive) votes.set(link.id, true);
    return voteResult(this.#view.configuration, votes) === 'won';
  }

  peerConnected(link: PeerLink, forwardsArrived: number): void {
    this.#proposals.reconnected(link.id, link.incarnation, forwardsArrived);
    this.#reads.retryAll(this.#context.platform.now());
    this.#context.schedule(this);
  }

  peerSilent(link: PeerLink): void {
    if (this.#incoming?.link === link) this.#incoming.abort();
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
    if (this.#state === 'ready') this.#compact(logIsFull);
    else if (this.#state === 'missing') this.#askForSnapshot(nowMs);
  }

  /** Answers nobody any more. Idempotent. Resolves when the state machine is let go of. */
  close(error: FlotillaError): Promise<void> {
    if (this.#failure !== null) return this.#incomingDone;
    this.#failure = error;
    this.#incoming?.abort();
    this.#proposals.close(error);
    this.#reads.close(error);
    this.#listeners.clear();
    return this.#incomingDone;
  }

  get #hasWork(): boolean {
    if (this.#core.ready || (this.#apply.pending && this.#state === 'ready')) return true;
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
    for (const wish of effects.sendSnapshot) {
      const link = this.#context.links.get(wish.to);
      if (link === undefined) this.#core.step({ type: 'snapshot-sent', to: wish.to, ok: false });
      else this.#snapshotsDue.push({ link, term: wish.term, session: wish.session, index: wish.index });
    }
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
    while (this.#apply.pending && this.#state === 'ready') {
      const upTo = this.#apply.lastIndex;
      const done = this.#apply.applySlice();
      this.#reads.advance(this.#readableIndex);
      if (done) {
        this.#core.step({ type: 'applied', upTo });
        this.#proposals.resume();
        this.#membershipIndex = Math.max(this.#membershipIndex, this.#apply.membershipIndex) as Index;
        break;
      }
      if (platform.now() >= deadlineMs) break;
    }
    if (this.#snapshotsDue.length > 0 && !this.#apply.pending) this.#sendSnapshots();
  }

  /** Reads of a state that is being replaced see neither the old one nor the new one. */
  get #readableIndex(): Index {
    return this.#state === 'ready' ? this.#stateMachine.applied.index : (-1 as Index);
  }

  /** Between batches only: then the core's configuration is the one at the state machine's applied index. */
  #sendSnapshots(): void {
    const due = this.#snapshotsDue;
    this.#snapshotsDue = [];
    for (const { link, term, session, index } of due) {
      const { applied } = this.#stateMachine;
      if (this.#state !== 'ready' || applied.index < index) {
        this.#core.step({ type: 'snapshot-sent', to: link.id, ok: false });
        continue;
      }
      const meta = { index: applied.index, term: applied.term, configuration: this.#view.configuration };
      this.#context.sendSnapshot({ replica: this, link, term, session, meta });
    }
  }

  snapshotSource(): ReturnType<StateMachine<Result>['snapshot']> {
    return this.#stateMachine.snapshot();
  }

  snapshotSent(to: NodeId, ok: boolean): void {
    this.#core.step({ type: 'snapshot-sent', to, ok });
    this.#context.schedule(this);
  }

  /** A peer without a state asks. It asks again, so a request that cannot be met now is let go. */
  snapshotRequested(link: PeerLink, minIndex: Index): void {
    const { applied } = this.#stateMachine;
    if (this.#state !== 'ready' || this.#apply.pending || applied.index < minIndex) return;
    const meta = { index: applied.index, term: applied.term, configuration: this.#view.configuration };
    this.#context.sendSnapshot({ replica: this, link, term: 0 as Term, session: 0, meta });
  }

  snapshotBegins(link: PeerLink, begin: SnapshotBegin): void {
    const { platform, config, metrics, flushSoon } = this.#context;
    if (this.#incoming !== null || !this.#wantsSnapshot(begin)) {
      link.sendHost({ type: 'snapshot-result', transfer: begin.transfer, ok: false });
      flushSoon();
      return;
    }
    const incoming = new SnapshotReceive({
      platform,
      limits: config.limits,
      metrics,
      link,
      begin,
      flushSoon,
      open: () => this.#stateMachine.install(begin.meta),
    });
    this.#incoming = incoming;
    this.#state = 'installing';
    platform.log.info('installing a snapshot', { group: this.id, peer: link.id, index: begin.meta.index });
    this.#incomingDone = incoming.run().then(
      (whole) => this.#snapshotEnded(incoming, whole),
      (error: unknown) => this.#context.fail(error),
    );
  }

  get incoming(): SnapshotReceive | null {
    return this.#incoming;
  }

  /** The core counts whole batches; a state that was given up in the middle of one was further than that. */
  get #neededIndex(): Index {
    return Math.max(this.#view.applied, this.#stateMachine.applied.index) as Index;
  }

  /**
   * Only a snapshot that brings the state forward is worth giving the old one up for. A replica without a state needs
   * one that the entries of its own log go on from.
   */
  #wantsSnapshot(begin: SnapshotBegin): boolean {
    if (this.#state === 'missing') return begin.meta.index >= this.#neededIndex;
    return begin.session > 0 && begin.meta.index > this.#view.commit;
  }

  #snapshotEnded(incoming: SnapshotReceive, whole: boolean): void {
    if (this.#failure !== null) return;
    const { begin, link } = incoming;
    this.#incoming = null;
    this.#state = whole ? 'ready' : 'missing';
    if (whole) this.#snapshotInstalled(link, begin);
    else this.#context.platform.log.warn('a snapshot was cut off', { group: this.id, peer: link.id });
    link.sendHost({ type: 'snapshot-result', transfer: begin.transfer, ok: whole });
    this.#context.schedule(this);
  }

  /** The state is durable and live; only now may the core, and through it the log, hear of the snapshot. */
  #snapshotInstalled(link: PeerLink, begin: SnapshotBegin): void {
    const { meta } = begin;
    assert(this.#stateMachine.applied.index === meta.index, 'the state machine has what was installed');
    this.#proposals.jumped(meta);
    this.#apply.jumpedTo(meta.term);
    if (meta.index > this.#membershipIndex) this.#membershipIndex = meta.index;
    if (begin.session > 0) {
      this.#core.step({
        type: 'receive',
        message: {
          type: 'install-snapshot',
          from: link.id,
          to: this.#context.nodeId,
          term: begin.term,
          session: begin.session,
          snapshot: meta,
        },
      });
    }
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

  #askForSnapshot(nowMs: number): void {
    const { links, config, flushSoon } = this.#context;
    if (nowMs - this.#askedForSnapshotMs < config.electionMs) return;
    this.#askedForSnapshotMs = nowMs;
    const alive = [...links.values()].filter((link) => link.alive);
    const link = links.get(this.#view.leader) ?? alive[this.#asked % Math.max(1, alive.length)];
    this.#asked += 1;
    link?.sendHost({ type: 'snapshot-request', group: this.id, minIndex: this.#neededIndex });
    flushSoon();
  }

  #compact(logIsFull: boolean): void {
    const { config, log, metrics, fail } = this.#context;
    if (this.#compacting) return;
    const through = this.#compactionIndex(logIsFull);
    const compacted = this.#view.firstIndex - 1;
    const enough = logIsFull ? 1 : config.snapshotCount;
    if (through - compacted < enough || through < this.#membershipIndex) return;
    const term = this.#view.termAt(through);
    assert(term !== null, 'the log holds what it is compacted to');
    const meta = { index: through, term, configuration: this.#view.configuration };
    this.#compacting = true;
    metrics.compactions += 1;
    this.#core.step({ type: 'compacted', through: meta });
    log.compact(this.id, meta).then(() => {
      this.#compacting = false;
    }, fail);
  }

  /** How far the log may go: what every start needs, and what followers are likely to need, stays. */
  #compactionIndex(logIsFull: boolean): Index {
    const { config } = this.#context;
    const { applied, progress, id } = this.#view;
    // Never past what survives a crash in the state machine: it is replayed from the log.
    const flushed = Math.min(this.#stateMachine.flushed.index, applied);
    if (logIsFull) return flushed as Index;
    let through = Math.min(flushed, applied - config.tailEntries);
    // A follower that gets a snapshot goes on from there.
    through = Math.min(through, this.#context.oldestSnapshotSend(this.id) ?? through);
    for (const [peer, { match, active }] of progress) {
      const close = active && applied - match <= config.laggingEntries;
      if (peer !== id && close) through = Math.min(through, match);
    }
    return through as Index;
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
