import { CompactionRequest, KV, PutRequest, RangeRequest, TxnRequest } from '@flotilla/wire';
import { bytesOf, type KvClient } from './kv-client.ts';
import { type KvLab, kvLimits, type LabMember, memberOf } from './kv-lab.ts';
import type { KvScenario } from './lab-result.ts';

/** Scenarios 40 to 43, 45 and 46 of the catalogue: what a key-value service owes its clients. */
export const keyValues: readonly KvScenario[] = [
  {
    number: '40',
    title:
      'a minority is silent for 1 s while the majority serves; its put and get end within 4 s of the healing',
    options: { members: 5 },
    play: onePartition,
  },
  {
    number: '41',
    title: '5 clients append 10 times each to one key on a lossy network: each once, in each client’s order',
    options: { members: 3, unreliable: true },
    play: appends,
  },
  {
    number: '42',
    title:
      'a member that missed 50 puts comes back by a snapshot and serves in the next majority; log ≤ 8,000 bytes',
    options: { members: 3, snapshotEvery: 5 },
    play: lagging,
  },
  {
    number: '43',
    title: '800 operations on one key: at most 8,000 bytes of log, and a snapshot of at most 500 bytes',
    options: { members: 3, snapshotEvery: 5 },
    play: oneKey,
  },
  {
    number: '45',
    title:
      'a deposed leader serves no stale read, whether ranges, read-only transactions or the log answer it',
    options: { members: 3 },
    play: deposedLeader,
  },
  {
    number: '45 (with leases)',
    title: 'nor does it where leaders hold leases',
    options: { members: 3, host: { leases: true } },
    play: deposedLeader,
  },
  {
    number: '46 (table)',
    title: 'a versioned put answers ok, no key or version mismatch, exactly',
    options: { members: 3 },
    play: versionTable,
  },
  {
    number: '46 (lossy)',
    title:
      '100 versioned puts without a session on a lossy network: «maybe» comes up, and is settled by the next',
    options: { members: 3, unreliable: true },
    play: lossyVersions,
  },
  {
    number: '46 (racers)',
    title: '10 racers for 1 s on one key: its version is the number of puts that were answered with ok',
    options: { members: 3 },
    play: racers,
  },
];

function onePartition(lab: KvLab): void {
  const leader = lab.boot();
  lab.client((client) => client.put('k', 'before').then(() => undefined));
  lab.clientsEnd();
  const others = lab.members.filter((member) => member !== leader);
  const minority = [leader, lab.pick(others, 'member of the minority')];
  lab.partition(minority);
  let answered = 0;
  const atMinority = (body: (client: KvClient) => Promise<unknown>): void => {
    const client = lab.client(async (each) => {
      await body(each);
      answered += 1;
    });
    client.member = lab.members.indexOf(lab.pick(minority, 'member that is asked'));
  };
  // Each with one try only: a member without a majority must neither answer nor forget them.
  const patienceMs = 60_000;
  const request = PutRequest.create({ key: bytesOf('k'), value: bytesOf('minority') });
  atMinority(async (client) => {
    const metadata = client.stamp().metadata;
    while ((await client.attempt(KV.methods.Put, request, metadata, patienceMs)) === null)
      await client.sleep(20);
  });
  const range = RangeRequest.create({ key: bytesOf('k') });
  atMinority(async (client) => {
    while ((await client.attempt(KV.methods.Range, range, {}, patienceMs)) === null) await client.sleep(20);
  });
  lab.sleep(kvLimits.silenceMs);
  lab.expect(answered === 0, 'a minority does not answer');
  const majority = lab.client(async (client) => {
    client.member = lab.members.findIndex((member) => !minority.includes(member));
    await client.put('m', 'majority');
    await client.get('m');
  });
  lab.within('the majority serves', kvLimits.leaderMs, () => majority.finished);
  lab.expect(answered === 0, 'a minority does not answer');
  lab.connectAll();
  lab.within('put and get of the minority end', 4_000, () => answered === 2);
  lab.clientsEnd();
  lab.finish();
}

function appends(lab: KvLab): void {
  lab.boot();
  const clients = 5;
  const count = 10;
  for (let i = 0; i < clients; i += 1) {
    lab.client(async (client) => {
      for (let n = 0; n < count; n += 1) await client.append('log', `x ${i} ${n} y`);
    });
  }
  lab.clientsEnd(60_000);
  lab.client(async (client) => {
    const value = (await client.get('log'))?.value ?? '';
    lab.expect(value.length === clients * count * 'x 0 0 y'.length, `the log is ${value}`);
    for (let i = 0; i < clients; i += 1) {
      const places = Array.from({ length: count }, (_, n) => value.indexOf(`x ${i} ${n} y`));
      const inOrder = places.every((place, n) => place >= 0 && place > (places[n - 1] ?? -1));
      lab.expect(inOrder, `client ${i}'s appends are at ${places.join()} of ${value}`);
    }
  });
  lab.clientsEnd();
  lab.finish();
}

