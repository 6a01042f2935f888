import { join } from 'node:path';
import { storageTables } from '@flotilla/store';
import { openLmdb } from '@flotilla/store/lmdb';
import { AlarmAction, AlarmType, callUnary, KV, Maintenance, PutRequest } from '@flotilla/wire';
import { afterEach, describe, expect, it } from 'vitest';
import { InProcessCluster } from './support/in-process.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

let cluster: InProcessCluster;

afterEach(async () => {
  await cluster.remove();
});

function put(member: number, value: string): Promise<unknown> {
  const request = PutRequest.create({ key: bytes('key'), value: bytes(value) });
  return callUnary(cluster.channel(member), KV.methods.Put, request, { timeoutMs: 60_000 });
}

async function alarms(): Promise<readonly (readonly [bigint, number])[]> {
  const request = { action: AlarmAction.GET, memberId: 0n, alarm: AlarmType.NONE };
  const { alarms: raised } = await callUnary(cluster.channel(0), Maintenance.methods.Alarm, request);
  return raised.map(({ memberId, alarm }) => [memberId, alarm] as const);
}

async function firstAlarms(): Promise<readonly (readonly [bigint, number])[]> {
  for (;;) {
    const raised = await alarms();
    if (raised.length > 0) return raised;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Changes the value that a stopped member has stored. `withSum`: so that it does not notice by itself. */
async function damage(member: number, withSum: boolean): Promise<void> {
  const storage = openLmdb(join(cluster.directory, `n${member + 1}`, 'state'), storageTables);
  const record = storage.get(1, bytes('key'))!.slice();
  record[record.length - 1]! ^= 1;
  const tables = storageTables.map(() => ({ keys: [] as Uint8Array[], values: [] as (Uint8Array | null)[] }));
  if (withSum) tables[0] = { keys: [bytes('t')], values: [null] };
  tables[1] = { keys: [bytes('key')], values: [record] };
  await storage.commit({ clear: false, tables }).flushed;
  await storage.close();
}

describe('a member whose state is not that of the others', () => {
  it('is found by the leader, and nothing goes through the log until the alarm is disarmed', async () => {
    cluster = await InProcessCluster.start(3, { 'compact-hash-check-time': '200ms' });
    for (let i = 0; i < 100; i += 1) await put(0, `value ${i}`);
    const victim = (cluster.leader() + 1) % 3;
    const memberId = cluster.members[victim]!.membership.self!.memberId;
    await cluster.stopMember(victim);
    expect(await alarms().catch(() => [])).toEqual([]);
    await damage(victim, true);
    const other = (victim + 1) % 3;
    await cluster.startMember(victim);
    expect(await firstAlarms()).toEqual([[memberId, AlarmType.CORRUPT]]);
    await expect(put(other, 'more')).rejects.toMatchObject({
      message: 'etcdserver: corrupt cluster',
      status: 15,
    });
    // Written again it is the same everywhere.
    await cluster.stopMember(victim);
    const disarm = { action: AlarmAction.DEACTIVATE, memberId, alarm: AlarmType.CORRUPT };
    await callUnary(cluster.channel(other), Maintenance.methods.Alarm, disarm);
    await put(other, 'again');
  });

  it('finds by itself what its storage has lost', async () => {
    cluster = await InProcessCluster.start(1, { 'corrupt-check-time': '200ms' });
    await put(0, 'value');
    const { memberId } = cluster.members[0]!.membership.self!;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await alarms()).toEqual([]);
    await cluster.stopMember(0);
    await damage(0, false);
    await cluster.startMember(0);
    expect(await firstAlarms()).toEqual([[memberId, AlarmType.CORRUPT]]);
    await expect(put(0, 'more')).rejects.toMatchObject({ status: 15 });
  });
});
