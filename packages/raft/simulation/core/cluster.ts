import { configurationOf, emptyConfiguration } from '../../src/core/configuration.ts';
import { Coverage, TraceHash, takeRecorder } from '@flotilla/sim';
import type { Tape } from '@flotilla/sim';
import type { Configuration, NodeId, PeerMessage } from '@flotilla/raft';
import { Agenda } from './agenda.ts';
import { Clients } from './clients.ts';
import { Disks } from './disks.ts';
import type { CoreEvent, MemberEvent, WorldEvent } from './event.ts';
import { Heartbeats } from './heartbeats.ts';
import { Leases } from './leases.ts';
import { SimulatedMember } from './member.ts';
import { Monitor } from './monitor.ts';
import { Network } from './network.ts';
import { RunRecord } from './run-record.ts';
import { membersIn } from './sets.ts';
import type { CoreSettings } from './settings.ts';
import { Snapshots } from './snapshots.ts';
import { StateMachines } from './state-machines.ts';
import { Turns } from './turns.ts';

/**
 * Cores on simulated disks and a simulated datagram network, in one thread and one heap of events. The rooms around the
 * cores (network, disks, state machines...) are what their hosts would be.
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
  readonly agenda = new Agenda();
  /** Writes the run down, when somebody asked for that. */
  readonly record: RunRecord | null;
  readonly network: Network;
  readonly heartbeats: Heartbeats;
  readonly leases: Leases;
  readonly turns: Turns;
  readonly disks: Disks;
  readonly stateMachines: StateMachines;
  readonly snapshots: Snapshots;
  readonly clients: Clients;
  events = 0;
  /** While it is on, faults happen and the network is what the settings say; afterwards everything is calm. */
  faulty = true;

  readonly #tape: Tape;
  readonly #seed: number;
  /** Called when a member has just become leader. */
  onLeader: (member: SimulatedMember) => void = () => {};
  onFault: () => void = () => {};
  onChange: () => void = () => {};

  constructor(tape: Tape, settings: CoreSettings) {
    const recorder = takeRecorder();
    this.record = recorder === null ? null : new RunRecord(recorder, this);
    this.#tape = tape;
    this.settings = settings;
    this.network = new Network(tape, this);
    this.heartbeats = new Heartbeats(this);
    this.leases = new Leases(this);
    this.turns = new Turns(tape, this);
    this.disks = new Disks(tape, this);
    this.stateMachines = new StateMachines(tape, this);
    this.snapshots = new Snapshots(tape, this);
    this.clients = new Clients(tape, this);
    this.#seed = tape.choose(0x7fff_ffff, 'elections');
    this.founders = configurationOf(Array.from({ length: settings.members }, (_, i) => i + 1));
    for (const _ of this.founders.voters) this.#newMember(this.founders);
    this.monitor = new Monitor(this.members, this.founders);
    for (const member of this.members) this.#start(member);
  }

  get now(): number {
    return this.agenda.now;
  }

  /** A member with an empty disk. It knows the founders, or waits for a snapshot that tells it who is who. */
  addMember(): SimulatedMember {
    const informed = !this.#tape.chance(1, 3, 'knows nobody');
    const member = this.#newMember(informed ? this.founders : emptyConfiguration);
    this.coverage.count(informed ? 'new member' : 'new member that knows nobody');
    this.say(`new member n${member.id}`);
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
    this.record?.added(member);
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

  // --- time ----------------------------------------------------------------------------------------------------

  /** From now on clients, faults and changes come, again and again. */
  startClients(): void {
    const { proposeEveryMs, readEveryMs, faultEveryMs, changeEveryMs } = this.settings;
    this.#soon(proposeEveryMs, 'propose');
    this.#soon(readEveryMs, 'read');
    if (faultEveryMs > 0) this.#soon(faultEveryMs, 'fault');
    if (changeEveryMs > 0) this.#soon(changeEveryMs, 'change');
  }

  /** Runs the next event. False: nothing is left. */
  next(): boolean {
    const event = this.agenda.take();
    if (event === null) return false;
    this.#handle(event);
    if (this.events % 1000 === 0) this.monitor.checkAll();
    return true;
  }

  /** Runs until `done`; false when that has not come by `untilMs`. */
  runUntil(untilMs: number, done: () => boolean): boolean {
    while (!done()) {
      if (this.agenda.nextMs > untilMs || !this.next()) {
        this.agenda.passUntil(untilMs);
        return done();
      }
    }
    return true;
  }

  later(delayMs: number, run: () => void): void {
    this.agenda.after(delayMs, { kind: 'call', run });
  }

  say(text: string): void {
    this.faults.push({ timeMs: this.now, text });
  }

  // --- what happens to a member --------------------------------------------------------------------------------

  step(member: SimulatedMember, input: Parameters<SimulatedMember['core']['step']>[0]): void {
    if (!member.up) return;
    member.core.step(input);
    this.turns.drainSoon(member);
  }

  crash(member: SimulatedMember, survivors: number): void {
    if (!member.up) return;
    this.coverage.count('crash');
    if (member.disk.pendingWrites > survivors) this.coverage.count('crash loses writes');
    this.say(`crash n${member.id}: ${survivors} of ${member.disk.pendingWrites} unsynced writes survive`);
    member.crash(survivors);
    this.record?.crashed(member);
    for (const other of this.members) if (other !== member) this.heartbeats.reset(other, member.id);
  }

  restart(member: SimulatedMember): void {
    if (member.up || member.wiped) return;
    this.coverage.count('restart');
    this.say(`restart n${member.id}`);
    member.restart();
    this.leases.promiseNobody(member);
    this.#start(member);
  }

  /** It has left: what it held goes, and what it promised stays. */
  letGo(member: SimulatedMember): void {
    this.switchOff(member);
    this.coverage.count('log let go of');
    this.say(`let go of the log of n${member.id}`);
    member.letGo();
  }

  /** Its disk is lost: whoever it was never comes back. */
  wipe(member: SimulatedMember): void {
    this.coverage.count('wipe');
    this.say(`wipe n${member.id}`);
    this.crash(member, 0);
    member.wiped = true;
  }

  /** An operator ends a member that is no part of the group any more. */
  switchOff(member: SimulatedMember): void {
    this.coverage.count('switched off');
    this.say(`switch off n${member.id}`);
    this.crash(member, member.disk.pendingWrites);
  }

  pause(member: SimulatedMember, forMs: number): void {
    if (!member.up) return;
    this.coverage.count('pause');
    this.say(`pause n${member.id} for ${forMs} ms`);
    member.pausedUntilMs = this.now + forMs;
    this.record?.paused(member);
  }

  #start(member: SimulatedMember): void {
    this.record?.started(member);
    const { id: to, life } = member;
    const { tickMs, liveness } = this.settings;
    this.agenda.after(this.#tape.choose(tickMs, 'tick phase'), { kind: 'tick', to, life });
    if (liveness === 'peers') {
      this.agenda.after(this.#tape.choose(tickMs, 'beat phase'), { kind: 'beat', to, life });
    }
    if (member.core.ready) this.turns.drainSoon(member);
  }

  #tick(member: SimulatedMember): void {
    const { id: to, life } = member;
    this.agenda.after(this.settings.tickMs * member.clockRate, { kind: 'tick', to, life });
    if (!member.core.wantsTicks || this.leases.keepsStill(member)) return;
    this.events += 1;
    member.core.step({ type: 'tick' });
    this.turns.drainSoon(member);
  }

  // --- events --------------------------------------------------------------------------------------------------

  #handle(event: CoreEvent): void {
    if (event.kind === 'call') event.run();
    else if ('to' in event) this.#handleAt(event);
    else if (this.faulty) this.#handleInWorld(event.kind);
  }

  /** Clients come again before what they do now, faults and changes after it: recorded tapes rely on it. */
  #handleInWorld(kind: Exclude<WorldEvent['kind'], 'call'>): void {
    switch (kind) {
      case 'propose':
        this.#soon(this.settings.proposeEveryMs, kind);
        this.clients.wantWrites();
        break;
      case 'read':
        this.#soon(this.settings.readEveryMs, kind);
        this.clients.wantRead();
        break;
      case 'fault':
        this.onFault();
        this.#soon(this.settings.faultEveryMs, kind);
        break;
      case 'change':
        this.onChange();
        this.#soon(this.settings.changeEveryMs, kind);
        break;
    }
  }

  #soon(everyMs: number, kind: Exclude<WorldEvent['kind'], 'call'>): void {
    this.agenda.after(everyMs * (0.5 + this.#tape.choose(8, 'interval') / 8), { kind });
  }

  #handleAt(event: MemberEvent): void {
    const member = this.member(event.to);
    if (member === undefined || !member.up) return;
    if (event.life !== member.life && event.kind !== 'message' && event.kind !== 'snapshot') return;
    if (member.pausedUntilMs > this.now) {
      this.agenda.at(member.pausedUntilMs, event);
      return;
    }
    this.record?.happens(event, member);
    this.hash.add(event.to);
    this.hash.add(this.now);
    switch (event.kind) {
      case 'message':
        this.events += 1;
        this.hash.add(event.message.term);
        this.#receive(member, event.message, event.sentMs);
        break;
      case 'drain':
        this.turns.end(member);
        break;
      case 'tick':
        this.#tick(member);
        break;
      case 'beat':
        this.heartbeats.beat(member);
        break;
      case 'synced':
        this.events += 1;
        this.disks.synced(member, event.upTo);
        break;
      case 'applied':
        this.events += 1;
        this.stateMachines.applied(member, event.entries);
        break;
      case 'log-read':
        this.events += 1;
        this.disks.read(member, event.read);
        break;
      case 'snapshot':
        this.events += 1;
        this.snapshots.arrive(member, event.from, event.send);
        break;
      case 'snapshot-sent':
        this.step(member, { type: 'snapshot-sent', to: event.peer, ok: event.ok });
        break;
      case 'alive':
        this.heartbeats.hear(member, event);
        break;
      case 'reset':
        this.heartbeats.fallSilent(member, event.from);
        break;
    }
    this.record?.happened(member);
  }

  #receive(member: SimulatedMember, message: PeerMessage, sentMs: number): void {
    if (this.leases.breaksPromise(member, message)) return;
    const { term } = member.view;
    const undisturbed =
      message.type === 'pre-vote' || (message.type === 'vote' && this.#isLed(member, message));
    member.core.step({ type: 'receive', message });
    if (undisturbed) this.monitor.asked(member, message, term);
    this.leases.promiseLeader(member, message, sentMs);
    this.turns.drainSoon(member, message.type === 'append-response');
  }

  /** Whether the member's host knows for sure that its leader lives; by ticks only the core knows. */
  #isLed(member: SimulatedMember, message: Extract<PeerMessage, { type: 'vote' | 'pre-vote' }>): boolean {
    if (!this.settings.checkQuorum || message.forced || message.from === member.view.leader) return false;
    return this.heartbeats.leaderLives(member);
  }
}
