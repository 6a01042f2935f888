import { afterEach, describe, expect, it } from 'vitest';
import { configurationOf, emptyConfiguration } from '../src/core/configuration.ts';
import type { MembershipChange, MembershipStep, NodeId } from '../src/core/types.ts';
import type { HostedGroup } from '../src/host/hosted-group.ts';
import type { Group } from '../src/host/types.ts';
import { appendCommand, ListImage, ListMachine } from '../simulation/host-machine.ts';
import type { ListResult } from '../simulation/host-machine.ts';
import { TestCluster, until } from './host-cluster.ts';
import type { LogLine, TestMember } from './host-cluster.ts';

const timeoutMs = 20_000;
const founders = [1, 2, 3].map((id) => id as NodeId);
let cluster: TestCluster | null = null;

/** Three that began the group, and a fourth that knows nothing of it. */
async function threeAndOne(): Promise<TestCluster> {
  cluster = await TestCluster.create(4);
  cluster.initialConfigurationOf = (id) =>
    founders.includes(id) ? configurationOf(founders) : emptyConfiguration;
  return cluster.start();
}

function change(...steps: readonly (readonly [MembershipStep['operation'], number])[]): MembershipChange {
  return {
    steps: steps.map(([operation, id]) => ({ operation, id: id as NodeId })),
    transition: 'auto',
    context: new Uint8Array([1, 2, 3]),
  };
}

/** As its founders see it: a newcomer knows of no leader before it has a state. */
async function leaderOf(running: TestCluster): Promise<TestMember> {
  const began = running.live.filter(({ id }) => founders.includes(id));
  let found: TestMember | undefined;
  await until('a leader', () => {
    found = began.find(({ id }) => began.every((member) => member.running.status().leader === id));
    return found !== undefined;
  });
  return found as TestMember;
}

afterEach(async () => {
  await cluster?.stop();
  cluster = null;
});

describe('a group of hosts', () => {
  it('takes a newcomer in, lets it vote and lead, and lets its former leader go', async () => {
    const running = await threeAndOne();
    const leader = await leaderOf(running);
    const follower = running.live.find(({ id }) => id !== leader.id && id !== 4)!;
    const newcomer = running.member(4);
    // Whoever finds it first sends it a snapshot, also before it is a member.
    expect(['awaiting-snapshot', 'installing']).toContain(newcomer.running.status().life);
    await leader.running.propose(appendCommand(1), { timeoutMs });

    const added = await follower.running.changeMembership(change(['add-learner', 4]), { timeoutMs });
    expect(added.configuration).toMatchObject({ voters: [1, 2, 3], learners: [4] });
    await until('the newcomer has a state', () => newcomer.running.status().life === 'serving');
    // Its first snapshot may be older than the command, which then follows through the log.
    await until('the newcomer has the command', () => newcomer.machine.values.length > 0);
    expect(newcomer.machine.values).toEqual([1]);
    // Its answer shows the leader that it has caught up.
    await newcomer.running.propose(appendCommand(2), { timeoutMs });

    const replaced = await newcomer.running.changeMembership(
      change(['add-voter', 4], ['remove', follower.id]),
      { timeoutMs },
    );
    expect(replaced.configuration.votersOutgoing, 'a joint configuration is left by then').toEqual([]);
    expect(replaced.configuration.voters).toEqual([1, 2, 3, 4].filter((id) => id !== follower.id));
    await until('it knows that it was removed', () => follower.running.status().life === 'removed');
    await expect(follower.running.propose(appendCommand(9), { timeoutMs })).rejects.toMatchObject({
      code: 'FLOTILLA_PEER_REMOVED',
    });

    await newcomer.running.transferLeadership(newcomer.id, { timeoutMs });
    expect(newcomer.running.status().role).toBe('leader');
    await newcomer.running.changeMembership(change(['remove', leader.id]), { timeoutMs });
    await newcomer.running.propose(appendCommand(3), { timeoutMs });
    let told = false;
    leader.running.onRemoved(() => {
      told = true;
    });
    await until('the former leader knows that it was removed', () => told);
  });

  it('refuses changes with the reason, whoever is asked', async () => {
    const running = await threeAndOne();
    const leader = await leaderOf(running);
    const follower = running.live.find(({ id }) => id !== leader.id && id !== 4)!;
    for (const member of [leader, follower]) {
      await expect(
        member.running.changeMembership(change(['remove', 77]), { timeoutMs }),
      ).rejects.toMatchObject({ code: 'FLOTILLA_MEMBERSHIP_INVALID' });
      await expect(member.running.changeMembership(change(), { timeoutMs })).rejects.toMatchObject({
        code: 'FLOTILLA_MEMBERSHIP_INVALID',
      });
    }
    await leader.running.changeMembership(change(['add-learner', 4]), { timeoutMs });
    await leader.running.changeMembership(change(['remove', 4]), { timeoutMs });
    await expect(
      follower.running.changeMembership(change(['add-learner', 4]), { timeoutMs }),
    ).rejects.toMatchObject({ code: 'FLOTILLA_MEMBERSHIP_ID_REUSED' });
    await until('it knows that it was removed', () => running.member(4).running.status().life === 'removed');
  });

  it('says why leadership cannot be handed over', async () => {
    const running = await threeAndOne();
    const leader = await leaderOf(running);
    const follower = running.live.find(({ id }) => id !== leader.id && id !== 4)!;
    await expect(leader.running.transferLeadership(4 as NodeId, { timeoutMs })).rejects.toMatchObject({
      code: 'FLOTILLA_TRANSFER_TARGET',
    });
    await expect(follower.running.transferLeadership(null, { timeoutMs })).rejects.toMatchObject({
      code: 'FLOTILLA_NOT_LEADER',
    });
    await leader.running.transferLeadership(null, { timeoutMs });
    expect(leader.running.status().leader).not.toBe(leader.id);
  });

  it('hangs up on a peer that is taken away, and finds it again when it is given back', async () => {
    const running = await threeAndOne();
    await leaderOf(running);
    const [first, second] = [running.member(1), running.member(2)];
    const knows = (): boolean =>
      first.host?.status().peers.some(({ id, alive }) => id === 2 && alive) === true;
    await until('they are connected', knows);
    first.host?.removePeer(2 as NodeId);
    first.host?.removePeer(2 as NodeId);
    expect(first.host?.status().peers.map(({ id }) => id)).toEqual([3, 4]);
    await until('the other has noticed', () => second.host?.status().peers[0]?.alive === false);
    first.host?.setPeer(2 as NodeId, running.addresses.get(2 as NodeId)!);
    await until('they are connected again', knows);
  });
});

