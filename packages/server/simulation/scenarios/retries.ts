import { sessionErrors } from '@flotilla/store';
import { CompactionRequest, etcdErrors, KV, PutRequest, type PutResponse } from '@flotilla/wire';
import { bytesOf, type KvClient, versionedPutMessage } from './kv-client.ts';
import { type KvLab, kvLimits, memberOf } from './kv-lab.ts';
import type { KvScenario } from './lab-result.ts';
import { restartAll } from './replicated.ts';

/** Scenarios 44 and 48 of the catalogue: requests that come again, and clients that come once. */
export const retries: readonly KvScenario[] = [
  {
    number: '44',
    title:
      'a write whose answer was lost comes again after a crash of the leader, a snapshot, a trim and a restart: applied once, the same reply',
    options: { members: 3, snapshotEvery: 5 },
    play: lostAnswer,
  },
  {
    number: '44 (everywhere at once)',
    title:
      'a write that comes to every member at once, again and again while leaders change, is applied once',
    options: { members: 3, unreliable: true },
    play: everywhereAtOnce,
  },
  {
    number: '44 (nothing to see)',
    title:
      'a write that changed nothing or was refused is answered alike later, when it would have had an effect',
    options: { members: 3, snapshotEvery: 5 },
    play: withoutEffect,
  },
  {
    number: '48',
    title: '100 clients that come once leave no session behind an hour later, and their requests are refused',
    // Few signs of life: an hour of them is simulated.
    options: { members: 3, heartbeatMs: 2_000, electionMs: 10_000 },
    play: oneShots,
  },
];

function lostAnswer(lab: KvLab): void {
  const first = lab.boot();
  const request = PutRequest.create({ key: bytesOf('k'), value: bytesOf('mine'), prevKv: true });
  let reply: PutResponse | null = null;
  let again = (_member: number): void => undefined;
  let asked = -1;
  const retrier = lab.client(async (client) => {
    await client.write(KV.methods.Put, PutRequest.create({ key: bytesOf('k'), value: bytesOf('before') }));
    const stamp = client.stamp();
    // The answer comes, but the client acts as if it had not: it does not say that it is done with it.
    while (reply === null) reply = await client.attempt(KV.methods.Put, request, stamp.metadata);
    for (;;) {
      const member = await new Promise<number>((resolve) => {
        again = resolve;
      });
      if (member < 0) return;
      client.member = member;
      let response: PutResponse | null = null;
      while (response === null) {
        response = await client.attempt(KV.methods.Put, request, stamp.metadata);
        if (response === null) await client.sleep(20);
      }
      expectSame(lab, reply, response);
      asked = member;
    }
  });
  const retryEverywhere = (): void => {
    for (const index of lab.members.keys()) {
      asked = -1;
      lab.wake(retrier, () => again(index));
      lab.within('retry answered', kvLimits.agreeMs, () => asked === index);
    }
  };
  lab.within('first answer', kvLimits.agreeMs, () => reply !== null);
  // By somebody else, so that a second effect would show in the version and in the value.
  lab.client((client) => client.put('k', 'theirs').then(() => undefined));
  lab.clientEnds(1);
  lab.crash(first);
  lab.leader();
  first.node.start();
  lab.within('it is back', kvLimits.agreeMs, () => memberOf(first) !== null);
  retryEverywhere();
  // One member misses so much that it comes back by a snapshot; the others have trimmed their logs.
  const late = lab.pick(lab.members, 'member that is left behind');
  lab.cut(late);
  // Until the others take it for dead: what they have sent before still comes, as on any stream.
  lab.sleep(2_000);
  const before = lab.clients.length;
  lab.client(async (client) => {
    client.member = lab.members.findIndex((member) => member !== late);
    for (let i = 0; i < 40; i += 1) await client.put(`other ${i}`, 'v');
  });
  lab.clientEnds(before);
  const behind = lab.status(late)?.lastIndex ?? 0;
  lab.within('logs trimmed', 1_000, () =>
    lab.members.every((member) => member === late || lab.hasTrimmed(member, behind)),
  );
  const installed = memberOf(late)?.database.installed?.index ?? 0;
  lab.connectAll();
  lab.within(
    'snapshot installed',
    kvLimits.agreeMs,
    () => (memberOf(late)?.database.installed?.index ?? 0) > installed,
  );
  retryEverywhere();
  restartAll(lab);
  retryEverywhere();
  lab.wake(retrier, () => again(-1));
  lab.client(async (client) => {
    const found = await client.read('k');
    lab.expect(found?.value === 'theirs' && found.version === 3, `k is ${JSON.stringify(found)}`);
  });
  lab.clientsEnd();
  lab.finish();
}

