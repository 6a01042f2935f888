import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tls } from '../../src/transport/index.ts';
import type { TransportFactory } from '../../src/transport/index.ts';
import { isOutcomeUnknown } from '../../src/replica/index.ts';
import { until } from '../host-cluster.ts';
import { add, ReplicaCluster, Sum } from './replica-cluster.ts';

let cluster: ReplicaCluster;
beforeEach(() => {
  cluster = new ReplicaCluster();
});
afterEach(() => cluster.stop());

/** Takes its time, so that a log is long to apply. */
class SlowSum extends Sum {
  override apply(command: Uint8Array): number {
    for (const end = performance.now() + 0.1; performance.now() < end;);
    return super.apply(command);
  }
}

describe('a replica', () => {
  it('answers what its state machine answered, at any member', async () => {
    await cluster.start(1, 2, 3);
    expect(await cluster.replica(1).propose(add(5))).toBe(5);
    expect(await cluster.replica(2).propose(add(7))).toBe(12);
    expect(await cluster.replica(3).propose(add(1))).toBe(13);
    for (const id of [1, 2, 3]) expect(await cluster.replica(id).read((sum) => sum.total)).toBe(13);
    expect(cluster.replica(1).members()).toMatchObject([{ id: 1 }, { id: 2 }, { id: 3 }]);
  });

  it('has everything again after all members were closed, from snapshot and log', async () => {
    await cluster.start(1, 2, 3);
    for (const id of [1, 2, 3]) await cluster.close(id);
    for (const id of [1, 2, 3]) await cluster.open(id, { snapshotEvery: 5 });
    // All are in touch: one that is behind may be sent a snapshot, and then does not know what became of its proposals.
    for (const id of [1, 2, 3]) await cluster.replica(id).read((sum) => sum.total);
    for (let i = 1; i <= 24; i += 1) await cluster.replica(1).propose(add(i));
    await until('a snapshot', () => cluster.replica(1).metrics.snapshotsTaken > 2);
    for (const id of [1, 2, 3]) await cluster.close(id);
    for (const id of [1, 2, 3]) await cluster.open(id, { snapshotEvery: 5 });
    expect(await cluster.replica(1).read((sum) => sum.total)).toBe((24 * 25) / 2);
    expect(cluster.machines.get(1)?.restored).toBe(1);
    expect(await cluster.replica(3).read((sum) => sum.total)).toBe((24 * 25) / 2);
    expect(await cluster.replica(3).propose(add(1))).toBe((24 * 25) / 2 + 1);
  });
});

