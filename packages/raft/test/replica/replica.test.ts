import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../host-cluster.ts';
import { add, ReplicaCluster } from './replica-cluster.ts';

let cluster: ReplicaCluster;
beforeEach(() => {
  cluster = new ReplicaCluster();
});
afterEach(() => cluster.stop());

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
    for (const id of [1, 2, 3]) await cluster.open(id, { snapshotEvery: 10 });
    for (let i = 1; i <= 64; i += 1) await cluster.replica(1).propose(add(i));
    await until('a snapshot', () => cluster.replica(1).metrics.snapshotsTaken > 2);
    for (const id of [1, 2, 3]) await cluster.close(id);
    for (const id of [1, 2, 3]) await cluster.open(id, { snapshotEvery: 10 });
    expect(await cluster.replica(1).read((sum) => sum.total)).toBe((64 * 65) / 2);
    expect(cluster.machines.get(1)?.restored).toBe(1);
    expect(await cluster.replica(3).propose(add(1))).toBe((64 * 65) / 2 + 1);
  });
});
