import { configurationOf } from '../src/core/configuration.ts';
import { FlotillaError, isFlotillaError } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import { calmSettings, generatedTape, Nemesis, resultOf, runScenario, World } from '@flotilla/sim';
import type { RunResult, Scenario, SimNode, Tape } from '@flotilla/sim';
import type { NodeId } from '../src/core/types.ts';
import { createHost } from '../src/host/host.ts';
import type { Host } from '../src/host/types.ts';
import type { Group } from '../src/host/types.ts';
import { HostHistory } from './host-history.ts';
import { appendCommand, ListImage, ListMachine } from './host-machine.ts';
import type { ListResult } from './host-machine.ts';
import { damagingTransport } from './damaging-transport.ts';
import { drawHostSettings } from './host-settings.ts';
import { LeaderHunt } from './leader-hunt.ts';
import type { HostRunSettings } from './host-settings.ts';

/**
 * Whole hosts, over simulated sockets, disks and clocks, replicate a list while everything breaks. Then all is mended,
 * and the members must agree, serve, and have kept every acknowledged append exactly once.
 */
export const hostScenario: Scenario = { name: 'host', run: (tape) => new HostSimulation(tape).run() };

/** The scenario of the host's mutations. */
export async function run(
  seed: number,
): Promise<{ readonly violation: null | { readonly invariant: string; readonly message: string } }> {
  const { violation } = await runScenario(hostScenario, generatedTape(seed));
  return { violation: violation === null ? null : { invariant: violation.name, message: violation.message } };
}

const port = 2380;
/** After the faults: time for every election, snapshot and retry that they may have left behind. */
const healMs = 60_000;

interface Member {
  readonly id: NodeId;
  readonly node: SimNode;
  /** What the state machine has on this member's disk. */
  readonly image: ListImage;
  /** The disk held a half-installed snapshot at some start, and no whole state since. */
  stateLost: boolean;
  /** Of the present life; null while it is down or starting. */
  host: Host | null;
  group: Group<ListResult> | null;
  machine: ListMachine | null;
}

/** The scenario {@link hostScenario}, with the settings that its tape draws or with others. */
export class HostSimulation {
  readonly #world: World;
  readonly #settings: HostRunSettings;
  readonly #history = new HostHistory();
  readonly #members: Member[] = [];
  #nextValue = 1;
  #clientsRun = true;

