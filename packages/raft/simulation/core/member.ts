import { createCore, emptyConfiguration } from '@flotilla/raft';
import type { Configuration, CoreView, Index, NodeId, PeerMessage, RaftCore, Ref } from '@flotilla/raft';
import type { Term, Write } from '@flotilla/raft';
import { seededRandom } from '@flotilla/platform';
import { DurableLog } from './durable-log.ts';
import type { CoreSettings } from './settings.ts';

/** A value that a client wanted to be replicated, and what it was told. */
export interface Proposal {
  readonly number: number;
  readonly payload: Uint8Array;
  readonly member: SimulatedMember;
  readonly life: number;
  /** Of the leadership that took it; 0: not known yet. */
  term: number;
  state: 'asked' | 'taken' | 'refused' | 'applied' | 'lost';
  /** Where it was committed; 0: nowhere yet. */
  committedAt: number;
}

export interface PendingClientRead {
  /** What any client may have seen by the time the read was asked. */
  readonly floor: number;
  answered: boolean;
}

/** What one member believes of another, told by the connection between their hosts. */
interface PeerBelief {
  alive: boolean;
  leadsTerm: Term | null;
  heardAtMs: number;
  /** Beats of one connection arrive in order. */
  beat: number;
}

/** How far a state machine is, and the configuration in force there. */
interface StatePosition {
  readonly index: Index;
  readonly term: Term;
  readonly configuration: Configuration;
}

interface Promised {
  /** 0: nobody in particular. */
  readonly to: number;
  readonly term: number;
  /** When the leader sent what the promise answers. */
  readonly sentMs: number;
  readonly untilMs: number;
}

const noMessages: readonly PeerMessage[] = [];

/** One member: a core, the disk under it, its state machine and a stand-in for its host. */
export class SimulatedMember {
  readonly id: NodeId;
  readonly disk: DurableLog;
  readonly #settings: CoreSettings;
  readonly #seed: number;
  readonly #promises: Write[] = [];
  readonly priority: number;
  /** Ticks and beats of this member come this much later, or earlier. */
  readonly clockRate: number;

  core: RaftCore;
  view: CoreView;
  /** Counts lives; events of an earlier one mean nothing. */
  life = 0;
  up = true;
  /** Its disk is lost, and its id with it. (Kept for the monitor, which wants to know what it held.) */
  wiped = false;
  pausedUntilMs = 0;
  syncing = false;
  slowDiskUntilMs = 0;
  drainScheduled = false;
  nextRef = 1;
  beats = 0;

  /** The state machine: the last entry in it, and what of it would survive a crash. */
  applied: StatePosition;
  flushed: StatePosition;

  /** With leases: whom this member's host does not help to depose, and until when. */
  pledge: Promised = { to: 0, term: 0, sentMs: 0, untilMs: 0 };

  readonly proposals = new Map<Ref, Proposal>();
  readonly openProposals = new Map<number, Proposal>();
  readonly reads = new Map<Ref, PendingClientRead>();
  readonly peers = new Map<NodeId, PeerBelief>();
  /** Membership changes that were asked for here and not settled. */
  readonly changes = new Set<Ref>();

  /** The last state that the monitor saw. */
  seenTerm = 0;
  seenCommit = 0;
  seenLeadingTerm = 0;
  seenConfiguration: Configuration | null = null;
  /** At a leader, of each member: what it believed to match, in which stay. Stays are numbered once in a life. */
  readonly seenMatches = new Map<NodeId, { readonly session: number; readonly match: number }>();
  /** Membership entries in the log as all writes so far leave it, and the newest commit index among them. */
  modelMembership: number[] = [];
  modelCommit = 0;
  /** The terms of the log as all writes so far leave it; index i at i - modelBase - 1. */
  modelBase = 0;
  modelTerms: number[] = [];

  constructor(
    id: NodeId,
    settings: CoreSettings,
    configuration: Configuration,
    seed: number,
    clockRate: number,
    priority: number,
  ) {
    this.id = id;
    this.#settings = settings;
    this.clockRate = clockRate;
    this.priority = priority;
    this.applied = { index: 0 as Index, term: 0 as Term, configuration };
    this.flushed = this.applied;
    this.#seed = seed;
    this.disk = new DurableLog({ index: 0 as Index, term: 0 as Term, configuration });
    this.core = this.#createCore();
    this.view = this.core.inspect();
  }

