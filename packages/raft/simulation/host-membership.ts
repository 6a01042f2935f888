import { isFlotillaError } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import { calmSettings, generatedTape, Nemesis, resultOf, runScenario, World } from '@flotilla/sim';
import type { RunResult, Scenario, SimNode, Tape } from '@flotilla/sim';
import { configurationOf, emptyConfiguration } from '../src/core/configuration.ts';
import { isJoint } from '../src/core/membership.ts';
import { isSingleVoter, membersOf } from '../src/core/quorum.ts';
import type { NodeId } from '../src/core/types.ts';
import { createHost } from '../src/host/host.ts';
import { memberLives } from '../src/host/member-life.ts';
import type { Group, Host } from '../src/host/types.ts';
import { HostHistory } from './host-history.ts';
import { appendCommand, ListImage, ListMachine } from './host-machine.ts';
import type { ListResult } from './host-machine.ts';
import { drawHostSettings, pick } from './host-settings.ts';
import type { HostRunSettings } from './host-settings.ts';
import { MembershipOperator } from './membership-operator.ts';
import { describe, MembershipTruth, violation } from './membership-truth.ts';

/**
 * Whole hosts whose group changes all the while: members are added, promoted, demoted, removed and replaced, leadership
 * is handed around, disks stall, and members lose all their data and come back, under their old id and under a new one.
 * Clients append and read meanwhile. In the end those that are members agree and serve, and those that are not know it.
 */
export const membershipScenario: Scenario = {
  name: 'host-membership',
  run: (tape) => new MembershipSimulation(tape).run(),
};

/** The scenario of the mutations of membership in hosts. */
export async function run(
  seed: number,
): Promise<{ readonly violation: null | { readonly invariant: string; readonly message: string } }> {
  const { violation: found } = await runScenario(membershipScenario, generatedTape(seed));
  return { violation: found === null ? null : { invariant: found.name, message: found.message } };
}

const port = 2380;
/** After the faults: time for every election, snapshot and retry that they may have left behind. */
const healMs = 60_000;
/** Ids that may join, beside those that begin. */
const newcomers = 6;
const watchMs = 50;
/** How members end that have lost their data, or that were told to. */
const expectedEnds: ReadonlySet<string> = new Set([
  'FLOTILLA_PEER_OTHER_INSTANCE',
  'FLOTILLA_LOG_MISSING',
  'FLOTILLA_STOPPED',
]);

export interface StormMember {
  readonly id: NodeId;
  readonly node: SimNode;
  image: ListImage;
  /** It began the group, or was told to join. */
  deployed: boolean;
  /** Numbers its data; one that has lost its data has another. */
  instance: bigint;
  /** Its data is gone: what it does under its old id must count for nothing. */
  wiped: boolean;
  knowsThatRemoved: boolean;
  /** When last looked at it led a group that has removed it. */
  ledRemoved: boolean;
  /** When it was first seen to lead with a stalled disk; -1: it does not. */
  leadsStalledMs: number;
  /** Of the present life; null while it is down or starting. */
  host: Host | null;
  group: Group<ListResult> | null;
  machine: ListMachine | null;
}

export class MembershipSimulation {
  readonly world: World;
  readonly settings: HostRunSettings;
  readonly truth: MembershipTruth;
  readonly members: StormMember[] = [];
  readonly #history = new HostHistory();
  readonly #genesis: readonly NodeId[];
  readonly #operator: MembershipOperator;
  /** By which data each member is known: replicated state, in a real cluster. */
  readonly #instances = new Map<NodeId, bigint>();
  #nextValue = 1;
  #clientsRun = true;

