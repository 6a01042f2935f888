import { configurationOf, emptyConfiguration } from '../../src/core/configuration.ts';
import { Coverage, EventHeap, TraceHash } from '@flotilla/sim';
import type { Tape } from '@flotilla/sim';
import { present } from '@flotilla/platform';
import type {
  Configuration,
  Effects,
  Entry,
  Index,
  LogRead,
  MembershipChange,
  NodeId,
  PeerMessage,
  Ref,
  RefusalReason,
  Settlement,
} from '@flotilla/raft';
import type { SnapshotMeta, SnapshotSend, Term, Write, WriteSequence } from '@flotilla/raft';
import { SimulatedMember } from './member.ts';
import type { PendingClientRead, Proposal } from './member.ts';
import { Monitor } from './monitor.ts';
import { isQuorum, membersIn } from './sets.ts';
import type { CoreSettings } from './settings.ts';
import { Violation } from './violation.ts';

/** `life`: of the member that it is meant for; an event of an earlier life means nothing. */
type MemberEvent = { readonly to: NodeId; readonly life: number } & (
  | { readonly kind: 'message'; readonly message: PeerMessage; readonly sentMs: number }
  | { readonly kind: 'tick' }
  | { readonly kind: 'beat' }
  | { readonly kind: 'drain' }
  | { readonly kind: 'synced'; readonly upTo: WriteSequence }
  | { readonly kind: 'applied'; readonly entries: readonly Entry[] }
  | { readonly kind: 'log-read'; readonly read: LogRead }
  | { readonly kind: 'snapshot'; readonly from: NodeId; readonly send: SnapshotSend }
  | { readonly kind: 'snapshot-sent'; readonly peer: NodeId; readonly ok: boolean }
  | {
      readonly kind: 'alive';
      readonly from: NodeId;
      readonly leadsTerm: Term | null;
      readonly beat: number;
      readonly sentMs: number;
    }
  | { readonly kind: 'reset'; readonly from: NodeId }
);

type WorldEvent =
  | { readonly kind: 'propose' }
  | { readonly kind: 'read' }
  | { readonly kind: 'fault' }
  | { readonly kind: 'change' }
  | { readonly kind: 'call'; readonly run: () => void };

type SimEvent = MemberEvent | WorldEvent;

const refusals: Readonly<Record<RefusalReason, string>> = {
  'no-leader': 'refused: no-leader',
  'uncommitted-bytes': 'refused: uncommitted-bytes',
  'too-large': 'refused: too-large',
  transferring: 'refused: transferring',
  'not-ready': 'refused: not-ready',
  'change-pending': 'refused: change-pending',
  'term-not-committed': 'refused: term-not-committed',
  'id-reused': 'refused: id-reused',
  'learner-behind': 'refused: learner-behind',
  'invalid-change': 'refused: invalid-change',
};
/** Messages kept for re-delivery: the whole history of any but the longest runs. */
const historyMax = 20_000;

/**
 * Cores on simulated disks and a simulated datagram network, in one thread and one heap of events. The network loses,
 * duplicates, delays and reorders; nothing but forwarded proposals relies on it not to (the host's connections deliver
 * those at most once).
 */
export class CoreCluster {
  readonly settings: CoreSettings;
  /** In the order of their ids, from 1; those that are gone for ever stay in the list. */
  readonly members: SimulatedMember[] = [];
  readonly founders: Configuration;
  readonly monitor: Monitor;
  readonly coverage = new Coverage();
  readonly hash = new TraceHash();
  readonly faults: { timeMs: number; text: string }[] = [];
  readonly history: PeerMessage[] = [];
  now = 0;
  events = 0;
  /** While it is on, faults happen and the network is what the settings say; afterwards everything is calm. */
  faulty = true;

  readonly #tape: Tape;
  readonly #heap = new EventHeap<SimEvent>();
  readonly #cut = new Set<number>();
  readonly #seed: number;
  #proposals = 0;
  /** Called when a member has just become leader. */
  onLeader: (member: SimulatedMember) => void = () => {};
  onFault: () => void = () => {};
  onChange: () => void = () => {};

  constructor(tape: Tape, settings: CoreSettings) {
    this.#tape = tape;
    this.settings = settings;
    this.#seed = tape.choose(0x7fff_ffff, 'elections');
    this.founders = configurationOf(Array.from({ length: settings.members }, (_, i) => i + 1));
    for (const _ of this.founders.voters) this.#newMember(this.founders);
    this.monitor = new Monitor(this.members, this.founders);
    for (const member of this.members) this.#start(member);
  }