  /** Keeps `survivors` of the writes on their way, and loses everything in memory. */
  crash(survivors: number): void {
    this.disk.crash(survivors);
    this.up = false;
    this.life += 1;
    this.syncing = false;
    this.pausedUntilMs = 0;
    this.drainScheduled = false;
    this.proposals.clear();
    this.openProposals.clear();
    this.reads.clear();
    this.changes.clear();
    this.peers.clear();
    this.seenMatches.clear();
    this.#promises.length = 0;
    this.seenConfiguration = null;
  }

  restart(): void {
    const { disk } = this;
    this.applied = this.flushed;
    const { index, term, configuration } = this.flushed;
    // The state machine took in a snapshot whose record did not reach the log: what it holds is committed, so the
    // log starts after it.
    if (!disk.holds(index, term)) {
      disk.restartAfter({ index, term, configuration });
    } else if (disk.snapshot.index > index) {
      throw new Error('the log was compacted beyond the flushed state');
    }
    this.core = this.#createCore();
    this.view = this.core.inspect();
    this.up = true;
    this.nextRef = 1;
    this.seenTerm = this.view.term;
    this.seenCommit = this.view.commit;
    this.seenLeadingTerm = 0;
    this.modelBase = disk.snapshot.index;
    this.modelTerms = [];
    this.modelMembership = disk.restored(index).membership.map((entry) => entry.index);
    this.modelCommit = Math.max(disk.hardState.commit, index);
    for (let i = disk.snapshot.index + 1; i <= disk.lastIndex; i += 1)
      this.modelTerms.push(disk.termAt(i) ?? 0);
  }

  /** It has left, and lets go of its log and its state: it comes back with an empty one, if at all. */
  letGo(): void {
    this.disk.letGo();
    this.flushed = { index: 0 as Index, term: 0 as Term, configuration: emptyConfiguration };
  }

  /** Follows a write, to know what the log must look like. */
  model({ truncateFrom, snapshot, entries, hardState }: Write): void {
    if (snapshot !== null) {
      this.modelBase = snapshot.index;
      this.modelTerms = [];
      this.modelMembership = [];
    }
    if (truncateFrom !== null) {
      this.modelTerms.length = truncateFrom - 1 - this.modelBase;
      this.modelMembership = this.modelMembership.filter((index) => index < truncateFrom);
    }
    for (const entry of entries) {
      this.modelTerms.push(entry.term);
      if (entry.kind === 'membership') this.modelMembership.push(entry.index);
    }
    if (hardState !== null) this.modelCommit = hardState.commit;
  }

  /** Keeps what a write holds back. */
  promise(write: Write): void {
    if (write.thenSend.length > 0) this.#promises.push(write);
  }

  /** What writes up to `sequence` held back. */
  takePromises(sequence: number): readonly PeerMessage[] {
    const first = this.#promises[0];
    if (first === undefined || first.sequence > sequence) return noMessages;
    const released: PeerMessage[] = [];
    while (this.#promises.length > 0 && (this.#promises[0] as Write).sequence <= sequence) {
      released.push(...(this.#promises.shift() as Write).thenSend);
    }
    return released;
  }

  #createCore(): RaftCore {
    const settings = this.#settings;
    return createCore(
      {
        id: this.id,
        incarnation: this.life + 1,
        electionTicks: settings.electionTicks,
        heartbeatTicks: settings.heartbeatTicks,
        liveness: settings.liveness,
        preVote: settings.preVote,
        checkQuorum: settings.checkQuorum,
        maxMessageBytes: settings.maxMessageBytes,
        maxInflightMessages: settings.maxInflightMessages,
        maxInflightBytes: settings.maxInflightBytes,
        maxUncommittedBytes: settings.maxUncommittedBytes,
        maxApplyBytes: settings.maxApplyBytes,
        maxPayloadBytes: 1 << 20,
        maxCachedBytes: settings.maxCachedBytes,
        maxPendingReads: settings.maxPendingReads,
        maxPromotionLagEntries: settings.maxPromotionLagEntries,
        priority: this.priority,
        reusableIds: settings.reusableIds,
        eagerBroadcast: settings.eagerBroadcast,
      },
      this.disk.restored(this.applied.index),
      seededRandom(this.#seed + this.id * 7919 + this.life * 104_729),
    );
  }
}