  constructor(tape: Tape) {
    this.settings = drawHostSettings(tape);
    this.world = new World({ tape, settings: this.settings.world });
    const { stopsNode } = this.world;
    this.world.stopsNode = (node, error) =>
      stopsNode(node, error) || (isFlotillaError(error) && expectedEnds.has(error.code));
    const size = pick(tape, 'members at the beginning', [3, 1, 2, 5]);
    this.#genesis = Array.from({ length: size }, (_, i) => (i + 1) as NodeId);
    this.truth = new MembershipTruth(configurationOf(this.#genesis));
    for (let id = 1; id <= size + newcomers; id += 1) this.#addMember(id as NodeId, id <= size);
    this.#operator = new MembershipOperator(this);
  }

  run(): RunResult {
    const { world, settings } = this;
    const nemesis = new Nemesis({
      world,
      victims: this.members.map((member) => member.node),
      mix: settings.mix,
      intervalMinMs: settings.faultIntervalMs[0],
      intervalMaxMs: settings.faultIntervalMs[1],
      durationMinMs: settings.faultDurationMs[0],
      durationMaxMs: settings.faultDurationMs[1],
      favourite: () => this.leader()?.node ?? null,
    });
    for (const { node } of this.members) node.start();
    for (let client = 0; client < settings.clients; client += 1) this.#think();
    this.#operator.start();
    this.#watch();
    nemesis.start();
    world.run(settings.faultyMs);
    nemesis.heal();
    world.settings = { ...world.settings, ...calmSettings };
    this.#clientsRun = false;
    this.#operator.stop();
    if (world.violation === null) this.#converge();
    const result = this.#result();
    world.end();
    return result;
  }

  /** Tells a stranger that it is to be a member: it starts with nothing, and waits to be brought in. */
  deploy(member: StormMember): void {
    member.deployed = true;
    member.node.crash();
    member.node.start();
  }

  /** A disk burns, and the process comes back under its old name: without anything, or without its log. */
  wipe(member: StormMember): void {
    member.node.crash();
    const logOnly = this.world.tape.chance(1, 2, 'the state is left');
    if (!logOnly) member.image = new ListImage();
    member.instance += 100n;
    // One that never came so far as to open its log had nothing to lose, and nobody knows it by its former data.
    member.wiped = this.#instances.has(member.id);
    const what = logOnly ? 'its log' : 'its data';
    this.world.fault(`lost ${what}`, `${member.node.name} comes back without ${what}`);
    this.world.after(50, () => member.node.start());
  }

  leader(): StormMember | null {
    let found: StormMember | null = null;
    for (const member of this.members) {
      if (!member.node.running || member.group === null) continue;
      const status = member.group.status();
      if (status.role === 'leader' && status.term >= (found?.group?.status().term ?? 0)) found = member;
    }
    return found;
  }

  judge(check: () => void): void {
    try {
      check();
    } catch (error) {
      const code = isFlotillaError(error) ? error.code : 'FLOTILLA_ASSERTION';
      this.world.violate(code, error instanceof Error ? error.message : String(error));
    }
  }

  #addMember(id: NodeId, deployed: boolean): void {
    const member: StormMember = {
      id,
      node: this.world.addNode(`n${id}`, (platform) => this.#main(member, platform)),
      image: new ListImage(),
      deployed,
      instance: BigInt(id),
      wiped: false,
      knowsThatRemoved: false,
      ledRemoved: false,
      leadsStalledMs: -1,
      host: null,
      group: null,
      machine: null,
    };
    this.members.push(member);
    if (deployed) this.#instances.set(id, member.instance);
  }

  async #main(member: StormMember, platform: Platform): Promise<void> {
    this.#count(member);
    Object.assign(member, { host: null, group: null, machine: null, leadsStalledMs: -1 });
    if (!member.deployed) return;
    const { id, instance } = member;
    // Who was alone at the beginning, and has lost everything, must not begin another group.
    const began = this.#genesis.includes(id) && !(member.wiped && this.#genesis.length === 1);
    const machine = this.#machine(member, platform);
    const host = await createHost({
      platform,
      nodeId: id,
      clusterId: 7n,
      directory: `data-${instance}`,
      peers: this.#peersOf(member),
      listen: { host: '0.0.0.0', port },
      instance,
      instanceOf: (peer) => this.#instances.get(peer) ?? null,
      config: { ...this.settings.config, priority: pick(this.world.tape, 'priority', [100, 50, 200]) },
    });
    host.onFatal((error) => {
      const closes = this.world.tape.chance(1, 4, 'close a failed host');
      platform.spawn('fatal', async () => {
        if (closes) await host.close();
        throw error;
      });
    });
    const group = await host.openGroup({
      id: 0,
      stateMachine: machine,
      initialConfiguration: began ? configurationOf(this.#genesis) : emptyConfiguration,
    });
    group.onRemoved(() => {
      member.knowsThatRemoved = true;
    });
    Object.assign(member, { host, group, machine });
    if (!this.#instances.has(id)) this.#instances.set(id, instance);
    this.#meetAgain(member, platform);
  }

  /** A member is told at its start of all that there are; later ones it learns from the entries that add them. */
  #peersOf(member: StormMember): Map<NodeId, { host: string; port: number }> {
    const peers = this.members.filter(({ id, deployed }) => deployed || id === member.id);
    return new Map(peers.map(({ id, node }) => [id, { host: node.name, port }]));
  }

  #machine(member: StormMember, platform: Platform): ListMachine {
    const { flushEvery, flushMaxMs, chunkValues } = this.settings;
    const random = platform.random.fork('machine');
    return new ListMachine(member.image, {
      flushEvery,
      chunkValues,
      later: (call) => {
        platform.timer(random.float() * (this.#clientsRun ? flushMaxMs : 1), 'machine disk', call);
      },
      onApplied: (machine) => {
        this.judge(() => {
          if (member.wiped) throw violation('H12', `${member.node.name} takes part without its data`);
          this.#history.applied(member.node.name, machine);
        });
      },
      onMembership: (index, change) => {
        this.judge(() => this.truth.applied(index, change));
        platform.defer(() => this.#meet(member));
      },
    });
  }

  /** Peers come and go with the configuration, as a program does it that reads their addresses from the entries. */
  #meet({ id, host, group }: StormMember): void {
    if (host === null || group === null) return;
    const { configuration } = group.status();
    for (const peer of membersOf(configuration)) {
      const { node } = this.#member(peer);
      if (peer !== id) host.setPeer(peer, { host: node.name, port });
    }
    for (const peer of configuration.removed) {
      if (this.world.tape.chance(1, 2, 'hang up on a removed member')) host.removePeer(peer);
    }
  }

  /** A snapshot brings members, too. */
  #meetAgain(member: StormMember, platform: Platform): void {
    platform.timer(200, 'meet', () => {
      if (member.host?.status().failure !== null) return;
      this.#meet(member);
      this.#meetAgain(member, platform);
    });
  }

  #member(id: NodeId): StormMember {
    return this.members[id - 1] as StormMember;
  }

  /** Looks at what hosts say of themselves, again and again. */
  #watch(): void {
    for (const member of this.members) this.judge(() => this.#look(member));
    this.world.after(watchMs, () => this.#watch());
  }

  #look(member: StormMember): void {
    const { node, group, host, machine } = member;
    if (!node.running || node.paused || group === null || host === null || machine === null) return;
    const status = group.status();
    const { voters, learners } = status.configuration;
    // The core applies whole batches, and has a configuration only from its first snapshot on.
    if (voters.length + learners.length > 0 && host.status().failure === null) {
      const { applied, configuration } = (group as unknown as { readonly view: typeof status }).view;
      this.truth.told(node.name, applied, configuration);
    }
    // It may win an election that was under way, and resigns with its next turn.
    const leadsRemoved = status.life === 'removed' && status.role === 'leader';
    if (leadsRemoved && member.ledRemoved)
      throw violation('H11', `${node.name} leads a group that has removed it`);
    member.ledRemoved = leadsRemoved;
    this.#lookAtDisk(member, status.role === 'leader' && status.diskStalled);
  }

  #lookAtDisk(member: StormMember, leadsStalled: boolean): void {
    const configuration = member.group?.status().configuration;
    if (!leadsStalled || configuration === undefined || isSingleVoter(configuration)) {
      member.leadsStalledMs = -1;
      return;
    }
    if (member.leadsStalledMs < 0) member.leadsStalledMs = this.world.now;
    const heldMs = this.world.now - member.leadsStalledMs;
    this.world.coverage.count('led with a stalled disk');
    if (heldMs > 3 * (this.settings.config.electionMs ?? 1000)) {
      throw violation('H13', `${member.node.name} has led for ${heldMs} ms with a stalled disk`);
    }
  }