  /** A member with an empty disk. It knows the founders, or waits for a snapshot that tells it who is who. */
  addMember(): SimulatedMember {
    const informed = !this.#tape.chance(1, 3, 'knows nobody');
    const member = this.#newMember(informed ? this.founders : emptyConfiguration);
    this.coverage.count(informed ? 'new member' : 'new member that knows nobody');
    this.say(`new member ${member.id}`);
    this.#start(member);
    return member;
  }

  #newMember(configuration: Configuration): SimulatedMember {
    const { settings } = this;
    const id = (this.members.length + 1) as NodeId;
    const clockRate = 1 + (this.#tape.choose(21, 'clock') - 10) / 100;
    const priority = settings.priorities[this.#tape.choose(settings.priorities.length, 'priority')] as number;
    const member = new SimulatedMember(id, settings, configuration, this.#seed, clockRate, priority);
    this.members.push(member);
    return member;
  }

  member(id: NodeId): SimulatedMember | undefined {
    return this.members[id - 1];
  }

  /** Those whom faults happen to: in the newest configuration, or running. Never empty. */
  get present(): readonly SimulatedMember[] {
    const ids = membersIn(this.monitor.configuration);
    return this.members.filter((member) => member.up || (!member.wiped && ids.includes(member.id)));
  }

  /**
   * The configurations that a majority is needed of: the newest one; and the one before it, while nobody who is left has
   * applied the newest. (Then it takes the old majority to find out that it is committed.)
   */
  decisive(isLeft: (id: NodeId) => boolean): readonly Configuration[] {
    const { configuration, previous, configuredAt } = this.monitor;
    const known = membersIn(configuration).some((id) => {
      const member = this.member(id);
      return member !== undefined && isLeft(id) && member.flushed.index >= configuredAt;
    });
    return known ? [configuration] : [configuration, previous];
  }

  /** Whether it is neither a member, nor was one. */
  isStranger({ id }: SimulatedMember): boolean {
    const { configuration } = this.monitor;
    return !membersIn(configuration).includes(id) && !configuration.removed.includes(id);
  }

  get leader(): SimulatedMember | undefined {
    let leader: SimulatedMember | undefined;
    for (const member of this.members) {
      if (!member.up || member.view.role !== 'leader') continue;
      if (leader === undefined || member.view.term > leader.view.term) leader = member;
    }
    return leader;
  }

  startClients(): void {
    this.#push(this.#soon(this.settings.proposeEveryMs), { kind: 'propose' });
    this.#push(this.#soon(this.settings.readEveryMs), { kind: 'read' });
    const { faultEveryMs, changeEveryMs } = this.settings;
    if (faultEveryMs > 0) this.#push(this.#soon(faultEveryMs), { kind: 'fault' });
    if (changeEveryMs > 0) this.#push(this.#soon(changeEveryMs), { kind: 'change' });
  }

  /** Runs the next event. False: nothing is left. */
  next(): boolean {
    if (this.#heap.size === 0) return false;
    this.now = Math.max(this.now, this.#heap.nextTime);
    this.#handle(this.#heap.pop());
    if (this.events % 1000 === 0) this.monitor.checkAll();
    return true;
  }

  /** Runs until `done`; false when that has not come by `untilMs`. */
  runUntil(untilMs: number, done: () => boolean): boolean {
    while (!done()) {
      if (this.#heap.nextTime > untilMs || !this.next()) {
        this.now = Math.max(this.now, untilMs);
        return done();
      }
    }
    return true;
  }

  later(delayMs: number, run: () => void): void {
    this.#push(delayMs, { kind: 'call', run });
  }

  say(text: string): void {
    this.faults.push({ timeMs: this.now, text });
  }

  // --- what a nemesis does -------------------------------------------------------------------------------------

  crash(member: SimulatedMember, survivors: number): void {
    if (!member.up) return;
    this.coverage.count('crash');
    if (member.disk.pendingWrites > survivors) this.coverage.count('crash loses writes');
    this.say(`crash ${member.id}: ${survivors} of ${member.disk.pendingWrites} unsynced writes survive`);
    member.crash(survivors);
    for (const other of this.members) if (other !== member) this.#reset(other, member.id);
  }

  restart(member: SimulatedMember): void {
    if (member.up || member.wiped) return;
    this.coverage.count('restart');
    this.say(`restart ${member.id}`);
    member.restart();
    // It does not know any more what it promised.
    if (this.settings.leasePerMille > 0) member.pledge = this.#promise(member, 0, 0, 0);
    this.#start(member);
  }

  /** Its disk is lost: whoever it was never comes back. */
  wipe(member: SimulatedMember): void {
    this.coverage.count('wipe');
    this.say(`wipe ${member.id}`);
    this.crash(member, 0);
    member.wiped = true;
  }

  /** An operator ends a member that is no part of the group any more. */
  switchOff(member: SimulatedMember): void {
    this.coverage.count('switched off');
    this.say(`switch off ${member.id}`);
    this.crash(member, member.disk.pendingWrites);
  }

  pause(member: SimulatedMember, forMs: number): void {
    if (!member.up) return;
    this.coverage.count('pause');
    this.say(`pause ${member.id} for ${forMs} ms`);
    member.pausedUntilMs = this.now + forMs;
  }

  cut(from: NodeId, to: NodeId, cut: boolean): void {
    if (cut) this.#cut.add(from * 64 + to);
    else this.#cut.delete(from * 64 + to);
  }

  healNetwork(): void {
    this.#cut.clear();
  }

  /** The connection between two hosts breaks: both notice, as far as they can hear of each other. */
  resetConnection(a: SimulatedMember, b: SimulatedMember): void {
    this.#reset(a, b.id);
    this.#reset(b, a.id);
  }

  redeliver(message: PeerMessage, delayMs: number): void {
    this.coverage.count(`redelivered ${message.type}`);
    // An old word of a leader is no promise to it now.
    this.#deliver(message, delayMs, -Infinity);
  }

  step(member: SimulatedMember, input: Parameters<SimulatedMember['core']['step']>[0]): void {
    if (!member.up) return;
    member.core.step(input);
    this.#drainSoon(member);
  }

  propose(member: SimulatedMember, sizeBytes: number): Proposal {
    this.#proposals += 1;
    const proposal: Proposal = {
      number: this.#proposals,
      payload: new Uint8Array(sizeBytes),
      member,
      life: member.life,
      term: 0,
      state: 'asked',
      committedAt: 0,
    };
    this.monitor.register(proposal);
    const ref = member.nextRef as Ref;
    member.nextRef += 1;
    member.proposals.set(ref, proposal);
    this.step(member, { type: 'propose', ref, payload: proposal.payload });
    return proposal;
  }

  read(member: SimulatedMember): PendingClientRead {
    const ref = member.nextRef as Ref;
    member.nextRef += 1;
    const read = { floor: this.monitor.maxApplied, answered: false };
    member.reads.set(ref, read);
    const { leasePerMille } = this.settings;
    const lease =
      leasePerMille > 0 && this.#tape.chance(leasePerMille, 1000, 'lease') && this.#vouches(member);
    if (lease) this.coverage.count('read under a lease');
    this.step(member, { type: 'read', ref, policy: lease ? 'lease' : 'read-index' });
    return read;
  }

  changeMembership(member: SimulatedMember, change: MembershipChange): void {
    if (!member.up) return;
    const ref = member.nextRef as Ref;
    member.nextRef += 1;
    member.changes.add(ref);
    const steps = change.steps.map(({ operation, id }) => `${operation} ${id}`).join(', ');
    this.say(`ask ${member.id} for ${change.transition} change: ${steps || 'leave'}`);
    this.events += 1;
    this.step(member, { type: 'change-membership', ref, change });
  }

  compact(member: SimulatedMember): void {
    const index = Math.min(member.flushed.index, member.view.applied) as Index;
    const term = member.view.termAt(index);
    if (term === null || !member.disk.holds(index, term) || index <= member.disk.snapshot.index) return;
    this.coverage.count('compaction');
    const { configuration } = index === member.flushed.index ? member.flushed : member.applied;
    const through: SnapshotMeta = { index, term, configuration };
    member.disk.compact(through);
    this.step(member, { type: 'compacted', through });
  }

  // --- events --------------------------------------------------------------------------------------------------

  #handle(event: SimEvent): void {
    if (event.kind === 'propose') this.#clientProposes();
    else if (event.kind === 'read') this.#clientReads();
    else if (event.kind === 'fault') this.#strike();
    else if (event.kind === 'change') this.#wantChange();
    else if (event.kind === 'call') event.run();
    else this.#handleAt(event);
  }

  #strike(): void {
    if (!this.faulty) return;
    this.onFault();
    this.#push(this.#soon(this.settings.faultEveryMs), { kind: 'fault' });
  }

  #receive(member: SimulatedMember, message: PeerMessage): void {
    const { term } = member.view;
    const undisturbed =
      message.type === 'pre-vote' || (message.type === 'vote' && this.#isLed(member, message));
    member.core.step({ type: 'receive', message });
    if (undisturbed) this.monitor.asked(member, message, term);
  }

  /** Whether the member's host knows for sure that its leader lives; by ticks only the core knows. */
  #isLed(
    { view, peers }: SimulatedMember,
    message: Extract<PeerMessage, { type: 'vote' | 'pre-vote' }>,
  ): boolean {
    if (!this.settings.checkQuorum || message.forced || message.from === view.leader) return false;
    const belief = peers.get(view.leader);
    return belief !== undefined && belief.alive && belief.leadsTerm === view.term;
  }

  #wantChange(): void {
    if (!this.faulty) return;
    this.onChange();
    this.#push(this.#soon(this.settings.changeEveryMs), { kind: 'change' });
  }

