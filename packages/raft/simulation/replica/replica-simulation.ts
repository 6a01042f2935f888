import { isFlotillaError } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import { calmSettings, Nemesis, resultOf, World } from '@flotilla/sim';
import type { RunResult, Scenario, SimNode, Tape } from '@flotilla/sim';
import { isOutcomeUnknown, Replica } from '../../src/replica/index.ts';
import type { MemberChange } from '../../src/replica/index.ts';
import { SnapshotReader } from '../../src/replica/snapshot-file.ts';
import { HostHistory } from '../host-history.ts';
import { appendCommand } from '../host-machine.ts';
import { ListState } from './list-state.ts';
import { drawReplicaSettings } from './settings.ts';
import type { ReplicaRunSettings } from './settings.ts';

/**
 * Replicas as a user opens them, over simulated sockets, disks and clocks: clients append and read, members come and go,
 * and everything breaks, at the steps of a snapshot more often than anywhere else. Then all is mended, and whoever is a
 * member must agree, serve, and have kept every acknowledged append exactly once.
 */
export const replicaScenario: Scenario = {
  name: 'replica',
  run: (tape) => new ReplicaSimulation(tape).run(),
};

const port = 7000;
const dataDir = 'data';
/** After the faults: time for every election, snapshot and retry that they may have left behind. */
const healMs = 60_000;

interface Member {
  readonly id: number;
  readonly node: SimNode;
  readonly address: string;
  /** It was started at some time. */
  called: boolean;
  /** Of the present life; null while it is down or starting. */
  replica: Replica<ListState> | null;
  state: ListState | null;
}

class ReplicaSimulation {
  readonly #world: World;
  readonly #settings: ReplicaRunSettings;
  readonly #history = new HostHistory();
  readonly #members: Member[] = [];
  #nextValue = 1;
  #faulty = true;
  /** The latest snapshot that was damaged: names grow with the index. */
  #damagedName = '';

  constructor(tape: Tape) {
    this.#settings = drawReplicaSettings(tape);
    this.#world = new World({ tape, settings: this.#settings.world });
    for (let id = 1; id <= this.#settings.members + this.#settings.newcomers; id += 1) this.#addMember(id);
  }

  run(): RunResult {
    const { mix, faultIntervalMs, faultDurationMs, faultyMs, clients, wishMaxMs, members } = this.#settings;
    const world = this.#world;
    const nemesis = new Nemesis({
      world,
      victims: this.#members.map((member) => member.node),
      mix,
      intervalMinMs: faultIntervalMs[0],
      intervalMaxMs: faultIntervalMs[1],
      durationMinMs: faultDurationMs[0],
      durationMaxMs: faultDurationMs[1],
      favourite: () => this.#leader()?.node ?? null,
    });
    for (const member of this.#members.slice(0, members)) this.#call(member);
    for (let client = 0; client < clients; client += 1) this.#think();
    if (wishMaxMs > 0) this.#wishLater();
    nemesis.start();
    world.run(faultyMs);
    this.#faulty = false;
    nemesis.heal();
    // Raft promises progress only where messages take less time than elections.
    world.settings = { ...world.settings, ...calmSettings };
    if (world.violation === null) this.#converge();
    const result = this.#result();
    world.end();
    return result;
  }

  #addMember(id: number): void {
    const name = `n${id}`;
    const member: Member = {
      id,
      node: this.#world.addNode(name, (platform) => this.#main(member, platform)),
      address: `${name}:${port}`,
      called: false,
      replica: null,
      state: null,
    };
    this.#members.push(member);
  }

  #call(member: Member): void {
    member.called = true;
    member.node.start();
  }

