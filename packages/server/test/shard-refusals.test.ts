import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  callUnary,
  KV,
  type MethodDescriptor,
  Nodes,
  openStream,
  PutRequest,
  ShardController,
  type ShardListResponse,
  type ShardProgress,
  Shards,
} from '@flotilla/wire';
import { run as runNode } from '../src/cli/node.ts';
import { run as runShard } from '../src/cli/shard.ts';
import { shardRefusals } from '../src/shards/control/refusals.ts';
import { InProcessCluster } from './support/in-process.ts';

const call = { timeoutMs: 60_000 };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
let cluster: InProcessCluster;

/** Of the member that is asked: the first one that runs. */
function asked(): number {
  return cluster.members.findIndex((member) => member !== null);
}

/** To its end. */
async function follow<Request>(
  method: MethodDescriptor<Request, ShardProgress, 'server-stream'>,
  request: Request,
): Promise<ShardProgress> {
  const stream = openStream(cluster.channel(asked()), method, { timeoutMs: 120_000 });
  stream.write(request);
  stream.end();
  for (let progress = await stream.read(); progress !== null; progress = await stream.read()) {
    if (progress.finished) return progress;
  }
  throw new Error('it has no end');
}

/** As a user types it. */
async function command(line: string): Promise<unknown> {
  const [group, ...rest] = line.split(' ');
  const args = [...rest, '--endpoints', cluster.endpoints[asked()] as string];
  return group === 'shard' ? await runShard(args) : await runNode(args);
}

const list = (): Promise<ShardListResponse> =>
  callUnary(cluster.channel(asked()), Shards.methods.List, {}, call);

interface Refused {
  readonly code: keyof typeof shardRefusals;
  /** What would have been right. */
  readonly hint: RegExp;
  readonly call: () => Promise<unknown>;
  /** The same at the command line; what it does not let through is refused there. */
  readonly line: string;
}

/** Each over gRPC and at the command line, and nothing has come of it. */
async function refuses(cases: readonly Refused[]): Promise<void> {
  const before = await list();
  for (const { code, hint, call: asked, line } of cases) {
    const text = new RegExp(`^flotilla: ${code}: .*${hint.source}`);
    await expect(asked(), line).rejects.toThrow(text);
    await expect(command(line), line).rejects.toThrow(text);
  }
  expect((await list()).configuration).toBe(before.configuration);
}

const { Split, Merge, MoveReplica, SetReplicas, TransferLeader, Begin, Explain } = Shards.methods;
const { Join, Leave, Drain } = Nodes.methods;
const unary = <Request, Response>(method: MethodDescriptor<Request, Response, 'unary'>, request: Request) =>
  callUnary(cluster.channel(asked()), method, request, call);
const split = (shard: number, key: string, configuration = 0) =>
  follow(Split, { shard, key: bytes(key), configuration });
const merge = (shard: number, into: number, configuration = 0) =>
  follow(Merge, { shard, into, configuration });
const drain = (node: number) => follow(Drain, { node, configuration: 0 });
const leave = (node: number) => follow(Leave, { node, configuration: 0 });
const joining = (node: number) => ({ node, zone: '', labels: [], configuration: 0 });
const move = (shard: number, from: number, to: number, configuration = 0) =>
  follow(MoveReplica, { shard, from, to, configuration });

beforeAll(async () => {
  cluster = await InProcessCluster.start(4, {}, null);
}, 30_000);

afterAll(() => cluster.remove());

describe('of a cluster that is not sharded', () => {
  it('whatever is about shards is refused, and so are shards that cannot be begun with', async () => {
    const begin = (shards: number, keys: readonly string[], replicas = 0) =>
      follow(Begin, { shards, keys: keys.map(bytes), replicas });
    await refuses([
      { code: 'not-sharded', hint: /shard begin/, call: () => split(0, 'k'), line: 'shard split 0 --at k' },
      {
        code: 'bad-key',
        hint: /different/,
        call: () => begin(0, ['k', 'p', 'k']),
        line: 'shard begin --at k p k',
      },
      {
        code: 'bad-request',
        hint: /2 keys make 3 shards/,
        call: () => begin(4, ['k', 'p']),
        line: 'shard begin --shards 4 --at k p',
      },
      {
        code: 'bad-request',
        hint: /1 to/,
        call: () => begin(5_000_000, []),
        line: 'shard begin --shards 5000000',
      },
      {
        code: 'too-few-nodes',
        hint: /there are 4/,
        call: () => begin(2, [], 5),
        line: 'shard begin --shards 2 --replicas 5',
      },
    ]);
    await expect(begin(0, ['k', ''])).rejects.toThrow(/^flotilla: bad-key: .*none of them empty/);
    await expect(command('shard begin')).rejects.toThrow(/--shards, or keys/);
  });
});

