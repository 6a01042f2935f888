import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DevCluster } from '../support/cluster.ts';
import { Etcd } from '../support/etcd.ts';
import { type Answer, etcdctl } from '../support/etcdctl.ts';
import { requireProgram } from '../support/programs.ts';
import { leaseSession } from './etcdctl-leases.ts';
import { script } from './etcdctl-script.ts';

const withEtcdctl = requireProgram('etcdctl', 'etcdctl against a cluster of three');
const withEtcd = withEtcdctl && requireProgram('etcd', 'answers compared with a real etcd');

describe.skipIf(!withEtcdctl)('etcdctl', () => {
  let cluster: DevCluster;

  beforeAll(async () => {
    cluster = await DevCluster.start();
  });

  afterAll(async () => {
    await cluster.remove();
  });

  async function ok(...args: string[]): Promise<string> {
    const answer = await etcdctl(cluster.endpoints, args);
    expect(answer).toMatchObject({ code: 0 });
    return answer.stdout;
  }

  /** Asks one member only. */
  async function at(member: number, ...args: string[]): Promise<Answer> {
    return await etcdctl([cluster.endpoints[member] as string], args);
  }

  test.skipIf(!withEtcd)('sees the same answers as from a real etcd, whichever member it asks', async () => {
    const etcd = await Etcd.start();
    try {
      for (const [i, step] of script.entries()) {
        const expected = await etcdctl([etcd.endpoint], step.args, step.input);
        const endpoint = cluster.endpoints[i % cluster.nodes] as string;
        const actual = await etcdctl([endpoint], step.args, step.input);
        expect(comparable(actual), `${step.args.join(' ')}\n${step.input ?? ''}`).toEqual(
          comparable(expected),
        );
      }
    } finally {
      await etcd.remove();
    }
  });

  test.skipIf(!withEtcd)('uses leases, locks and elections as with a real etcd', async () => {
    const etcd = await Etcd.start();
    try {
      const [expected, actual] = await Promise.all([
        leaseSession(etcd.endpoint),
        leaseSession(cluster.endpoints[1] as string),
      ]);
      expect(actual.map(withoutRevision)).toEqual(expected.map(withoutRevision));
    } finally {
      await etcd.remove();
    }
  });

  test('reads through each member what was written through another', async () => {
    for (let writer = 0; writer < 3; writer += 1) {
      expect(await at(writer, 'put', `through/${writer}`, `value ${writer}`)).toMatchObject({
        stdout: 'OK\n',
      });
      for (let reader = 0; reader < 3; reader += 1) {
        const { stdout } = await at(reader, 'get', `through/${writer}`, '--print-value-only');
        expect(stdout).toBe(`value ${writer}\n`);
      }
    }
  });

  test('watches a prefix from a past revision on, with previous values', async () => {
    const first = revisionOf(await ok('put', 'watched/a', '1', '-w', 'json'));
    await ok('put', 'watched/a', '2');
    await ok('put', 'not-watched', 'x');
    await ok('put', 'watched/b', '3');
    for (let member = 0; member < 3; member += 1) {
      const endpoint = cluster.endpoints[member] as string;
      const args = ['watch', 'watched/', '--prefix', '--prev-kv', `--rev=${first}`];
      const lines = await watchLines(endpoint, args, 14, async () => {
        await ok('del', 'watched/a');
        await ok('put', 'watched/a', String(member));
        await ok('put', 'watched/end', String(member));
      });
      expect(lines.slice(0, 8)).toEqual(['PUT', 'watched/a', '1', 'PUT', 'watched/a', '1', 'watched/a', '2']);
    }
  });

  test('is told that a watch starts before the compacted revision', async () => {
    await ok('put', 'compacted', '1');
    const revision = revisionOf(await ok('put', 'compacted', '2', '-w', 'json'));
    await ok('compaction', String(revision));
    const { stderr, stdout } = await at(1, 'watch', 'compacted', '--rev=2');
    expect(stderr + stdout).toContain('required revision has been compacted');
  });

  test('lists the members with the same ids at each of them', async () => {
    const lists = await Promise.all(
      [0, 1, 2].map(async (member) => (await at(member, 'member', 'list')).stdout),
    );
    expect(new Set(lists).size).toBe(1);
    const members = (lists[0] as string)
      .trim()
      .split('\n')
      .map((line) => line.split(', '));
    expect(new Set(members.map((member) => member[2]))).toEqual(
      new Set(cluster.members.map(({ name }) => name)),
    );
    expect(members.every((member) => member[1] === 'started')).toBe(true);
    expect(new Set(members.map((member) => member[4]))).toEqual(new Set(cluster.endpoints));
  });

  test('finds every member healthy, and one and the same leader', async () => {
    const { stderr, stdout } = await etcdctl(cluster.endpoints, ['endpoint', 'health']);
    expect((stderr + stdout).match(/is healthy/g)).toHaveLength(cluster.nodes);
    const status = JSON.parse(await ok('endpoint', 'status', '-w', 'json')) as {
      readonly Status: {
        readonly version: string;
        readonly leader: number;
        readonly dbSize: number;
        readonly raftTerm: number;
        readonly raftIndex: number;
        readonly raftAppliedIndex: number;
      };
    }[];
    expect(status).toHaveLength(cluster.nodes);
    expect(new Set(status.map(({ Status }) => Status.leader)).size).toBe(1);
    for (const { Status } of status) {
      expect(Status.version).toBe('3.7.0');
      expect(Status.dbSize).toBeGreaterThan(0);
      expect(Status.raftTerm).toBeGreaterThan(0);
      expect(Status.raftAppliedIndex).toBeGreaterThan(0);
      expect(Status.raftIndex).toBeGreaterThanOrEqual(Status.raftAppliedIndex);
    }
  });

  test('finds everything again after the cluster was stopped and started', async () => {
    await ok('put', 'kept', 'for ever');
    const before = await ok('get', '', '--prefix', '-w', 'json');
    await cluster.restart();
    for (let member = 0; member < 3; member += 1) {
      const { stdout } = await at(member, 'get', '', '--prefix', '-w', 'json');
      expect(contentOf(stdout)).toEqual(contentOf(before));
    }
  });
});

