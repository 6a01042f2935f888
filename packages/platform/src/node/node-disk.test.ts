import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { NodeDisk } from './node-disk.ts';

const root = mkdtempSync(join(tmpdir(), 'flotilla-disk-'));
const disk = new NodeDisk();
let counter = 0;

afterAll(() => rmSync(root, { recursive: true, force: true }));

async function freshDirectory(): Promise<string> {
  counter += 1;
  const path = join(root, `d${counter}`, 'deeper');
  await disk.makeDirectory(path);
  return path;
}

test('bytes are read back where they were written, and reads stop at the end of the file', async () => {
  const path = join(await freshDirectory(), 'log');
  const file = await disk.open(path, 'create');
  file.write(0, new Uint8Array([1, 2, 3, 4]));
  file.write(6, new Uint8Array([7, 8]));
  await file.sync();
  expect(file.size()).toBe(8);
  expect([...(await file.read(2, 100))]).toEqual([3, 4, 0, 0, 7, 8]);
  expect([...(await file.read(50, 10))]).toEqual([]);
  await file.truncate(3);
  expect(file.size()).toBe(3);
  await file.close();
  const again = await disk.open(path, 'read');
  expect([...(await again.read(0, 10))]).toEqual([1, 2, 3]);
  expect(() => again.write(0, new Uint8Array([1]))).toThrow(
    expect.objectContaining({ code: 'FLOTILLA_DISK_IO' }),
  );
  await again.close();
});

test('create refuses an existing file, read and write a missing one', async () => {
  const path = join(await freshDirectory(), 'file');
  await expect(disk.open(path, 'read')).rejects.toMatchObject({ code: 'FLOTILLA_DISK_NOT_FOUND' });
  await expect(disk.open(path, 'write')).rejects.toMatchObject({ code: 'FLOTILLA_DISK_NOT_FOUND' });
  await (await disk.open(path, 'create')).close();
  await expect(disk.open(path, 'create')).rejects.toMatchObject({ code: 'FLOTILLA_DISK_EXISTS' });
  await expect(disk.open(path, 'create')).rejects.toThrow(path);
});

test('names are listed by code unit, renamed and unlinked', async () => {
  const directory = await freshDirectory();
  for (const name of ['b', 'a', 'B', 'é', '10', '9'])
    await (await disk.open(join(directory, name), 'create')).close();
  expect(await disk.list(directory)).toEqual(['10', '9', 'B', 'a', 'b', 'é']);
  await disk.rename(join(directory, 'a'), join(directory, 'b'));
  await disk.unlink(join(directory, '9'));
  await disk.syncDirectory(directory);
  expect(await disk.list(directory)).toEqual(['10', 'B', 'b', 'é']);
  expect(await disk.exists(join(directory, 'a'))).toBe(false);
  expect(await disk.exists(join(directory, 'b'))).toBe(true);
  await expect(disk.list(join(directory, 'nowhere'))).rejects.toMatchObject({
    code: 'FLOTILLA_DISK_NOT_FOUND',
  });
  await expect(disk.unlink(join(directory, 'a'))).rejects.toMatchObject({ code: 'FLOTILLA_DISK_NOT_FOUND' });
});

test.skipIf(process.getuid?.() === 0)(
  'a directory without write permission is told by its code',
  async () => {
    const directory = await freshDirectory();
    chmodSync(directory, 0o500);
    await expect(disk.open(join(directory, 'x'), 'create')).rejects.toMatchObject({
      code: 'FLOTILLA_DISK_PERMISSION',
    });
  },
);

test('a full disk is told by its code', async () => {
  const file = await disk.open('/dev/full', 'write');
  expect(() => file.write(0, new Uint8Array(10))).toThrow(
    expect.objectContaining({ code: 'FLOTILLA_DISK_FULL' }),
  );
  await file.close();
});

test('a lock is held once, and again after its release', async () => {
  const path = join(await freshDirectory(), 'lock');
  const release = await disk.lock(path);
  await expect(disk.lock(path)).rejects.toMatchObject({ code: 'FLOTILLA_DISK_LOCKED' });
  await expect(disk.lock(path)).rejects.toThrow(`process ${process.pid}`);
  await release();
  await release();
  await (
    await disk.lock(path)
  )();
});

test('a lock dies with its process, however it dies', async () => {
  const path = join(await freshDirectory(), 'lock');
  const code = `
    import { register } from 'tsx/esm/api';
    register();
    const { lockFile } = await import(${JSON.stringify(new URL('./lock-file.ts', import.meta.url).href)});
    await lockFile(${JSON.stringify(path)});
    console.log('locked');
    setInterval(() => {}, 1000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise<void>((resolve) => owner.stdout.once('data', () => resolve()));
  await expect(disk.lock(path)).rejects.toThrow(`process ${owner.pid}`);
  const ended = new Promise((resolve) => owner.once('close', resolve));
  owner.kill('SIGKILL');
  await ended;
  await (
    await disk.lock(path)
  )();
});

test('of many that start at once exactly one gets the lock', async () => {
  const path = join(await freshDirectory(), 'lock');
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => disk.lock(path)));
  const winners = results.filter((result) => result.status === 'fulfilled');
  expect(winners.length).toBe(1);
  for (const winner of winners) await winner.value();
});