describe('a member of two groups', () => {
  it('that one of them has removed stays in the other, while a peer opens its groups one by one', async () => {
    cluster = await TestCluster.create(3);
    await cluster.start();
    const other = new Map<TestMember, { group: Group<ListResult>; image: ListImage }>();
    const openOther = async (member: TestMember): Promise<void> => {
      const image = other.get(member)?.image ?? new ListImage();
      const options = {
        id: 1,
        stateMachine: new ListMachine(image),
        initialConfiguration: configurationOf(founders),
      };
      const group = await member.host?.openGroup(options);
      if (group !== undefined) other.set(member, { group, image });
    };
    for (const member of cluster.members) await openOther(member);
    const [first, removed] = [cluster.member(1), cluster.member(3)];
    const peer = (): { readonly alive: boolean } | undefined =>
      removed.host?.status().peers.find(({ id }) => id === first.id);
    const refusals = (): number => removed.lines.filter(isRemoval).length;
    await until('the other group is known to every log', () =>
      [...other.values()].every(({ group }) => group.status().commit > 0),
    );
    if ((await cluster.leader()) === removed) {
      await removed.running.transferLeadership(first.id, { timeoutMs });
    }
    await first.running.changeMembership(change(['remove', removed.id]), { timeoutMs });

    await first.stop();
    await first.start();
    await until('they are connected', () => peer()?.alive === true);
    await openOther(first);
    await other.get(removed)?.group.propose(appendCommand(1), { timeoutMs });
    expect(other.get(removed)?.group.status().life).toBe('serving');
    expect(refusals(), 'it was not even hung up on').toBe(0);
  });

  it('is removed only from the groups that a refusal names', async () => {
    cluster = await TestCluster.create(2);
    cluster.initialConfigurationOf = () => configurationOf([1]);
    await cluster.start();
    const [first, second] = [cluster.member(1), cluster.member(2)];
    const bound = { stateMachine: new ListMachine(new ListImage()) };
    // The first knows nothing of this group, as one that lags, or is to open it later.
    const group = await second.host?.openGroup({
      id: 1,
      initialConfiguration: configurationOf([1, 2].map((id) => id as NodeId)),
      ...bound,
    });
    await until('a leader', () => first.running.status().role === 'leader');
    await first.running.changeMembership(change(['add-learner', 2]), { timeoutMs });
    await first.running.changeMembership(change(['remove', 2]), { timeoutMs });
    await until('it hears of it', () => second.lines.some(isRemoval));
    await until('it was removed', () => second.running.status().life === 'removed');
    expect(group?.status().life).toBe('serving');
  });
});

describe('a leader that is removed', () => {
  it('answers, and leaves office, when the others can go on without it', async () => {
    cluster = await TestCluster.create(2);
    await cluster.start();
    const leader = await cluster.leader();
    const follower = cluster.live.find((member) => member !== leader)!;
    await leader.running.propose(appendCommand(1), { timeoutMs });
    // The follower acknowledges the change, and hears nothing more of it: not that it is committed.
    const hosted = follower.running as HostedGroup<ListResult>;
    const receive = hosted.receive.bind(hosted);
    const end = hosted.status().lastIndex;
    let deaf = true;
    hosted.receive = (link, message) => {
      if (!deaf || hosted.status().lastIndex === end) receive(link, message);
    };
    let answered = false;
    const answer = leader.running.changeMembership(change(['remove', leader.id]), { timeoutMs });
    void answer.then(() => (answered = true));
    await until('the leader has applied it', () =>
      leader.running.status().configuration.removed.includes(leader.id),
    );
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(follower.running.status().configuration.voters, 'it does not know').toEqual([1, 2]);
    expect(answered).toBe(false);
    expect(leader.running.status()).toMatchObject({ role: 'leader', life: 'serving' });

    deaf = false;
    expect((await answer).configuration.voters).toEqual([follower.id]);
    await until('it knows that it was removed', () => leader.running.status().life === 'removed');
    await leader.stop();
    await follower.running.propose(appendCommand(2), { timeoutMs });
    expect(follower.machine.values).toEqual([1, 2]);
  });

  it('pays no heed to a learner that knows it before the voters do', async () => {
    cluster = await TestCluster.create(3);
    cluster.initialConfigurationOf = () => configurationOf([1, 2], [3]);
    await cluster.start();
    const leader = await cluster.leader();
    const hosted = leader.running as HostedGroup<ListResult>;
    hosted.removedBy(3 as NodeId);
    expect(hosted.status()).toMatchObject({ role: 'leader', life: 'serving' });
    const follower = cluster.members.find(({ id }) => id < 3 && id !== leader.id)!;
    hosted.removedBy(follower.id);
    expect(hosted.status().life).toBe('removed');
  });
});

function isRemoval({ fields }: LogLine): boolean {
  return fields['code'] === 'FLOTILLA_PEER_REMOVED';
}