  constructor(tape: Tape, settings: HostRunSettings = drawHostSettings(tape)) {
    this.#settings = settings;
    this.#world = new World({ tape, settings: this.#settings.world });
    for (let id = 1; id <= this.#settings.members; id += 1) this.#addMember(id as NodeId);
  }

  run(): RunResult {
    const world = this.#world;
    const nemesis = new Nemesis({
      world,
      victims: this.#members.map((member) => member.node),
      mix: this.#settings.mix,
      intervalMinMs: this.#settings.faultIntervalMs[0],
      intervalMaxMs: this.#settings.faultIntervalMs[1],
      durationMinMs: this.#settings.faultDurationMs[0],
      durationMaxMs: this.#settings.faultDurationMs[1],
      favourite: () => this.#leader()?.node ?? null,
    });
    for (const { node } of this.#members) node.start();
    for (let client = 0; client < this.#settings.clients; client += 1) this.#think();
    nemesis.start();
    const hunt = this.#hunt();
    if (this.#settings.huntsLeaders) hunt.start();
    world.run(this.#settings.faultyMs);
    hunt.stop();
    nemesis.heal();
    // Raft promises progress only where messages take less time than elections.
    world.settings = { ...world.settings, ...calmSettings };
    this.#clientsRun = false;
    if (world.violation === null) this.#converge();
    const result = this.#result();
    world.end();
    return result;
  }

  #hunt(): LeaderHunt {
    const memberAt = (node: SimNode): Member | undefined =>
      this.#members.find((member) => member.node === node);
    const ended = (): void => undefined;
    return new LeaderHunt({
      world: this.#world,
      nodes: this.#members.map((member) => member.node),
      electionMs: this.#settings.config.electionMs ?? 1000,
      leader: () => this.#leader()?.node ?? null,
      read: (node) => {
        const member = memberAt(node);
        if (member !== undefined) this.#read(member).then(ended, ended);
      },
      handOver: (node) => {
        const member = memberAt(node);
        const hand = (): void => void (member && this.#transfer(member).then(ended, ended));
        this.#world.after(0, hand, node.life);
      },
    });
  }

  #addMember(id: NodeId): void {
    const member: Member = {
      id,
      node: this.#world.addNode(`n${id}`, (platform) => this.#main(member, platform)),
      image: new ListImage(),
      stateLost: false,
      host: null,
      group: null,
      machine: null,
    };
    this.#members.push(member);
  }

  async #main(member: Member, platform: Platform): Promise<void> {
    this.#count(member);
    Object.assign(member, { host: null, group: null, machine: null });
    const { image } = member;
    this.#maybeLoseState(member);
    if (image.applied.index > 0) member.stateLost = false;
    if (image.installing) member.stateLost = true;
    this.#world.sometimes('started with a half-installed snapshot', image.installing);
    const machine = this.#machine(member, platform);
    const peers = new Map(this.#members.map(({ id, node }) => [id, { host: node.name, port }]));
    const host = await createHost({
      platform,
      nodeId: member.id,
      clusterId: 7n,
      directory: 'data',
      peers,
      listen: { host: '0.0.0.0', port },
      transport: damagingTransport(this.#world, () => this.#damagePerMille),
      config: this.#settings.config,
    });
    host.onFatal((error) => platform.spawn('fatal', () => Promise.reject(error)));
    const group = await host.openGroup({
      id: 0,
      stateMachine: machine,
      initialConfiguration: configurationOf(this.#members.map(({ id }) => id)),
    });
    if (!group.status().stateReady && !member.stateLost) {
      throw new FlotillaError('FLOTILLA_LOG_COMPACTED_TOO_FAR', 'the log begins after the flushed state');
    }
    Object.assign(member, { host, group, machine });
  }

  /** Mended with everything else. */
  get #damagePerMille(): number {
    return this.#clientsRun ? this.#settings.damagePerMille : 0;
  }

  /** What a state machine had on its disk is gone, as after a replaced disk; its log, and with it its votes, are not. */
  #maybeLoseState({ id, image, node }: Member): void {
    const others = this.#members.filter((member) => member.id !== id);
    // Somebody must have it: one at a time.
    const safe = others.every((other) => !other.image.installing && other.image.applied.index > 0);
    if (!this.#settings.losesStates || !this.#clientsRun || !safe || image.applied.index === 0) return;
    if (!this.#world.tape.chance(1, 4, 'state lost')) return;
    // As a state machine that finds its state half-installed does: it has none.
    Object.assign(image, new ListImage(), { installing: true });
    this.#world.fault('state lost', `${node.name} starts without its state`);
  }

  #machine(member: Member, platform: Platform): ListMachine {
    const { flushEvery, flushMaxMs, chunkValues } = this.#settings;
    const random = platform.random.fork('machine');
    return new ListMachine(member.image, {
      flushEvery,
      chunkValues,
      later: (call) => {
        // Mended with everything else: a snapshot of many chunks would not be in before the end of the run.
        platform.timer(random.float() * (this.#clientsRun ? flushMaxMs : 1), 'machine disk', call);
      },
      onInstalled: () => this.#maybeCrash(member),
      onApplied: (machine) => this.#judge(() => this.#history.applied(member.node.name, machine)),
    });
  }

  /** The moment between an installed snapshot and its log record is too short for crashes that come by chance. */
  #maybeCrash({ node }: Member): void {
    const world = this.#world;
    if (!this.#clientsRun || !world.tape.chance(1, 4, 'crash after an installed snapshot')) return;
    const afterMs = world.tape.choose(8, 'how long after it') / 2;
    world.after(afterMs, () => {
      if (!node.running || !this.#clientsRun) return;
      const lost = node.crash();
      world.fault('crash after an installed snapshot', `crash ${node.name} after its snapshot: ${lost}`);
      world.after(50, () => node.start());
    });
  }

  /** A client waits, then does something at some member, and so on. */
  #think(): void {
    const thinkMs = (this.#settings.thinkMaxMs * (64 - this.#world.tape.choose(64, 'think time'))) / 64;
    this.#world.after(thinkMs, () => {
      if (!this.#clientsRun) return;
      const member = this.#members[this.#world.tape.choose(this.#members.length, 'member to ask')] as Member;
      const { life } = member.node;
      if (life === null || member.group === null || member.host?.status().failure !== null) {
        this.#think();
        return;
      }
      // The operation happens in the member's life, which may end before it does.
      let over = false;
      const done = (): void => {
        if (!over) this.#think();
        over = true;
      };
      this.#world.after(0, () => this.#operate(member, done), life);
      this.#world.after(2 * this.#settings.timeoutMs, done);
    });
  }

  #operate(member: Member, done: () => void): void {
    const { tape } = this.#world;
    const { transferPerMille } = this.#settings;
    if (transferPerMille > 0 && tape.chance(transferPerMille, 1000, 'transfer')) {
      this.#transfer(member).then(done, done);
      return;
    }
    const reads = tape.choose(10, 'read or append') < this.#settings.readShare;
    const operation = reads ? this.#read(member) : this.#append(member);
    operation.then(done, done);
  }

  #transfer({ group }: Member): Promise<void> {
    if (group === null) return Promise.resolve();
    const to = (1 + this.#world.tape.choose(this.#members.length, 'successor')) as NodeId;
    return group.transferLeadership(to, { timeoutMs: this.#settings.timeoutMs }).then(
      () => this.#world.coverage.count('transfers'),
      (error: unknown) => {
        if (!isFlotillaError(error)) throw error;
        this.#world.coverage.count(`transfer: ${error.code}`);
      },
    );
  }

  #append(member: Member): Promise<void> {
    const { group } = member;
    if (group === null) return Promise.resolve();
    const value = this.#nextValue;
    this.#nextValue += 1;
    const before = this.#history.completedCount;
    return group.propose(appendCommand(value), { timeoutMs: this.#settings.timeoutMs }).then(
      (result) => this.#judge(() => this.#history.appendAcknowledged(value, result, before)),
      (error: unknown) => this.#judge(() => this.#appendFailed(value, error)),
    );
  }

  #appendFailed(value: number, error: unknown): void {
    if (!isFlotillaError(error)) throw error;
    this.#world.coverage.count(`append: ${error.code}`);
    this.#history.appendFailed(value, error);
  }

  #read(member: Member): Promise<void> {
    const { group, machine } = member;
    if (group === null || machine === null) return Promise.resolve();
    const before = this.#history.completedCount;
    const { timeoutMs, readPolicy: policy } = this.#settings;
    return group.readBarrier({ timeoutMs, policy }).then(
      () => this.#judge(() => this.#history.readCompleted(machine.values.length, machine.hash, before)),
      (error: unknown) => {
        if (isFlotillaError(error)) this.#world.coverage.count(`read: ${error.code}`);
      },
    );
  }

  #judge(check: () => void): void {
    try {
      check();
    } catch (error) {
      const code = isFlotillaError(error) ? error.code : 'FLOTILLA_ASSERTION';
      this.#world.violate(code, error instanceof Error ? error.message : String(error));
    }
  }

  /** Everything is mended: one leader, equal states, and every member serves. */
  #converge(): void {
    const world = this.#world;
    const served = new Set<NodeId>();
    world.run(healMs, () => this.#members.every((member) => this.#ready(member)) && this.#agree());
    if (world.violation === null) {
      for (const member of this.#members) this.#finish(member, served, null);
      world.run(healMs, () => served.size === this.#members.length && this.#agree());
    }
    if (world.violation !== null) return;
    if (served.size < this.#members.length || !this.#agree()) {
      world.violate('no-convergence', this.#describe());
      return;
    }
    const { machine } = this.#members[0] as Member;
    if (machine !== null) this.#judge(() => this.#history.finish(machine));
  }

  /** Has the member serve once. A fault that was armed before may still end the life in which it was asked. */
  #finish(member: Member, served: Set<NodeId>, asked: SimNode['life']): void {
    if (served.has(member.id)) return;
    const { life } = member.node;
    const again = life !== asked && life !== null && member.group !== null;
    if (again) this.#world.after(0, () => this.#finalAppend(member, served), life);
    this.#world.after(500, () => this.#finish(member, served, again ? life : asked));
  }

  #finalAppend(member: Member, served: Set<NodeId>): void {
    const { group } = member;
    if (group === null) {
      // Its life has begun, and its host has not.
      this.#world.after(500, () => this.#finalAppend(member, served), member.node.life);
      return;
    }
    const value = this.#nextValue;
    this.#nextValue += 1;
    const before = this.#history.completedCount;
    group
      .propose(appendCommand(value), { timeoutMs: healMs })
      .then(async (result) => {
        this.#judge(() => this.#history.appendAcknowledged(value, result, before));
        await group.readBarrier({ timeoutMs: healMs });
        served.add(member.id);
      })
      .catch((error: unknown) => {
        this.#judge(() => this.#appendFailed(value, error));
        // The members may still be full of what clients left behind.
        this.#world.after(500, () => this.#finalAppend(member, served), member.node.life);
      });
  }

  #ready(member: Member): boolean {
    return member.node.running && member.group?.status().stateReady === true;
  }

  #agree(): boolean {
    const [first, ...others] = this.#members;
    const { machine } = first as Member;
    if (this.#leader() === null || machine === null || machine.values.length < this.#history.count)
      return false;
    return others.every(
      (other) =>
        other.machine?.applied.index === machine.applied.index && other.machine.hash === machine.hash,
    );
  }

  #leader(): Member | null {
    let found: Member | null = null;
    for (const member of this.#members) {
      if (!member.node.running || member.group === null) continue;
      const status = member.group.status();
      if (status.role === 'leader' && status.term >= (found?.group?.status().term ?? 0)) found = member;
    }
    return found;
  }

  #describe(): string {
    return this.#members
      .map(({ node, group, machine }) => {
        const status = group?.status();
        return (
          `${node.name}: ${node.running ? (status?.role ?? 'starting') : 'down'} term ${status?.term ?? '-'} ` +
          `leader ${status?.leader ?? '-'} commit ${status?.commit ?? '-'} applied ${machine?.applied.index ?? '-'} ` +
          `last ${status?.lastIndex ?? '-'}${status?.stateReady === false ? ' without a state' : ''}`
        );
      })
      .join('; ');
  }

  /** What the member's present life has met. */
  #count({ host }: Member): void {
    if (host === null) return;
    const { coverage } = this.#world;
    coverage.count('proposals repeated', host.metrics.proposalsRepeated);
    coverage.count('snapshots sent', host.metrics.snapshotsSent);
    coverage.count('snapshots received', host.metrics.snapshotsReceived);
    coverage.count('snapshots resumed', host.metrics.snapshotResumes);
    coverage.count('snapshots begun again', host.metrics.snapshotRestarts);
    coverage.count('snapshots damaged', host.metrics.snapshotsDamaged);
    coverage.count('chunks throttled', host.metrics.snapshotThrottleWaits);
    coverage.count('lease reads', host.metrics.leaseReads);
    coverage.count('compactions', host.metrics.compactions);
    coverage.count('pauses noticed', host.metrics.pauses);
    coverage.count('messages dropped', host.metrics.messagesDropped);
  }

  #result(): RunResult {
    const world = this.#world;
    const { coverage } = world;
    this.#history.countInto(coverage);
    for (const member of this.#members) this.#count(member);
    return resultOf(world);
  }
}
