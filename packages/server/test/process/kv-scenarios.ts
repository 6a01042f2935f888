import { KV, PutRequest, type PutResponse, RangeRequest } from '@flotilla/wire';
import { bytesOf, type KvClient } from '../../simulation/scenarios/kv-client.ts';
import { VersionedLock } from '../../simulation/scenarios/versioned-lock.ts';
import { genericProcessScenarios } from './kv-generic.ts';
import { oneShotProcessScenarios } from './kv-one-shots.ts';
import { missesMuch, partitionProcessScenarios } from './kv-partitions.ts';
import type { KvProcessLab } from './kv-process-lab.ts';
import { type KvProcessScenario, type Scale, three, threeWithoutSnapshots } from './kv-process-scenario.ts';
import type { MemberProcess } from './process-cluster.ts';

/**
 * Scenarios of the catalogue's numbers 34 to 48 that are marked for processes. The suite plays few of them, and those
 * over one cluster; `npm run soak:kv-process` plays all.
 */
export const kvProcessScenarios: readonly KvProcessScenario[] = [
  {
    number: '34',
    title: '10 increments in order, 50 at once, and two while the leader is cut off: each once',
    cluster: three,
    play: increments,
  },
  {
    number: '35',
    title:
      '100 increments at a leader whose followers are stopped: none succeeds; all return within 1 s after',
    cluster: three,
    play: minorityLeader,
  },
  {
    number: '36',
    title:
      '100 increments, kill −9 of all, the next is number 101; 100 under way return within 11 s, each once',
    cluster: threeWithoutSnapshots,
    play: restarts,
  },
  {
    number: '37',
    title:
      '100 increments: at most 2,000 bytes of log; after a restart from the snapshot the next is number 101',
    cluster: three,
    play: snapshots,
  },
  {
    number: '38',
    title: 'writes one after the other, with real syncs: at most 33.3 ms each',
    cluster: threeWithoutSnapshots,
    play: speed,
  },
  {
    number: '38 (snapshots)',
    title: 'the same where the log is compacted all the time',
    cluster: three,
    play: speed,
  },
  ...genericProcessScenarios,
  ...partitionProcessScenarios,
  {
    number: '41',
    title: '5 clients × 10 appends on a lossy network: each once, in order',
    cluster: three,
    play: appends,
  },
  {
    number: '44',
    title:
      'a write whose answer was lost, after kill −9 of the leader, a snapshot, a trim and kill −9 of all: applied once, the same reply',
    cluster: three,
    play: lostAnswer,
  },
  {
    number: '45',
    title: 'a leader that was stopped while another took over serves no stale read',
    cluster: three,
    play: deposedLeader,
  },
  {
    number: '46 (table)',
    title: 'a versioned put answers ok, no key or version mismatch, exactly',
    cluster: three,
    play: versionTable,
  },
  {
    number: '46 (lossy)',
    title: '100 versioned puts without a session on a lossy network: «maybe» is settled by the next',
    cluster: three,
    play: lossyVersions,
  },
  {
    number: '46 (racers)',
    title: '10 racers: the version is the number of puts answered with ok',
    cluster: three,
    play: racers,
  },
  ...([1, 10] as const).flatMap((clients) =>
    (['reliable', 'unreliable'] as const).map((network): KvProcessScenario => ({
      number: `47 (${clients}, ${network})`,
      title: 'a lock never has two holders',
      cluster: three,
      play: (lab, scale) => locks(lab, scale, clients, network),
    })),
  ),
  ...oneShotProcessScenarios,
];

async function increment(client: KvClient, key: string): Promise<number> {
  const request = PutRequest.create({ key: bytesOf(key), value: bytesOf('x'), prevKv: true });
  return ((await client.write(KV.methods.Put, request)).prevKv?.version ?? 0) + 1;
}

async function inOrder(client: KvClient, key: string, count: number): Promise<number[]> {
  const numbers: number[] = [];
  for (let i = 0; i < count; i += 1) numbers.push(await increment(client, key));
  return numbers;
}