/** What must be equal: all but the ids of cluster and member, terms, and the time that etcdctl puts into errors. */
function comparable(answer: Answer): Answer {
  const stable = (text: string): string =>
    text
      .replace(/"(cluster_id|member_id|raft_term)":\d+/g, '"$1":0')
      .replace(/"(ClusterID|MemberID|RaftTerm)" : \d+/g, '"$1" : 0')
      .replace(/"ts":"[^"]*"/g, '"ts":""')
      .replace(/"target":"[^"]*"/g, '"target":""');
  // Protobuf output holds the ids in binary.
  const binary = answer.stdout.split('').some((letter) => letter < ' ' && letter !== '\n' && letter !== '\t');
  return {
    code: answer.code,
    stdout: binary ? 'binary' : stable(answer.stdout),
    stderr: stable(answer.stderr),
  };
}

/** The store of the cluster is not empty. */
function withoutRevision(text: string): string {
  return text
    .replace(/"(revision|create_revision|mod_revision)":\d+/g, '"$1":0')
    .replace(/"(Revision|CreateRevision|ModRevision)" : \d+/g, '"$1" : 0');
}

function revisionOf(json: string): number {
  return (JSON.parse(json) as { readonly header: { readonly revision: number } }).header.revision;
}

function contentOf(json: string): unknown {
  const { header, kvs, count } = JSON.parse(json) as {
    readonly header: { readonly revision: number };
    readonly kvs: unknown;
    readonly count: number;
  };
  return { revision: header.revision, kvs, count };
}

/** Starts a watch, lets `during` happen, and answers the first lines that it prints. */
async function watchLines(
  endpoint: string,
  args: readonly string[],
  count: number,
  during: () => Promise<void>,
): Promise<string[]> {
  const child = spawn('etcdctl', [`--endpoints=${endpoint}`, ...args], {
    env: { PATH: process.env['PATH'], ETCDCTL_API: '3' },
  });
  let text = '';
  const enough = new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.split('\n').length > count) resolve();
    });
    child.once('close', () => reject(new Error(`the watch ended early:\n${text}`)));
  });
  await during();
  await enough;
  child.kill();
  return text.split('\n').filter((line) => line !== '');
}
