import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodePlatform } from '@flotilla/platform/node';
import type { NodeId } from '../core/types.ts';
import { KnownInstances } from './known-instances.ts';

const silentLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

let directory: string;
const failures: unknown[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'flotilla-instances-'));
  failures.length = 0;
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function open(told: Readonly<Record<number, bigint>>): Promise<KnownInstances> {
  const known = await KnownInstances.open({
    platform: nodePlatform({
      nodeName: 'n1',
      logger: silentLogger,
      onFatal: (error) => failures.push(error),
    }),
    directory,
    instanceOf: (peer) => told[peer] ?? null,
    failed: (error) => failures.push(error),
  });
  if (known === null) throw new Error('instances are told');
  return known;
}

function asked(known: KnownInstances): readonly (bigint | null)[] {
  return [1, 2, 3].map((id) => known.of(id as NodeId));
}

describe('the instances that peers are known by', () => {
  it('are known in the next life before anybody tells them again', async () => {
    const first = await open({ 1: 11n, 3: 0xffff_ffff_ffff_ffffn });
    expect(asked(first)).toEqual([11n, null, 0xffff_ffff_ffff_ffffn]);
    await first.close();
    expect(asked(await open({}))).toEqual([11n, null, 0xffff_ffff_ffff_ffffn]);
  });

  it('are those that they come with first, once that is in the file', async () => {
    const peer = 1 as NodeId;
    const first = await open({});
    const written = first.meet(peer, 11n);
    expect(written).not.toBeNull();
    expect([first.of(peer), first.meet(peer, 11n) === null]).toEqual([11n, false]);
    await written;
    expect(first.meet(peer, 11n)).toBeNull();
    expect(asked(await open({}))).toEqual([11n, null, null]);
  });

  it('need no file where the owner says the same, and none for a peer that says nothing of its data', async () => {
    const known = await open({ 1: 11n });
    expect([known.meet(1 as NodeId, 11n), known.meet(2 as NodeId, 0n)]).toEqual([null, null]);
    expect(known.of(2 as NodeId)).toBeNull();
  });

  it('are what the owner says, where it says anything', async () => {
    const first = await open({ 1: 11n, 2: 12n });
    asked(first);
    await first.close();
    const second = await open({ 2: 22n, 3: 23n });
    expect(asked(second)).toEqual([11n, 22n, 23n]);
    await second.close();
    expect(asked(await open({}))).toEqual([11n, 22n, 23n]);
  });

  it('survive a write that was cut off', async () => {
    const first = await open({ 1: 11n });
    asked(first);
    await first.close();
    writeFileSync(join(directory, 'instances.new'), 'half');
    const second = await open({ 2: 12n });
    expect(asked(second)).toEqual([11n, 12n, null]);
    await second.close();
    expect(asked(await open({}))).toEqual([11n, 12n, null]);
    expect(failures).toEqual([]);
  });

  it('are damaged by any byte that is wrong, and then nobody is let in', async () => {
    const first = await open({ 1: 11n, 2: 12n });
    asked(first);
    await first.close();
    const path = join(directory, 'instances');
    const good = readFileSync(path);
    for (let at = 0; at < good.length; at += 1) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] ?? 0) ^ 0x40;
      writeFileSync(path, bad);
      await expect(open({})).rejects.toMatchObject({ code: 'FLOTILLA_DATA_DAMAGED' });
      writeFileSync(path, good.subarray(0, at));
      await expect(open({})).rejects.toMatchObject({ code: 'FLOTILLA_DATA_DAMAGED' });
    }
  });

  it('stop the member when they cannot be written down', async () => {
    const known = await open({ 1: 11n });
    rmSync(directory, { recursive: true });
    asked(known);
    await known.close();
    expect(failures).toHaveLength(1);
  });
});
