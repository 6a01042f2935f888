import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@flotilla/platform';
import { callUnary, type HashKVResponse, KV, Maintenance, type RpcChannel } from '@flotilla/wire';
import { openHttp2Channel } from '@flotilla/wire/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Etcd } from '../support/etcd.ts';
import { type Answer, etcdctl } from '../support/etcdctl.ts';
import { FlotillaProcess } from '../support/command.ts';
import { freePorts } from '../support/ports.ts';
import { InProcessCluster } from '../support/in-process.ts';
import { requireProgram } from '../support/programs.ts';

const withPrograms =
  requireProgram('etcdctl', 'snapshots in both directions') &&
  requireProgram('etcd', 'hashes and snapshots beside a real etcd');

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const directory = mkdtempSync(join(tmpdir(), 'flotilla-test-snapshot-'));

let flotilla: InProcessCluster;
let etcd: Etcd;
let etcdChannel: RpcChannel;

/** The same request to both; what they answer to it is other tests' business. */
async function both<T>(run: (channel: RpcChannel) => Promise<T>): Promise<[T, T]> {
  return [await run(flotilla.channel(0)), await run(etcdChannel)];
}

function put(channel: RpcChannel, key: string, value: string): Promise<unknown> {
  return callUnary(channel, KV.methods.Put, putOf(key, value), { timeoutMs: 60_000 });
}

function putOf(key: string, value: string) {
  return {
    key: bytes(key),
    value: bytes(value),
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
  };
}

async function hashKv(channel: RpcChannel, revision: number): Promise<HashKVResponse> {
  return await callUnary(channel, Maintenance.methods.HashKV, { revision }, { timeoutMs: 60_000 });
}

/** Everything that etcdctl can see of the keys. */
async function listing(endpoint: string): Promise<string> {
  const { stdout } = await etcdctl([endpoint], ['get', '', '--from-key', '--write-out=json']);
  return JSON.stringify((JSON.parse(stdout) as { kvs: unknown }).kvs);
}

/** Puts, deletions and transactions of several keys, with a compaction now and then. */
async function history(seed: number, steps: number): Promise<void> {
  const random = seededRandom(seed);
  const key = (): string => `key-${random.u32() % 20}`;
  for (let step = 0; step < steps; step += 1) {
    const [a, value] = [key(), `value ${random.u32() % 1000}`];
    const kind = random.u32() % 10;
    if (kind < 5) await both((channel) => put(channel, a, value));
    else if (kind < 7) {
      const success = [...new Set([key(), key(), a])].map((each) => ({
        request: { case: 'requestPut' as const, value: putOf(each, value) },
      }));
      await both((channel) =>
        callUnary(channel, KV.methods.Txn, { compare: [], success, failure: [] }, { timeoutMs: 60_000 }),
      );
    } else if (kind < 9) {
      const request = {
        key: bytes(a),
        rangeEnd: kind === 8 ? bytes('key-9') : new Uint8Array(0),
        prevKv: false,
      };
      await both((channel) => callUnary(channel, KV.methods.DeleteRange, request, { timeoutMs: 60_000 }));
    } else {
      const [{ header }] = await both((channel) => hashKv(channel, 0));
      const revision = (header?.revision ?? 0) - (random.u32() % 4);
      await both((channel) =>
        callUnary(channel, KV.methods.Compact, { revision, physical: true }, { timeoutMs: 60_000 }).catch(
          () => null,
        ),
      );
    }
  }
}

