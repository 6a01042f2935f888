import type { CoreView, Index, NodeId, RaftCore, SnapshotMeta, SnapshotSend, Term } from '../core/types.ts';
import type { GroupContext } from './group-context.ts';
import type { HostedGroup } from './hosted-group.ts';
import { announceInstalled } from './installed-snapshot.ts';
import type { MemberLife } from './member-life.ts';
import type { SnapshotFailure } from './messages.ts';
import type { PeerLink } from './peer-link.ts';
import { SnapshotReceive } from './snapshot-receive.ts';
import type { SnapshotBegin } from './snapshot-receive.ts';
import type { StateMachine } from './types.ts';

export interface GroupSnapshotsOptions<Result> {
  readonly group: HostedGroup<Result>;
  readonly context: GroupContext;
  readonly core: RaftCore;
  readonly stateMachine: StateMachine<Result>;
  readonly life: MemberLife;
  /** The state is durable and live. */
  readonly installed: (link: PeerLink, begin: SnapshotBegin) => void;
  /** It is as it was before a snapshot that has been refused. */
  readonly kept: () => void;
}

/** The snapshots of one group that come in and go out, and with them: whether the group has a state. */
export class GroupSnapshots<Result> {
  readonly #options: GroupSnapshotsOptions<Result>;
  readonly #view: CoreView;
  #incoming: SnapshotReceive | null = null;
  #incomingDone: Promise<void> = Promise.resolve();
  #due: { link: PeerLink; term: Term; session: number; index: Index }[] = [];
  #askedMs = -Infinity;
  #asked = 0;
  /** From where on one is wanted instead of a state that cannot go on; 0: none is. */
  #wantedFrom = 0;
  /** The last one that became the state. */
  #installed: SnapshotReceive | null = null;
  /** Damaged snapshots since the last whole one, by sender. */
  readonly #damages = new Map<NodeId, number>();
  /** Whose snapshots this version cannot read, and until when none of them is taken or asked for. */
  readonly #newer = new Map<NodeId, NewerSender>();
  /** What a leader's core has last offered, and nobody has taken yet. */
  #offer: { readonly link: PeerLink; readonly begin: SnapshotBegin } | null = null;
  /** The last one had partly come in. */
  #startsAgain = false;
  #closed = false;

  constructor(options: GroupSnapshotsOptions<Result>) {
    this.#options = options;
    this.#view = options.core.inspect();
  }

  get stateReady(): boolean {
    return this.#options.life.hasState;
  }

  get incoming(): SnapshotReceive | null {
    return this.#incoming;
  }

  get hasDue(): boolean {
    return this.#due.length > 0;
  }

  /** The core wants one sent. It leaves between two batches, see {@link GroupSnapshots.sendDue}. */
  wish({ to, term, session, index }: SnapshotSend): void {
    const link = this.#options.context.links.get(to);
    if (link === undefined) this.#options.core.step({ type: 'snapshot-sent', to, ok: false });
    else this.#due.push({ link, term, session, index });
  }

  /** Between batches only: then the core has applied what the state machine has. */
  sendDue(): void {
    const { core, context, group } = this.#options;
    const due = this.#due;
    this.#due = [];
    for (const { link, term, session, index } of due) {
      const meta = this.#presentMeta();
      if (meta === null || meta.index < index) core.step({ type: 'snapshot-sent', to: link.id, ok: false });
      else context.sendSnapshot({ group, link, term, session, meta });
    }
  }

  /** A peer without a state asks. It asks again, so a request that cannot be met now is let go. */
  requested(link: PeerLink, minIndex: Index, lags: boolean): void {
    const { context, group } = this.#options;
    const meta = this.#presentMeta();
    if (meta === null || meta.index < minIndex) return;
    // Earlier versions asked also with a state, to learn of members; who knows them as they are needs none for that.
    if (lags && this.#view.configurationAt((minIndex - 1) as Index) === meta.configuration) return;
    context.sendSnapshot({ group, link, term: 0 as Term, session: 0, meta });
  }

  /** Null: there is no state, or the core has not caught up with the one that was installed. */
  #presentMeta(): SnapshotMeta | null {
    const { index, term } = this.#options.stateMachine.applied;
    const configuration = this.#view.configurationAt(index);
    return this.stateReady && configuration !== null && index > 0 ? { index, term, configuration } : null;
  }