describe('members', () => {
  it('come as learners, catch up, vote, and are found by the others at the address that they came with', async () => {
    await cluster.start(1, 2, 3);
    for (let i = 0; i < 20; i += 1) await cluster.replica(1).propose(add(1));
    const joined = await cluster.join(4);
    const members = await cluster.replica(2).changeMembership({
      add: { id: 4, address: await cluster.address(4) },
    });
    expect(members).toMatchObject([
      { id: 1, role: 'voter' },
      { id: 2, role: 'voter' },
      { id: 3, role: 'voter' },
      { id: 4, role: 'voter', address: await cluster.address(4) },
    ]);
    expect(await joined.propose(add(1))).toBe(21);
    expect(cluster.machines.get(4)?.total).toBe(21);
    // Again: nothing to do.
    await cluster.replica(3).changeMembership({ add: { id: 4, address: await cluster.address(4) } });
  });

  it('are removed for ever, the leader too, which hands over first', async () => {
    await cluster.start(1, 2, 3);
    const leader = await cluster.leader();
    const other = cluster.replica(leader.id === 1 ? 2 : 1);
    let removed = false;
    leader.on('removed', () => {
      removed = true;
    });
    const members = await other.changeMembership({ remove: leader.id });
    expect(members.map(({ id }) => id)).toEqual([1, 2, 3].filter((id) => id !== leader.id));
    await until('the news of it', () => removed);
    await expect(leader.propose(add(1))).rejects.toMatchObject({ code: 'FLOTILLA_REMOVED' });
    expect(await other.propose(add(1))).toBe(1);
    await expect(
      other.changeMembership({ add: { id: leader.id, address: '127.0.0.1:1' } }),
    ).rejects.toMatchObject({ code: 'FLOTILLA_MEMBERSHIP_ID_REUSED' });
  });

  it('are replaced while the number of voters stays what it is', async () => {
    await cluster.start(1, 2, 3);
    const { id } = await cluster.leader();
    await cluster.join(4);
    const other = cluster.replica(id === 1 ? 2 : 1);
    const members = await other.changeMembership([
      { replace: { id, by: { id: 4, address: await cluster.address(4) } } },
    ]);
    expect(members.map((member) => member.id)).toEqual([1, 2, 3, 4].filter((each) => each !== id));
    expect(members.every(({ role }) => role === 'voter')).toBe(true);
    expect(await cluster.replica(4).propose(add(3))).toBe(3);
    const last = await cluster.leader();
    await last.changeMembership({ remove: last.id });
    await expect(last.propose(add(3))).rejects.toMatchObject({ code: 'FLOTILLA_REMOVED' });
  });

  it('know each other again after a restart, by what the group says', async () => {
    await cluster.start(1);
    for (const id of [2, 3]) {
      await cluster.join(id);
      await cluster.replica(1).changeMembership({ add: { id, address: await cluster.address(id) } });
    }
    await cluster.replica(3).propose(add(2));
    for (const id of [1, 2, 3]) await cluster.close(id);
    const own = async (id: number): Promise<unknown> =>
      cluster.open(id, { peers: { [id]: await cluster.address(id) } });
    await Promise.all([own(1), own(2), own(3)]);
    expect(await cluster.replica(2).propose(add(2))).toBe(4);
    await cluster.replica(2).transferLeadership(2);
    await until('the new leader', () => cluster.replica(2).status().role === 'leader');
    await cluster.replica(2).changeMembership([{ demote: 1 }, { remove: 3 }]);
    expect(cluster.replica(2).members()).toMatchObject([
      { id: 1, role: 'learner' },
      { id: 2, role: 'voter', isLeader: true },
    ]);
    await cluster.replica(1).changeMembership({ promote: 1 });
    expect(cluster.replica(1).members()).toMatchObject([{ role: 'voter' }, { role: 'voter' }]);
  });

  it('that have lost their data are kept out under their old id', async () => {
    await cluster.start(1, 2, 3);
    await cluster.replica(1).propose(add(1));
    await until('publications', () => cluster.replica(1).status().appliedIndex >= 5);
    await cluster.close(3);
    rmSync(cluster.directory(3), { recursive: true });
    const wiped = await cluster.open(3);
    let fatal: Error | null = null;
    wiped.on('fatal', (error) => {
      fatal = error;
    });
    await until('the end of it', () => fatal !== null);
    expect(fatal).toMatchObject({ code: 'FLOTILLA_PEER_OTHER_INSTANCE' });
    await expect(wiped.propose(add(1))).rejects.toMatchObject({ code: 'FLOTILLA_REPLICA_CLOSED' });
    expect(await cluster.replica(2).propose(add(1))).toBe(2);
  });

  it('that have lost their data are kept out by one that has its log still to apply again', async () => {
    await cluster.start(1, 2);
    const before = Array.from({ length: 5000 }, () => cluster.replica(1).propose(add(1)));
    await Promise.all(before);
    await cluster.join(3);
    await cluster.replica(1).changeMembership({ add: { id: 3, address: await cluster.address(3) } });
    // The entry that adds it, the one that makes it a voter, and its publication are among them.
    await until('publications', () => cluster.replica(3).status().appliedIndex > 5005);
    const { appliedIndex } = cluster.replica(3).status();
    await until('equal states', () => cluster.replica(2).status().appliedIndex >= appliedIndex);
    await cluster.close(2);
    // Member 2 lacks what 1 and 3 acknowledge. Let in, an empty member 3 would elect it.
    await cluster.replica(1).propose(add(1000));
    for (const id of [1, 3]) await cluster.close(id);
    rmSync(cluster.directory(3), { recursive: true });
    const peers = Object.fromEntries(cluster.addresses);
    const wiped = await cluster.open(3, { peers });
    let fatal: Error | null = null;
    wiped.on('fatal', (error) => {
      fatal = error;
    });
    const behind = await cluster.open(2, { peers, stateMachine: new SlowSum() });
    const roles: string[] = [];
    behind.on('role', ({ role }) => roles.push(role));
    await until('the end of it', () => fatal !== null || roles.includes('leader'));
    expect(roles).not.toContain('leader');
    expect(fatal).toMatchObject({ code: 'FLOTILLA_PEER_OTHER_INSTANCE' });
    await cluster.open(1, { peers });
    expect(await cluster.replica(2).propose(add(1))).toBe(6001);
  });
});