function expectNumbers(lab: KvProcessLab, numbers: readonly number[], from: number): void {
  const sorted = [...numbers].sort((a, b) => a - b).join();
  const wanted = numbers.map((_, index) => from + index).join();
  lab.expect(sorted === wanted, `increments raised the counter to ${sorted} and not ${wanted}`);
}

async function increments(lab: KvProcessLab): Promise<void> {
  await lab.client(async (client) => {
    const first = await inOrder(client, 'n34', 10);
    lab.expect(first.join() === '1,2,3,4,5,6,7,8,9,10', `in order came ${first.join()}`);
    const next = await Promise.all(Array.from({ length: 50 }, () => increment(client, 'n34')));
    expectNumbers(lab, next, 11);
  });
  const leader = await lab.leader();
  await lab.client(async (client) => {
    expectNumbers(lab, await inOrder(client, 'n34', 1), 61);
    lab.partition([leader]);
    expectNumbers(lab, await inOrder(client, 'n34', 1), 62);
  });
  lab.connectAll();
}

async function minorityLeader(lab: KvProcessLab): Promise<void> {
  const leader = await lab.leader();
  const others = lab.othersThan(leader);
  await lab.client((client) => inOrder(client, 'n35', 1).then(() => undefined));
  for (const other of others) lab.cluster.freeze(other);
  let returned = 0;
  let succeeded = 0;
  const all = lab.clients(100, async (client) => {
    client.member = leader.index;
    const request = PutRequest.create({ key: bytesOf('n35'), value: bytesOf('x') });
    if ((await client.attempt(KV.methods.Put, request, {}, 30_000)) !== null) succeeded += 1;
    returned += 1;
  });
  await lab.sleep(1_000);
  const early = succeeded;
  const begin = lab.now;
  for (const other of others) lab.cluster.thaw(other);
  lab.expect(early === 0, `${early} writes succeeded without a majority`);
  await all;
  lab.expect(returned === 100, 'all have returned');
  lab.measure('increments at a leader without a majority return', lab.now - begin, 1_000, 'ms');
  await lab.client(async (client) => {
    const [number] = await inOrder(client, 'n35', 1);
    lab.expect((number as number) >= 2 + succeeded, `${succeeded} succeeded, the next is ${number}`);
    lab.expect((number as number) <= 102, `100 were tried, the next is number ${number}`);
  });
}

async function restarts(lab: KvProcessLab): Promise<void> {
  await lab.client(async (client) => expectNumbers(lab, await inOrder(client, 'n36', 100), 1));
  await lab.killAll();
  await lab.restartAll();
  const numbers: number[] = [];
  await lab.client(async (client) => {
    expectNumbers(lab, await inOrder(client, 'n36', 1), 101);
    const all = Promise.all(
      Array.from({ length: 100 }, async () => {
        numbers.push(await increment(client, 'n36'));
      }),
    );
    await lab.killAll();
    const begin = lab.now;
    await lab.restartAll();
    await all;
    lab.measure('100 under way at a kill of all return', lab.now - begin, 11_000, 'ms');
  });
  expectNumbers(lab, numbers, 102);
}

async function snapshots(lab: KvProcessLab): Promise<void> {
  await lab.client(async (client) => expectNumbers(lab, await inOrder(client, 'n37', 100), 1));
  await lab.measureLogs('log after 100 increments', 2_000);
  for (const member of lab.cluster.members) {
    const compactions = await lab.metric(member, 'flotilla_raft_compactions_total');
    lab.expect(compactions > 0, `n${member.index + 1} has compacted its log`);
  }
  await lab.killAll();
  await lab.restartAll();
  await lab.client(async (client) => expectNumbers(lab, await inOrder(client, 'n37', 1), 101));
}

