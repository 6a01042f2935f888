import { peerFrames } from '@flotilla/raft/simulation';
import { Nemesis, World } from '@flotilla/sim';
import type { RunResult, Scenario, SimNode, Tape } from '@flotilla/sim';
import { drawClusterSettings } from '../cluster/cluster-settings.ts';
import type { ClusterSettings } from '../cluster/cluster-settings.ts';
import { MemberNode, peerPort } from '../cluster/member-node.ts';
import { WrittenHistory } from '../cluster/written-history.ts';
import { AuthAdmin } from './auth-admin.ts';
import type { SimUser } from './auth-calls.ts';
import { AuthClient } from './auth-client.ts';

const measures = {
  faultsMs: 25_000,
  /** From the end of all faults to members that agree, with clients that have ended. */
  convergenceMs: 60_000,
} as const;

/**
 * Users and roles change while clients write, read and watch, under everything that the nemesis can do. No write is in
 * the history that the auth state at its revision forbids, whoever was answered what; and nobody is shown what was
 * written while it was not allowed to see it.
 */
export const authScenario: Scenario = {
  name: 'auth',
  run: (tape) => new AuthRun(tape).run(),
};

class AuthRun {
  readonly #world: World;
  readonly #settings: ClusterSettings;
  readonly #written: WrittenHistory;
  readonly #members: MemberNode[] = [];
  readonly #memberNodes: SimNode[] = [];
  readonly #users: readonly SimUser[] = ['alice', 'bob'].map((name) => ({ name, password: name }));
  readonly #admin: AuthAdmin;
  readonly #clients = new Map<string, AuthClient>();
  readonly #nemesis: Nemesis;

  constructor(tape: Tape) {
    const settings = drawClusterSettings(tape);
    this.#settings = settings;
    const world = new World({ tape, settings: settings.world });
    this.#world = world;
    this.#written = new WrittenHistory(world);
    world.network.declareFrames(peerPort, peerFrames);
    const names = Array.from({ length: settings.members }, (_, i) => `n${i + 1}`);
    for (const name of names) this.#addMember(name, names);
    const goesOn = (): boolean => world.now < measures.faultsMs;
    const users = this.#users;
    this.#admin = new AuthAdmin({ world, users, memberNames: names, goesOn });
    world.addNode('admin', (platform) => this.#admin.main(platform));
    for (const [i, user] of users.entries()) {
      const other = users[(i + 1) % users.length] as SimUser;
      // Until auth is on everybody may do everything.
      const client = new AuthClient({ world, user, other, memberNames: names, goesOn });
      this.#clients.set(user.name, client);
    }
    this.#nemesis = new Nemesis({
      world,
      victims: this.#memberNodes,
      bystanders: [...world.nodes.values()].filter((node) => !this.#memberNodes.includes(node)),
      mix: settings.faults,
      intervalMinMs: settings.faultIntervalMinMs,
      intervalMaxMs: settings.faultIntervalMaxMs,
      durationMinMs: 50,
      durationMaxMs: settings.faultDurationMaxMs,
      favourite: () => this.#leader(),
    });
  }

  run(): RunResult {
    const world = this.#world;
    for (const node of world.nodes.values()) node.start();
    this.#await('auth is not turned on', measures.convergenceMs, () => this.#admin.ready);
    for (const [name, client] of this.#clients) {
      world.addNode(name, (platform) => client.main(platform)).start();
    }
    this.#nemesis.start();
    world.run(Math.max(0, measures.faultsMs - world.now));
    this.#heal();
    this.#await('no convergence', measures.convergenceMs, () => this.#converged());
    if (world.violation === null) this.#judge();
    world.end();
    return {
      violation: world.violation,
      events: world.events,
      simulatedMs: world.now,
      traceHash: world.hash.toString(),
      coverage: world.coverage.toJSON(),
      faults: world.faults,
    };
  }

  #addMember(name: string, names: readonly string[]): void {
    const elected = (): void => this.#world.coverage.count('leader elected');
    const member = new MemberNode(this.#world, this.#settings, name, names, this.#written, elected);
    this.#members.push(member);
    this.#memberNodes.push(this.#world.addNode(name, (platform) => member.main(platform)));
  }

  #judge(): void {
    const { forbidden } = this.#admin;
    const forbiddenAt = (user: string, revision: number, marks: boolean): boolean =>
      forbidden.some(({ user: whose, from, to }) => {
        if (whose !== user) return false;
        return marks ? from <= revision && revision <= to : from < revision && revision < to;
      });
    for (const { revision, events } of this.#written.complete() ?? []) {
      for (const event of events) {
        if (event.type !== 'put' || event.kv.key.endsWith('/mark')) continue;
        const user = event.kv.value;
        this.#world.coverage.count('write judged');
        if (!event.kv.key.startsWith(`${user}/`)) {
          this.#world.violate('trespass', `${user} has put ${event.kv.key} at revision ${revision}`);
        }
        if (forbiddenAt(user, revision, false)) {
          this.#world.violate('forbidden write', `${user} has put ${event.kv.key} at revision ${revision}`);
        }
      }
    }
    this.#written.judgeWatches([...this.#clients.values()].flatMap(({ records }) => records));
    for (const [user, { seen }] of this.#clients) {
      for (const revision of seen) {
        if (!forbiddenAt(user, revision, true)) continue;
        this.#world.violate('forbidden event', `a watch of ${user} was told of revision ${revision}`);
      }
    }
  }

  #leader(): SimNode | null {
    const leader = this.#members.find(({ member }) => member?.group.status().role === 'leader');
    return leader === undefined ? null : this.#world.node(leader.name);
  }

  /** Raft promises progress only where messages take less time than elections. */
  #heal(): void {
    const world = this.#world;
    if (world.violation !== null) return;
    this.#nemesis.heal();
    world.settings = {
      ...world.settings,
      lossPerMille: 0,
      refusePerMille: 0,
      stallPerMille: 0,
      spikePerMille: 0,
    };
  }

  #await(name: string, withinMs: number, holds: () => boolean): void {
    const world = this.#world;
    if (world.violation !== null) return;
    world.run(withinMs, () => world.events % 16 === 0 && holds());
    if (world.violation === null && !holds()) world.violate(name, this.#describe());
  }

  /** Users, roles and whether they count are equal, too. */
  #converged(): boolean {
    if (!this.#admin.finished || [...this.#clients.values()].some((client) => !client.finished)) return false;
    const states = this.#members.map(({ member }) => {
      if (member === null) return null;
      const { applied, stateReady, leader } = member.group.status();
      const { auth, revision } = member.database;
      const users = auth.userNames.map((name) => [name, auth.user(name)?.roles]);
      return stateReady && leader !== 0 ? JSON.stringify([applied, revision, auth.revision, users]) : null;
    });
    return states.every((state) => state !== null && state === states[0]);
  }

  #describe(): string {
    const members = this.#members.map(({ name, member }) => {
      const status = member?.group.status();
      if (status === undefined) return `${name} has not started`;
      const { role, term, leader, applied } = status;
      return `${name}: ${role} of term ${term}, leader ${leader}, applied ${applied}`;
    });
    const waiting = [...this.#clients].filter(([, client]) => !client.finished).map(([name]) => name);
    return [...members, `waiting: ${waiting.join(', ')}`, `administrator: ${this.#admin.finished}`].join(
      '; ',
    );
  }
}