describe('calls', () => {
  it('say why they were refused, and whether it may have happened all the same', async () => {
    await cluster.address(2);
    await cluster.address(3);
    await cluster.address(1);
    const alone = await cluster.open(1);
    const failure = async (call: Promise<unknown>): Promise<unknown> => call.catch((error: unknown) => error);
    const noLeader = await failure(alone.propose(add(1), { timeoutMs: 50 }));
    expect(noLeader).toMatchObject({ code: 'FLOTILLA_NO_LEADER' });
    expect(isOutcomeUnknown(noLeader)).toBe(false);
    const aborted = await failure(alone.propose(add(1), { signal: AbortSignal.abort() }));
    expect(aborted).toMatchObject({ code: 'FLOTILLA_ABORTED' });
    const onItsWay = await failure(alone.propose(add(1), { signal: AbortSignal.timeout(20) }));
    expect(onItsWay).toMatchObject({ code: 'FLOTILLA_PROPOSAL_UNKNOWN' });
    expect(isOutcomeUnknown(onItsWay)).toBe(true);
    expect(await alone.read((sum) => sum.total, { consistency: 'local' })).toBe(0);
    const pending = failure(alone.propose(add(1)));
    await alone.close();
    await alone.close();
    expect(await pending).toMatchObject({ code: 'FLOTILLA_STOPPED' });
    expect(await failure(alone.propose(add(1)))).toMatchObject({ code: 'FLOTILLA_REPLICA_CLOSED' });
    expect(await failure(alone.read(() => 1))).toMatchObject({ code: 'FLOTILLA_REPLICA_CLOSED' });
  });

  it('are refused when an option cannot be', async () => {
    const open = (options: object): Promise<unknown> =>
      cluster.open(1, { peers: { 1: '127.0.0.1:0' }, ...options }).catch((error: unknown) => error);
    for (const options of [
      { peers: { 2: '127.0.0.1:1' } },
      { peers: { 1: 'nowhere' } },
      { peers: { 0: '127.0.0.1:1' } },
      { learners: [1] },
      { learners: [7] },
      { join: true },
      { snapshotEvery: 0 },
      { config: { heartbeatMs: 100, electionMs: 200 } },
    ]) {
      expect(await open(options), JSON.stringify(options)).toMatchObject({ code: 'FLOTILLA_CONFIG_INVALID' });
    }
  });

  it('refuse the data of another member or cluster, and a directory that is in use', async () => {
    await cluster.start(1);
    const dataDir = cluster.directory(1);
    const open = (id: number, clusterName: string): Promise<unknown> =>
      cluster
        .open(id, { dataDir, clusterName, peers: { [id]: '127.0.0.1:0' } })
        .catch((error: unknown) => error);
    expect(await open(1, 'flotilla')).toMatchObject({ code: 'FLOTILLA_DISK_LOCKED' });
    await cluster.replica(1).close();
    expect(await open(2, 'flotilla')).toMatchObject({ code: 'FLOTILLA_FOREIGN_DATA' });
    expect(await open(1, 'other')).toMatchObject({ code: 'FLOTILLA_FOREIGN_DATA' });
  });

  it('stop when the state machine throws, and say so', async () => {
    await cluster.start(1);
    const replica = cluster.replica(1);
    const machine = cluster.machines.get(1);
    if (machine === undefined) throw new Error('no machine');
    machine.apply = () => {
      throw new Error('out of paper');
    };
    const fatal = new Promise<Error>((resolve) => {
      replica.on('fatal', resolve);
    });
    await expect(replica.propose(add(1))).rejects.toMatchObject({ code: 'FLOTILLA_STOPPED' });
    expect((await fatal).message).toContain('out of paper');
  });
});

describe('replicas with certificates', () => {
  const file = (name: string): string =>
    fileURLToPath(new URL(`../certificates/${name}.pem`, import.meta.url));
  const transportOf = (name: string): TransportFactory =>
    tls({ certificateFile: file(name), keyFile: file(`${name}-key`), caFile: file('ca') });

  it('talk to each other, and to nobody who shows none that is theirs', async () => {
    for (const id of [1, 2, 3]) await cluster.address(id);
    const open = (id: number, certificate: string): Promise<unknown> =>
      cluster.open(id, { transport: transportOf(certificate) });
    await Promise.all([open(1, 'member-1'), open(2, 'member-2')]);
    // A member's name on another member's certificate.
    await open(3, 'member-2');
    expect(await cluster.replica(2).propose(add(4))).toBe(4);
    await expect(cluster.replica(3).propose(add(4), { timeoutMs: 500 })).rejects.toMatchObject({
      code: 'FLOTILLA_NO_LEADER',
    });
    await cluster.close(3);
    await open(3, 'member-3');
    expect(await cluster.replica(3).propose(add(4))).toBe(8);
  });
});