  async #main(member: Member, platform: Platform): Promise<void> {
    this.#count(member);
    Object.assign(member, { replica: null, state: null });
    // The nemesis starts whoever is down, those too that nobody has called yet.
    if (!member.called) return;
    const { members, snapshotEvery, host, timeoutMs, damage } = this.#settings;
    if (damage && member.id === 1 && this.#faulty) await this.#damage(platform);
    const state = new ListState({
      applied: (list) => this.#judge(() => this.#history.applied(member.node.name, list)),
      restored: ({ values, hash }) => this.#judge(() => this.#history.restored(values.length, hash)),
      snapshot: () => this.#maybeCrash(member),
    });
    const isNewcomer = member.id > members;
    const known = this.#members.filter(({ id }) => id <= members || id === member.id);
    const replica = await Replica.open({
      id: member.id,
      dataDir,
      peers: new Map(known.map(({ id, address }) => [id, address])),
      join: isNewcomer,
      listen: `0.0.0.0:${port}`,
      stateMachine: state,
      config: { host },
      snapshotEvery,
      proposeTimeoutMs: timeoutMs,
      platform,
    });
    replica.on('fatal', (error) => platform.spawn('fatal', () => Promise.reject(error)));
    Object.assign(member, { replica, state });
  }

  /**
   * Damages snapshot files of member 1: the latest one, which the one before it and the log make good, or all, while
   * there are others for ever to ask for another.
   */
  async #damage(platform: Platform): Promise<void> {
    const { tape } = this.#world;
    const directory = `${dataDir}/snapshots`;
    if (!(await platform.disk.exists(directory)) || !tape.chance(1, 2, 'damage a snapshot')) return;
    const names = (await platform.disk.list(directory)).filter((name) => name.endsWith('.snapshot'));
    const { members, wishMaxMs } = this.#settings;
    const all = members > 1 && wishMaxMs === 0 && tape.chance(1, 2, 'damage all snapshots');
    if (!all && !(await this.#isExpendable(platform, directory, names))) return;
    for (const name of names.slice(all ? 0 : -1)) {
      const file = await platform.disk.open(`${directory}/${name}`, 'write');
      const position = tape.choose(file.size(), 'damaged byte');
      const [byte] = await file.read(position, 1);
      file.write(position, Uint8Array.of((byte as number) ^ 0x10));
      await file.sync();
      await file.close();
      this.#world.fault(all ? 'all snapshots damaged' : 'latest snapshot damaged', `damage ${name} of n1`);
    }
    this.#damagedName = names.at(-1) ?? '';
  }

  /** Two that are damaged before there is a third are one too many; and a received one has no log before it. */
  async #isExpendable(platform: Platform, directory: string, names: readonly string[]): Promise<boolean> {
    const latest = names.at(-1);
    if (latest === undefined || names.length < 2 || latest <= this.#damagedName) return false;
    const reader = await SnapshotReader.open(platform, `${directory}/${latest}`).catch(() => null);
    await reader?.close();
    return reader !== null && !reader.header.received;
  }

  /** The steps of a snapshot are too short for crashes that come by chance. */
  #maybeCrash({ node }: Member): void {
    const world = this.#world;
    if (!this.#faulty || !world.tape.chance(1, 6, 'crash at a snapshot')) return;
    const afterMs = world.tape.choose(32, 'how long after it') / 2;
    world.after(afterMs, () => {
      if (!node.running || !this.#faulty) return;
      const lost = node.crash();
      world.fault('crash at a snapshot', `crash ${node.name} at a snapshot: ${lost}`);
      world.after(50, () => node.start());
    });
  }

  /** A client waits, then does something at some member, and so on. */
  #think(): void {
    const world = this.#world;
    const thinkMs = (this.#settings.thinkMaxMs * (64 - world.tape.choose(64, 'think time'))) / 64;
    world.after(thinkMs, () => {
      if (!this.#faulty) return;
      const member = this.#members[world.tape.choose(this.#members.length, 'member to ask')] as Member;
      const { life } = member.node;
      const { replica } = member;
      if (life === null || replica === null) {
        this.#think();
        return;
      }
      let over = false;
      const done = (): void => {
        if (!over) this.#think();
        over = true;
      };
      // The operation happens in the member's life, which may end before it does.
      world.after(0, () => void this.#operate(replica).then(done), life);
      world.after(2 * this.#settings.timeoutMs, done);
    });
  }

  #operate(replica: Replica<ListState>): Promise<void> {
    const { tape } = this.#world;
    const reads = tape.choose(10, 'read or append') < this.#settings.readShare;
    if (!reads) return this.#append(replica);
    return this.#read(replica, tape.chance(1, 4, 'local read') ? 'local' : 'linearizable');
  }

  async #append(replica: Replica<ListState>): Promise<void> {
    const value = this.#nextValue;
    this.#nextValue += 1;
    const before = this.#history.completedCount;
    try {
      const result = await replica.propose(appendCommand(value));
      this.#judge(() => this.#history.appendAcknowledged(value, result, before));
    } catch (error) {
      this.#judge(() => {
        if (!isFlotillaError(error)) throw error;
        this.#world.coverage.count(`append: ${error.code}`);
        if (isOutcomeUnknown(error)) this.#history.appendUnknown();
        else this.#history.appendRefused(value);
      });
    }
  }

  async #read(replica: Replica<ListState>, consistency: 'local' | 'linearizable'): Promise<void> {
    const before = consistency === 'local' ? 0 : this.#history.completedCount;
    try {
      const seen = await replica.read(({ values, hash }) => ({ count: values.length, hash }), {
        consistency,
      });
      this.#judge(() => this.#history.readCompleted(seen.count, seen.hash, before));
    } catch (error) {
      if (isFlotillaError(error)) this.#world.coverage.count(`read: ${error.code}`);
      else this.#judge(() => Promise.reject(error));
    }
  }

