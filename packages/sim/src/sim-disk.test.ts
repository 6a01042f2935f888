import type { Disk, FlotillaError } from '@flotilla/platform';
import { expect, test } from 'vitest';
import { World, fromEventLoop, generatedTape, replayedTape } from './index.ts';
import type { SimNode, Tape } from './index.ts';

interface Scene {
  readonly world: World;
  readonly node: SimNode;
  /** Runs `body` as a process of the node until it is over. */
  readonly live: (body: (disk: Disk) => Promise<void>) => void;
}

function inScene(tape: Tape, act: (scene: Scene) => void): Promise<void> {
  return fromEventLoop(() => {
    const world = new World({ tape, detectEscapes: false });
    let body: (disk: Disk) => Promise<void> = () => Promise.resolve();
    const node = world.addNode('n1', (platform) => body(platform.disk));
    act({
      world,
      node,
      live: (next) => {
        body = next;
        node.start();
        world.run(20_000);
        expect(world.violation).toBeNull();
        node.crash();
      },
    });
  });
}

const sectors = (count: number, value: number): Uint8Array => new Uint8Array(count * 512).fill(value);

/** A synced file of four sectors of ones. */
async function syncedFile(disk: Disk): Promise<void> {
  await disk.makeDirectory('data');
  const file = await disk.open('data/log', 'create');
  file.write(0, sectors(4, 1));
  await file.sync();
  await disk.syncDirectory('data');
  await file.close();
}

test('what was synced survives every crash, whatever the tape says', () =>
  fromEventLoop(() => undefined).then(async () => {
    for (let seed = 0; seed < 50; seed += 1) {
      await inScene(generatedTape(seed), ({ live }) => {
        live(syncedFile);
        live(async (disk) => {
          const file = await disk.open('data/log', 'read');
          expect(await file.read(0, 5000)).toEqual(sectors(4, 1));
        });
      });
    }
  }));

test('each unsynced sector is kept, lost or torn, and over many seeds all of it happens', async () => {
  const fates = { kept: 0, lost: 0, torn: 0, mixed: 0 };
  for (let seed = 0; seed < 200; seed += 1) {
    await inScene(generatedTape(seed), ({ live }) => {
      live(syncedFile);
      live(async (disk) => {
        const file = await disk.open('data/log', 'write');
        file.write(0, sectors(4, 2));
      });
      live(async (disk) => {
        const bytes = await (await disk.open('data/log', 'read')).read(0, 5000);
        expect(bytes.length).toBe(2048);
        const seen = new Set<string>();
        for (let i = 0; i < 4; i += 1) {
          const sector = bytes.subarray(i * 512, i * 512 + 512);
          const newBytes = sector.filter((byte) => byte === 2).length;
          // The new part of a torn sector comes first.
          expect([...sector]).toEqual([
            ...sectors(1, 2).subarray(0, newBytes),
            ...sectors(1, 1).subarray(newBytes),
          ]);
          seen.add(newBytes === 512 ? 'kept' : newBytes === 0 ? 'lost' : 'torn');
        }
        for (const fate of seen) fates[fate as keyof typeof fates] += 1;
        if (seen.size > 1) fates.mixed += 1;
      });
    });
  }
  for (const [fate, count] of Object.entries(fates)) expect(count, fate).toBeGreaterThan(20);
});

test('with a harmless tape a crash loses nothing', () =>
  inScene(replayedTape([]), ({ live }) => {
    live(async (disk) => {
      const file = await disk.open('log', 'create');
      file.write(100, sectors(3, 9));
    });
    live(async (disk) => {
      const file = await disk.open('log', 'read');
      expect(file.size()).toBe(100 + 3 * 512);
      expect(await file.read(100, 5000)).toEqual(sectors(3, 9));
    });
  }));

test('a write during a sync is not covered by it', async () => {
  let lost = 0;
  for (let seed = 0; seed < 60; seed += 1) {
    await inScene(generatedTape(seed), ({ live }) => {
      live(syncedFile);
      live(async (disk) => {
        const file = await disk.open('data/log', 'write');
        file.write(0, sectors(1, 2));
        const sync = file.sync();
        file.write(0, sectors(1, 3));
        await sync;
      });
      live(async (disk) => {
        const first = (await (await disk.open('data/log', 'read')).read(0, 1))[0];
        expect([2, 3]).toContain(first);
        if (first === 2) lost += 1;
      });
    });
  }
  expect(lost).toBeGreaterThan(5);
});

test('a sector whose sync failed may be lost even when a later sync succeeds', async () => {
  let lost = 0;
  for (let seed = 0; seed < 60; seed += 1) {
    await inScene(generatedTape(seed), ({ live, node }) => {
      live(syncedFile);
      live(async (disk) => {
        const file = await disk.open('data/log', 'write');
        file.write(0, sectors(1, 2));
        node.disk.faults.failingSyncs = 1;
        await expect(file.sync()).rejects.toMatchObject({ code: 'FLOTILLA_DISK_IO' });
        await file.sync();
      });
      live(async (disk) => {
        const first = (await (await disk.open('data/log', 'read')).read(0, 1))[0];
        if (first === 1) lost += 1;
      });
    });
  }
  expect(lost).toBeGreaterThan(5);
});

