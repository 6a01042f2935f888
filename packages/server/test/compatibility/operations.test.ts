import {
  AlarmType,
  callUnary,
  DowngradeAction,
  KV,
  Maintenance,
  openStream,
  PutRequest,
  RangeRequest,
  type RangeResponse,
  type RangeStreamResponse,
  SortTarget,
} from '@flotilla/wire';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, etcdctl } from '../support/etcdctl.ts';
import { Etcd } from '../support/etcd.ts';
import { InProcessCluster } from '../support/in-process.ts';
import { requireProgram } from '../support/programs.ts';

const withEtcdctl = requireProgram('etcdctl', 'alarms and downgrades as etcdctl shows them');
const withEtcd = withEtcdctl && requireProgram('etcd', 'alarms beside a real etcd');
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

let cluster: InProcessCluster;

beforeAll(async () => {
  cluster = await InProcessCluster.start(3, { 'quota-backend-bytes': String(256 * 1024) });
});

afterAll(async () => {
  await cluster.remove();
});

async function put(i: number, key: string, size: number): Promise<void> {
  const request = PutRequest.create({ key: bytes(key), value: new Uint8Array(size) });
  await callUnary(cluster.channel(i), KV.methods.Put, request, { timeoutMs: 60_000 });
}

async function streamed(request: Partial<RangeRequest>): Promise<RangeResponse[]> {
  const stream = openStream(cluster.channel(1), KV.methods.RangeStream);
  stream.write(RangeRequest.create(request));
  stream.end();
  const pieces: RangeResponse[] = [];
  for (
    let each: RangeStreamResponse | null = await stream.read();
    each !== null;
    each = await stream.read()
  ) {
    pieces.push(each.rangeResponse as RangeResponse);
  }
  return pieces;
}

describe('a streamed range', () => {
  const everything = { key: bytes('s/'), rangeEnd: bytes('s0') };

  beforeAll(async () => {
    for (let i = 0; i < 50; i += 1) await put(0, `s/${String(i).padStart(3, '0')}`, 100);
  });

  it('comes in pieces that together are what the unary one answers', async () => {
    for (const options of [
      {},
      { limit: 25 },
      { limit: 50 },
      { keysOnly: true },
      { countOnly: true },
      { limit: 3 },
      { sortTarget: SortTarget.VALUE },
      { sortTarget: SortTarget.MOD, limit: 7 },
    ]) {
      const request = RangeRequest.create({ ...everything, ...options });
      const whole = await callUnary(cluster.channel(1), KV.methods.Range, request);
      const pieces = await streamed(request);
      const last = pieces.at(-1) as RangeResponse;
      expect(pieces.flatMap(({ kvs }) => kvs)).toEqual(whole.kvs);
      expect([last.count, last.more]).toEqual([whole.count, whole.more]);
      expect(last.header?.revision).toBe(whole.header?.revision);
      expect(
        pieces.slice(0, -1).every(({ header, count, more }) => header === null && count === 0 && !more),
      ).toBe(true);
    }
  });

  it('begins with ten keys, and with more of them from piece to piece', async () => {
    const lengths = (await streamed(everything)).map(({ kvs }) => kvs.length);
    expect(lengths).toEqual([10, 20, 20]);
  });

  it('of nothing is one piece', async () => {
    const pieces = await streamed({ key: bytes('none') });
    expect(pieces).toMatchObject([{ kvs: [], count: 0, more: false }]);
  });

  it('is refused as unimplemented when it would have to be sorted or filtered', async () => {
    for (const options of [{ sortTarget: SortTarget.MOD, sortOrder: 1 }, { sortOrder: 2 }]) {
      await expect(streamed({ ...everything, ...options })).rejects.toMatchObject({
        status: 12,
        message: 'RangeStream does not support custom sort orders',
      });
    }
    await expect(streamed({ ...everything, minModRevision: 1 })).rejects.toMatchObject({
      status: 12,
      message: 'RangeStream does not support revision filters',
    });
    await expect(streamed({ ...everything, revision: 1_000_000 })).rejects.toThrow('future revision');
  });
});

