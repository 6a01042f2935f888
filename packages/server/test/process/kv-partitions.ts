import { KV, PutRequest, RangeRequest } from '@flotilla/wire';
import { bytesOf, type KvClient } from '../../simulation/scenarios/kv-client.ts';
import type { KvProcessLab } from './kv-process-lab.ts';
import { type KvProcessScenario, three } from './kv-process-scenario.ts';
import type { MemberProcess } from './process-cluster.ts';

/** A peer is taken for dead after an election time-out; what was sent before still comes. */
export const takenForDeadMs = 2_000;
const logBytes = 8_000;

/** Scenarios 40 and 42 of the catalogue: what members without a majority do, and how those that missed much come back. */
export const partitionProcessScenarios: readonly KvProcessScenario[] = [
  {
    number: '40',
    title:
      'a minority is silent for 1 s while the majority serves; its put and get end within 4 s of the healing',
    cluster: { members: 5, snapshots: false },
    play: onePartition,
  },
  {
    number: '42',
    title:
      'a member that missed 50 puts comes back by a snapshot and serves in the next majority; log ≤ 8,000 bytes',
    cluster: three,
    play: lagging,
  },
];

async function onePartition(lab: KvProcessLab): Promise<void> {
  await lab.client((client) => client.put('n40', 'before').then(() => undefined));
  const leader = await lab.leader();
  const [other, ...rest] = lab.othersThan(leader);
  const minority = [leader, other as MemberProcess];
  lab.partition(minority);
  let answered = 0;
  const atMinority = (body: (client: KvClient) => Promise<unknown>, member: MemberProcess): Promise<void> =>
    lab.client(async (client) => {
      client.member = member.index;
      while ((await body(client)) === null) await client.sleep(20);
      answered += 1;
    });
  // Each with patience: a member without a majority must neither answer nor forget them.
  const patienceMs = 60_000;
  const put = PutRequest.create({ key: bytesOf('n40'), value: bytesOf('minority') });
  const range = RangeRequest.create({ key: bytesOf('n40') });
  const all = Promise.all(
    minority.flatMap((member) => {
      let stamp: ReturnType<KvClient['stamp']> | null = null;
      return [
        atMinority((client) => {
          stamp ??= client.stamp();
          return client.attempt(KV.methods.Put, put, stamp.metadata, patienceMs);
        }, member),
        atMinority((client) => client.attempt(KV.methods.Range, range, {}, patienceMs), member),
      ];
    }),
  );
  const cutMs = lab.now;
  const majority = lab.client(async (client) => {
    client.member = (rest[0] as MemberProcess).index;
    await client.put('n40 majority', 'x');
    await client.get('n40 majority');
  });
  await lab.sleep(1_000);
  lab.expect(answered === 0, `a minority answered ${answered} requests within 1 s`);
  await majority;
  lab.measure('the majority serves', lab.now - cutMs, 5_000, 'ms');
  lab.expect(answered === 0, `a minority answered ${answered} requests while the majority served`);
  lab.connectAll();
  const healedMs = lab.now;
  await all;
  lab.measure('put and get of the minority end', lab.now - healedMs, 4_000, 'ms');
}

async function lagging(lab: KvProcessLab): Promise<void> {
  const leader = await lab.leader();
  const [late, other] = lab.othersThan(leader) as [MemberProcess, MemberProcess];
  await missesMuch(lab, late, async (client) => {
    for (let i = 0; i < 50; i += 1) await client.put(`n42.${i}`, String(i));
  });
  lab.partition([other]);
  await lab.client(async (client) => {
    client.member = late.index;
    await client.put('n42.0', 'new');
    for (let i = 1; i < 50; i += 1) {
      const found = await client.get(`n42.${i}`);
      lab.expect(found?.value === String(i), `n42.${i} is ${found?.value ?? 'absent'}`);
    }
    lab.expect((await client.get('n42.0'))?.value === 'new', 'n42.0 is new');
  });
  await lab.measureLogs('log', logBytes, [leader, late]);
  lab.connectAll();
}

/** One member is cut off while the others write and compact what it misses: it can come back by a snapshot only. */
export async function missesMuch(
  lab: KvProcessLab,
  late: MemberProcess,
  write: (client: KvClient) => Promise<void>,
): Promise<void> {
  lab.partition([late]);
  await lab.sleep(takenForDeadMs);
  const others = lab.othersThan(late);
  const received = await lab.metric(late, 'flotilla_raft_snapshots_received_total');
  await lab.client(async (client) => {
    client.member = (others[0] as MemberProcess).index;
    await write(client);
  });
  await lab.measureLogs('log of the majority', logBytes, others);
  lab.connectAll();
  const healedMs = lab.now;
  const installed = await lab.comesTrue(
    async () => (await lab.metric(late, 'flotilla_raft_snapshots_received_total')) > received,
  );
  lab.expect(installed, 'the member that missed much has received a snapshot');
  lab.measure('a snapshot is received', lab.now - healedMs, 10_000, 'ms');
}
