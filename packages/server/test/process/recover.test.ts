import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodePlatform } from '@flotilla/platform/node';
import { configurationOf } from '@flotilla/raft';
import type { Index, Term } from '@flotilla/raft';
import { Database, MemoryStorage, storageTables } from '@flotilla/store';
import { openLmdb } from '@flotilla/store/lmdb';
import { callUnary, KV, PutRequest, RangeRequest } from '@flotilla/wire';
import type { RpcChannel } from '@flotilla/wire';
import { openHttp2Channel } from '@flotilla/wire/node';
import { describe, expect, it } from 'vitest';
import { stderrLogger } from '../../src/cli/logger.ts';
import { DevCluster } from '../support/cluster.ts';
import { FlotillaProcess } from '../support/command.ts';
import { freePorts } from '../support/ports.ts';

/** Runs a command to its end. */
async function flotilla(
  ...args: readonly string[]
): Promise<{ code: number | null; out: string; err: string }> {
  const child = new FlotillaProcess(args);
  const { code } = await child.finished;
  return { code, out: child.stdout.join('\n'), err: child.stderr.join('\n') };
}

/** At the member of this port. */
async function onMember<T>(port: number, call: (channel: RpcChannel) => Promise<T>): Promise<T> {
  const channel = openHttp2Channel({ endpoints: [`http://127.0.0.1:${port}`] });
  try {
    return await call(channel);
  } finally {
    channel.close();
  }
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const options = { timeoutMs: 30_000 };

function put(port: number, key: string, value: string): Promise<unknown> {
  const request = PutRequest.create({ key: bytes(key), value: bytes(value) });
  return onMember(port, (channel) => callUnary(channel, KV.methods.Put, request, options));
}

async function get(port: number, key: string): Promise<string[]> {
  const request = RangeRequest.create({ key: bytes(key) });
  const { kvs } = await onMember(port, (channel) => callUnary(channel, KV.methods.Range, request, options));
  return kvs.map(({ value }) => new TextDecoder().decode(value));
}

/** Puts an empty state as of `index`, as if another member had sent it, in the place of the one that is stored. */
async function installAhead(directory: string, index: Index): Promise<void> {
  const logger = stderrLogger('test', 'error');
  const onFatal = (error: Error): void => {
    throw error;
  };
  const platform = nodePlatform({ nodeName: 'test', logger, onFatal });
  const memory = { image: null, maxCommitDelayMs: 0, maxFlushDelayMs: 0 };
  const sender = await Database.open(platform, new MemoryStorage(platform, storageTables, memory));
  const term = 1 as Term;
  const payload = new Uint8Array(0);
  for (let at = 1; at <= index; at += 1) {
    sender.apply([{ index: at as Index, term, kind: 'no-op', payload }]);
  }
  const receiver = await Database.open(platform, openLmdb(directory, storageTables));
  const sink = await receiver.install({ index, term, configuration: configurationOf([1]) });
  for await (const chunk of sender.snapshot().chunks()) await sink.write(chunk);
  await sink.finish();
  await receiver.close();
  await sender.close();
}

describe('flotilla raft recover', () => {
  it('has the last of three members serve again, when it is told what that may cost', async () => {
    const cluster = await DevCluster.start(3);
    const dataDir = join(cluster.directory, 'data', 'n3');
    const recover = ['raft', 'recover', '--data-dir', dataDir, '--voters', '3'];
    try {
      await put(cluster.basePort, 'boat', 'raft');
      expect(await get(cluster.basePort + 4, 'boat')).toEqual(['raft']);
      expect(await flotilla(...recover)).toMatchObject({
        code: 1,
        err: expect.stringContaining('FLOTILLA_DISK_LOCKED') as string,
      });
      await cluster.process.stop();
      for (const name of ['n1', 'n2']) rmSync(join(cluster.directory, 'data', name), { recursive: true });

      const asked = await flotilla(...recover);
      expect(asked).toMatchObject({
        code: 1,
        err: expect.stringContaining('FLOTILLA_RECOVERY_REFUSED') as string,
      });
      for (const words of ['voters              1, 2, 3', 'Members 1, 2 are removed for ever', 'is LOST']) {
        expect(asked.out).toContain(words);
      }
      const names = readdirSync(dataDir);
      const done = await flotilla(...recover, '--yes-i-may-lose-data');
      expect(done).toMatchObject({ code: 0, out: expect.stringContaining('done: voters are 3') as string });
      expect(readdirSync(dataDir).filter((name) => !names.includes(name))).toEqual(['before-recovery-1']);

      const port = await freePorts(2);
      const endpoint = `http://127.0.0.1:${port}`;
      const alone = new FlotillaProcess([
        'serve',
        '--name=n3',
        `--data-dir=${dataDir}`,
        `--listen-client-urls=${endpoint}`,
        `--advertise-client-urls=${endpoint}`,
        `--listen-peer-urls=http://127.0.0.1:${port + 1}`,
      ]);
      try {
        await alone.line('stdout', /ready to serve client requests/);
        expect(await get(port, 'boat')).toEqual(['raft']);
        await put(port, 'boat', 'oar');
        expect(await get(port, 'boat')).toEqual(['oar']);
      } finally {
        await alone.stop();
      }
    } finally {
      await cluster.remove();
    }
  });

  it('refuses a member whose log does not know of the snapshot that its state came from', async () => {
    const cluster = await DevCluster.start(1);
    try {
      await put(cluster.basePort, 'boat', 'raft');
      await cluster.process.stop();
      const dataDir = join(cluster.directory, 'data', 'n1');
      // As a crash leaves it that comes before the log's record.
      await installAhead(join(dataDir, 'state'), 1_000 as Index);
      const recover = ['raft', 'recover', '--data-dir', dataDir, '--voters', '1', '--yes-i-may-lose-data'];
      expect(await flotilla(...recover)).toMatchObject({
        code: 1,
        err: expect.stringMatching(/FLOTILLA_RECOVERY_REFUSED.* start the member once/) as string,
      });
    } finally {
      await cluster.remove();
    }
  });

  it('says what is wrong with a directory that holds nothing', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'flotilla-recover-'));
    try {
      expect(await flotilla('raft', 'recover', '--data-dir', empty, '--voters', '1')).toMatchObject({
        code: 1,
        err: expect.stringMatching(/^error FLOTILLA_RECOVERY_IMPOSSIBLE: /) as string,
      });
      expect(await flotilla('raft', 'mend', '--data-dir', empty, '--voters', '1')).toMatchObject({
        code: 1,
        err: expect.stringMatching(/^error FLOTILLA_USAGE: /) as string,
      });
    } finally {
      rmSync(empty, { recursive: true });
    }
  });
});