  #handleAt(event: MemberEvent): void {
    const member = this.member(event.to);
    if (member === undefined || !member.up) return;
    if (event.life !== member.life && event.kind !== 'message' && event.kind !== 'snapshot') return;
    if (member.pausedUntilMs > this.now) {
      this.#heap.push(member.pausedUntilMs, event);
      return;
    }
    this.hash.add(event.to);
    this.hash.add(this.now);
    switch (event.kind) {
      case 'message':
        this.events += 1;
        this.hash.add(event.message.term);
        if (this.#breaksPromise(member, event.message)) break;
        this.#receive(member, event.message);
        this.#promiseLeader(member, event.message, event.sentMs);
        this.#drainSoon(member, event.message.type === 'append-response');
        break;
      case 'drain':
        member.drainScheduled = false;
        this.#drain(member, true);
        break;
      case 'tick':
        this.#tick(member);
        break;
      case 'beat':
        this.#beat(member);
        break;
      case 'synced':
        this.events += 1;
        this.#synced(member, event.upTo);
        break;
      case 'applied':
        this.events += 1;
        this.#applied(member, event.entries);
        break;
      case 'log-read': {
        this.events += 1;
        const { ref, from, to, maxBytes } = event.read;
        const result = member.disk.read(from, to, maxBytes);
        this.coverage.count(result === 'compacted' ? 'log read: compacted' : 'log read');
        this.step(member, { type: 'log-read', ref, result });
        break;
      }
      case 'snapshot':
        this.events += 1;
        this.#snapshotArrives(member, event.from, event.send);
        break;
      case 'snapshot-sent':
        this.step(member, { type: 'snapshot-sent', to: event.peer, ok: event.ok });
        break;
      case 'alive':
        this.#hears(member, event);
        break;
      case 'reset':
        this.#silent(member, event.from);
        break;
    }
  }

