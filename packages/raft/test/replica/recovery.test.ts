import { rmSync } from 'node:fs';
import { nodePlatform } from '@flotilla/platform/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configurationOf } from '../../src/core/configuration.ts';
import type { Index } from '../../src/core/types.ts';
import { Recovery } from '../../src/recovery/index.ts';
import { framedHead, inChunks } from '../../src/replica/chunks.ts';
import { replicaFirstConfiguration } from '../../src/replica/index.ts';
import { MemberTable } from '../../src/replica/member-table.ts';
import { SnapshotFiles } from '../../src/replica/snapshot-files.ts';
import { until } from '../host-cluster.ts';
import { add, ReplicaCluster } from './replica-cluster.ts';

const logger = {
  debug: (): void => undefined,
  info: (): void => undefined,
  warn: (): void => undefined,
  error: (): void => undefined,
};

describe('a recovery from lost quorum', () => {
  let cluster: ReplicaCluster;
  const platform = nodePlatform({
    nodeName: 'recovery',
    logger,
    onFatal: (error) => {
      throw error;
    },
  });
  beforeEach(() => {
    cluster = new ReplicaCluster();
  });
  afterEach(() => cluster.stop());

  async function look(id: number): Promise<Recovery> {
    const dataDir = cluster.directory(id);
    const initialConfiguration = await replicaFirstConfiguration(platform, dataDir);
    if (initialConfiguration === null) throw new Error('no replica');
    return Recovery.open({ platform, dataDir, group: 0, initialConfiguration });
  }

  it('makes a group of the one member that is left, which serves, and grows to three again', async () => {
    await cluster.start(1, 2, 3);
    for (let i = 1; i <= 10; i += 1) await cluster.replica(1).propose(add(i));
    await until('everything everywhere', () =>
      [...cluster.machines.values()].every(({ total }) => total === 55),
    );
    await expect(look(3)).rejects.toMatchObject({ code: 'FLOTILLA_DISK_LOCKED' });
    for (const id of [1, 2, 3]) await cluster.close(id);
    for (const id of [1, 2]) rmSync(cluster.directory(id), { recursive: true });

    const recovery = await look(3);
    const { findings } = recovery;
    expect(findings).toMatchObject({ nodeId: 3, group: 0, configuration: configurationOf([1, 2, 3]) });
    expect(findings.lastIndex).toBeGreaterThanOrEqual(10);
    for (const voters of [[], [1], [3, 4], [1, 2, 3]]) {
      expect(() => recovery.plan(voters), String(voters)).toThrow(
        expect.objectContaining({ code: 'FLOTILLA_RECOVERY_REFUSED' }) as Error,
      );
    }
    const plan = recovery.plan([3]);
    expect(plan).toMatchObject({ voters: [3], removed: [1, 2], firstIndex: findings.lastIndex + 1 });
    const backup = await recovery.force(plan);
    await recovery.close();
    expect((await platform.disk.list(backup)).length).toBeGreaterThan(0);

    const survivor = await cluster.open(3);
    expect(await survivor.propose(add(1))).toBe(56);
    expect(survivor.members()).toMatchObject([{ id: 3, role: 'voter' }]);
    for (const id of [4, 5]) {
      await cluster.join(id);
      await survivor.changeMembership({ add: { id, address: await cluster.address(id) } });
    }
    expect(await cluster.replica(5).propose(add(1))).toBe(57);
    await cluster.close(3);
    expect(await cluster.replica(4).propose(add(1))).toBe(58);
    await expect(
      cluster.replica(4).changeMembership({ add: { id: 1, address: '127.0.0.1:1' } }),
    ).rejects.toMatchObject({ code: 'FLOTILLA_MEMBERSHIP_ID_REUSED' });
  });

  it('is made at one of two members that are left, and the other one follows', async () => {
    await cluster.start(1, 2, 3, 4, 5);
    await cluster.replica(1).propose(add(7));
    await until('everything everywhere', () =>
      [...cluster.machines.values()].every(({ total }) => total === 7),
    );
    for (const id of [1, 2, 3, 4, 5]) await cluster.close(id);
    const found = [];
    for (const id of [2, 4]) {
      const recovery = await look(id);
      found.push({ id, ...recovery.findings });
      await recovery.close();
    }
    found.sort((a, b) => b.lastTerm - a.lastTerm || b.lastIndex - a.lastIndex);
    const [best, other] = found;
    if (best === undefined || other === undefined) throw new Error('two members were looked at');
    const recovery = await look(best.id);
    await recovery.force(recovery.plan([2, 4]));
    await recovery.close();
    await Promise.all([cluster.open(2), cluster.open(4)]);
    expect(await cluster.replica(other.id).propose(add(1))).toBe(8);
    for (const id of [2, 4]) {
      expect(
        cluster
          .replica(id)
          .members()
          .map((member) => member.id),
      ).toEqual([2, 4]);
    }
    // One that was given up, with everything that it had, is not let in again.
    const lost = await cluster.open(5);
    await until('the refusal', () => lost.status().isRemoved || lost.status().failure !== null);
    await expect(lost.propose(add(1))).rejects.toBeDefined();
    expect(await cluster.replica(2).read((sum) => sum.total)).toBe(8);
  });

  it('waits until a member whose log does not know of its installed snapshot was started once', async () => {
    await cluster.start(1, 2, 3);
    await cluster.replica(1).propose(add(7));
    await until('everything everywhere', () =>
      [...cluster.machines.values()].every(({ total }) => total === 7),
    );
    for (const id of [1, 2, 3]) await cluster.close(id);
    const before = await look(3);
    const { clusterId, lastIndex, lastTerm, configuration } = before.findings;
    await before.close();
    const snapshot = { index: (lastIndex + 5) as Index, term: lastTerm };
    // As a crash leaves it that comes after the file and before the log's record.
    const directory = `${cluster.directory(3)}/snapshots`;
    const files = await SnapshotFiles.open({ platform, directory, clusterId });
    const writer = await files.create(snapshot, configuration, true);
    for await (const chunk of inChunks(framedHead(new MemberTable().encode()), add(70)))
      await writer.write(chunk);
    await files.commit(writer);

    await expect(look(3)).rejects.toMatchObject({
      code: 'FLOTILLA_RECOVERY_REFUSED',
      message: expect.stringContaining('start the member once') as string,
    });
    await cluster.open(3);
    await cluster.close(3);
    const recovery = await look(3);
    expect(recovery.findings).toMatchObject({ lastIndex: snapshot.index, compactedIndex: snapshot.index });
    await recovery.force(recovery.plan([3]));
    await recovery.close();
    const survivor = await cluster.open(3);
    expect(await survivor.propose(add(1))).toBe(71);
    expect(survivor.members()).toMatchObject([{ id: 3, role: 'voter' }]);
  });
});
