import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { contractTables, storageContract } from '../../test/storage-contract.ts';
import { openLmdb } from './lmdb-storage.ts';

storageContract('LMDB', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flotilla-lmdb-'));
  return {
    open: () => Promise.resolve(openLmdb(directory, contractTables)),
    settle: (promise) => promise,
    end: () => rm(directory, { recursive: true }),
  };
});

test('a file that is no LMDB environment is refused with a code', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flotilla-lmdb-'));
  await writeFile(join(directory, 'data.mdb'), Buffer.alloc(16_384, 0x5a));
  expect(() => openLmdb(directory, contractTables)).toThrow(
    expect.objectContaining({ code: 'FLOTILLA_STORAGE_CORRUPT' }) as Error,
  );
  await rm(directory, { recursive: true });
});

test('a path that is a file is refused with a code', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flotilla-lmdb-'));
  await writeFile(join(directory, 'file'), 'x');
  expect(() => openLmdb(join(directory, 'file'), contractTables)).toThrow(
    expect.objectContaining({ code: 'FLOTILLA_STORAGE_OPEN' }) as Error,
  );
  await rm(directory, { recursive: true });
});

test('many views of different commits leave the live state readable', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flotilla-lmdb-'));
  const storage = openLmdb(directory, contractTables);
  const key = Uint8Array.of(1);
  const views = [];
  // LMDB has place for 126 unless it is told otherwise.
  for (let i = 0; i < 130; i += 1) {
    const tables = contractTables.map(() => ({ keys: [key], values: [Uint8Array.of(i)] }));
    await storage.commit({ clear: false, tables }).committed;
    views.push(storage.view());
    expect(views[i]?.get(0, key)).toEqual(Uint8Array.of(i));
  }
  expect(views[7]?.get(0, key)).toEqual(Uint8Array.of(7));
  expect(storage.get(0, key)).toEqual(Uint8Array.of(129));
  await storage.close();
  await rm(directory, { recursive: true });
});