  begins(link: PeerLink, begin: SnapshotBegin): void {
    const present = this.#incoming;
    if (begin.session > 0) this.#offer = { link, begin };
    if (begin.resumes) this.#resumes(link, begin);
    else if (this.#isTooNew(link)) this.#answer(link, begin, 'FLOTILLA_SNAPSHOT_VERSION');
    else if (present !== null && !present.replaceable) this.#answer(link, begin, 'FLOTILLA_SNAPSHOT_BUSY');
    else if (this.#options.life.acts && this.#wants(link, begin)) this.#receive(link, begin);
    else if (this.#options.life.acts && this.#has(begin)) this.#isThere(link, begin);
    else this.#answer(link, begin, 'FLOTILLA_SNAPSHOT_REFUSED');
  }

  /** What a leader's core offers is here already, by the log or by another one's snapshot. */
  #has({ session, meta }: SnapshotBegin): boolean {
    return session > 0 && this.stateReady && meta.index <= this.#view.commit;
  }

  /**
   * The leader counts from what it knows to match, and has no entries to find out more: refused, it would offer the same
   * again and again, and never send an entry (membership simulation, seed 73).
   */
  #isThere(link: PeerLink, begin: SnapshotBegin): void {
    const { core, context, group } = this.#options;
    announceInstalled(core, begin, link.id, context.nodeId);
    this.#answer(link, begin, null);
    context.schedule(group);
  }

  /** The sender of one that was cut is back, in the same life. */
  #resumes(link: PeerLink, begin: SnapshotBegin): void {
    const present = this.#incoming;
    if (present !== null && isOf(present, link, begin.transfer)) present.resume();
    // The connection took the answer with it.
    else if (this.#installed !== null && isOf(this.#installed, link, begin.transfer)) {
      this.#answer(link, begin, null);
    } else this.#answer(link, begin, 'FLOTILLA_SNAPSHOT_CUT');
  }

