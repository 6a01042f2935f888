import { KV, PutRequest } from '@flotilla/wire';
import { bytesOf, type KvClient } from './kv-client.ts';
import { type KvLab, kvLimits, type LabMember, memberOf } from './kv-lab.ts';
import type { KvScenario } from './lab-result.ts';

/**
 * Scenarios 34 to 37 of the catalogue: the replicated state machine. An increment is a put, which adds one to the
 * version of its key; each carries a session, so each must count exactly once.
 */
export const replicated: readonly KvScenario[] = [
  {
    number: '34',
    title:
      '10 increments in order, 50 at once, and two while the leader is cut off: each once, equal on 3 members',
    options: { members: 3 },
    play: increments,
  },
  {
    number: '35',
    title:
      '100 increments at a leader without a majority: none succeeds, all return within 1 s of the healing',
    options: { members: 3 },
    play: minorityLeader,
  },
  {
    number: '36',
    title:
      '100 increments, all members restart, the next is number 101; 100 under way at a shutdown return within 11 s',
    options: { members: 3 },
    play: restarts,
  },
  {
    number: '37',
    title:
      '100 increments with snapshots: at most 2,000 bytes of log; after a restart the next is number 101',
    options: { members: 3, snapshotEvery: 5 },
    play: snapshots,
  },
];

const counter = 'counter';

/** Answers what the counter was raised to. */
async function increment(client: KvClient): Promise<number> {
  const request = PutRequest.create({ key: bytesOf(counter), value: bytesOf('x'), prevKv: true });
  const response = await client.write(KV.methods.Put, request);
  return (response.prevKv?.version ?? 0) + 1;
}

/** `count` increments, of which none came before `from`: each raises the counter to another number, without a gap. */
function expectNumbers(lab: KvLab, numbers: readonly number[], from: number): void {
  const sorted = [...numbers].sort((a, b) => a - b);
  const wanted = sorted.map((_, index) => from + index);
  lab.expect(
    sorted.join() === wanted.join(),
    `increments raised the counter to ${sorted.join()} and not ${wanted.join()}`,
  );
}

async function inOrder(client: KvClient, count: number): Promise<number[]> {
  const numbers: number[] = [];
  for (let i = 0; i < count; i += 1) numbers.push(await increment(client));
  return numbers;
}

function increments(lab: KvLab): void {
  lab.boot();
  lab.client(async (client) => {
    const first = await inOrder(client, 10);
    lab.expect(first.join() === '1,2,3,4,5,6,7,8,9,10', `in order came ${first.join()}`);
    expectNumbers(lab, await Promise.all(Array.from({ length: 50 }, () => increment(client))), 11);
  });
  lab.clientsEnd();
  const leader = lab.leader();
  lab.client(async (client) => {
    expectNumbers(lab, await inOrder(client, 1), 61);
    lab.cut(leader);
    expectNumbers(lab, await inOrder(client, 1), 62);
  });
  lab.clientsEnd();
  lab.finish();
}

function minorityLeader(lab: KvLab): void {
  const leader = lab.boot();
  lab.client(async (client) => {
    expectNumbers(lab, await inOrder(client, 1), 1);
  });
  lab.clientsEnd();
  lab.cut(leader);
  const index = lab.members.indexOf(leader);
  const answers: boolean[] = [];
  let healed = false;
  let succeeded = 0;
  for (let i = 0; i < 100; i += 1) {
    const client = lab.client(async (each) => {
      const request = PutRequest.create({ key: bytesOf(counter), value: bytesOf('x') });
      const answer = await each.attempt(KV.methods.Put, request, {}, 30_000);
      lab.expect(healed || answer === null, 'a leader without a majority let a write succeed');
      if (answer !== null) succeeded += 1;
      answers.push(answer !== null);
    });
    client.member = index;
  }
  lab.sleep(kvLimits.silenceMs);
  lab.expect(
    answers.every((answer) => !answer),
    'nothing succeeds at a leader without a majority',
  );
  lab.until(kvLimits.leaderMs, () => lab.findLeader() !== null);
  // The majority goes on meanwhile.
  lab.client(async (client) => {
    client.member = (index + 1) % lab.members.length;
    expectNumbers(lab, await inOrder(client, 1), 2);
  });
  lab.clientEnds(lab.clients.length - 1);
  healed = true;
  lab.connectAll();
  lab.within('increments at a deposed leader return', 1_000, () => answers.length === 100);
  lab.client(async (client) => {
    const [number] = await inOrder(client, 1);
    // What was given up may have been carried out all the same, but nothing twice.
    lab.expect((number as number) >= 3 + succeeded, `${succeeded} succeeded, the next is ${number}`);
    lab.expect((number as number) <= 103, `100 were tried, the next is number ${number}`);
  });
  lab.clientsEnd();
  lab.finish();
}

function restarts(lab: KvLab): void {
  lab.boot();
  lab.client(async (client) => expectNumbers(lab, await inOrder(client, 100), 1));
  lab.clientsEnd();
  restartAll(lab);
  lab.client(async (client) => expectNumbers(lab, await inOrder(client, 1), 101));
  lab.clientsEnd();
  // 100 of one session are under way when every member dies. Each is asked for again until it is answered.
  const numbers: number[] = [];
  lab.client(async (client) => {
    await increment(client);
    const all = Array.from({ length: 100 }, async (_, i) => {
      await client.sleep(i % 10);
      numbers.push(await increment(client));
    });
    await Promise.all(all);
  });
  lab.until(kvLimits.agreeMs, () => numbers.length >= 20);
  lab.crashAll();
  lab.sleep(500);
  lab.restartAll();
  lab.clientsEnd(11_000);
  expectNumbers(lab, numbers, 103);
  lab.finish();
}

function snapshots(lab: KvLab): void {
  lab.boot();
  lab.client(async (client) => expectNumbers(lab, await inOrder(client, 100), 1));
  lab.clientsEnd();
  const small = (member: LabMember): boolean => lab.logState(member).bytes <= 2_000;
  lab.within('logs compacted', 1_000, () => lab.members.every(small));
  for (const member of lab.members) {
    lab.measure('log after 100 increments', lab.logState(member).bytes, 2_000, 'B');
    lab.expect(lab.hasTrimmed(member, 0), `${member.node.name} has compacted its log`);
  }
  restartAll(lab);
  lab.client(async (client) => expectNumbers(lab, await inOrder(client, 1), 101));
  lab.clientsEnd();
  lab.finish();
}

export function restartAll(lab: KvLab): void {
  lab.crashAll();
  lab.restartAll();
  lab.within('members are back', kvLimits.agreeMs, () =>
    lab.members.every((member) => memberOf(member) !== null),
  );
}
