import { FlotillaError, isFlotillaError } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import { resultOf, World } from '@flotilla/sim';
import type { SimNode, Tape, WorldSettings } from '@flotilla/sim';
import { configurationOf } from '../../src/core/configuration.ts';
import type { NodeId } from '../../src/core/types.ts';
import type { HostConfig } from '../../src/host/config.ts';
import { createHost } from '../../src/host/host.ts';
import type { HostedGroup } from '../../src/host/hosted-group.ts';
import type { Group, GroupStatus, Host } from '../../src/host/types.ts';
import { HostHistory } from '../host-history.ts';
import { appendCommand, ListImage, ListMachine } from '../host-machine.ts';
import type { ListResult } from '../host-machine.ts';
import { peerFrames } from '../peer-frames.ts';
import type { LabResult, Measure } from './lab-result.ts';
import { LabWire, nameOf, reliableWire } from './lab-wire.ts';
import type { WireFaults } from './lab-wire.ts';
import { OfficeRules } from './office-rules.ts';

export interface LabOptions {
  readonly members: number;
  readonly config?: HostConfig;
  readonly world?: Partial<WorldSettings>;
  readonly wire?: WireFaults;
  /** Entries after which the state machine is flushed. Default 1. */
  readonly flushEvery?: number;
}

/** The thresholds that many scenarios share, from the catalogue's section 1.0. */
export const labLimits = {
  /** A new leader after a failure. */
  leaderMs: 5_000,
  /** From the first submit to the last of the members that must have it, however often it is submitted. */
  agreeMs: 10_000,
  /** An accepted submit has this long to come to all members before it is submitted anew. */
  submitMs: 2_000,
  /** How long the harness looks for something that must not happen. */
  nothingMs: 2_000,
} as const;

/** A submit is not proposed anew by the host after this: the courses' `Start` tries once. */
const startTimeoutMs = 50;
const port = 2380;
/** Small, so that runs do not spend their time on preallocated space. */
const segmentBytes = 64 * 1024;

export interface LabMember {
  readonly id: NodeId;
  readonly node: SimNode;
  /** What the state machine has on this member's disk. */
  readonly image: ListImage;
  connected: boolean;
  /** Of the present life; null while it is down or starting. */
  host: Host | null;
  group: Group<ListResult> | null;
  machine: ListMachine | null;
}

/** Ends a scenario whose run has failed already. */
export class LabStopped extends Error {}

/**
 * A cluster of whole hosts in the vocabulary of the courses' harnesses: over simulated sockets, disks and clocks, with
 * real frames. Scripts are plain synchronous code; time passes in {@link Lab.sleep}, {@link Lab.until} and what uses
 * them.
 *
 * Our leaders append a no-op when they are elected, and the courses' do not. So a command's *place* is counted among
 * commands, as a client counts: 1 is the first command that was ever applied. Where a test of the courses says «index
 * 4», its scenario here says «place 4».
 *
 * Always checked, whatever the script does: each applied index is the previous one plus 1; an index has the same
 * command, and the same state after it, on every member; nothing that was acknowledged is lost or applied twice; one
 * leader a term; one vote a term.
 *
 * @example
 * const lab = new Lab(tape, { members: 3 });
 * lab.boot();
 * const leader = lab.leader();
 * lab.cut(leader);
 * lab.agree(2);
 */
export class Lab {
  readonly world: World;
  readonly tape: Tape;
  readonly wire: LabWire;
  readonly members: readonly LabMember[];
  readonly history = new HostHistory();
  readonly rules: OfficeRules;
  readonly #options: LabOptions;
  readonly #cutLinks = new Set<string>();
  readonly #measures = new Map<string, Measure>();
  /** Where each command was applied, once it was: among commands, and in the log. */
  readonly #places = new Map<number, { readonly place: number; readonly index: number }>();
  #placed = 0;
  #nextValue = 1;