describe.skipIf(!withPrograms)('beside a real etcd', () => {
  beforeAll(async () => {
    [flotilla, etcd] = await Promise.all([InProcessCluster.start(1), Etcd.start()]);
    etcdChannel = openHttp2Channel({ endpoints: [etcd.endpoint] });
  });

  afterAll(async () => {
    etcdChannel.close();
    await Promise.all([flotilla.remove(), etcd.remove()]);
    rmSync(directory, { recursive: true, force: true });
  });

  it('the hash of keys and history is the same after the same requests, at every revision that is left', async () => {
    for (let seed = 1; seed <= 4; seed += 1) {
      await history(seed, 60);
      const [ours, theirs] = await both((channel) => hashKv(channel, 0));
      expect([seed, ours.hash, ours.compactRevision]).toEqual([seed, theirs.hash, theirs.compactRevision]);
      expect(ours.hashRevision).toBe(ours.header?.revision);
      const { revision = 0 } = ours.header ?? {};
      for (let at = Math.max(ours.compactRevision, 0) + 1; at <= revision; at += 1) {
        const [one, other] = await both((channel) => hashKv(channel, at));
        expect([seed, at, one.hash]).toEqual([seed, at, other.hash]);
      }
    }
  });

  it('a snapshot passes etcdctl, and an etcd that is restored from it has the same keys and history', async () => {
    const endpoint = flotilla.endpoints[0] as string;
    const file = join(directory, 'ours.db');
    const saved = await etcdctl([endpoint], ['snapshot', 'save', file]);
    expect(saved.code, saved.stderr).toBe(0);
    expect(statSync(file).size % 512).toBe(32);
    const status = await etcdctl([], ['snapshot', 'status', file, '--write-out=json']);
    expect(status.code, status.stderr).toBe(0);
    const [ours] = await both((channel) => hashKv(channel, 0));
    expect(JSON.parse(status.stdout)).toMatchObject({ revision: ours.header?.revision });
    const data = join(directory, 'restored');
    execFileSync('etcdctl', ['snapshot', 'restore', file, `--data-dir=${data}`], {
      env: { PATH: process.env['PATH'], ETCDCTL_API: '3' },
      stdio: 'pipe',
    });
    const restored = await Etcd.start(data);
    try {
      expect(await listing(restored.endpoint)).toBe(await listing(endpoint));
      const channel = openHttp2Channel({ endpoints: [restored.endpoint] });
      const theirs = await hashKv(channel, 0);
      channel.close();
      expect([theirs.hash, theirs.header?.revision]).toEqual([ours.hash, ours.header?.revision]);
    } finally {
      await restored.remove();
    }
  });

  it("a member that is restored from etcd's snapshot has the same keys, history, leases and users", async () => {
    const run = (...args: string[]): Promise<Answer> => etcdctl([etcd.endpoint], args);
    const lease = /lease ([0-9a-f]+) granted/.exec(
      (await run('lease', 'grant', '5000')).stdout,
    )?.[1] as string;
    await run('put', `--lease=${lease}`, 'leased', 'x');
    await run('user', 'add', 'reader', '--new-user-password=secret');
    await run('role', 'add', 'reading');
    await run('role', 'grant-permission', 'reading', 'read', 'key-1');
    await run('user', 'grant-role', 'reader', 'reading');
    const file = join(directory, 'theirs.db');
    expect((await run('snapshot', 'save', file)).code).toBe(0);
    const theirs = await hashKv(etcdChannel, 0);

    const status = await flotillaOnce('snapshot', 'status', file, '-w', 'json');
    const expected = await etcdctl([], ['snapshot', 'status', file, '--write-out=json']);
    expect(JSON.parse(status.stdout)).toMatchObject(JSON.parse(expected.stdout) as object);

    const member = await RestoredMember.start(join(directory, 'from-etcd'), ['snapshot', 'restore', file]);
    try {
      expect(await listing(member.endpoint)).toBe(await listing(etcd.endpoint));
      const channel = openHttp2Channel({ endpoints: [member.endpoint] });
      const ours = await hashKv(channel, 0);
      expect([ours.hash, ours.header?.revision]).toEqual([theirs.hash, theirs.header?.revision]);
      await put(channel, 'after', 'the restore');
      expect((await hashKv(channel, 0)).header?.revision).toBe((theirs.header?.revision ?? 0) + 1);
      channel.close();
      const asked = (...args: string[]): Promise<Answer> => etcdctl([member.endpoint], args);
      const time = await asked('lease', 'timetolive', '--keys', lease);
      expect(time.stdout).toMatch(
        new RegExp(`lease ${lease} granted with TTL\\(5000s\\).*attached keys\\(\\[leased\\]\\)`),
      );
      expect((await asked('user', 'get', 'reader')).stdout).toBe((await run('user', 'get', 'reader')).stdout);
      expect((await asked('role', 'get', 'reading')).stdout).toBe(
        (await run('role', 'get', 'reading')).stdout,
      );
    } finally {
      await member.stop();
    }
  });

  it('a restore can raise the revision, and then all before counts as compacted', async () => {
    const endpoint = flotilla.endpoints[0] as string;
    const file = join(directory, 'raised.db');
    const saved = await flotillaOnce('snapshot', 'save', file, `--endpoints=${endpoint}`);
    expect(saved.code, saved.stderr).toBe(0);
    const { revision } = JSON.parse(
      (await flotillaOnce('snapshot', 'status', file, '-w', 'json')).stdout,
    ) as {
      revision: number;
    };
    const options = ['--bump-revision=1000000', '--mark-compacted'];
    const member = await RestoredMember.start(join(directory, 'raised'), [
      'snapshot',
      'restore',
      file,
      ...options,
    ]);
    try {
      expect(await listing(member.endpoint)).toBe(await listing(endpoint));
      const channel = openHttp2Channel({ endpoints: [member.endpoint] });
      const hash = await hashKv(channel, 0);
      expect([hash.header?.revision, hash.compactRevision]).toEqual([
        revision + 1_000_000,
        revision + 1_000_000,
      ]);
      await put(channel, 'after', 'the restore');
      expect((await hashKv(channel, 0)).header?.revision).toBe(revision + 1_000_001);
      channel.close();
    } finally {
      await member.stop();
    }
  });

  it('what etcdctl or etcdutl has restored is taken over, what etcd has served from is not', async () => {
    const [file, data] = [join(directory, 'ours.db'), join(directory, 'taken-over')];
    const peer = `http://127.0.0.1:${await freePorts(1)}`;
    const identity = [
      '--name=restored',
      `--initial-cluster=restored=${peer}`,
      '--initial-cluster-token=again',
    ];
    execFileSync(
      'etcdctl',
      [
        'snapshot',
        'restore',
        file,
        `--data-dir=${data}`,
        `--initial-advertise-peer-urls=${peer}`,
        ...identity,
      ],
      { env: { PATH: process.env['PATH'], ETCDCTL_API: '3' }, stdio: 'pipe' },
    );
    const serve = ['serve', `--data-dir=${data}`, `--listen-peer-urls=${peer}`, ...identity];
    const flags = [
      ...serve,
      `--initial-advertise-peer-urls=${peer}`,
      '--listen-client-urls=http://127.0.0.1:0',
    ];
    const start = (): FlotillaProcess =>
      new FlotillaProcess([...flags, '--advertise-client-urls=http://127.0.0.1:0']);
    // As if the first try had been cut off.
    mkdirSync(join(data, 'restoring'));
    mkdirSync(join(data, 'state'));
    for (const run of ['first', 'second']) {
      const member = start();
      await member.line('stdout', /ready to serve/);
      await member.stop();
      const taken = member.stderr.filter((line) => line.includes('is taken over'));
      expect(taken).toHaveLength(run === 'first' ? 1 : 0);
    }
    expect(existsSync(join(data, 'restoring'))).toBe(false);

    const served = new FlotillaProcess(['serve', `--data-dir=${join(etcd.directory, 'data')}`]);
    expect((await served.finished).code).toBe(1);
    const said = served.stderr.join('\n');
    expect(said).toContain('etcd has served from the data directory');
    expect(said).toMatch(/error FLOTILLA_FOREIGN_DATA: .* belongs to etcd/);
  });

  it('what is damaged, has no hash or has no place is refused, and nothing is left of it', async () => {
    const file = join(directory, 'theirs.db');
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 1;
    const damaged = join(directory, 'damaged.db');
    writeFileSync(damaged, bytes);
    const bare = join(directory, 'bare.db');
    writeFileSync(bare, readFileSync(file).subarray(0, -32));
    const target = join(directory, 'refused');
    const restore = (...args: string[]): Promise<Answer> =>
      flotillaOnce('snapshot', 'restore', `--data-dir=${target}`, ...args);
    expect((await restore(damaged)).stderr).toContain('error FLOTILLA_SNAPSHOT_DAMAGED: expected sha256');
    expect((await restore(bare)).stderr).toContain('snapshot missing hash but --skip-hash-check=false');
    expect((await restore(bare, '--bump-revision=5')).stderr).toContain('--mark-compacted required');
    expect(existsSync(target)).toBe(false);
    expect((await restore(bare, '--skip-hash-check')).code).toBe(0);
    expect((await restore(file)).stderr).toContain('not empty or could not be read');
  });
});

/** A command that ends by itself. */
async function flotillaOnce(...args: string[]): Promise<Answer> {
  const process = new FlotillaProcess(args);
  const { code } = await process.finished;
  return { code, stdout: process.stdout.join('\n'), stderr: process.stderr.join('\n') };
}

/** A member that serves what a restore has made. */
class RestoredMember {
  readonly endpoint: string;
  readonly #process: FlotillaProcess;

  private constructor(endpoint: string, process: FlotillaProcess) {
    this.endpoint = endpoint;
    this.#process = process;
  }

  static async start(data: string, restore: readonly string[]): Promise<RestoredMember> {
    const port = await freePorts(2);
    const [endpoint, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${port + 1}`];
    const identity = ['--name=restored', `--data-dir=${data}`, `--initial-advertise-peer-urls=${peer}`];
    const { code, stderr } = await flotillaOnce(...restore, ...identity);
    expect(code, stderr).toBe(0);
    const process = new FlotillaProcess([
      'serve',
      ...identity,
      `--listen-peer-urls=${peer}`,
      `--listen-client-urls=${endpoint}`,
      `--advertise-client-urls=${endpoint}`,
    ]);
    await process.line('stdout', /ready to serve/);
    return new RestoredMember(endpoint, process);
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }
}