test('created, renamed and unlinked names are durable only after a sync of their directory', async () => {
  const seen = { created: 0, renamed: 0, unlinked: 0 };
  for (let seed = 0; seed < 80; seed += 1) {
    await inScene(generatedTape(seed), ({ live }) => {
      live(async (disk) => {
        await disk.makeDirectory('d');
        for (const name of ['a', 'b', 'old']) {
          const file = await disk.open(`d/${name}`, 'create');
          file.write(0, new TextEncoder().encode(name));
          await file.sync();
        }
        await disk.syncDirectory('d');
        await disk.open('d/new', 'create');
        await disk.rename('d/a', 'd/b');
        await disk.unlink('d/old');
      });
      live(async (disk) => {
        const names = await disk.list('d');
        // Of a rename one sees all or nothing, and later changes do not outlive earlier ones.
        expect(['a b new old', 'a b old', 'b new', 'b new old']).toContain(names.join(' '));
        const b = new TextDecoder().decode(await (await disk.open('d/b', 'read')).read(0, 10));
        expect(b).toBe(names.includes('a') ? 'b' : 'a');
        if (!names.includes('new')) seen.created += 1;
        if (names.includes('a')) seen.renamed += 1;
        if (names.includes('old')) seen.unlinked += 1;
      });
    });
  }
  for (const [what, lost] of Object.entries(seen)) expect(lost, what).toBeGreaterThan(5);
  expect(seen.unlinked).toBeLessThan(75);
});

test('an unsynced truncation may be undone, and the old bytes are there again', async () => {
  let undone = 0;
  for (let seed = 0; seed < 60; seed += 1) {
    await inScene(generatedTape(seed), ({ live }) => {
      live(syncedFile);
      live(async (disk) => (await disk.open('data/log', 'write')).truncate(700));
      live(async (disk) => {
        const file = await disk.open('data/log', 'read');
        expect([700, 2048]).toContain(file.size());
        expect(await file.read(0, 512)).toEqual(sectors(1, 1));
        if (file.size() === 2048) undone += 1;
      });
    });
  }
  expect(undone).toBeGreaterThan(5);
});

test('a full disk takes what fits and then says so, and overwriting still works', () =>
  inScene(generatedTape(4), ({ live, node, world }) => {
    live(syncedFile);
    live(async (disk) => {
      const file = await disk.open('data/log', 'write');
      node.disk.faults.full = true;
      file.write(0, sectors(4, 2));
      expect(() => file.write(2048, sectors(4, 2))).toThrow(
        expect.objectContaining({ code: 'FLOTILLA_DISK_FULL' }),
      );
      expect(file.size()).toBeLessThan(2048 + 2048);
      await expect(disk.open('data/more', 'create')).rejects.toMatchObject({ code: 'FLOTILLA_DISK_FULL' });
    });
    expect(world.coverage.get('disk error full')).toBe(2);
  }));

test('a sync takes seconds at most, however slow the disk is while it starts', () =>
  inScene(generatedTape(1), ({ live, node, world }) => {
    live(syncedFile);
    world.settings = {
      ...world.settings,
      syncMinMs: 100,
      syncMaxMs: 100,
      stallPerMille: 1000,
      stallMaxMs: 3000,
    };
    live(async (disk) => {
      const file = await disk.open('data/log', 'write');
      file.write(0, sectors(1, 2));
      node.disk.faults.slowFactor = 1000;
      const start = world.now;
      await file.sync();
      expect(world.now - start).toBeLessThanOrEqual(10_000);
      expect(world.now - start).toBeGreaterThan(5_000);
      world.coverage.count('slow sync done');
    });
    expect(world.coverage.get('slow sync done')).toBe(1);
  }));

test('a crash can be put at any disk operation, and the operation after it never happens', async () => {
  const outcomes = new Set<string>();
  for (let operation = 1; operation <= 4; operation += 1) {
    for (let seed = 0; seed < 10; seed += 1) {
      await inScene(generatedTape(seed), ({ world, node, live }) => {
        live((disk) => disk.makeDirectory('d'));
        node.disk.faults.crashAtOperation = operation;
        let reached = 0;
        live(async (disk) => {
          const file = await disk.open('d/f', 'create');
          reached = 1;
          file.write(0, sectors(1, 1));
          if (node.running) reached = 2;
          await file.sync();
          reached = 3;
          await disk.syncDirectory('d');
          reached = 4;
        });
        expect(world.faults.at(-1)?.text).toMatch(/^crash n1 (when it was about to|right after it did) /);
        expect(reached).toBeLessThan(operation);
        outcomes.add(`${operation}:${world.faults.at(-1)?.text.split(':')[0]}`);
      });
    }
  }
  expect(outcomes.size).toBe(8);
});

test('errors have the codes that the contract names', () =>
  inScene(replayedTape([]), ({ live }) => {
    live(async (disk) => {
      const code = (action: Promise<unknown>): Promise<string> =>
        action.then(
          () => 'fine',
          (error: FlotillaError) => error.code,
        );
      await disk.makeDirectory('/var/lib/x');
      await disk.open('/var/lib/x/f', 'create');
      expect(await code(disk.open('/var/lib/x/f', 'create'))).toBe('FLOTILLA_DISK_EXISTS');
      expect(await code(disk.open('/var/lib/x/g', 'read'))).toBe('FLOTILLA_DISK_NOT_FOUND');
      expect(await code(disk.open('/nowhere/g', 'create'))).toBe('FLOTILLA_DISK_NOT_FOUND');
      expect(await code(disk.list('/nowhere'))).toBe('FLOTILLA_DISK_NOT_FOUND');
      expect(await disk.list('/var/lib/')).toEqual(['x']);
      expect(await disk.list('/var//lib/./x')).toEqual(['f']);
      const release = await disk.lock('/var/lib/x/LOCK');
      expect(await code(disk.lock('/var/lib/x/LOCK'))).toBe('FLOTILLA_DISK_LOCKED');
      await release();
      expect(await code(disk.lock('/var/lib/x/LOCK'))).toBe('fine');
    });
    live(async (disk) => {
      // The lock of the life before has died with it.
      await disk.lock('/var/lib/x/LOCK');
    });
  }));