function expectSame(lab: KvLab, first: PutResponse, again: PutResponse): void {
  const described = [first, again].map(({ header, prevKv }) =>
    JSON.stringify([header?.revision, prevKv?.modRevision, prevKv?.version]),
  );
  lab.expect(described[0] === described[1], `first answered ${described.join(', then ')}`);
}

function everywhereAtOnce(lab: KvLab): void {
  lab.boot();
  const until = lab.now + 6_000;
  let writes = 0;
  for (let i = 0; i < 3; i += 1) {
    lab.client(async (client) => {
      for (let round = 1; lab.now < until; round += 1) {
        await writeEverywhere(lab, client, round);
        writes += 1;
        await client.sleep(1 + lab.draw(100, 'think time'));
      }
      const version = (await client.read(client.name))?.version ?? 0;
      lab.expect(version === client.written, `${client.written} writes, version ${version}`);
    });
  }
  while (lab.now < until) {
    lab.sleep(500 + lab.draw(1_000, 'until the next fault'));
    const leader = lab.findLeader();
    if (leader === null) continue;
    if (lab.draw(2, 'cut or crash') === 0) {
      lab.cut(leader);
      lab.sleep(1_500);
      lab.connectAll();
    } else {
      lab.crash(leader);
      lab.sleep(200);
      leader.node.start();
    }
  }
  lab.clientsEnd();
  lab.expect(writes > 20, 'clients were served');
  lab.finish();
}

/** The same request through all members at the same time, until one of them answers; the late ones change nothing. */
async function writeEverywhere(lab: KvLab, client: KvClient, round: number): Promise<void> {
  const request = PutRequest.create({
    key: bytesOf(client.name),
    value: bytesOf(String(round)),
    prevKv: true,
  });
  const stamp = client.stamp();
  let answer: PutResponse | null = null;
  while (answer === null) {
    const tries = [...lab.members.keys()].map(async (member) => {
      const response = await client.attemptAt(member, KV.methods.Put, request, stamp.metadata, 500);
      if (response !== null && answer !== null) expectSame(lab, answer, response);
      answer ??= response;
    });
    await Promise.all(tries);
  }
  client.settled(stamp);
  client.written += 1;
  // A late copy: it comes when the client has said that it is done, or before.
  const late = lab.draw(lab.members.length, 'where a late copy comes');
  void client.sleep(lab.draw(300, 'lateness of a copy')).then(async () => {
    const response = await client
      .attemptAt(late, KV.methods.Put, request, stamp.metadata, 500)
      .catch((error: unknown) => {
        const { message } = error as Error;
        lab.expect(message === sessionErrors.tooOld.message, `a late copy is answered with ${message}`);
        return null;
      });
    if (response !== null) expectSame(lab, answer as PutResponse, response);
  });
  lab.expect(
    ((answer as PutResponse).prevKv?.version ?? 0) === client.written - 1,
    `write ${client.written} followed version ${(answer as PutResponse).prevKv?.version ?? 0}`,
  );
}