describe('of a sharded cluster', () => {
  /** Behind `m`, on three of four nodes; and the fourth. */
  let right = -1;
  let [first = 0, other = 0]: readonly number[] = [];

  beforeAll(async () => {
    await follow(Begin, { shards: 0, keys: [bytes('m')], replicas: 0 });
    const { shards } = await list();
    const row = shards.at(-1);
    const nodes = (row?.replicas ?? []).map(({ node }) => node);
    right = row?.shard ?? -1;
    first = nodes.find((node) => node !== row?.leader) ?? 0;
    other = [1, 2, 3, 4].find((node) => !nodes.includes(node)) ?? 0;
    await callUnary(cluster.channel(0), KV.methods.Put, PutRequest.create({ key: bytes('z') }), call);
  }, 30_000);

  it('splits outside, at the first key and without keys to be split at', async () => {
    await refuses([
      {
        code: 'bad-key',
        hint: /from "m" to the end/,
        call: () => split(right, 'a'),
        line: `shard split ${right} --at a`,
      },
      {
        code: 'bad-key',
        hint: /behind its first/,
        call: () => split(right, 'm'),
        line: `shard split ${right} --at m`,
      },
      { code: 'bad-key', hint: /to "m"/, call: () => split(0, 'm'), line: 'shard split 0 --at m' },
      { code: 'indivisible', hint: /give one/, call: () => split(right, ''), line: `shard split ${right}` },
      {
        code: 'no-such-shard',
        hint: /there are 0, /,
        call: () => split(77, 'p'),
        line: 'shard split 77 --at p',
      },
      {
        code: 'already-sharded',
        hint: /split those/,
        call: () => follow(Begin, { shards: 3, keys: [], replicas: 0 }),
        line: 'shard begin --shards 3',
      },
    ]);
  });

  it('merges of what are no neighbours, and of shard 0', async () => {
    await refuses([
      { code: 'order-shard', hint: /into it/, call: () => merge(0, right), line: `shard merge 0 ${right}` },
      {
        code: 'no-neighbours',
        hint: /merged into 0/,
        call: () => merge(right, right),
        line: `shard merge ${right} ${right}`,
      },
      { code: 'no-such-shard', hint: /there are 0, /, call: () => merge(77, 0), line: 'shard merge 77 0' },
      {
        code: 'no-such-shard',
        hint: /there are 0, /,
        call: () => merge(right, 77),
        line: `shard merge ${right} 77`,
      },
    ]);
  });

  it('moves to and from where it cannot be, and leaders that hold nothing', async () => {
    const transfer = (to: number) => unary(TransferLeader, { shard: right, to, configuration: 0 });
    await refuses([
      {
        code: 'no-such-node',
        hint: /1, 2, 3, 4/,
        call: () => move(right, 0, 9),
        line: `shard move ${right} --to 9`,
      },
      {
        code: 'holds-replica',
        hint: /choose another/,
        call: () => move(right, 0, first),
        line: `shard move ${right} --to ${first}`,
      },
      {
        code: 'holds-none',
        hint: /it is on \d, \d, \d/,
        call: () => move(right, other, other),
        line: `shard move ${right} --from ${other} --to ${other}`,
      },
      { code: 'order-shard', hint: /split it/, call: () => move(0, 0, 1), line: 'shard move 0 --to 1' },
      {
        code: 'no-such-node',
        hint: /1, 2, 3, 4/,
        call: () => transfer(9),
        line: `shard transfer ${right} --to 9`,
      },
      {
        code: 'holds-none',
        hint: /\d, \d, \d have/,
        call: () => transfer(other),
        line: `shard transfer ${right} --to ${other}`,
      },
      {
        code: 'no-such-node',
        hint: /members are 1, 2, 3, 4/,
        call: () => unary(Join, joining(9)),
        line: 'node join 9',
      },
      { code: 'no-such-node', hint: /1, 2, 3, 4/, call: () => drain(9), line: 'node drain 9' },
      { code: 'no-such-node', hint: /1, 2, 3, 4/, call: () => leave(9), line: 'node leave 9' },
    ]);
    await expect(command('node drain nobody')).rejects.toThrow(/unknown; there are 1 \(n1\)/);
  });

  it('numbers of replicas, of configurations that are over, and of those that are to come', async () => {
    const { configuration } = await list();
    const replicas = (shard: number, count: number) =>
      follow(SetReplicas, { shard, replicas: count, configuration: 0 });
    await refuses([
      {
        code: 'too-few-nodes',
        hint: /4 have joined/,
        call: () => replicas(-1, 5),
        line: 'shard replicas all 5',
      },
      {
        code: 'bad-request',
        hint: /1 to 7/,
        call: () => replicas(right, 9),
        line: `shard replicas ${right} 9`,
      },
      { code: 'order-shard', hint: /every node/, call: () => replicas(0, 3), line: 'shard replicas 0 3' },
      {
        code: 'stale',
        hint: /look again/,
        call: () => move(right, first, other, 1),
        line: `shard move ${right} --from ${first} --to ${other} --configuration 1`,
      },
      {
        code: 'stale',
        hint: /look again/,
        call: () => split(right, 'p', 1),
        line: `shard split ${right} --at p --configuration 1`,
      },
      {
        code: 'no-such-configuration',
        hint: new RegExp(`it is ${configuration} now`),
        call: () => merge(right, 0, configuration + 9),
        line: `shard merge ${right} 0 --configuration ${configuration + 9}`,
      },
      {
        code: 'no-such-configuration',
        hint: new RegExp(`it is ${configuration} now`),
        call: () => follow(Drain, { node: other, configuration: 999 }),
        line: `node drain ${other} --configuration 999`,
      },
      {
        code: 'no-such-configuration',
        hint: /those from/,
        call: () => unary(ShardController.methods.Query, { configuration: 999 }),
        line: 'shard query 999',
      },
      {
        code: 'no-such-shard',
        hint: /there are/,
        call: () => unary(Explain, { shard: 9 }),
        line: 'shard explain 9',
      },
    ]);
  });

  it('two operators at once: one is done, and the other is told', async () => {
    const outcomes = await Promise.allSettled([split(right, 'p'), split(right, 'r')]);
    const told = outcomes.filter(({ status }) => status === 'rejected');
    expect(told).toHaveLength(1);
    expect(String((told[0] as PromiseRejectedResult).reason)).toMatch(/flotilla: (stale|superseded): /);
    const { shards } = await list();
    expect(shards).toHaveLength(3);
    const moves = await Promise.allSettled([move(right, first, other), move(right, 0, other)]);
    expect(moves.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const refused = moves.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
    expect(String(refused.reason)).toMatch(/flotilla: (stale|superseded|holds-replica): /);
    [first, other] = [other, first];
  }, 20_000);

  it('nodes that are emptied, have left, or are the last that a shard can be on', async () => {
    await follow(Drain, { node: other, configuration: 0 });
    await refuses([
      {
        code: 'node-draining',
        hint: /could take it/,
        call: () => move(right, first, other),
        line: `shard move ${right} --from ${first} --to ${other}`,
      },
      { code: 'too-few-nodes', hint: /join another/, call: () => drain(first), line: `node drain ${first}` },
      { code: 'too-few-nodes', hint: /lower that/, call: () => leave(first), line: `node leave ${first}` },
    ]);
    await follow(Leave, { node: other, configuration: 0 });
    await refuses([
      {
        code: 'node-left',
        hint: /join again/,
        call: () => move(right, first, other),
        line: `shard move ${right} --from ${first} --to ${other}`,
      },
      {
        code: 'node-left',
        hint: /nothing to be moved/,
        call: () => drain(other),
        line: `node drain ${other}`,
      },
    ]);
    // Left already is what was asked for.
    await follow(Leave, { node: other, configuration: 0 });
    await unary(Join, joining(other));
  }, 20_000);

  it('nodes that do not answer', async () => {
    await cluster.stopMember(other - 1);
    const isLive = async (): Promise<boolean> => {
      const { nodes } = await unary(Nodes.methods.List, {});
      return nodes.find(({ node }) => node === other)?.live ?? false;
    };
    while (await isLive()) await new Promise((resolve) => setTimeout(resolve, 100));
    await refuses([
      {
        code: 'node-silent',
        hint: /could take it/,
        call: () => move(right, first, other),
        line: `shard move ${right} --from ${first} --to ${other}`,
      },
    ]);
    expect(cluster.failures).toEqual([]);
  }, 30_000);
});

it('the last replica stays', async () => {
  const whole = cluster;
  cluster = await InProcessCluster.start(1, {}, null);
  try {
    await follow(Begin, { shards: 0, keys: [bytes('m')], replicas: 0 });
    await refuses([
      { code: 'last-replica', hint: /join another/, call: () => leave(1), line: 'node leave 1' },
      { code: 'last-replica', hint: /join another/, call: () => drain(1), line: 'node drain 1' },
    ]);
  } finally {
    await cluster.remove();
    cluster = whole;
  }
}, 20_000);

it('every code is in the documentation', () => {
  for (const page of ['shards.md', 'errors.md']) {
    const text = readFileSync(new URL(`../../../docs/${page}`, import.meta.url), 'utf8');
    for (const code of Object.keys(shardRefusals))
      expect(text, `${code} in ${page}`).toContain(`\`${code}\``);
  }
});