  /** Somebody wishes for other members, at some member, now and then. */
  #wishLater(): void {
    const world = this.#world;
    const waitMs = (this.#settings.wishMaxMs * (64 - world.tape.choose(64, 'wait for a wish'))) / 64;
    world.after(waitMs, () => {
      if (!this.#faulty) return;
      const running = this.#members.filter(({ replica, node }) => replica !== null && node.running);
      const member = running[world.tape.choose(Math.max(1, running.length), 'member to wish at')];
      const wish = this.#drawWish();
      if (member !== undefined && wish !== null) {
        world.after(0, () => void this.#wish(member, wish), member.node.life);
      }
      this.#wishLater();
    });
  }

  async #wish({ replica }: Member, wish: MemberChange | 'transfer'): Promise<void> {
    const { coverage } = this.#world;
    try {
      if (wish === 'transfer') await replica?.transferLeadership();
      else await replica?.changeMembership(wish, { timeoutMs: 10_000 });
      coverage.count(`wish: ${wish === 'transfer' ? wish : Object.keys(wish).join()}`);
    } catch (error) {
      if (isFlotillaError(error)) coverage.count(`wish: ${error.code}`);
      else this.#judge(() => Promise.reject(error));
    }
  }

  #drawWish(): MemberChange | 'transfer' | null {
    const { tape } = this.#world;
    const members = this.#someReplica()?.members() ?? [];
    const some = members[tape.choose(Math.max(1, members.length), 'whom')]?.id;
    if (some === undefined) return null;
    const kind = tape.choose(6, 'wish');
    if (kind === 0) return 'transfer';
    if (kind === 1 && members.length > 1) return { remove: some };
    if (kind === 2 && members.length > 1) return { demote: some };
    if (kind === 3) return { promote: some };
    const newcomer = this.#members.find(({ called }) => !called);
    if (newcomer === undefined) return null;
    this.#call(newcomer);
    const { id, address } = newcomer;
    return kind === 4 ? { add: { id, address } } : { replace: { id: some, by: { id, address } } };
  }

