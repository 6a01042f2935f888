import type { RunResult, Scenario, Tape } from '@flotilla/sim';
import { FaultyCluster } from '../cluster/faulty-cluster.ts';
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
  readonly #cluster: FaultyCluster;
  readonly #users: readonly SimUser[] = ['alice', 'bob'].map((name) => ({ name, password: name }));
  readonly #admin: AuthAdmin;
  readonly #clients = new Map<string, AuthClient>();

  constructor(tape: Tape) {
    this.#cluster = new FaultyCluster(tape, (history) => new WrittenHistory(history));
    const { world, names } = this.#cluster;
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
    this.#cluster.arm();
  }

  run(): RunResult {
    const cluster = this.#cluster;
    const { world } = cluster;
    cluster.begin();
    this.#await('auth is not turned on', measures.convergenceMs, () => this.#admin.ready);
    for (const [name, client] of this.#clients) {
      world.addNode(name, (platform) => client.main(platform)).start();
    }
    cluster.unleash();
    world.run(Math.max(0, measures.faultsMs - world.now));
    cluster.heal();
    this.#await('no convergence', measures.convergenceMs, () => this.#converged());
    if (world.violation === null) this.#judge();
    return cluster.end();
  }

  #judge(): void {
    const { forbidden } = this.#admin;
    const forbiddenAt = (user: string, revision: number, marks: boolean): boolean =>
      forbidden.some(({ user: whose, from, to }) => {
        if (whose !== user) return false;
        return marks ? from <= revision && revision <= to : from < revision && revision < to;
      });
    for (const { revision, events } of this.#cluster.written.complete() ?? []) {
      for (const event of events) {
        if (event.type !== 'put' || event.kv.key.endsWith('/mark')) continue;
        const user = event.kv.value;
        this.#cluster.world.coverage.count('write judged');
        if (!event.kv.key.startsWith(`${user}/`)) {
          this.#cluster.world.violate('trespass', `${user} has put ${event.kv.key} at revision ${revision}`);
        }
        if (forbiddenAt(user, revision, false)) {
          this.#cluster.world.violate(
            'forbidden write',
            `${user} has put ${event.kv.key} at revision ${revision}`,
          );
        }
      }
    }
    this.#cluster.written.judgeWatches([...this.#clients.values()].flatMap(({ records }) => records));
    for (const [user, { seen }] of this.#clients) {
      for (const revision of seen) {
        if (!forbiddenAt(user, revision, true)) continue;
        this.#cluster.world.violate('forbidden event', `a watch of ${user} was told of revision ${revision}`);
      }
    }
  }

  #await(name: string, withinMs: number, holds: () => boolean): void {
    this.#cluster.await(name, withinMs, holds, () => this.#describe());
  }

  /** Users, roles and whether they count are equal, too. */
  #converged(): boolean {
    if (!this.#admin.finished || [...this.#clients.values()].some((client) => !client.finished)) return false;
    const states = this.#cluster.members.map(({ member }) => {
      if (member === null) return null;
      const { applied, stateReady, leader } = member.group.status();
      const { auth, revision } = member.database;
      const users = auth.userNames.map((name) => [name, auth.user(name)?.roles]);
      return stateReady && leader !== 0 ? JSON.stringify([applied, revision, auth.revision, users]) : null;
    });
    return states.every((state) => state !== null && state === states[0]);
  }

  #describe(): string {
    const waiting = [...this.#clients].filter(([, client]) => !client.finished).map(([name]) => name);
    const admin = `administrator: ${this.#admin.finished}`;
    return [this.#cluster.describe(), `waiting: ${waiting.join(', ')}`, admin].join('; ');
  }
}