  #receive(link: PeerLink, begin: SnapshotBegin): void {
    const { stateMachine, context, group } = this.#options;
    const { platform, config, metrics, flushSoon } = context;
    // The state machine is let go of by the one that is replaced before the next one touches it.
    const former = this.#incomingDone;
    this.#incoming?.abort('FLOTILLA_SNAPSHOT_CUT');
    const incoming = new SnapshotReceive({
      platform,
      limits: config.limits,
      metrics,
      link,
      begin,
      flushSoon,
      open: async () => {
        await former;
        await group.beKnownToLog();
        return stateMachine.install(begin.meta);
      },
    });
    if (this.#startsAgain) metrics.snapshotRestarts += 1;
    this.#startsAgain = false;
    this.#incoming = incoming;
    this.#options.life.fire('snapshot-begins');
    platform.log.info('installing a snapshot', { group: group.id, peer: link.id, index: begin.meta.index });
    this.#incomingDone = incoming.run().then(
      (failure) => this.#ended(incoming, failure),
      (error: unknown) => context.fail(error),
    );
  }

  #answer(link: PeerLink, begin: SnapshotBegin, failure: SnapshotFailure | null): void {
    link.sendHost({ type: 'snapshot-result', transfer: begin.transfer, failure });
    this.#options.context.flushSoon();
  }

  /** Only what the connection carried is lost: the sender may come back and go on. */
  peerSilent(link: PeerLink): void {
    if (this.#incoming?.link === link) this.#incoming.cut();
  }

  peerConnected(link: PeerLink): void {
    const present = this.#incoming;
    if (present?.link === link && present.incarnation !== link.incarnation) {
      present.abort('FLOTILLA_SNAPSHOT_CUT');
    }
  }

  /** Once a heartbeat: asks for a snapshot when there is no state. */
  beat(nowMs: number): void {
    const { life, context } = this.#options;
    if (life.state !== 'awaiting-snapshot') return;
    if (nowMs - this.#askedMs >= context.config.electionMs) this.#ask(nowMs);
  }

  /** There is a state, and nothing more can be applied to it: any peer's that has `index` in it is welcome. */
  askFrom(index: Index): void {
    const { life, context } = this.#options;
    if (life.state !== 'serving') return;
    this.#wantedFrom = index;
    this.#ask(context.platform.now());
  }

  #ask(nowMs: number): void {
    const { context, group } = this.#options;
    const { flushSoon } = context;
    this.#askedMs = nowMs;
    const trusted = this.#trustedPeers().filter((link) => !this.#isTooNew(link));
    const leader = trusted.find((peer) => peer.leads.has(group.id) || peer.id === this.#view.leader);
    const link = leader ?? trusted[this.#asked % Math.max(1, trusted.length)];
    this.#asked += 1;
    link?.sendHost({
      type: 'snapshot-request',
      group: group.id,
      minIndex: this.#neededIndex,
      lags: false,
    });
    flushSoon();
  }

  /** Idempotent. Resolves when the state machine is let go of. */
  close(): Promise<void> {
    this.#closed = true;
    this.#incoming?.abort('FLOTILLA_SNAPSHOT_CUT');
    return this.#incomingDone;
  }

  /** The core counts whole batches; a state that was given up in the middle of one was further than that. */
  get #neededIndex(): Index {
    const { applied } = this.#options.stateMachine;
    return Math.max(this.#view.applied, applied.index, this.#wantedFrom) as Index;
  }

  /**
   * Only a snapshot that brings the state forward is worth giving the old one up for. A group without a state needs
   * one that the entries of its own log go on from.
   */
  #wants(link: PeerLink, begin: SnapshotBegin): boolean {
    const isAskedFor = begin.session === 0 && this.#wantedFrom > this.#options.stateMachine.applied.index;
    if (this.stateReady && !isAskedFor) return begin.session > 0 && begin.meta.index > this.#view.commit;
    return begin.meta.index >= this.#neededIndex && this.#trustedPeers().includes(link);
  }

  /** Peers that are there and have not sent damage again and again; all that are there when there is no such. */
  #trustedPeers(): readonly PeerLink[] {
    const { links, config } = this.#options.context;
    const alive = [...links.values()].filter((link) => link.alive);
    const trusted = alive.filter(({ id }) => (this.#damages.get(id) ?? 0) < config.limits.snapshotDamages);
    return trusted.length > 0 ? trusted : alive;
  }

  #isTooNew(link: PeerLink): boolean {
    const newer = this.#newer.get(link.id);
    if (newer?.incarnation !== link.incarnation) return false;
    return this.#options.context.platform.now() < newer.untilMs;
  }

  #backOff({ id }: PeerLink, incarnation: number): void {
    const { platform, config } = this.#options.context;
    const { snapshotVersionRetryMinMs, snapshotVersionRetryMaxMs } = config.limits;
    const before = this.#newer.get(id);
    const doubled = before?.incarnation === incarnation ? 2 * before.pauseMs : snapshotVersionRetryMinMs;
    const pauseMs = Math.min(doubled, snapshotVersionRetryMaxMs);
    this.#newer.set(id, { incarnation, pauseMs, untilMs: platform.now() + pauseMs });
  }

  #ended(incoming: SnapshotReceive, failure: SnapshotFailure | null): void {
    const { begin, link } = incoming;
    if (failure !== null && incoming.chunks > 0) this.#startsAgain = true;
    // Another one has taken its place, and waits for the state machine.
    if (this.#closed || this.#incoming !== incoming || !this.#options.life.acts) return;
    this.#incoming = null;
    if (failure === null) this.#taken(incoming);
    else this.#failed(incoming, failure);
    this.#answer(link, begin, failure);
    this.#options.context.schedule(this.#options.group);
  }

  #taken(incoming: SnapshotReceive): void {
    this.#options.life.fire('installed');
    this.#installed = incoming;
    this.#damages.clear();
    this.#newer.clear();
    this.#startsAgain = false;
    this.#tellCore(incoming);
  }

  /**
   * A core's answer to a snapshot that this member has asked for itself, or that a former leader has sent, goes to the
   * leader that has offered one since, as if it were that one's: otherwise the leader would not know, and offer the next.
   */
  #tellCore({ link, begin }: SnapshotReceive): void {
    const { installed } = this.#options;
    const offer = this.#offer;
    this.#offer = null;
    if (offer === null || offer.begin.term !== this.#view.term) installed(link, begin);
    else installed(offer.link, { ...offer.begin, meta: begin.meta });
  }

  #failed({ link, incarnation }: SnapshotReceive, failure: SnapshotFailure): void {
    const { context, group, life, stateMachine, kept } = this.#options;
    if (stateMachine.stateMissing === false) {
      life.fire('kept');
      kept();
    } else life.fire('cut-off');
    // The next heartbeat asks; what there is no room for is asked for again after a while.
    this.#askedMs = failure === 'FLOTILLA_SNAPSHOT_BUSY' ? context.platform.now() : -Infinity;
    if (failure === 'FLOTILLA_SNAPSHOT_DAMAGED') {
      this.#damages.set(link.id, (this.#damages.get(link.id) ?? 0) + 1);
    } else if (failure === 'FLOTILLA_SNAPSHOT_VERSION') this.#backOff(link, incarnation);
    context.platform.log.warn('a snapshot did not come in whole', {
      group: group.id,
      peer: link.id,
      incarnation,
      reason: failure,
    });
  }
}

interface NewerSender {
  /** Another life of it may be of another version. */
  readonly incarnation: number;
  readonly pauseMs: number;
  readonly untilMs: number;
}

function isOf(transfer: SnapshotReceive, link: PeerLink, number: number): boolean {
  const { begin, incarnation } = transfer;
  return transfer.link === link && begin.transfer === number && incarnation === link.incarnation;
}
