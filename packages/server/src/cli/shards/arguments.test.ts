import { expect, it } from 'vitest';
import { ShardProgress } from '@flotilla/wire';
import { run as runNode } from '../node.ts';
import { run as runShard } from '../shard.ts';
import { keyOf, labelsOf } from './arguments.ts';
import { barOf } from './progress.ts';
import { bytesText, table } from './table.ts';

it("keys stand for themselves, with Go's escapes, or in hex", () => {
  expect(keyOf('a/b')).toEqual(new TextEncoder().encode('a/b'));
  expect([...keyOf('a\\x00\\\\é')]).toEqual([0x61, 0, 0x5c, 0xc3, 0xa9]);
  expect([...keyOf('hex:00ff')]).toEqual([0, 255]);
  expect(() => keyOf('a\\x2')).toThrow(/a backslash stands before x and two digits/);
  expect(() => keyOf('hex:0')).toThrow(/two digits a byte/);
});

it('what is wrong with the arguments is said without a cluster', async () => {
  await expect(runShard(['frobnicate'])).rejects.toThrow(/shard can begin, list, .*, not "frobnicate"/);
  await expect(runShard(['split'])).rejects.toThrow(/missing required argument 'shard'/);
  await expect(runShard(['split', 'x'])).rejects.toThrow('shard "x": must be a whole number from 0 on');
  await expect(runShard(['move', '1'])).rejects.toThrow(/required option '--to <node>' not specified/);
  await expect(runShard(['begin'])).rejects.toThrow('begin wants --shards, or keys to split --at');
  await expect(runShard(['list', '-w', 'xml'])).rejects.toThrow(/Allowed choices are table, json/);
  await expect(runShard(['merge', '1', '2', '--configuration', '-4'])).rejects.toThrow(/--configuration/);
  await expect(runShard(['list', '--cert', 'x'])).rejects.toThrow('--cert and --key go together');
  await expect(runShard(['list', '--user', 'root'])).rejects.toThrow('--user needs a password');
  await expect(runNode(['evict'])).rejects.toThrow('node can list, join, leave, drain, not "evict"');
  expect(() => labelsOf(['disk'])).toThrow('--label "disk": must be NAME=VALUE');
});

it('tables have numbers to the right, and bars never leave their line', () => {
  expect(
    table(
      ['SHARD', 'NAME'],
      [
        ['1', 'a'],
        ['12', 'bc'],
      ],
    ),
  ).toBe('SHARD  NAME\n    1  a\n   12  bc');
  expect([bytesText(0), bytesText(1_536), bytesText(300 * 1024 * 1024)]).toEqual([
    '0 B',
    '1.5 KiB',
    '300 MiB',
  ]);
  const progress = ShardProgress.create({ done: 1, total: 4, text: 'catches up' });
  expect(barOf(progress, 40)).toBe('[=====             ] 1/4 catches up');
  for (const columns of [1, 10, 80])
    expect(barOf(progress, columns).length).toBeLessThan(Math.max(2, columns));
});