async function speed(lab: KvProcessLab, { speedWrites }: Scale): Promise<void> {
  await lab.client(async (client) => {
    const key = `n38 ${lab.sessionPrefix}`;
    const latencies: number[] = [];
    const begin = lab.now;
    for (let i = 0; i < speedWrites; i += 1) {
      const sentMs = lab.now;
      await client.put(key, String(i));
      latencies.push(lab.now - sentMs);
    }
    const eachMs = (lab.now - begin) / speedWrites;
    latencies.sort((a, b) => a - b);
    const at = (share: number): number => latencies[Math.floor(share * (speedWrites - 1))] as number;
    lab.measure('a write', eachMs, 33.3, 'ms');
    lab.note(`p50 ${at(0.5).toFixed(1)} ms, p99 ${at(0.99).toFixed(1)} ms`);
  });
}

async function appends(lab: KvProcessLab): Promise<void> {
  lab.useNetwork('unreliable');
  await lab.clients(5, async (client, index) => {
    for (let n = 0; n < 10; n += 1) await client.append('n41', `x ${index} ${n} y`);
  });
  lab.useNetwork('reliable');
  await lab.client(async (client) => {
    const value = (await client.get('n41'))?.value ?? '';
    lab.expect(value.length === 50 * 'x 0 0 y'.length, `the log is ${value}`);
    for (let i = 0; i < 5; i += 1) {
      const places = Array.from({ length: 10 }, (_, n) => value.indexOf(`x ${i} ${n} y`));
      const sorted = places.every((place, n) => place >= 0 && place > (places[n - 1] ?? -1));
      lab.expect(sorted, `client ${i}'s appends are at ${places.join()} of ${value}`);
    }
  });
}

async function lostAnswer(lab: KvProcessLab): Promise<void> {
  await lab.client(async (client) => {
    await inOrder(client, 'n44', 1);
    const request = PutRequest.create({ key: bytesOf('n44'), value: bytesOf('mine'), prevKv: true });
    const stamp = client.stamp();
    const ask = async (): Promise<string> => {
      let response: PutResponse | null = null;
      while (response === null) response = await client.attempt(KV.methods.Put, request, stamp.metadata);
      const { header, prevKv } = response;
      return JSON.stringify([header?.revision, prevKv?.modRevision, prevKv?.version]);
    };
    const first = await ask();
    await lab.client((other) => inOrder(other, 'n44', 1).then(() => undefined));
    const askEverywhere = async (when: string): Promise<void> => {
      for (const { index } of lab.cluster.members) {
        client.member = index;
        const again = await ask();
        lab.expect(again === first, `first answered ${first}, ${when} ${again}`);
      }
    };
    await askEverywhere('at once');
    const leader = await lab.leader();
    await lab.cluster.kill(leader);
    await lab.cluster.restart(leader);
    await askEverywhere('after a kill of the leader');
    const late = lab.othersThan(await lab.leader())[0] as MemberProcess;
    await missesMuch(lab, late, async (other) => {
      for (let i = 0; i < 40; i += 1) await other.put(`n44 other ${i}`, 'v');
    });
    await askEverywhere('after a snapshot');
    await lab.killAll();
    await lab.restartAll();
    await askEverywhere('after a kill of all');
    const found = await client.read('n44');
    lab.expect(found?.value === 'x' && found.version === 3, `found ${JSON.stringify(found)}`);
  });
}

async function deposedLeader(lab: KvProcessLab): Promise<void> {
  const leader = await lab.leader();
  await lab.client((client) => client.put('n45', 'before').then(() => undefined));
  lab.cluster.freeze(leader);
  // Asked while it is stopped, and answered when it goes on: by then the value is another.
  const reads = lab.clients(5, async (client) => {
    client.member = leader.index;
    for (let i = 0; i < 20; i += 1) await readOnce(lab, client, 'n45');
  });
  await lab.client(async (client) => {
    client.member = (lab.othersThan(leader)[0] as MemberProcess).index;
    await client.put('n45', 'after');
  });
  lab.cluster.thaw(leader);
  await reads;
}