  #start(member: SimulatedMember): void {
    const { id: to, life } = member;
    const { tickMs } = this.settings;
    this.#push(this.#tape.choose(tickMs, 'tick phase'), { kind: 'tick', to, life });
    if (this.settings.liveness === 'peers') {
      this.#push(this.#tape.choose(tickMs, 'beat phase'), { kind: 'beat', to, life });
    }
    if (member.core.ready) this.#drainSoon(member);
  }

  #tick(member: SimulatedMember): void {
    this.#push(this.settings.tickMs * member.clockRate, {
      kind: 'tick',
      to: member.id,
      life: member.life,
    });
    if (!member.core.wantsTicks || this.#keepsStill(member)) return;
    this.events += 1;
    member.core.step({ type: 'tick' });
    this.#drainSoon(member);
  }

  /** A host tells its peers that it lives and what it leads, and notices whom it has not heard. */
  #beat(member: SimulatedMember): void {
    const { tickMs, heartbeatTicks, electionTicks } = this.settings;
    const everyMs = tickMs * heartbeatTicks;
    this.#push(everyMs * member.clockRate, {
      kind: 'beat',
      to: member.id,
      life: member.life,
    });
    member.beats += 1;
    const leadsTerm = member.view.role === 'leader' ? member.view.term : null;
    for (const other of this.members) {
      if (other === member) continue;
      const belief = member.peers.get(other.id);
      if (belief?.alive === true && this.now - belief.heardAtMs > electionTicks * tickMs) {
        this.#silent(member, other.id);
      }
      if (this.#isCut(member.id, other.id) || !other.up) continue;
      const { id: from, beats: beat } = member;
      const sentMs = this.now;
      this.#push(this.#delay(), {
        kind: 'alive',
        to: other.id,
        life: other.life,
        from,
        leadsTerm,
        beat,
        sentMs,
      });
    }
  }

  #hears(
    member: SimulatedMember,
    { from, leadsTerm, beat, sentMs }: Extract<MemberEvent, { kind: 'alive' }>,
  ): void {
    const belief = member.peers.get(from) ?? { alive: false, leadsTerm: null, heardAtMs: 0, beat: 0 };
    member.peers.set(from, belief);
    if (beat <= belief.beat) return;
    belief.beat = beat;
    belief.heardAtMs = this.now;
    if (!belief.alive || belief.leadsTerm !== leadsTerm) {
      belief.alive = true;
      belief.leadsTerm = leadsTerm;
      this.events += 1;
      this.step(member, { type: 'peer-alive', peer: from, leadsTerm });
    }
    if (this.settings.leasePerMille === 0 || leadsTerm === null) return;
    if (member.view.leader === from && member.view.term === leadsTerm) {
      member.pledge = this.#promise(member, from, leadsTerm, sentMs);
    }
  }

  // --- leases: what hosts do about them --------------------------------------------------------------------------

  /** By the member's own clock, which may run faster or slower than others by a tenth. */
  #promise(member: SimulatedMember, to: number, term: number, sentMs: number): SimulatedMember['pledge'] {
    const { electionTicks, tickMs } = this.settings;
    return { to, term, sentMs, untilMs: this.now + electionTicks * tickMs * member.clockRate };
  }

  #promiseLeader(member: SimulatedMember, { type, from, term }: PeerMessage, sentMs: number): void {
    if (this.settings.leasePerMille === 0 || this.settings.liveness === 'peers') return;
    if (type !== 'heartbeat' && type !== 'append') return;
    if (member.view.leader !== from || member.view.term !== term) return;
    member.pledge = this.#promise(member, from, term, sentMs);
  }

  #breaksPromise(member: SimulatedMember, message: PeerMessage): boolean {
    if (this.settings.leasePerMille === 0 || (message.type !== 'vote' && message.type !== 'pre-vote'))
      return false;
    return !message.forced && message.from !== member.pledge.to && this.now < member.pledge.untilMs;
  }

  /** Nor does it campaign itself. (With a leader that lives, `peers` give it ticks for other reasons.) */
  #keepsStill({ view, pledge }: SimulatedMember): boolean {
    if (this.settings.leasePerMille === 0 || view.role === 'leader') return false;
    return this.now < pledge.untilMs && (this.settings.liveness === 'ticks' || view.leader === 0);
  }

  /** Whether a quorum has promised this leader, from when it sent what they answer, for longer than clocks may differ. */
  #vouches(leader: SimulatedMember): boolean {
    const { view } = leader;
    if (view.role !== 'leader') return false;
    const { electionTicks, tickMs } = this.settings;
    const sinceMs = this.now - 0.8 * electionTicks * tickMs * leader.clockRate;
    return isQuorum(view.configuration, (id) => {
      if (id === leader.id) return true;
      const pledge = this.member(id)?.pledge;
      return pledge?.to === leader.id && pledge.term === view.term && pledge.sentMs >= sinceMs;
    });
  }

  #silent(member: SimulatedMember, peer: NodeId): void {
    const belief = member.peers.get(peer);
    if (belief === undefined || !belief.alive || !member.up) return;
    belief.alive = false;
    this.events += 1;
    this.coverage.count('peer silent');
    this.step(member, { type: 'peer-silent', peer });
  }

  #reset(member: SimulatedMember, from: NodeId): void {
    if (this.settings.liveness !== 'peers' || !member.up || this.#isCut(from, member.id)) return;
    // A new connection counts its beats anew.
    const belief = member.peers.get(from);
    if (belief !== undefined) belief.beat = 0;
    this.#push(this.#delay(), { kind: 'reset', to: member.id, life: member.life, from });
  }

  #synced(member: SimulatedMember, upTo: WriteSequence): void {
    member.syncing = false;
    member.disk.sync(upTo);
    member.core.step({ type: 'persisted', upTo });
    for (const message of member.takePromises(upTo)) this.#release(member, message);
    this.#drainSoon(member, true);
    this.#syncSoon(member);
  }

  #syncSoon(member: SimulatedMember): void {
    if (member.syncing || !member.disk.unsynced) return;
    const upTo = member.disk.syncTarget();
    if (!member.disk.needsSync()) {
      // Only commit indexes: acknowledged at once, safe with the next sync.
      member.disk.acknowledge(upTo);
      member.core.step({ type: 'persisted', upTo });
      this.#drainSoon(member);
      return;
    }
    member.syncing = true;
    this.#push(this.#syncDelay(member), { kind: 'synced', to: member.id, life: member.life, upTo });
  }

  #applied(member: SimulatedMember, entries: readonly Entry[]): void {
    const last = entries[entries.length - 1] as Entry;
    // A snapshot may have overtaken the batch.
    if (last.index > member.applied.index) {
      const from = member.applied.index;
      for (const entry of entries) if (entry.index > from) this.#apply(member, entry);
      member.core.step({ type: 'applied', upTo: last.index });
      for (const entry of entries) if (entry.index > from) this.#configured(member, entry);
      const configuration = present(member.view.configurationAt(last.index), 'what is in force');
      member.applied = { index: last.index, term: last.term, configuration };
    } else {
      member.core.step({ type: 'applied', upTo: member.applied.index });
    }
    if (last.index > this.monitor.maxApplied) this.monitor.maxApplied = last.index;
    if (this.#tape.chance(1, 4, 'flush')) member.flushed = member.applied;
    this.#drainSoon(member);
    const { compactAfter } = this.settings;
    if (compactAfter > 0 && member.flushed.index - member.disk.snapshot.index >= compactAfter)
      this.compact(member);
  }

  #configured(member: SimulatedMember, { kind, index }: Entry): void {
    if (kind !== 'membership') return;
    const configuration = present(member.view.configurationAt(index), 'what a change has led to');
    if (index > this.monitor.configuredAt) this.coverage.count('members changed');
    this.monitor.configured(member, index, configuration);
  }

  #apply(member: SimulatedMember, entry: Entry): void {
    const proposal = this.monitor.proposalOf(entry.payload);
    if (entry.term > member.applied.term) this.#laterTermApplied(member, entry.term, proposal);
    if (proposal !== undefined && proposal.member === member && proposal.life === member.life) {
      proposal.state = 'applied';
      member.openProposals.delete(proposal.number);
      this.coverage.count('write acknowledged');
    }
  }

  /** What an earlier leadership took and is not here now never will be: the host would propose it again. */
  #laterTermApplied(member: SimulatedMember, term: number, applying: Proposal | undefined): void {
    for (const proposal of member.openProposals.values()) {
      if (proposal === applying || proposal.term >= term) continue;
      proposal.state = 'lost';
      this.coverage.count('proposal lost for sure');
      if (proposal.committedAt !== 0) {
        throw new Violation(
          'I10 at most once',
          `proposal ${proposal.number} counts as lost, and is committed`,
        );
      }
      member.openProposals.delete(proposal.number);
    }
  }

  #snapshotArrives(member: SimulatedMember, from: NodeId, send: SnapshotSend): void {
    const sender = this.member(from);
    // What the sender's state machine held when it was read; a crashed sender has sent nothing.
    if (sender === undefined || !sender.up || sender.applied.index < send.index) return;
    const snapshot: SnapshotMeta = sender.applied;
    const { to, term, session } = send;
    const message: PeerMessage = { type: 'install-snapshot', from, to, term, session, snapshot };
    this.#remember(message);
    this.#receiveSnapshot(member, message);
  }

  #receiveSnapshot(
    member: SimulatedMember,
    message: Extract<PeerMessage, { type: 'install-snapshot' }>,
  ): void {
    const { index } = message.snapshot;
    if (index > member.view.commit) {
      this.coverage.count('snapshot installed');
      member.applied = message.snapshot;
      member.flushed = member.applied;
      // Whether open proposals are in it nobody can tell.
      member.openProposals.clear();
    }
    if (index > this.monitor.maxApplied) this.monitor.maxApplied = index;
    member.core.step({ type: 'receive', message });
    this.#drainSoon(member);
  }

  #clientProposes(): void {
    if (!this.faulty) return;
    this.#push(this.#soon(this.settings.proposeEveryMs), { kind: 'propose' });
    const member = this.#anyMember();
    if (member === undefined) return;
    const burst = 1 + this.#tape.choose(4, 'burst');
    this.events += burst;
    for (let i = 0; i < burst; i += 1) {
      this.propose(member, 4 + this.#tape.choose(this.settings.payloadBytesMax, 'payload bytes'));
    }
  }

  #clientReads(): void {
    if (!this.faulty) return;
    this.#push(this.#soon(this.settings.readEveryMs), { kind: 'read' });
    const member = this.#anyMember();
    if (member === undefined) return;
    this.events += 1;
    this.read(member);
  }

  #anyMember(): SimulatedMember | undefined {
    const { leader } = this;
    const chosen =
      leader !== undefined && this.#tape.chance(1, 2, 'ask the leader')
        ? leader
        : (this.present[this.#tape.choose(this.present.length, 'ask')] as SimulatedMember);
    return chosen.up && chosen.pausedUntilMs <= this.now ? chosen : undefined;
  }

  // --- effects -------------------------------------------------------------------------------------------------

  #drainSoon(member: SimulatedMember, matchesMayHaveMoved = false): void {
    if (this.settings.turnMs === 0) {
      this.#drain(member, matchesMayHaveMoved);
      return;
    }
    if (member.drainScheduled) return;
    member.drainScheduled = true;
    const { id: to, life } = member;
    this.#push(this.faulty ? this.#tape.choose(this.settings.turnMs + 1, 'turn') : 0, {
      kind: 'drain',
      to,
      life,
    });
  }

  #drain(member: SimulatedMember, matchesMayHaveMoved: boolean): void {
    const { core, seenLeadingTerm: led } = member;
    if (!core.ready) {
      this.monitor.stepped(member, matchesMayHaveMoved);
      return;
    }
    // A drain gives everything; one that leaves something would keep its host busy for ever.
    let drains = 0;
    do {
      if (drains === 3) throw new Violation('I13 drained', `${member.id} is ready after ${drains} drains`);
      drains += 1;
      const effects = core.drain();
      if (effects.write !== null) this.#write(member, effects.write);
      this.monitor.stepped(member, matchesMayHaveMoved);
      this.#perform(member, effects);
    } while (member.core.ready);
    if (member.seenLeadingTerm !== led) {
      this.coverage.count('leader elected');
      this.onLeader(member);
    }
  }

  #write(member: SimulatedMember, write: Write): void {
    if (write.truncateFrom !== null) this.coverage.count('truncation');
    member.model(write);
    member.disk.write(write);
    member.promise(write);
    this.monitor.wrote(member, write);
  }

  #perform(member: SimulatedMember, effects: Effects): void {
    for (const message of effects.send) this.#release(member, message);
    for (const settlement of effects.settle) this.#settle(member, settlement);
    if (effects.apply.length > 0) {
      this.monitor.applying(member, effects.apply);
      const { id: to, life } = member;
      const delayMs = this.faulty ? this.#tape.choose(this.settings.applyMaxMs + 1, 'apply delay') : 0;
      this.#push(delayMs, { kind: 'applied', to, life, entries: effects.apply });
    }
    for (const read of effects.readLog) {
      const { id: to, life } = member;
      this.#push(this.faulty ? 0.1 + this.#tape.choose(3, 'log read') : 0, {
        kind: 'log-read',
        to,
        life,
        read,
      });
    }
    for (const send of effects.sendSnapshot) this.#shipSnapshot(member, send);
    if (effects.write !== null) this.#syncSoon(member);
  }

  #shipSnapshot(member: SimulatedMember, send: SnapshotSend): void {
    this.coverage.count('snapshot sent');
    const { id: from, life } = member;
    const delayMs = 2 * this.#delay() + this.#tape.choose(30, 'snapshot transfer');
    const lost = this.#isCut(from, send.to) || this.#tape.chance(this.faulty ? 1 : 0, 5, 'snapshot lost');
    if (!lost) this.#push(delayMs, { kind: 'snapshot', to: send.to, life: 0, send, from });
    this.#push(delayMs + this.#delay(), { kind: 'snapshot-sent', to: from, life, peer: send.to, ok: !lost });
  }

  #settle(member: SimulatedMember, settlement: Settlement): void {
    switch (settlement.type) {
      case 'appended':
      case 'forwarded': {
        if (member.changes.delete(settlement.ref)) this.coverage.count(`change ${settlement.type}`);
        const proposal = member.proposals.get(settlement.ref);
        if (proposal === undefined) return;
        proposal.state = 'taken';
        proposal.term = settlement.term;
        member.proposals.delete(settlement.ref);
        member.openProposals.set(proposal.number, proposal);
        break;
      }
      case 'readable': {
        const read = member.reads.get(settlement.ref);
        if (read === undefined) return;
        member.reads.delete(settlement.ref);
        read.answered = true;
        this.coverage.count('read answered');
        this.monitor.readable(member, settlement.index, read.floor);
        break;
      }
      case 'read-forwarded':
        break;
      case 'refused': {
        this.coverage.count(refusals[settlement.reason]);
        member.reads.delete(settlement.ref);
        member.changes.delete(settlement.ref);
        const proposal = member.proposals.get(settlement.ref);
        if (proposal !== undefined) proposal.state = 'refused';
        member.proposals.delete(settlement.ref);
        break;
      }
    }
  }

  #release(member: SimulatedMember, message: PeerMessage): void {
    this.monitor.released(member, message);
    this.#remember(message);
    if (this.#isCut(message.from, message.to)) return;
    if (this.faulty && this.#tape.chance(this.settings.lossPerMille, 1000, 'loss')) {
      this.coverage.count('message lost');
      return;
    }
    this.#deliver(message, this.#delay());
    // A forwarded proposal that came twice would be taken twice: the connection between hosts sees to it.
    if (!this.faulty || message.type === 'propose') return;
    if (this.#tape.chance(this.settings.duplicatePerMille, 1000, 'duplicate')) {
      this.coverage.count('message duplicated');
      this.#deliver(message, this.#delay() + this.#tape.choose(100, 'duplicate delay'));
    }
  }

  #remember(message: PeerMessage): void {
    if (message.type !== 'propose' && this.history.length < historyMax) this.history.push(message);
  }

  #deliver(message: PeerMessage, delayMs: number, sentMs = this.now): void {
    if (message.type === 'install-snapshot') {
      // Its data comes with it, and goes through the host as the first time.
      this.later(delayMs, () => {
        const member = this.member(message.to);
        if (member?.up === true && member.pausedUntilMs <= this.now) this.#receiveSnapshot(member, message);
      });
      return;
    }
    this.#push(delayMs, { kind: 'message', to: message.to, life: 0, message, sentMs });
  }

  #isCut(from: NodeId, to: NodeId): boolean {
    return this.#cut.has(from * 64 + to);
  }

  #delay(): number {
    const { delayMinMs, delayMaxMs, spikePerMille, spikeMaxMs } = this.settings;
    if (!this.faulty) return delayMinMs;
    const spread = ((delayMaxMs - delayMinMs) * this.#tape.choose(16, 'delay')) / 16;
    const spike = this.#tape.chance(spikePerMille, 1000, 'spike')
      ? this.#tape.choose(spikeMaxMs, 'spike ms')
      : 0;
    return delayMinMs + spread + spike;
  }

  #syncDelay(member: SimulatedMember): number {
    const { syncMinMs, syncMaxMs, stallPerMille, stallMaxMs } = this.settings;
    if (!this.faulty) return syncMinMs;
    const spread = ((syncMaxMs - syncMinMs) * this.#tape.choose(8, 'sync')) / 8;
    const slow = member.slowDiskUntilMs > this.now ? 50 : 0;
    const stall = this.#tape.chance(stallPerMille, 1000, 'stall')
      ? this.#tape.choose(stallMaxMs, 'stall ms')
      : 0;
    return syncMinMs + spread + slow + stall;
  }

  #soon(everyMs: number): number {
    return everyMs * (0.5 + this.#tape.choose(8, 'interval') / 8);
  }

  #push(delayMs: number, event: SimEvent): void {
    this.#heap.push(this.now + delayMs, event);
  }
}
