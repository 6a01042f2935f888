import { afterEach, describe, expect, it } from 'vitest';
import { appendCommand, ListImage, ListMachine } from '../simulation/host-machine.ts';
import type { ListResult } from '../simulation/host-machine.ts';
import type { Group } from '../src/host/types.ts';
import { TestCluster, until } from './host-cluster.ts';

const timeoutMs = 20_000;
let cluster: TestCluster | null = null;

async function clusterOf(...options: Parameters<typeof TestCluster.create>): Promise<TestCluster> {
  cluster = await TestCluster.create(...options);
  return cluster.start();
}

afterEach(async () => {
  await cluster?.stop();
  cluster = null;
});

describe('a cluster of hosts on loopback', () => {
  it('applies what is proposed at any member everywhere, in one order', async () => {
    const { members } = await clusterOf(3);
    const results = await Promise.all(
      members.flatMap((member) =>
        Array.from({ length: 50 }, (_, i) =>
          member.running.propose(appendCommand(member.id * 1000 + i), { timeoutMs }),
        ),
      ),
    );
    expect(results.map((result) => result.count).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 150 }, (_, i) => i + 1),
    );
    await cluster?.converged();
    expect(members[0]?.machine.values).toHaveLength(150);
    expect(new Set(members[0]?.machine.values).size).toBe(150);
  });

  it('need not wait for an election time-out when its members start together', async () => {
    const { members } = await clusterOf(3, { electionMs: 120_000 });
    await members[0]?.running.propose(appendCommand(1), { timeoutMs });
    await Promise.all(members.map((member) => member.stop()));
    await Promise.all(members.map((member) => member.start()));
    await members[1]?.running.propose(appendCommand(2), { timeoutMs });
    expect(members[1]?.machine.values).toEqual([1, 2]);
  });

  it('reads its own and others\u2019 writes after a barrier', async () => {
    const { members } = await clusterOf(3);
    for (let i = 0; i < 20; i += 1) {
      const writer = members[i % 3];
      const reader = members[(i + 1) % 3];
      await writer?.running.propose(appendCommand(i), { timeoutMs });
      await reader?.running.readBarrier({ timeoutMs });
      expect(reader?.machine.values.length).toBe(i + 1);
    }
  });

  it('serves on after the leader is gone, and the leader catches up when it is back', async () => {
    const running = await clusterOf(3);
    await running.member(1).running.propose(appendCommand(1), { timeoutMs });
    const leader = await running.leader();
    await leader.stop();
    const survivor = await running.follower();
    await survivor.running.propose(appendCommand(2), { timeoutMs });
    await leader.start();
    await running.converged();
    expect(leader.machine.values).toEqual([1, 2]);
  });

  it('keeps everything over a restart of all members', async () => {
    const running = await clusterOf(3);
    for (let i = 0; i < 10; i += 1) {
      await running.member(2).running.propose(appendCommand(i), { timeoutMs });
    }
    await Promise.all(running.members.map((member) => member.stop()));
    await running.start();
    await running.member(3).running.readBarrier({ timeoutMs });
    expect(running.member(3).machine.values).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('replays from the log what the state machine had not flushed', async () => {
    const running = await TestCluster.create(1);
    cluster = running;
    await running.member(1).start(1_000_000);
    for (let i = 0; i < 10; i += 1) {
      await running.member(1).running.propose(appendCommand(i), { timeoutMs });
    }
    expect(running.member(1).image.applied.index).toBe(0);
    await running.member(1).stop();
    await running.member(1).start();
    await running.member(1).running.readBarrier({ timeoutMs });
    expect(running.member(1).machine.values).toHaveLength(10);
  });

  it('sends a snapshot to a follower that is behind the log', async () => {
    const running = await clusterOf(3, { snapshotCount: 50, tailEntries: 10, laggingEntries: 20 });
    const follower = await running.follower();
    await follower.stop();
    const leader = await running.leader();
    for (let batch = 0; batch < 10; batch += 1) {
      await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          leader.running.propose(appendCommand(batch * 100 + i), { timeoutMs }),
        ),
      );
    }
    await until('a compaction', () => (leader.host?.metrics.compactions ?? 0) > 0);
    await follower.start();
    await running.converged();
    expect(follower.host?.metrics.snapshotsReceived).toBe(1);
    expect(follower.machine.values).toHaveLength(1000);
    await follower.running.propose(appendCommand(7), { timeoutMs });
    expect(follower.machine.values).toHaveLength(1001);
  });

  it('neither ticks nor talks about groups when nothing happens', async () => {
    const running = await clusterOf(3);
    await running.member(1).running.propose(appendCommand(1), { timeoutMs });
    await running.converged();
    const counts = (): number[] =>
      running.members.flatMap(({ host }) => [host?.metrics.ticks ?? -1, host?.metrics.logAppends ?? -1]);
    // The leader may still be telling its followers what is committed.
    let before = counts();
    let silentPolls = 0;
    await until('silence', () => {
      const now = counts();
      silentPolls = now.every((count, i) => count === before[i]) ? silentPolls + 1 : 0;
      before = now;
      return silentPolls > 50;
    });
    const [first] = running.members;
    const sent = first?.host?.metrics.messagesSent ?? 0;
    await until('ten heartbeats', () => (first?.host?.metrics.messagesSent ?? 0) >= sent + 20);
    expect(counts()).toEqual(before);
  });

  it('runs many groups over one log and one connection per peer', async () => {
    const running = await clusterOf(3);
    const groupIds = Array.from({ length: 30 }, (_, i) => i + 1);
    const machines = new Map<string, ListMachine>();
    const { configuration } = running.member(1).running.status();
    const opening: Promise<Group<ListResult>>[] = [];
    for (const { id, host } of running.members) {
      for (const group of groupIds) {
        const stateMachine = new ListMachine(new ListImage());
        machines.set(`${id}/${group}`, stateMachine);
        if (host === null) throw new Error(`member ${id} does not run`);
        opening.push(host.openGroup({ id: group, stateMachine, initialConfiguration: configuration }));
      }
    }
    const groups = await Promise.all(opening);
    await Promise.all(groups.map((group, i) => group.propose(appendCommand(i), { timeoutMs })));
    for (const group of groupIds) {
      const lists = running.members.map(({ id }) => machines.get(`${id}/${group}`));
      await until('equal lists', () => lists.every((list) => list?.hash === lists[0]?.hash));
      expect(lists[0]?.values).toHaveLength(3);
    }
    const metrics = running.member(1).host?.metrics;
    expect((metrics?.connectionsOpened ?? 0) - (metrics?.connectionsLost ?? 0)).toBe(2);
    expect(metrics?.logAppends).toBeLessThan(metrics?.logRecords ?? 0);
  });
});
