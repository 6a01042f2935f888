import { expect, test } from 'vitest';
import { bytes, contractTables, storageContract } from '../../test/storage-contract.ts';
import { VirtualPlatform } from '../../test/virtual-platform.ts';
import { MemoryImage, MemoryStorage } from './memory-storage.ts';

const late = { maxCommitDelayMs: 5, maxFlushDelayMs: 100 };

storageContract('memory storage', () => {
  const platform = new VirtualPlatform();
  const image = new MemoryImage();
  return Promise.resolve({
    open: () => Promise.resolve(new MemoryStorage(platform, contractTables, { image, ...late })),
    settle: async (promise) => {
      await platform.advance(200);
      return promise;
    },
    end: () => Promise.resolve(),
  });
});

const write = (key: string): { clear: false; tables: { keys: Uint8Array[]; values: Uint8Array[] }[] } => ({
  clear: false,
  tables: [
    { keys: [bytes(key)], values: [bytes('1')] },
    { keys: [], values: [] },
  ],
});

test('a commit is not visible before it resolves', async () => {
  const platform = new VirtualPlatform();
  const storage = new MemoryStorage(platform, contractTables, { image: null, ...late });
  const { committed } = storage.commit(write('a'));
  expect(storage.get(0, bytes('a'))).toBeNull();
  await platform.advance(10);
  await committed;
  expect(storage.get(0, bytes('a'))).not.toBeNull();
});

test('a crash returns to the last flushed commit', async () => {
  const image = new MemoryImage();
  const life = new VirtualPlatform();
  const storage = new MemoryStorage(life, contractTables, {
    image,
    maxCommitDelayMs: 1,
    maxFlushDelayMs: 100,
  });
  storage.commit(write('a'));
  await life.advance(200);
  storage.commit(write('b'));
  await life.advance(1);
  expect(storage.get(0, bytes('b'))).not.toBeNull();
  life.crash();
  await life.advance(1_000);
  const survivor = new MemoryStorage(new VirtualPlatform(), contractTables, { image, ...late });
  expect(survivor.get(0, bytes('a'))).not.toBeNull();
  expect(survivor.get(0, bytes('b'))).toBeNull();
});

test('what is committed during a flush survives with the next one, however much that is', async () => {
  const platform = new VirtualPlatform();
  const image = new MemoryImage();
  const storage = new MemoryStorage(platform, contractTables, {
    image,
    maxCommitDelayMs: 1,
    maxFlushDelayMs: 100,
  });
  const order: string[] = [];
  const keys = Array.from({ length: 50 }, (_, i) => `key ${i}`);
  for (const key of keys) {
    const { committed, flushed } = storage.commit(write(key));
    void flushed.then(() => order.push(key));
    await platform.advance(1);
    await committed;
  }
  // The flush that was under way with the last commit, and one for all that waited for it.
  await platform.advance(200);
  expect(order).toEqual(keys);
});