  // Clients.

  #think(): void {
    const thinkMs = (this.settings.thinkMaxMs * (64 - this.world.tape.choose(64, 'think time'))) / 64;
    this.world.after(thinkMs, () => {
      if (!this.#clientsRun) return;
      const candidates = this.members.filter(({ deployed }) => deployed);
      const member = candidates[this.world.tape.choose(candidates.length, 'member to ask')] as StormMember;
      const { life } = member.node;
      if (life === null || member.group === null || member.host?.status().failure !== null) {
        this.#think();
        return;
      }
      let over = false;
      const done = (): void => {
        if (!over) this.#think();
        over = true;
      };
      this.world.after(0, () => this.#operate(member, done), life);
      this.world.after(2 * this.settings.timeoutMs, done);
    });
  }

  #operate(member: StormMember, done: () => void): void {
    const reads = this.world.tape.choose(10, 'read or append') < this.settings.readShare;
    const operation = reads ? this.#read(member) : this.#append(member, this.settings.timeoutMs);
    operation.then(done, done);
  }

  #append(member: StormMember, timeoutMs: number): Promise<boolean> {
    const { group } = member;
    if (group === null) return Promise.resolve(false);
    const value = this.#nextValue;
    this.#nextValue += 1;
    const before = this.#history.completedCount;
    return group.propose(appendCommand(value), { timeoutMs }).then(
      (result) => {
        this.judge(() => this.#history.appendAcknowledged(value, result, before));
        return true;
      },
      (error: unknown) => {
        this.judge(() => this.#appendFailed(value, error));
        return false;
      },
    );
  }

  #appendFailed(value: number, error: unknown): void {
    if (!isFlotillaError(error)) throw error;
    this.world.coverage.count(`append: ${error.code}`);
    // Whoever is removed cannot tell what has become of what it proposed.
    if (error.code === 'FLOTILLA_PEER_REMOVED') this.#history.appendUnknown();
    else this.#history.appendFailed(value, error);
  }

