import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeVerdict } from '@flotilla/check';
import { ChangingCluster, type Place } from './changing-cluster.ts';
import { judge } from './process-run.ts';
import { newHistory, readEverything, Traffic } from './traffic.ts';
import { Watcher, watchEverything } from './watching.ts';

const gone = /the member has been permanently removed from the cluster/;

let cluster: ChangingCluster;
const history = newHistory();
let traffic: Traffic;
let watcher: Watcher;
let first: Place;
let second: Place;
let third: Place;

// One cluster lives through all of it: each test goes on where the one before has left it.
beforeAll(async () => {
  cluster = await ChangingCluster.create(3);
  [first, second, third] = cluster.places as [Place, Place, Place];
  await cluster.start(first);
  const endpoints = cluster.places.map(({ endpoint }) => endpoint);
  traffic = new Traffic(history, endpoints, 6, 1);
  watcher = new Watcher('watcher of k/', 'k/', [...endpoints, ...endpoints]);
}, 300_000);

afterAll(async () => {
  await traffic.stop();
  await cluster.close();
});

async function orLogs(steps: () => Promise<void>): Promise<void> {
  try {
    await steps();
  } catch (error) {
    throw new Error(`${String(error)}\n${cluster.logs()}`, { cause: error });
  }
}

test(
  'a cluster of one grows to three by learners, under load',
  () =>
    orLogs(async () => {
      await cluster.grow(first, second);
      await cluster.grow(second, third);
      const members = await cluster.members(third);
      expect(members.map(({ name }) => name).sort()).toEqual(['n1', 'n2', 'n3']);
      expect(members.some(({ isLearner }) => isLearner)).toBe(false);
    }),
  300_000,
);

test(
  'a dead member is replaced at the same URLs, and its wiped place is no way back in',
  () =>
    orLogs(async () => {
      const dead = await cluster.idOf(second);
      await second.process?.stop('SIGKILL');
      second.directory += '-wiped';
      const impostor = cluster.spawn(second, ...(await cluster.joinFlags(first, second)));
      expect((await impostor.finished).code).toBe(1);
      expect(impostor.stderr.join('\n')).toContain('has already been bootstrapped');

      await cluster.remove(first, dead);
      const id = await cluster.grow(first, second);
      expect(id).not.toBe(dead);
      // Restarts need no flags: who the others are is in the directory.
      await third.process?.stop('SIGKILL');
      await cluster.start(third);
      expect((await cluster.members(third)).map((member) => member.id)).toContain(id);
    }),
  300_000,
);

test(
  'members leave for ever, the leader among them, and the last one has everything',
  () =>
    orLogs(async () => {
      const leader = await cluster.leader();
      const [asked, last] = cluster.places.filter((place) => place !== leader) as [Place, Place];
      const leaving = leader.process;
      await cluster.remove(asked, await cluster.idOf(leader));
      expect((await leaving?.finished)?.code).toBe(0);
      expect(leaving?.stderr.join('\n')).toMatch(gone);

      // On its own wish.
      const own = asked.process;
      await cluster.remove(asked, await cluster.idOf(asked));
      expect((await own?.finished)?.code).toBe(0);
      expect(own?.stderr.join('\n')).toMatch(gone);
      expect(await cluster.members(last)).toHaveLength(1);

      // Its data is of no use any more.
      const again = cluster.spawn(leader);
      expect((await again.finished).code).toBe(0);
      expect(again.stderr.join('\n')).toMatch(gone);

      await traffic.reached(100);
      await traffic.stop();
      await watcher.stop();
      const revision = await readEverything(history, last.channel);
      const whole = await watchEverything(`history of ${last.name}`, last.channel, revision);
      const verdicts = judge(history.calls, [whole], watcher.records);
      for (const [name, verdict] of Object.entries(verdicts)) {
        expect(verdict.outcome, `${name}: ${describeVerdict(verdict)}`).toBe('ok');
      }
    }),
  300_000,
);
