import type { CoreView, Index, RaftCore, SnapshotSend, Term } from '../core/types.ts';
import type { GroupContext } from './group-context.ts';
import type { HostedGroup } from './hosted-group.ts';
import type { PeerLink } from './peer-link.ts';
import { SnapshotReceive } from './snapshot-receive.ts';
import type { SnapshotBegin } from './snapshot-receive.ts';
import type { StateMachine } from './types.ts';

/**
 * Whether the state machine has a state.
 * - `ready`: it has, as of its applied index.
 * - `installing`: a snapshot is replacing it.
 * - `missing`: it has none (a snapshot was cut off, or the data was lost), and a peer is asked for one.
 */
type StateOfState = 'ready' | 'installing' | 'missing';

export interface GroupSnapshotsOptions<Result> {
  readonly group: HostedGroup<Result>;
  readonly context: GroupContext;
  readonly core: RaftCore;
  readonly stateMachine: StateMachine<Result>;
  readonly stateIsMissing: boolean;
  /** The state is durable and live. */
  readonly installed: (link: PeerLink, begin: SnapshotBegin) => void;
}

/** The snapshots of one group that come in and go out, and with them: whether the group has a state. */
export class GroupSnapshots<Result> {
  readonly #options: GroupSnapshotsOptions<Result>;
  readonly #view: CoreView;
  #state: StateOfState;
  #incoming: SnapshotReceive | null = null;
  #incomingDone: Promise<void> = Promise.resolve();
  #due: { link: PeerLink; term: Term; session: number; index: Index }[] = [];
  #askedMs = -Infinity;
  #asked = 0;
  #closed = false;

  constructor(options: GroupSnapshotsOptions<Result>) {
    this.#options = options;
    this.#view = options.core.inspect();
    this.#state = options.stateIsMissing ? 'missing' : 'ready';
  }

  get stateReady(): boolean {
    return this.#state === 'ready';
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

  /** Between batches only: then the core's configuration is the one at the state machine's applied index. */
  sendDue(): void {
    const { core, stateMachine, context, group } = this.#options;
    const due = this.#due;
    this.#due = [];
    for (const { link, term, session, index } of due) {
      const { applied } = stateMachine;
      if (this.#state !== 'ready' || applied.index < index) {
        core.step({ type: 'snapshot-sent', to: link.id, ok: false });
        continue;
      }
      const meta = { index: applied.index, term: applied.term, configuration: this.#view.configuration };
      context.sendSnapshot({ group, link, term, session, meta });
    }
  }

  /** A peer without a state asks. It asks again, so a request that cannot be met now is let go. */
  requested(link: PeerLink, minIndex: Index): void {
    const { stateMachine, context, group } = this.#options;
    const { applied } = stateMachine;
    if (this.#state !== 'ready' || applied.index < minIndex) return;
    const meta = { index: applied.index, term: applied.term, configuration: this.#view.configuration };
    context.sendSnapshot({ group, link, term: 0 as Term, session: 0, meta });
  }

  begins(link: PeerLink, begin: SnapshotBegin): void {
    const { stateMachine, context, group } = this.#options;
    const { platform, config, metrics, flushSoon } = context;
    if (this.#incoming !== null || !this.#wants(begin)) {
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
      open: () => stateMachine.install(begin.meta),
    });
    this.#incoming = incoming;
    this.#state = 'installing';
    platform.log.info('installing a snapshot', { group: group.id, peer: link.id, index: begin.meta.index });
    this.#incomingDone = incoming.run().then(
      (whole) => this.#ended(incoming, whole),
      (error: unknown) => context.fail(error),
    );
  }

  peerSilent(link: PeerLink): void {
    if (this.#incoming?.link === link) this.#incoming.abort();
  }

  /** Once a heartbeat, while the state is missing. */
  ask(nowMs: number): void {
    const { links, config, flushSoon } = this.#options.context;
    if (this.#state !== 'missing' || nowMs - this.#askedMs < config.electionMs) return;
    this.#askedMs = nowMs;
    const alive = [...links.values()].filter((link) => link.alive);
    const link = links.get(this.#view.leader) ?? alive[this.#asked % Math.max(1, alive.length)];
    this.#asked += 1;
    link?.sendHost({
      type: 'snapshot-request',
      group: this.#options.group.id,
      minIndex: this.#neededIndex,
    });
    flushSoon();
  }

  /** Idempotent. Resolves when the state machine is let go of. */
  close(): Promise<void> {
    this.#closed = true;
    this.#incoming?.abort();
    return this.#incomingDone;
  }

  /** The core counts whole batches; a state that was given up in the middle of one was further than that. */
  get #neededIndex(): Index {
    return Math.max(this.#view.applied, this.#options.stateMachine.applied.index) as Index;
  }

  /**
   * Only a snapshot that brings the state forward is worth giving the old one up for. A group without a state needs
   * one that the entries of its own log go on from.
   */
  #wants(begin: SnapshotBegin): boolean {
    if (this.#state === 'missing') return begin.meta.index >= this.#neededIndex;
    return begin.session > 0 && begin.meta.index > this.#view.commit;
  }

  #ended(incoming: SnapshotReceive, whole: boolean): void {
    if (this.#closed) return;
    const { context, group, installed } = this.#options;
    const { begin, link } = incoming;
    this.#incoming = null;
    this.#state = whole ? 'ready' : 'missing';
    if (whole) installed(link, begin);
    else context.platform.log.warn('a snapshot was cut off', { group: group.id, peer: link.id });
    link.sendHost({ type: 'snapshot-result', transfer: begin.transfer, ok: whole });
    context.schedule(group);
  }
}