describe('a downgrade', () => {
  const ask = (action: number, version = '') =>
    callUnary(cluster.channel(2), Maintenance.methods.Downgrade, { action, version });

  it('goes to the minor version before, is announced once, and can be cancelled', async () => {
    await expect(ask(DowngradeAction.VALIDATE, '3.x')).rejects.toThrow(
      'wrong downgrade target version format',
    );
    for (const wrong of ['3.5.0', '3.7', '2.6.0', '3.8.0']) {
      await expect(ask(DowngradeAction.VALIDATE, wrong)).rejects.toThrow('invalid downgrade target version');
    }
    await expect(ask(DowngradeAction.CANCEL)).rejects.toThrow('no inflight downgrade job');
    expect(await ask(DowngradeAction.VALIDATE, '3.6')).toMatchObject({ version: '3.7' });
    expect(await ask(DowngradeAction.ENABLE, '3.6.4')).toMatchObject({ version: '3.7' });
    await expect(ask(DowngradeAction.ENABLE, '3.6')).rejects.toThrow(
      'cluster has a downgrade job in progress',
    );
    const status = () => callUnary(cluster.channel(2), Maintenance.methods.Status, {});
    expect((await status()).downgradeInfo).toEqual({ enabled: true, targetVersion: '3.6.0' });
    expect(await ask(DowngradeAction.CANCEL)).toMatchObject({ version: '3.7' });
    expect((await status()).downgradeInfo).toEqual({ enabled: false, targetVersion: '' });
  });
});

describe.skipIf(!withEtcdctl)('alarms', () => {
  const ctl = (i: number, ...args: string[]): Promise<Answer> =>
    etcdctl([cluster.endpoints[i] as string], args);

  it('at the quota one is raised that every member knows and etcdctl can disarm', async () => {
    const full = { status: 8, message: 'etcdserver: mvcc: database space exceeded' };
    await put(0, 'large', 200_000);
    await expect(put(0, 'larger', 100_000)).rejects.toMatchObject(full);
    // However little it is, and whoever is asked.
    for (const i of [0, 1, 2]) await expect(put(i, 'small', 1)).rejects.toMatchObject(full);
    expect((await ctl(1, 'lease', 'grant', '100')).stderr).toContain(full.message);
    expect((await ctl(1, 'alarm', 'list')).stdout).toMatch(/^memberID:[0-9]+ alarm:NOSPACE ?\n$/);
    const status = await callUnary(cluster.channel(1), Maintenance.methods.Status, {});
    expect(status.errors).toEqual([expect.stringContaining('alarm:NOSPACE')]);

    expect((await ctl(2, 'del', 'large')).stdout).toBe('1\n');
    const { header } = await callUnary(
      cluster.channel(2),
      KV.methods.Range,
      RangeRequest.create({ key: bytes('x') }),
    );
    const revision = String(header?.revision);
    expect((await ctl(2, 'compact', revision, '--physical')).code).toBe(0);
    expect((await ctl(2, 'defrag')).code).toBe(0);
    const disarmed = await ctl(0, 'alarm', 'disarm');
    expect(disarmed.code, disarmed.stderr).toBe(0);
    await put(0, 'small', 1);
    expect((await ctl(1, 'alarm', 'list')).stdout).toBe('');
  });

  it('of corruption lets nothing through the log but its end', async () => {
    const memberId = 7n;
    const ask = (action: number, alarm: number) =>
      callUnary(cluster.channel(0), Maintenance.methods.Alarm, { action, memberId, alarm });
    expect((await ask(1, AlarmType.CORRUPT)).alarms).toEqual([{ memberId, alarm: AlarmType.CORRUPT }]);
    expect((await ask(0, AlarmType.NOSPACE)).alarms).toEqual([]);
    await expect(put(1, 'small', 1)).rejects.toMatchObject({
      status: 15,
      message: 'etcdserver: corrupt cluster',
    });
    expect((await ctl(1, 'lease', 'grant', '100')).stderr).toContain('corrupt cluster');
    expect((await ctl(1, 'get', 'small', '--print-value-only')).code).toBe(0);
    expect((await ctl(1, 'alarm', 'disarm')).stdout).toMatch(/^memberID:7 alarm:CORRUPT ?\n$/);
    expect((await ask(2, AlarmType.CORRUPT)).alarms).toEqual([]);
    await put(1, 'small', 1);
  });

  it.skipIf(!withEtcd)('are shown as by a real etcd', async () => {
    const etcd = await Etcd.start();
    try {
      for (const args of [['alarm', 'list'], ['alarm', 'disarm'], ['defrag']]) {
        const [theirs, ours] = [await etcdctl([etcd.endpoint], args), await ctl(0, ...args)];
        const shown = ({ code, stdout }: Answer): unknown => [code, stdout.replaceAll(/127[0-9.:]+/g, '')];
        expect(shown(ours)).toEqual(shown(theirs));
      }
    } finally {
      await etcd.remove();
    }
  });
});