function withoutEffect(lab: KvLab): void {
  lab.boot();
  const compaction = CompactionRequest.create({ revision: 30 });
  const guarded = versionedPutMessage('k', 'guarded', 3);
  let client: KvClient | null = null;
  let ask = (): void => undefined;
  let asked = 0;
  lab.client(async (each) => {
    client = each;
    await each.write(KV.methods.Put, PutRequest.create({ key: bytesOf('k'), value: bytesOf('first') }));
    const stamps = [each.stamp(), each.stamp()] as const;
    for (; asked < 4; asked += 1) {
      const refusal = await answerOf(each, () =>
        each.attempt(KV.methods.Compact, compaction, stamps[0].metadata),
      );
      lab.expect(refusal === etcdErrors.futureRevision.message, `try ${asked} of a compaction: ${refusal}`);
      const response = await each.attempt(KV.methods.Txn, guarded, stamps[1].metadata);
      lab.expect(response?.succeeded === false, `try ${asked} of a guarded put succeeds`);
      await new Promise<void>((resolve) => {
        ask = resolve;
      });
    }
  });
  const askAgain = (): void => {
    const before = asked;
    lab.wake(client as unknown as KvClient, () => ask());
    lab.within('asked again', kvLimits.agreeMs, () => asked > before);
    lab.sleep(100);
  };
  lab.sleep(500);
  const others = lab.clients.length;
  lab.client(async (each) => {
    for (let i = 0; i < 40; i += 1) await each.put(i < 2 ? 'k' : `other ${i}`, String(i));
  });
  lab.clientEnds(others);
  askAgain();
  const leader = lab.leader();
  lab.crash(leader);
  lab.leader();
  leader.node.start();
  lab.within('it is back', kvLimits.agreeMs, () => memberOf(leader) !== null);
  askAgain();
  restartAll(lab);
  lab.leader();
  askAgain();
  lab.wake(client as unknown as KvClient, () => ask());
  lab.clientsEnd();
  for (const member of lab.members) {
    lab.expect(memberOf(member)?.database.compactRevision === -1, 'nothing was compacted');
  }
  lab.finish();
}

/** What a request is refused with; asked until it is answered. */
async function answerOf(client: KvClient, ask: () => Promise<unknown>): Promise<string> {
  for (;;) {
    try {
      if ((await ask()) !== null) return 'no error';
    } catch (error) {
      return (error as Error).message;
    }
    client.member = (client.member + 1) % 3;
  }
}

function oneShots(lab: KvLab): void {
  lab.boot();
  const count = 100;
  const put = (id: number, client: KvClient, number = 1): Promise<PutResponse | null> =>
    client.attempt(KV.methods.Put, PutRequest.create({ key: bytesOf('k'), value: bytesOf(String(id)) }), {
      'flotilla-session': `once.${id}`,
      'flotilla-request': String(number),
    });
  lab.client(async (client) => {
    for (let id = 0; id < count; id += 1) lab.expect((await put(id, client)) !== null, 'answered');
  });
  lab.clientsEnd(60_000);
  // Who follows hears of the last commit a little later than its client.
  lab.within('all know the sessions', kvLimits.agreeMs, () =>
    lab.members.every((member) => sessionsOf(member) === count),
  );
  lab.within('sessions end', 66 * 60_000, () => lab.members.every((member) => sessionsOf(member) === 0));
  const bytes = Math.max(
    ...lab.members.map((member) => memberOf(member)?.database.stats.sessions.bytes ?? -1),
  );
  lab.measure('kept replies', bytes, 0, 'B');
  lab.client(async (client) => {
    const version = (await client.read('k'))?.version ?? 0;
    for (const id of [0, 1, count - 1]) {
      for (const number of [1, 2]) {
        const refusal = await answerOf(client, () => put(id, client, number));
        lab.expect(
          refusal === sessionErrors.expired.message,
          `request ${number} is answered with ${refusal}`,
        );
      }
    }
    lab.expect((await client.read('k'))?.version === version, 'nothing was executed again');
  });
  lab.clientsEnd();
  lab.finish();
}

function sessionsOf(member: Parameters<typeof memberOf>[0]): number {
  return memberOf(member)?.database.stats.sessions.count ?? -1;
}
