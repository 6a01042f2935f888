import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statfsSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AlarmAction,
  AlarmRequest,
  callUnary,
  CompactionRequest,
  DeleteRangeRequest,
  etcdErrors,
  KV,
  Lease,
  LeaseGrantRequest,
  LeaseTimeToLiveRequest,
  Maintenance,
  type MethodDescriptor,
  PutRequest,
  RangeRequest,
  type RpcChannel,
} from '@flotilla/wire';
import { openHttp2Channel } from '@flotilla/wire/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { limits } from '../../src/limits.ts';
import { FlotillaProcess } from '../support/command.ts';
import { freePorts } from '../support/ports.ts';
import { clusterOptions } from './kv-process-scenario.ts';
import { pause } from './process-cluster.ts';

/** A disk of its own needs a mount, and that a namespace of mounts, which some systems keep for root. */
const mayMount = spawnSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt']).status === 0;
const diskMegabytes = 300;
const value = new Uint8Array(1024 * 1024).map((_, i) => i * 7);

describe.skipIf(!mayMount)('a lone member on a small disk', () => {
  let directory: string;
  let channel: RpcChannel;
  /** A shell that runs the member, and runs it again when it has ended. */
  let shell: FlotillaProcess;
  let written = 0;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'flotilla-full-'));
    const port = await freePorts(2);
    const client = `http://127.0.0.1:${port}`;
    const peer = `http://127.0.0.1:${port + 1}`;
    const mount = `mount -t tmpfs -o size=${diskMegabytes}m tmpfs "$0"`;
    shell = new FlotillaProcess(
      [
        'serve',
        `--data-dir=${directory}/data`,
        `--listen-client-urls=${client}`,
        `--advertise-client-urls=${client}`,
        `--listen-peer-urls=${peer}`,
        `--initial-advertise-peer-urls=${peer}`,
        `--initial-cluster=default=${peer}`,
        '--log-level=warn',
      ],
      {
        under: ['unshare', '-rm', 'sh', '-c', `${mount} && while :; do "$@"; sleep 0.2; done`, directory],
        ...clusterOptions({ members: 1, snapshots: false, probed: true }),
      },
    );
    await shell.line('stdout', /^ready to serve client requests$/);
    channel = openHttp2Channel({ endpoints: [client] });
  }, 60_000);

  afterAll(async () => {
    channel.close();
    const member = memberPid();
    // Its streams are the member's, too: it has ended when both have.
    const ended = shell.stop('SIGKILL');
    process.kill(member, 'SIGKILL');
    await ended;
    rmSync(directory, { recursive: true, force: true });
  });

  /** The only child of the shell, unless it is between two lives. */
  function memberPid(): number {
    return Number(readFileSync(`/proc/${shell.pid}/task/${shell.pid}/children`, 'utf8').trim());
  }

  /** On the member's disk, which is not mounted here. */
  function there(name: string): string {
    return `/proc/${shell.pid}/root${directory}/${name}`;
  }

  function call<Request, Response>(
    method: MethodDescriptor<Request, Response, 'unary'>,
    request: Request,
    timeoutMs = 30_000,
  ): Promise<Response> {
    return callUnary(channel, method, request, { timeoutMs });
  }

  function put(i: number): Promise<unknown> {
    return call(KV.methods.Put, PutRequest.create({ key: keyOf(i), value }));
  }

  async function count(): Promise<number> {
    const everything = { key: bytes('big '), rangeEnd: bytes('big!'), countOnly: true };
    return (await call(KV.methods.Range, RangeRequest.create(everything))).count;
  }

  async function takesPuts(): Promise<boolean> {
    return await put(1).then(
      () => true,
      () => false,
    );
  }

  test('lets no lease die early when its clock jumps an hour ahead', async () => {
    const { id } = await call(Lease.methods.LeaseGrant, LeaseGrantRequest.create({ ttl: 60 }));
    await call(KV.methods.Put, PutRequest.create({ key: bytes('leased'), lease: id }));
    process.kill(memberPid(), 'SIGWINCH');
    await shell.line('stderr', /^clock jumped$/);
    await pause(4 * limits.leaseLookMs);
    const request = LeaseTimeToLiveRequest.create({ id, keys: true });
    const { ttl, keys } = await call(Lease.methods.LeaseTimeToLive, request);
    expect(ttl).toBeGreaterThan(30);
    expect(keys).toHaveLength(1);
  });

  test('refuses puts before it is full, and goes on with reads and deletions', async () => {
    let refusal: unknown = null;
    while (refusal === null && written < diskMegabytes) {
      refusal = await put(written).then(
        () => null,
        (error: unknown) => error,
      );
      if (refusal === null) written += 1;
    }
    expect(refusal).toMatchObject({ status: 8, message: etcdErrors.noSpace.message });
    expect(written).toBeGreaterThan(10);
    const { bavail, bsize } = statfsSync(there('data'));
    expect(bavail * bsize).toBeGreaterThan(limits.diskLogBytes / 2);
    const { alarms } = await call(
      Maintenance.methods.Alarm,
      AlarmRequest.create({ action: AlarmAction.GET }),
    );
    expect(alarms).toHaveLength(1);
    expect(await count()).toBe(written);
    const { deleted } = await call(KV.methods.DeleteRange, DeleteRangeRequest.create({ key: keyOf(0) }));
    expect(deleted).toBe(1);
    expect(await count()).toBe(written - 1);
  });

  test('takes puts again when what was deleted is compacted', async () => {
    const most = DeleteRangeRequest.create({ key: keyOf(0), rangeEnd: keyOf(written - 3) });
    const { header } = await call(KV.methods.DeleteRange, most);
    await call(KV.methods.Compact, CompactionRequest.create({ revision: header!.revision, physical: true }));
    await expect.poll(takesPuts, { timeout: 30_000 }).toBe(true);
    expect(await count()).toBe(4);
  });

  test('loses nothing when others leave it nothing, and goes on when there is room again', async () => {
    const filler = there('filler');
    try {
      for (;;) writeFileSync(filler, value, { flag: 'a' });
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
    // One that comes before it has looked at its disk again may still be taken, where its log has the room.
    await expect.poll(takesPuts, { timeout: 30_000 }).toBe(false);
    // What the log and the state have may do for it; if not, the member has ended, and the shell has begun it again.
    const last = DeleteRangeRequest.create({ key: keyOf(written - 2) });
    const { deleted } = await call(KV.methods.DeleteRange, last, 5_000).catch(() => ({ deleted: 0 }));
    process.kill(memberPid(), 'SIGKILL');
    unlinkSync(filler);
    await expect.poll(() => count().catch(() => 0), { timeout: 30_000 }).toBeGreaterThan(0);
    const left = await count();
    expect(left).toBeLessThanOrEqual(4 - deleted);
    expect(left).toBeGreaterThanOrEqual(3);
    const { kvs } = await call(KV.methods.Range, RangeRequest.create({ key: keyOf(written - 1) }));
    expect(Buffer.from(kvs[0]!.value).equals(value)).toBe(true);
    await expect.poll(takesPuts, { timeout: 30_000 }).toBe(true);
  });
});

/** In order. */
function keyOf(i: number): Uint8Array {
  return bytes(`big ${String(i).padStart(5, '0')}`);
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