  /** Everything is mended: one leader, equal states, and every member serves. */
  #converge(): void {
    const world = this.#world;
    const served = new Set<number>();
    let asked = -Infinity;
    world.run(healMs, () => {
      const members = this.#present();
      if (members === null) return false;
      if (members.every(({ id }) => served.has(id))) return this.#agree(members);
      if (world.now - asked < 1_000) return false;
      asked = world.now;
      for (const member of members) {
        if (!served.has(member.id)) world.after(0, () => void this.#serve(member, served), member.node.life);
      }
      return false;
    });
    if (world.violation !== null) return;
    const members = this.#present();
    if (members === null || !this.#agree(members) || !members.every(({ id }) => served.has(id))) {
      world.violate('no-convergence', `${this.#describe()}; served: ${[...served].join()}`);
      return;
    }
    const { state } = members[0] as Member;
    if (state !== null) this.#judge(() => this.#history.finish(state));
  }

  async #serve({ id, replica }: Member, served: Set<number>): Promise<void> {
    if (replica === null) return;
    const refused = this.#history.refused + this.#history.unknown;
    await this.#append(replica);
    if (this.#history.refused + this.#history.unknown === refused) served.add(id);
  }

  /** The members, by what the leader says, when all of them are there. */
  #present(): readonly Member[] | null {
    const members = this.#leader()?.replica?.members() ?? [];
    const present = members.map(({ id }) => this.#members[id - 1] as Member);
    const all = present.every(({ node, replica }) => node.running && replica?.status().isStateReady === true);
    return present.length > 0 && all ? present : null;
  }

  #agree(members: readonly Member[]): boolean {
    const [first, ...others] = members;
    const state = first?.state;
    if (state === null || state === undefined || state.values.length < this.#history.count) return false;
    return others.every(
      (other) => other.state?.values.length === state.values.length && other.state.hash === state.hash,
    );
  }

  #leader(): Member | null {
    let found: Member | null = null;
    for (const member of this.#members) {
      if (!member.node.running || member.replica === null) continue;
      const status = member.replica.status();
      if (status.role === 'leader' && status.term >= (found?.replica?.status().term ?? 0)) found = member;
    }
    return found;
  }

  #someReplica(): Replica<ListState> | null {
    return (this.#leader() ?? this.#members.find(({ replica }) => replica !== null))?.replica ?? null;
  }

  #judge(check: () => void | Promise<never>): void {
    try {
      void check()?.catch((error: unknown) => this.#violate(error));
    } catch (error) {
      this.#violate(error);
    }
  }

  #violate(error: unknown): void {
    const name = isFlotillaError(error) ? error.code : 'FLOTILLA_ASSERTION';
    this.#world.violate(name, error instanceof Error ? error.message : String(error));
  }

  #describe(): string {
    return this.#members
      .filter(({ called }) => called)
      .map(({ node, replica, state }) => {
        if (replica === null) return `${node.name}: ${node.running ? 'starting' : 'down'}`;
        const { role, term, leader, commitIndex, appliedIndex, lastIndex, isStateReady, isRemoved } =
          replica.status();
        const members = replica.members().map(({ id, role: part }) => (part === 'voter' ? id : `(${id})`));
        return (
          `${node.name}: ${role} term ${term} leader ${leader ?? '-'} commit ${commitIndex} applied ${appliedIndex} ` +
          `last ${lastIndex} members ${members.join()} values ${state?.values.length ?? '-'}` +
          (isStateReady ? '' : ' without a state') +
          (isRemoved ? ' removed' : '')
        );
      })
      .join('; ');
  }

  /** What the member's present life has met. */
  #count({ replica }: Member): void {
    if (replica === null) return;
    const { coverage } = this.#world;
    const { snapshotsTaken, snapshotsInstalled, compactions, proposalsRepeated } = replica.metrics;
    coverage.count('snapshots taken', snapshotsTaken);
    coverage.count('snapshots installed', snapshotsInstalled);
    coverage.count('compactions', compactions);
    coverage.count('proposals repeated', proposalsRepeated);
  }

  #result(): RunResult {
    const world = this.#world;
    const { coverage } = world;
    this.#history.countInto(coverage);
    for (const member of this.#members) this.#count(member);
    return resultOf(world);
  }
}