function lagging(lab: KvLab): void {
  const leader = lab.boot();
  const [late, other] = lab.members.filter((member) => member !== leader) as [LabMember, LabMember];
  lab.cut(late);
  // Until the others take it for dead: what they have sent before still comes, as on any stream.
  lab.sleep(2_000);
  lab.client(async (client) => {
    for (let i = 0; i < 50; i += 1) await client.put(`k${i}`, String(i));
  });
  lab.clientsEnd();
  lab.within('log of the majority', 1_000, () => lab.logState(leader).bytes <= kvLimits.logBytes);
  lab.expect(lab.hasTrimmed(leader, 0), 'the majority has compacted its log');
  lab.connectAll();
  // It can only come from a snapshot: the entries are gone. Then it makes a majority with the leader.
  lab.within(
    'snapshot installed',
    kvLimits.agreeMs,
    () => (memberOf(late)?.database.installed?.index ?? 0) > 0,
  );
  lab.cut(other);
  lab.client(async (client) => {
    client.member = lab.members.indexOf(late);
    await client.put('k0', 'new');
    for (let i = 1; i < 50; i += 1) {
      const found = await client.get(`k${i}`);
      lab.expect(found?.value === String(i), `k${i} is ${found?.value ?? 'absent'}`);
    }
    lab.expect((await client.get('k0'))?.value === 'new', 'k0 is new');
  });
  lab.clientsEnd();
  lab.within('log after all', 1_000, () =>
    [leader, late].every((member) => lab.logState(member).bytes <= kvLimits.logBytes),
  );
  lab.finish();
}

function oneKey(lab: KvLab): void {
  lab.boot();
  lab.client(async (client) => {
    for (let i = 0; i < 200; i += 1) {
      for (const value of ['a', 'b']) {
        const request = PutRequest.create({ key: bytesOf('k'), value: bytesOf(value) });
        while ((await client.attempt(KV.methods.Put, request)) === null) await client.sleep(20);
        lab.expect((await client.read('k'))?.value === value, `k is ${value}`);
      }
    }
    const revision = (await client.read('k'))?.modRevision ?? 0;
    const compaction = CompactionRequest.create({ revision, physical: true });
    lab.expect((await client.attempt(KV.methods.Compact, compaction)) !== null, 'compacted');
  });
  lab.clientsEnd(60_000);
  lab.finish();
  for (const member of lab.members) {
    lab.until(1_000, () => lab.logState(member).bytes <= kvLimits.logBytes);
    lab.measure('log after 800 operations', lab.logState(member).bytes, kvLimits.logBytes, 'B');
    lab.measure('snapshot after 800 operations', snapshotBytes(lab, member), 500, 'B');
  }
}

/** Of the key space: what members have told of themselves, their URLs above all, is not the client's doing. */
function snapshotBytes(lab: KvLab, member: LabMember): number {
  const database = memberOf(member)?.database;
  if (database === undefined) return lab.fail(`${member.node.name} does not run`);
  let bytes: number | null = null;
  const read = async (): Promise<void> => {
    let sum = 0;
    for await (const chunk of database.snapshot().chunks()) sum += chunk.length;
    for (const [, record] of database.members) sum -= record.length;
    bytes = sum;
  };
  lab.world.after(0, () => void read(), member.node.life);
  lab.within('snapshot read', 1_000, () => bytes !== null);
  return bytes ?? 0;
}

function deposedLeader(lab: KvLab): void {
  lab.boot();
  lab.client((client) => client.put('k', '0').then(() => undefined));
  lab.clientsEnd();
  for (let round = 1; round <= 3; round += 1) {
    const leader = lab.leader();
    const old = lab.members.indexOf(leader);
    const until = lab.now + 4_000;
    // All along somebody reads at the leader of before, in each of the three ways.
    for (const read of [rangeOnce, readTxnOnce, logOnce]) {
      lab.client(async (client) => {
        while (lab.now < until) {
          client.member = old;
          await read(lab, client);
          await client.sleep(5 + lab.draw(20, 'think time'));
        }
      });
    }
    lab.sleep(lab.draw(50, 'before the cut'));
    lab.cut(leader);
    lab.client(async (client) => {
      client.member = (old + 1) % lab.members.length;
      for (let i = 0; lab.now < until - 500; i += 1) {
        await client.put('k', `${round}.${i}`);
        await client.sleep(10);
      }
    });
    lab.sleep(2_000 + lab.draw(1_000, 'duration of the cut'));
    lab.connectAll();
    lab.clientsEnd();
  }
  lab.finish();
}