async function readOnce(lab: KvProcessLab, client: KvClient, key: string): Promise<void> {
  const id = lab.history.call(client.number, { type: 'get', key });
  const response = await client.attempt(
    KV.methods.Range,
    RangeRequest.create({ key: bytesOf(key) }),
    {},
    10_000,
  );
  if (response === null) {
    lab.history.failed(id, 'not answered');
    return;
  }
  const [kv] = response.kvs;
  const value = kv === undefined ? null : new TextDecoder().decode(kv.value);
  lab.history.returned(id, { type: 'get', value, version: kv?.version ?? 0 });
}

async function versionTable(lab: KvProcessLab): Promise<void> {
  await lab.client(async (client) => {
    const key = 'n46 table';
    lab.expect((await client.get(key)) === null, 'the key is absent');
    const table = [
      [1, 'no-key'],
      [0, 'ok'],
      [0, 'version-mismatch'],
      [2, 'version-mismatch'],
      [1, 'ok'],
      [1, 'version-mismatch'],
    ] as const;
    for (const [version, wanted] of table) {
      const outcome = await client.versionedPut(key, `at ${version}`, version);
      lab.expect(outcome === wanted, `a put at version ${version} answers ${outcome}, not ${wanted}`);
    }
    const found = await client.get(key);
    lab.expect(found?.version === 2 && found.value === 'at 1', `found ${JSON.stringify(found)}`);
  });
}

async function lossyVersions(lab: KvProcessLab, { lossyPuts }: Scale): Promise<void> {
  lab.useNetwork('unreliable');
  let maybes = 0;
  await lab.client(async (client) => {
    const key = 'n46 lossy';
    for (let version = 0; version < lossyPuts; version += 1) {
      const outcome = await client.versionedPutOnce(key, `v${version}`, version);
      lab.expect(outcome === 'ok' || outcome === 'maybe', `put ${version} answers ${outcome}`);
      if (outcome === 'maybe') maybes += 1;
      const again = await client.versionedPutOnce(key, 'again', version);
      lab.expect(again === 'version-mismatch' || again === 'maybe', `put ${version} again answers ${again}`);
      const found = await client.read(key);
      const fine = found?.version === version + 1 && found.value === `v${version}`;
      lab.expect(fine, `after put ${version}: ${JSON.stringify(found)}`);
    }
  });
  lab.useNetwork('reliable');
  // Of so many some must have lost their answer, or the network was none.
  lab.expect(maybes > 0 || lossyPuts < 100, 'an answer was lost at least once');
}

async function racers(lab: KvProcessLab, { racerMs }: Scale): Promise<void> {
  let succeeded = 0;
  const until = lab.now + racerMs;
  await lab.clients(10, async (client) => {
    while (lab.now < until) {
      const found = await client.get('n46');
      if ((await client.versionedPut('n46', client.name, found?.version ?? 0)) === 'ok') succeeded += 1;
    }
  });
  await lab.client(async (client) => {
    const version = (await client.get('n46'))?.version ?? 0;
    lab.expect(version === succeeded && succeeded > 0, `${succeeded} succeeded, the version is ${version}`);
  });
}

async function locks(
  lab: KvProcessLab,
  { lockMs }: Scale,
  clients: number,
  network: 'reliable' | 'unreliable',
): Promise<void> {
  lab.useNetwork(network);
  const until = lab.now + lockMs;
  const holders = new Set<string>();
  let held = 0;
  await lab.clients(clients, async (client) => {
    const lock = new VersionedLock(client, `n47 ${clients} ${network}`);
    while (lab.now < until) {
      await lock.acquire();
      holders.add(client.name);
      lab.expect(holders.size === 1, `${[...holders].join(' and ')} hold the lock`);
      held += 1;
      await client.sleep(5);
      lab.expect(holders.size === 1, `${[...holders].join(' and ')} hold the lock`);
      holders.delete(client.name);
      await lock.release();
    }
  });
  lab.useNetwork('reliable');
  lab.expect(held > 0, 'the lock was held');
}