  #read(member: StormMember): Promise<void> {
    const { group, machine } = member;
    if (group === null || machine === null) return Promise.resolve();
    const before = this.#history.completedCount;
    return group.readBarrier({ timeoutMs: this.settings.timeoutMs }).then(
      () => this.judge(() => this.#history.readCompleted(machine.values.length, machine.hash, before)),
      (error: unknown) => {
        if (isFlotillaError(error)) this.world.coverage.count(`read: ${error.code}`);
      },
    );
  }

  // The end.

  /** Everything is mended: the members agree and serve, and whoever was removed knows it. */
  #converge(): void {
    const { world } = this;
    const served = new Set<NodeId>();
    for (const member of this.members) this.#finish(member, served);
    const over = (): boolean =>
      this.#agree() && this.#removedKnow() && this.#present().every(({ id }) => served.has(id));
    world.run(2 * healMs, over);
    if (world.violation !== null) return;
    if (!over()) {
      world.violate('no-convergence', this.#describe());
      return;
    }
    this.#closeAll();
    const machine = this.#present()[0]?.machine ?? null;
    if (machine !== null) this.judge(() => this.#history.finish(machine));
  }

  #closeAll(): void {
    const { world } = this;
    const closing: { readonly node: SimNode; readonly life: SimNode['life']; over: boolean }[] = [];
    for (const { host, node } of this.members) {
      const { life } = node;
      if (host === null || life === null) continue;
      const one = { node, life, over: false };
      closing.push(one);
      world.after(0, () => void host.close().then(() => Object.assign(one, { over: true })), life);
    }
    // A fault that was armed before may still end a life.
    const open = (): readonly string[] =>
      closing.filter(({ node, life, over }) => !over && node.life === life).map(({ node }) => node.name);
    world.run(healMs, () => open().length === 0);
    if (open().length > 0) world.violate('no-end', `closed hosts hold on: ${open().join(' ')}`);
  }

  /** Those that the group counts on, and that have their data. */
  #present(): readonly StormMember[] {
    return membersOf(this.truth.latest)
      .map((id) => this.#member(id))
      .filter(({ wiped }) => !wiped);
  }

  #finish(member: StormMember, served: Set<NodeId>): void {
    const { life } = member.node;
    if (served.has(member.id)) return;
    const again = (): void => this.#finish(member, served);
    if (life === null || member.group === null || !this.#present().includes(member)) {
      this.world.after(500, again);
      return;
    }
    this.world.after(
      0,
      () => {
        void this.#append(member, 5_000).then((done) => {
          if (done) served.add(member.id);
        });
      },
      life,
    );
    this.world.after(5_500, again);
  }

  #agree(): boolean {
    const present = this.#present();
    const leader = this.leader();
    if (leader === null || isJoint(this.truth.latest) || !this.truth.latest.voters.includes(leader.id)) {
      return false;
    }
    const { machine } = leader;
    if (machine === null || machine.values.length < this.#history.count) return false;
    return present.every(
      ({ node, group, machine: own }) =>
        node.running &&
        group?.status().life === 'serving' &&
        own?.applied.index === machine.applied.index &&
        own.hash === machine.hash,
    );
  }

  #removedKnow(): boolean {
    return this.truth.latest.removed.every((id) => {
      const { wiped, knowsThatRemoved } = this.#member(id);
      return wiped || knowsThatRemoved;
    });
  }

  #describe(): string {
    const members = this.members
      .filter(({ deployed }) => deployed)
      .map(({ node, group, machine, wiped }) => {
        const status = group?.status();
        return (
          `${node.name}: ${node.running ? (status?.role ?? 'starting') : 'down'} ${status?.life ?? ''} ` +
          `term ${status?.term ?? '-'} leader ${status?.leader ?? '-'} commit ${status?.commit ?? '-'} ` +
          `applied ${machine?.applied.index ?? '-'} last ${status?.lastIndex ?? '-'}${wiped ? ' wiped' : ''}`
        );
      });
    return `${describe(this.truth.latest)} removed (${this.truth.latest.removed.join(' ')}); ${members.join('; ')}`;
  }

  #count({ host }: StormMember): void {
    if (host === null) return;
    const { coverage } = this.world;
    coverage.count('proposals repeated', host.metrics.proposalsRepeated);
    coverage.count('snapshots received', host.metrics.snapshotsReceived);
    coverage.count('compactions', host.metrics.compactions);
    coverage.count('disk stalls noticed', host.metrics.diskStalls);
  }

  #result(): RunResult {
    const { world } = this;
    const { coverage } = world;
    this.#history.countInto(coverage);
    coverage.count('membership changes', this.truth.changes);
    for (const member of this.members) this.#count(member);
    for (const { from, event, count } of memberLives.coverage()) coverage.count(`${from} ${event}`, count);
    memberLives.resetCoverage();
    return resultOf(world);
  }
}