/** One try at that member: an answer is in the history, and so is judged. No answer is no read. */
async function rangeOnce(lab: KvLab, client: KvClient): Promise<void> {
  await recordRead(lab, client, async () => {
    const response = await client.attempt(
      KV.methods.Range,
      RangeRequest.create({ key: bytesOf('k') }),
      {},
      400,
    );
    return response?.kvs ?? null;
  });
}

async function readTxnOnce(lab: KvLab, client: KvClient): Promise<void> {
  await recordRead(lab, client, () => readByTxn(client, false));
}

/** With a session a transaction goes through the log, whatever it does. */
async function logOnce(lab: KvLab, client: KvClient): Promise<void> {
  await recordRead(lab, client, () => readByTxn(client, true));
}

type KeyValues = readonly { readonly value: Uint8Array; readonly version: number }[];

async function readByTxn(client: KvClient, logged: boolean): Promise<KeyValues | null> {
  const range = RangeRequest.create({ key: bytesOf('k') });
  const request = TxnRequest.create({ success: [{ request: { case: 'requestRange', value: range } }] });
  const metadata = logged
    ? {
        'flotilla-session': `${client.name} ${client.stamp().number}`.replace(' ', '.'),
        'flotilla-request': '1',
      }
    : {};
  const response = await client.attempt(KV.methods.Txn, request, metadata, 400);
  if (response === null) return null;
  const [first] = response.responses;
  return first?.response?.case === 'responseRange' ? first.response.value.kvs : null;
}

async function recordRead(
  lab: KvLab,
  client: KvClient,
  read: () => Promise<KeyValues | null>,
): Promise<void> {
  const id = lab.history.call(client.number, { type: 'get', key: 'k' });
  const kvs = await read();
  if (kvs === null) {
    lab.history.failed(id, 'not answered');
    return;
  }
  const [kv] = kvs;
  const value = kv === undefined ? null : new TextDecoder().decode(kv.value);
  lab.history.returned(id, { type: 'get', value, version: kv?.version ?? 0 });
}

function versionTable(lab: KvLab): void {
  lab.boot();
  lab.client(async (client) => {
    const expectOutcome = async (version: number, wanted: string): Promise<void> => {
      const outcome = await client.versionedPut('k', `at ${version}`, version);
      lab.expect(outcome === wanted, `a put at version ${version} answers ${outcome}, not ${wanted}`);
    };
    lab.expect((await client.get('k')) === null, 'the key is absent');
    await expectOutcome(1, 'no-key');
    await expectOutcome(0, 'ok');
    await expectOutcome(0, 'version-mismatch');
    await expectOutcome(2, 'version-mismatch');
    await expectOutcome(1, 'ok');
    await expectOutcome(1, 'version-mismatch');
    const found = await client.get('k');
    lab.expect(found?.version === 2 && found.value === 'at 1', `found ${JSON.stringify(found)}`);
  });
  lab.clientsEnd();
  lab.finish();
}

function lossyVersions(lab: KvLab): void {
  lab.boot();
  let maybes = 0;
  lab.client(async (client) => {
    for (let version = 0; version < 100; version += 1) {
      const outcome = await client.versionedPutOnce('k', `v${version}`, version);
      lab.expect(outcome === 'ok' || outcome === 'maybe', `put ${version} answers ${outcome}`);
      if (outcome === 'maybe') maybes += 1;
      const again = await client.versionedPutOnce('k', 'again', version);
      lab.expect(again === 'version-mismatch' || again === 'maybe', `put ${version} again answers ${again}`);
      const found = await client.read('k');
      lab.expect(
        found?.version === version + 1 && found.value === `v${version}`,
        `found ${found?.value ?? ''}`,
      );
    }
  });
  lab.clientsEnd(120_000);
  lab.expect(maybes > 0, 'an answer was lost at least once');
  lab.finish();
}

function racers(lab: KvLab): void {
  lab.boot();
  let succeeded = 0;
  const until = lab.now + 1_000;
  for (let i = 0; i < 10; i += 1) {
    lab.client(async (client) => {
      while (lab.now < until) {
        const found = await client.get('k');
        const outcome = await client.versionedPut('k', client.name, found?.version ?? 0);
        if (outcome === 'ok') succeeded += 1;
        await client.sleep(lab.draw(10, 'think time'));
      }
    });
  }
  lab.clientsEnd();
  lab.client(async (client) => {
    const version = (await client.get('k'))?.version ?? 0;
    lab.expect(version === succeeded, `${succeeded} puts succeeded, the version is ${version}`);
    lab.expect(succeeded > 0, 'somebody succeeded');
  });
  lab.clientsEnd();
  lab.finish();
}
