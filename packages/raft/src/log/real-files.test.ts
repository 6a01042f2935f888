import { mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Platform } from '@flotilla/platform';
import { nodePlatform } from '@flotilla/platform/node';
import { openLog, type Index, type LogOptions } from '@flotilla/raft';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { entries, hardState, options, record, snapshot } from '../../test/log-machine.ts';

const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };

function ignore(): void {
  // What the log tells people is of no interest here.
}

let directory: string;
let here: LogOptions;
let platform: Platform;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flotilla-log-'));
  here = { ...options, directory: join(directory, 'deep', 'down', 'log') };
  platform = nodePlatform({
    nodeName: 'n1',
    logger: silent,
    onFatal: (error) => {
      throw error;
    },
  });
});

afterEach(() => rm(directory, { recursive: true, force: true }));

describe('the log on files of this machine', () => {
  it('holds through many segments what it was given, and lets go of what is compacted', async () => {
    const first = await openLog(platform, here);
    for (let at = 1; at <= 200; at += 2) {
      const commit = hardState(1, 1, at);
      await first.log.append([record(0, { entries: entries(at, at + 1, 1, 150), hardState: commit })]);
      await first.log.append([record(1, { entries: entries(at, at + 1, 1, 150), hardState: commit })]);
      if (at % 20 === 19) await first.log.compact(0, snapshot(at, 1));
    }
    await first.log.compact(1, snapshot(150, 1));
    await first.log.close();
    const { log, groups } = await openLog(platform, here);
    expect(groups.get(0)).toMatchObject({
      lastIndex: 200,
      hardState: hardState(1, 1, 199),
      snapshot: snapshot(199, 1),
    });
    expect(groups.get(1)).toMatchObject({
      lastIndex: 200,
      hardState: hardState(1, 1, 199),
      snapshot: snapshot(150, 1),
    });
    expect(await log.read(1, 151 as Index, 201 as Index, 100_000)).toEqual(entries(151, 200, 1, 150));
    await log.close();
    const names = await readdir(here.directory);
    expect(names).not.toContain('0000000001.log');
    expect(names.filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('tells which file is damaged, and where', async () => {
    const { log } = await openLog(platform, here);
    for (let at = 1; at <= 10; at += 1) await log.append([record(0, { entries: entries(at, at, 1, 100) })]);
    await log.close();
    const path = join(here.directory, '0000000001.log');
    const file = await open(path, 'r+');
    await file.write(Uint8Array.of(0xff), 0, 1, 1500);
    await file.close();
    await expect(openLog(platform, here)).rejects.toMatchObject({ code: 'FLOTILLA_LOG_DAMAGED' });
    await expect(openLog(platform, here)).rejects.toThrow(new RegExp(`${path} at offset 1[0-9]{3}: `));
  });

  it('belongs to one owner at a time', async () => {
    const { log } = await openLog(platform, here);
    await expect(openLog(platform, here)).rejects.toMatchObject({ code: 'FLOTILLA_DISK_LOCKED' });
    await log.close();
    await (await openLog(platform, here)).log.close();
  });
});
