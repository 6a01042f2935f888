import { limits, sessionErrors } from '@flotilla/store';
import { CompactionRequest, KV, PutRequest, type PutResponse } from '@flotilla/wire';
import { bytesOf, type KvClient } from '../../simulation/scenarios/kv-client.ts';
import type { KvProcessLab } from './kv-process-lab.ts';
import type { KvProcessScenario, Scale } from './kv-process-scenario.ts';
import type { MemberProcess } from './process-cluster.ts';

/** How many come at a time. */
const atOnce = 20;
/** Which members may remember of each that needs no session. */
const rememberedBytes = 10;
/** A session ends with the second look at it that finds it idle for an hour; members look once a minute. */
const expiryMs = 130_000;

/** Scenario 48 of the catalogue: clients that come once. */
export const oneShotProcessScenarios: readonly KvProcessScenario[] = [
  {
    number: '48',
    title: 'clients with versioned puts that come once: at most 10 bytes of each stay',
    cluster: { members: 3, snapshots: true, probed: true },
    play: withoutSessions,
  },
  {
    number: '48 (sessions)',
    title:
      'sessions that are used once: bounded, retries answered alike or refused, and gone when they are idle',
    cluster: { members: 3, snapshots: true, probed: true },
    play: withSessions,
  },
];

async function withoutSessions(lab: KvProcessLab, { oneShots: count }: Scale): Promise<void> {
  // So that machine code, caches and pools are what they are going to be.
  await comeOnce(lab, 'n48 first', count);
  const before = await remembered(lab);
  await comeOnce(lab, 'n48 second', count);
  const after = await remembered(lab);
  const grown = (what: keyof Remembered): number[] =>
    after.map((each, index) => each[what] - (before[index] as Remembered)[what]);
  lab.expect(Math.max(...grown('sessions')) === 0, 'no session was begun');
  // Of each key the last value is kept; few clients are not many more than keys.
  if (count < manyClients) return;
  lab.measure(
    'of each client the state keeps',
    Math.max(...grown('stateBytes')) / count,
    rememberedBytes,
    'B',
  );
  // What is the clients' is on every member alike: they come to each as often, and the state is one. What goes up and
  // down by a megabyte is the process's own, and not the same on any two.
  lab.measure('and the heap', Math.min(...grown('heapBytes')) / count, rememberedBytes, 'B');
  lab.note(`heaps have grown by ${grown('heapBytes').join(', ')} B`);
}

interface Remembered {
  readonly sessions: number;
  readonly stateBytes: number;
  readonly heapBytes: number;
}

async function remembered(lab: KvProcessLab): Promise<readonly Remembered[]> {
  const heapBytes = await heaps(lab);
  return await Promise.all(
    lab.cluster.members.map(async (member, index) => ({
      sessions: await lab.metric(member, 'flotilla_sessions'),
      stateBytes: await lab.metric(member, 'etcd_mvcc_db_total_size_in_use_in_bytes'),
      heapBytes: heapBytes[index] as number,
    })),
  );
}

const manyClients = 20_000;

async function comeOnce(lab: KvProcessLab, name: string, count: number): Promise<void> {
  const value = 'x'.repeat(1_000);
  const lanes = Array.from({ length: atOnce }, (_, lane) => `${name} ${lane}`);
  await Promise.all(
    lanes.map(async (key) => {
      for (let version = 0; version < count / atOnce; version += 1) {
        await lab.client(async (client) => {
          const outcome = await client.versionedPutOnce(key, value, version);
          lab.expect(outcome === 'ok' || outcome === 'maybe', `put ${version} of ${key} answers ${outcome}`);
        });
      }
    }),
  );
  await lab.client(async (client) => {
    let revision = 0;
    for (const key of lanes) {
      const found = await client.read(key);
      lab.expect(found?.version === count / atOnce, `${key} has version ${found?.version ?? 0}`);
      revision = Math.max(revision, found?.modRevision ?? 0);
    }
    // What is left of them is not to be what is left of their writes.
    const compaction = CompactionRequest.create({ revision, physical: true });
    lab.expect((await client.attempt(KV.methods.Compact, compaction, {}, 60_000)) !== null, 'compacted');
  });
}

async function heaps(lab: KvProcessLab): Promise<readonly number[]> {
  return await Promise.all(
    lab.cluster.members.map(async ({ process: member }) => {
      const reports = member.stderr.filter((line) => line.startsWith('heap ')).length;
      process.kill(member.pid, 'SIGUSR2');
      const line = await member.line('stderr', new RegExp(`^heap ${reports + 1}: `));
      return Number(line.split(': ')[1]);
    }),
  );
}

async function withSessions(lab: KvProcessLab, { oneShots: count, expiry }: Scale): Promise<void> {
  const request = PutRequest.create({ key: bytesOf('n48'), value: bytesOf('x'), prevKv: true });
  const put = (client: KvClient, id: number): Promise<PutResponse | null> =>
    client.attempt(KV.methods.Put, request, {
      'flotilla-session': `${lab.sessionPrefix}once.${id}`,
      'flotilla-request': '1',
    });
  const first = new Map<number, string>();
  await lab.clients(atOnce, async (client, index) => {
    for (let id = index; id < count; id += atOnce) {
      let response: PutResponse | null = null;
      while (response === null) response = await put(client, id);
      first.set(id, String(response.header?.revision));
    }
  });
  await lab.client(async (client) => {
    const version = (await client.read('n48'))?.version ?? 0;
    lab.expect(version === count, `${count} came once, the version is ${version}`);
    for (const id of [0, count - 1]) {
      const again = await put(client, id).then(
        (response) => String(response?.header?.revision),
        (error: unknown) => (error as Error).message,
      );
      // Of the first of many thousands nothing is kept any more, but that it must not be executed.
      const wanted = id === 0 && count > limits.sessions ? sessionErrors.expired.message : first.get(id);
      lab.expect(again === wanted, `client ${id} was answered ${first.get(id) ?? ''}, then ${again}`);
    }
    lab.expect((await client.read('n48'))?.version === count, 'nothing was executed again');
  });
  for (const member of lab.cluster.members) await expectBounded(lab, member);
  if (expiry) await idle(lab);
}

async function expectBounded(lab: KvProcessLab, member: MemberProcess): Promise<void> {
  const sessions = await lab.metric(member, 'flotilla_sessions');
  lab.measure('sessions', sessions, limits.sessions, '');
  const replyBytes = await lab.metric(member, 'flotilla_sessions_reply_bytes');
  lab.measure('of each is kept', replyBytes / Math.max(1, sessions), 256, 'B');
  const forgotten = await lab.metric(member, 'flotilla_sessions_forgotten');
  lab.measure('forgotten names', forgotten, limits.forgottenSessions, '');
}

/** An hour later, by the members' own clocks. */
async function idle(lab: KvProcessLab): Promise<void> {
  const [one] = lab.cluster.members as [MemberProcess, ...MemberProcess[]];
  const before = await lab.metric(one, 'flotilla_sessions');
  // Each member must have looked once since the last use, so as to know how long ago that was.
  await lab.sleep(61_000);
  for (const { process: member } of lab.cluster.members) process.kill(member.pid, 'SIGWINCH');
  const jumpedMs = lab.now;
  const ended = await lab.comesTrue(
    async () => (await lab.metric(one, 'flotilla_sessions')) < before,
    expiryMs,
  );
  lab.expect(ended, `${before} sessions are idle for an hour, and none has ended`);
  lab.measure('the first idle sessions end', lab.now - jumpedMs, expiryMs, 'ms');
}
