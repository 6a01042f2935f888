import { FlotillaError, isFlotillaError } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import { fromEventLoop, generatedTape, World } from '@flotilla/sim';
import { describe, expect, it } from 'vitest';
import { configurationOf } from '../../src/core/configuration.ts';
import type { Index, Term } from '../../src/core/types.ts';
import { SnapshotFiles } from '../../src/replica/snapshot-files.ts';

const directory = 'data/snapshots';
const clusterId = 7n;
const configuration = { ...configurationOf([1, 2, 3], [4]), removed: configurationOf([9]).voters };

function open(platform: Platform): Promise<SnapshotFiles> {
  return SnapshotFiles.open({ platform, directory, clusterId });
}

/** A snapshot whose every byte says where it is from. */
async function take(files: SnapshotFiles, index: number, received = false): Promise<void> {
  const writer = await files.create({ index: index as Index, term: 3 as Term }, configuration, received);
  for (let chunk = 0; chunk < 3; chunk += 1) await writer.write(new Uint8Array(700).fill(index));
  await files.commit(writer);
}

async function contentOf(files: SnapshotFiles): Promise<number[] | null> {
  const { latest } = files;
  if (latest === null) return null;
  const reader = await files.open(latest);
  const content: number[] = [];
  for await (const chunk of reader.chunks()) content.push(...chunk);
  await reader.close();
  return content;
}

async function change(platform: Platform, index: number, at: number, value: number | null): Promise<void> {
  const path = `${directory}/${String(index).padStart(16, '0')}.snapshot`;
  const file = await platform.disk.open(path, 'write');
  const position = at < 0 ? file.size() + at : at;
  if (value === null) await file.truncate(position);
  else file.write(position, Uint8Array.of(value));
  await file.sync();
  await file.close();
}

function inWorld(main: (platform: Platform) => Promise<void>): Promise<void> {
  return fromEventLoop(() => {
    const world = new World({ tape: generatedTape(1) });
    let done = false;
    const node = world.addNode('n1', async (platform) => {
      await main(platform);
      done = true;
    });
    node.start();
    world.run(60_000, () => done);
    const { violation } = world;
    world.end();
    if (violation !== null) throw new Error(`${violation.message}\n${violation.stack}`);
    expect(done).toBe(true);
  });
}

describe('snapshot files', () => {
  it('keep two, and let the log go up to the older one', () =>
    inWorld(async (platform) => {
      const files = await open(platform);
      expect([files.latest, files.flushed.index]).toEqual([null, 0]);
      for (const [index, flushed] of [
        [10, 0],
        [20, 10],
        [30, 20],
      ] as const) {
        await take(files, index);
        expect([files.latest?.index, files.flushed.index]).toEqual([index, flushed]);
      }
      const again = await open(platform);
      expect([again.latest, again.flushed]).toEqual([
        { clusterId, index: 30, term: 3, configuration, received: false },
        { index: 20, term: 3 },
      ]);
      expect(await platform.disk.list(directory)).toHaveLength(2);
      expect(await contentOf(again)).toEqual(Array.from({ length: 2100 }, () => 30));
    }));

  it('need no log before a snapshot that a peer sent', () =>
    inWorld(async (platform) => {
      const files = await open(platform);
      await take(files, 10);
      await take(files, 50, true);
      expect(files.flushed.index).toBe(50);
      // One of its own that had been begun before.
      await take(files, 20);
      expect([files.latest?.index, files.flushed.index]).toEqual([50, 50]);
    }));

  it('go back to the older one when the latest is damaged, at whatever place', () =>
    inWorld(async (platform) => {
      for (const [at, value] of [
        [0, 1],
        [12, 1],
        [22, 1],
        [800, 1],
        [-1, 1],
        [-20, 9],
        [-5, null],
        [10, null],
      ] as const) {
        const files = await open(platform);
        await take(files, 10);
        await take(files, 20);
        await change(platform, 20, at, value);
        const again = await open(platform);
        expect([again.latest?.index, again.flushed.index], `byte ${at}`).toEqual([10, 0]);
        expect(await contentOf(again)).toEqual(Array.from({ length: 2100 }, () => 10));
      }
    }));

  it('are none when both are damaged', () =>
    inWorld(async (platform) => {
      const files = await open(platform);
      await take(files, 10);
      await take(files, 20);
      await change(platform, 10, 5, 0);
      await change(platform, 20, 500, 0);
      const again = await open(platform);
      expect([again.latest, again.flushed.index]).toEqual([null, 0]);
    }));

  it('of a newer format are refused and left as they are', () =>
    inWorld(async (platform) => {
      const files = await open(platform);
      await take(files, 10);
      // Magic, version 2, and what this version knows nothing of.
      await change(platform, 10, 11, 2);
      await change(platform, 10, 15, 77);
      const error: unknown = await open(platform).catch((cause: unknown) => cause);
      expect(isFlotillaError(error, 'FLOTILLA_SNAPSHOT_VERSION')).toBe(true);
      expect(await platform.disk.list(directory)).toEqual(['0000000000000010.snapshot']);
    }));

  it('have the last one that was committed, or a later one, after a crash at any step', async () => {
    let steps = 0;
    for (let finished = false; !finished; steps += 1) {
      // What a crash leaves of a file that is not synced is drawn from the tape.
      for (let tape = 1; tape <= 4; tape += 1) finished = await crashAfter(steps, tape * 1000 + steps);
    }
    expect(steps).toBeGreaterThan(30);
  });
});

/** Whether everything was written before the crash came. */
function crashAfter(events: number, seed: number): Promise<boolean> {
  return fromEventLoop(() => {
    const settings = { accessMs: 0.1, syncMinMs: 0.1, syncMaxMs: 1 };
    const world = new World({ tape: generatedTape(seed), settings });
    let committed = 0;
    let found: SnapshotFiles | null = null;
    let finished = false;
    const node = world.addNode('n1', async (platform) => {
      const files = await open(platform);
      if (committed > 0 || world.now > 100) {
        const content = await contentOf(files);
        if (content !== null && content.some((byte) => byte !== files.latest?.index)) {
          throw new FlotillaError('FLOTILLA_ASSERTION', 'a snapshot is not what was written');
        }
        found = files;
        return;
      }
      for (const index of [10, 20, 30, 40, 50, 60]) {
        await take(files, index);
        committed = index;
      }
      finished = true;
    });
    node.start();
    let left = events;
    world.run(100, () => finished || (left -= 1) < 0);
    node.crash({ unreachable: true });
    world.run(101 - world.now);
    node.start();
    world.run(10_000, () => found !== null);
    const { violation } = world;
    world.end();
    if (violation !== null) throw new Error(violation.message);
    const files = found as SnapshotFiles | null;
    expect(files?.latest?.index ?? 0).toBeGreaterThanOrEqual(committed);
    expect(files?.flushed.index).toBeLessThanOrEqual(files?.latest?.index ?? 0);
    return finished;
  });
}
