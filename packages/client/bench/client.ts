// Puts and gets, one and 64 at a time, through this client and through npm etcd3, on the same server.
//
//   node --import tsx packages/client/bench/client.ts [--endpoint http://127.0.0.1:2379] [--seconds 2] [--rounds 5]
//
// Without an endpoint it starts a Flotilla of one member in this process, on which both spend the same time.
import { parseArgs } from 'node:util';
import { Etcd3 } from 'etcd3';
import { InProcessCluster } from '../../server/test/support/in-process.ts';
import { connect } from '../src/node/index.ts';

interface Contestant {
  readonly name: string;
  put(key: string, value: string): Promise<unknown>;
  get(key: string): Promise<unknown>;
  close(): unknown;
}

const { values } = parseArgs({
  options: { endpoint: { type: 'string' }, seconds: { type: 'string' }, rounds: { type: 'string' } },
});
const roundMs = 1_000 * Number(values.seconds ?? 2);
const rounds = Number(values.rounds ?? 5);
const cluster = values.endpoint === undefined ? await InProcessCluster.start(1) : null;
const endpoint = values.endpoint ?? cluster?.endpoints[0] ?? '';

const contestants = [ours('@flotilla/client', true), ours('without sessions', false), etcd3()];
const payload = 'x'.repeat(100);
console.log(`${endpoint}, medians of ${rounds} rounds of ${roundMs} ms, requests a second`);
console.log('                     put ×1   put ×64    get ×1   get ×64');
const results = contestants.map(() => [] as number[][]);
for (let round = 0; round <= rounds; round += 1) {
  for (const [index, contestant] of contestants.entries()) {
    const row = await measure(contestant);
    // The first round warms everything up.
    if (round > 0) results[index]?.push(row);
  }
}
for (const [index, { name }] of contestants.entries()) {
  const columns = [0, 1, 2, 3].map((column) =>
    median((results[index] ?? []).map((row) => row[column] as number)),
  );
  console.log(name.padEnd(17) + columns.map((rate) => rate.toFixed(0).padStart(10)).join(''));
}
for (const contestant of contestants) await contestant.close();
await cluster?.remove();

async function measure(contestant: Contestant): Promise<number[]> {
  const put = (i: number): Promise<unknown> => contestant.put(`bench/${i % 1_000}`, payload);
  const get = (i: number): Promise<unknown> => contestant.get(`bench/${i % 1_000}`);
  return [await rate(put, 1), await rate(put, 64), await rate(get, 1), await rate(get, 64)];
}

async function rate(request: (i: number) => Promise<unknown>, inFlight: number): Promise<number> {
  const begunMs = performance.now();
  let done = 0;
  const loop = async (): Promise<void> => {
    while (performance.now() - begunMs < roundMs / 4) {
      await request(done);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, loop));
  return (1_000 * done) / (performance.now() - begunMs);
}

function ours(name: string, sessions: boolean): Contestant {
  const client = connect(endpoint, { sessions });
  return {
    name,
    put: (key, value) => client.put(key, value),
    get: async (key) => (await client.get(key))?.text,
    close: () => client.close(),
  };
}

function etcd3(): Contestant {
  const client = new Etcd3({ hosts: endpoint });
  return {
    name: 'etcd3',
    put: (key, value) => client.put(key).value(value).exec(),
    get: (key) => client.get(key).string(),
    close: () => client.close(),
  };
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