  constructor(tape: Tape, options: LabOptions) {
    this.tape = tape;
    this.#options = options;
    this.world = new World({ tape, ...(options.world === undefined ? {} : { settings: options.world }) });
    this.world.network.declareFrames(port, peerFrames);
    this.wire = new LabWire(tape);
    this.wire.faults = options.wire ?? reliableWire;
    this.rules = new OfficeRules(this.world, this.wire);
    this.members = Array.from({ length: options.members }, (_, i) => this.#createMember((i + 1) as NodeId));
  }

  get now(): number {
    return this.world.now;
  }

  /** Starts every member, and waits for the first leader. */
  boot(): LabMember {
    for (const { node } of this.members) node.start();
    return this.leader();
  }

  // Time.

  sleep(durationMs: number): void {
    this.world.run(durationMs);
    this.#stopIfFailed();
  }

  /** Whether it came true in time. */
  until(durationMs: number, condition: () => boolean): boolean {
    if (condition()) return true;
    this.world.run(durationMs, condition);
    this.#stopIfFailed();
    return condition();
  }

  /** Waits, and measures how long. Fails when it lasts longer than `limitMs`. */
  within(what: string, limitMs: number, condition: () => boolean): number {
    const begin = this.now;
    if (!this.until(limitMs, condition)) {
      this.fail(`${what}: not within ${limitMs} ms; ${this.describe()}`);
    }
    this.measure(what, this.now - begin, limitMs, 'ms');
    return this.now - begin;
  }

  /** A whole number in [0, bound). */
  draw(bound: number, label: string): number {
    return this.tape.choose(bound, label);
  }

  pick<T>(list: readonly T[], label: string): T {
    return list[this.draw(list.length, label)] as T;
  }

  // Faults.

  cut(member: LabMember): void {
    member.connected = false;
    this.#setLinks();
  }

  connect(member: LabMember): void {
    member.connected = true;
    this.#setLinks();
  }

  /** Cuts and mends single directions. `carries` says which of them do. */
  shape(carries: (from: LabMember, to: LabMember) => boolean): void {
    this.#setLinks(carries);
  }

  crash(member: LabMember, unreachable = false): void {
    if (!member.node.running) return;
    const lost = member.node.crash({ unreachable });
    this.world.fault('crash', `crash ${member.node.name}: ${lost}`);
    Object.assign(member, { host: null, group: null, machine: null });
  }

  restart(member: LabMember): void {
    member.node.start();
  }

  /** Everything as it should be: all members run, all links carry. */
  heal(): void {
    for (const member of this.members) {
      member.connected = true;
      member.node.disk.healed();
      member.node.resume();
      member.node.start();
    }
    this.#setLinks();
  }

  // Leaders.

  get running(): readonly LabMember[] {
    return this.members.filter((member) => member.node.running && member.group !== null);
  }

  get connected(): readonly LabMember[] {
    return this.running.filter((member) => member.connected);
  }

  status(member: LabMember): GroupStatus | null {
    return member.node.running ? (member.group?.status() ?? null) : null;
  }

  leads(member: LabMember): boolean {
    return this.status(member)?.role === 'leader';
  }

  /** The connected member that leads in the highest term, or null. */
  findLeader(): LabMember | null {
    let found: LabMember | null = null;
    for (const member of this.members) {
      if (!member.connected || !this.leads(member)) continue;
      if (found === null || this.termOf(member) > this.termOf(found)) found = member;
    }
    return found;
  }

  /** `checkOneLeader`: one among those who are connected, within five seconds. Two in one term fail at any time. */
  leader(): LabMember {
    this.within('leader', labLimits.leaderMs, () => this.findLeader() !== null);
    return this.findLeader() as LabMember;
  }

  /** Waits until every connected member knows one leader, and its term. */
  settledLeader(limitMs: number = labLimits.leaderMs): LabMember {
    this.within('leader known everywhere', limitMs, () => this.isSettled());
    return this.findLeader() as LabMember;
  }

  isSettled(): boolean {
    const leader = this.findLeader();
    if (leader === null) return false;
    const term = this.termOf(leader);
    return this.members.every((member) => {
      if (!member.connected || !member.node.running) return true;
      const status = this.status(member);
      return status !== null && status.leader === leader.id && status.term === term;
    });
  }

  /** `checkNoLeader`: nobody who is connected leads. */
  noLeader(): void {
    const leader = this.findLeader();
    if (leader !== null) this.fail(`${leader.node.name} leads without a quorum; ${this.describe()}`);
  }

  termOf(member: LabMember): number {
    return this.status(member)?.term ?? 0;
  }

  /** What the member's log holds: live bytes on its disk, and entries after its snapshot. */
  logState(member: LabMember): { readonly bytes: number; readonly entries: number; readonly first: number } {
    const { host, group } = member;
    if (host === null || group === null) return { bytes: 0, entries: 0, first: 0 };
    const { firstIndex, lastIndex } = (group as HostedGroup<ListResult>).view;
    return { bytes: host.status().log.liveBytes, entries: lastIndex - firstIndex + 1, first: firstIndex };
  }

  // Commands.

  /** `Start`: submits a new command at a member that believes to lead; null: it does not. Says nothing of the outcome. */
  start(member: LabMember, sizeBytes = 4): number | null {
    const { group } = member;
    if (group === null || !this.leads(member)) return null;
    const value = this.nextValue();
    this.propose(member, value, startTimeoutMs, sizeBytes).catch(() => undefined);
    return value;
  }

  nextValue(): number {
    const value = this.#nextValue;
    this.#nextValue += 1;
    return value;
  }

  /** As a client does: at any member, with an answer that is judged. */
  propose(member: LabMember, value: number, timeoutMs: number, sizeBytes = 4): Promise<ListResult> {
    const { group } = member;
    if (group === null) return Promise.reject(new LabStopped('the member does not run'));
    const before = this.history.completedCount;
    return group.propose(appendCommand(value, sizeBytes), { timeoutMs }).then(
      (result) => {
        this.#judge(() => this.history.appendAcknowledged(value, result, before));
        return result;
      },
      (error: unknown) => {
        this.#judge(() => this.#proposalFailed(value, error));
        throw error;
      },
    );
  }

  /** How many members that run have applied the command. */
  holders(value: number): number {
    const place = this.#places.get(value)?.place;
    if (place === undefined) return 0;
    let count = 0;
    for (const { node, machine } of this.members) {
      if (node.running && machine !== null && machine.values.length >= place) count += 1;
    }
    return count;
  }

  /** The place of a command among commands; null: nobody has applied it. */
  placeOf(value: number): number | null {
    return this.#places.get(value)?.place ?? null;
  }

  indexOf(value: number): number | null {
    return this.#places.get(value)?.index ?? null;
  }

  /**
   * `one`: a command is submitted until `members` of them have applied it, within ten seconds; without `retry` the
   * first accepted submit must do. Answers its place.
   */
  agree(members: number, options: { readonly retry?: boolean; readonly sizeBytes?: number } = {}): number {
    const begin = this.now;
    const left = (): number => begin + labLimits.agreeMs - this.now;
    while (left() > 0) {
      let value: number | null = null;
      const accepted = (): boolean => {
        if (value !== null) return true;
        for (const member of this.members) {
          if (member.connected) value ??= this.start(member, options.sizeBytes);
        }
        return value !== null;
      };
      if (!this.until(left(), accepted)) break;
      const done = (): boolean => this.holders(value as number) >= members;
      if (this.until(Math.min(labLimits.submitMs, left()), done)) {
        this.measure(`agreement of ${members}`, this.now - begin, labLimits.agreeMs, 'ms');
        return this.placeOf(value as unknown as number) ?? 0;
      }
      if (options.retry === false) break;
    }
    return this.fail(
      `no agreement of ${members} within ${Math.round(this.now - begin)} ms; ${this.describe()}`,
    );
  }

  /** Nobody has applied any of these, and nobody does for two seconds. */
  staysUncommitted(values: readonly (number | null)[]): void {
    this.sleep(labLimits.nothingMs);
    for (const value of values) {
      if (value !== null && this.placeOf(value) !== null)
        this.fail(`command ${value} is committed by a minority`);
    }
  }

  // Judgement.

  /** Keeps the worst value of its kind; one over the limit fails the run. */
  measure(what: string, value: number, limit: number, unit: string): void {
    this.note(what, value, limit, unit);
    this.#stopIfFailed();
  }

  /** The same from within an event: the run ends after it. */
  note(what: string, value: number, limit: number, unit: string): void {
    const worst = this.#measures.get(what);
    if (worst === undefined || value > worst.value) this.#measures.set(what, { what, value, limit, unit });
    if (value <= limit) return;
    this.world.violate(
      'threshold',
      `${what}: ${value} ${unit}, at most ${limit} allowed; ${this.describe()}`,
    );
  }

  expect(fine: boolean, message: string): void {
    if (!fine) this.fail(`${message}; ${this.describe()}`);
  }

  fail(message: string): never {
    this.world.violate('threshold', message);
    throw new LabStopped(message);
  }

  /** Every acknowledged command is where its answer said, on a member that has everything. */
  finish(): void {
    this.agree(this.members.length);
    // What clients still had on the way may come after it.
    this.within('equal states', labLimits.agreeMs, () =>
      this.members.every(({ machine }) => machine?.values.length === this.history.count),
    );
    const { machine } = this.members[0] as LabMember;
    if (machine !== null) this.#judge(() => this.history.finish(machine));
    this.#stopIfFailed();
  }

  describe(): string {
    return this.members
      .map((member) => {
        const status = this.status(member);
        return (
          `${member.node.name}${member.connected ? '' : ' (cut)'}: ` +
          (status === null
            ? 'down'
            : `${status.role} term ${status.term} leader ${status.leader} commit ${status.commit} ` +
              `applied ${status.applied} last ${status.lastIndex}`)
        );
      })
      .join('; ');
  }

  result(): LabResult {
    return { ...resultOf(this.world), measures: [...this.#measures.values()] };
  }

  #stopIfFailed(): void {
    const { violation } = this.world;
    if (violation !== null) throw new LabStopped(violation.message);
  }

  #setLinks(carries: (from: LabMember, to: LabMember) => boolean = () => true): void {
    const { links } = this.world.network;
    for (const from of this.members) {
      for (const to of this.members) {
        if (from === to) continue;
        const key = `${from.id} ${to.id}`;
        const cut = !from.connected || !to.connected || !carries(from, to);
        if (cut === this.#cutLinks.has(key)) continue;
        if (cut) {
          this.#cutLinks.add(key);
          links.cut(from.node, to.node);
        } else {
          this.#cutLinks.delete(key);
          links.restore(from.node, to.node);
        }
      }
    }
  }

  #createMember(id: NodeId): LabMember {
    const member: LabMember = {
      id,
      node: this.world.addNode(nameOf(id), (platform) => this.#main(member, platform)),
      image: new ListImage(),
      connected: true,
      host: null,
      group: null,
      machine: null,
    };
    member.node.onStopped = () => Object.assign(member, { host: null, group: null, machine: null });
    return member;
  }

  async #main(member: LabMember, platform: Platform): Promise<void> {
    Object.assign(member, { host: null, group: null, machine: null });
    const ids = Array.from({ length: this.#options.members }, (_, i) => (i + 1) as NodeId);
    const machine = this.#createMachine(member, platform);
    const host = await createHost({
      platform,
      nodeId: member.id,
      clusterId: 7n,
      directory: 'data',
      peers: new Map(ids.map((id) => [id, { host: nameOf(id), port }])),
      listen: { host: '0.0.0.0', port },
      transport: this.wire.transport,
      config: { logLimits: { segmentBytes }, ...this.#options.config },
    });
    host.onFatal((error) => platform.spawn('fatal', () => Promise.reject(error)));
    const group = await host.openGroup({
      id: 0,
      stateMachine: machine,
      initialConfiguration: configurationOf(ids),
    });
    this.rules.watch(member.id, group);
    Object.assign(member, { host, group, machine });
  }

  #createMachine(member: LabMember, platform: Platform): ListMachine {
    return new ListMachine(member.image, {
      flushEvery: this.#options.flushEvery ?? 1,
      chunkValues: 64,
      later: (call) => void platform.timer(1, 'machine disk', call),
      onApplied: (machine) => this.#judge(() => this.#applied(member, machine)),
    });
  }

  #applied(member: LabMember, machine: ListMachine): void {
    this.history.applied(member.node.name, machine);
    while (this.#placed < machine.values.length) {
      const value = machine.values[this.#placed] as number;
      this.#placed += 1;
      this.#places.set(value, { place: this.#placed, index: machine.applied.index });
    }
  }

  #proposalFailed(value: number, error: unknown): void {
    if (!isFlotillaError(error)) throw error;
    switch (error.code) {
      case 'FLOTILLA_NO_LEADER':
      case 'FLOTILLA_TOO_MANY_PROPOSALS':
        this.history.appendRefused(value);
        return;
      case 'FLOTILLA_PROPOSAL_TIMEOUT':
      case 'FLOTILLA_PROPOSAL_UNKNOWN':
      case 'FLOTILLA_STOPPED':
        this.history.appendUnknown();
        return;
      default:
        throw error;
    }
  }

  #judge(check: () => void): void {
    try {
      check();
    } catch (error) {
      const code = error instanceof FlotillaError ? error.code : 'FLOTILLA_ASSERTION';
      this.world.violate(code, error instanceof Error ? error.message : String(error));
    }
  }
}
