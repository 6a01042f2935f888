import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FlotillaError } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import { nodePlatform } from '@flotilla/platform/node';
import { openLog } from '@flotilla/raft';
import type { LogLimits, OpenedLog } from '@flotilla/raft';
import { logConformance } from '@flotilla/raft/conformance';
import type { ConformanceCase, LogUnderTest } from '@flotilla/raft/conformance';
import { fromEventLoop, generatedTape, World } from '@flotilla/sim';
import type { SimNode } from '@flotilla/sim';
import { describe, expect, it } from 'vitest';
import { flawedLog, logFlaws, soundLog } from './flawed-log.ts';

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
/** Small, so that the kit crosses many segments. */
const limits: Partial<LogLimits> = { segmentBytes: 8192, totalBytes: 4 * 1024 * 1024, chunkBytes: 1024 };

function caseNamed(cases: readonly ConformanceCase[], name: string): ConformanceCase {
  const found = cases.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no case «${name}»`);
  return found;
}

/** A directory, and the logs that were opened there: a killed process leaves its files, and its log goes nowhere. */
interface Directory {
  readonly root: string;
  lives: number;
  readonly abandoned: OpenedLog[];
  current: OpenedLog | null;
}

const onFiles: LogUnderTest<Directory> = {
  create: () => ({
    root: mkdtempSync(join(tmpdir(), 'flotilla-kit-')),
    lives: 0,
    abandoned: [],
    current: null,
  }),
  open: async (place, identity) => {
    const platform = nodePlatform({
      nodeName: 'n1',
      logger: silent,
      onFatal: (error) => {
        throw error;
      },
    });
    const opened = await openLog(platform, { ...identity, directory: lifeOf(place), limits });
    place.current = opened;
    return opened;
  },
  crash: (place) => {
    const before = lifeOf(place);
    place.lives += 1;
    mkdirSync(lifeOf(place));
    for (const name of readdirSync(before).filter((file) => file.endsWith('.log'))) {
      copyFileSync(join(before, name), join(lifeOf(place), name));
    }
    if (place.current !== null) place.abandoned.push(place.current);
  },
  damage: (place, part) => {
    const files = readdirSync(lifeOf(place))
      .filter((name) => name.endsWith('.log'))
      .sort();
    const written = files.map((name) => readFileSync(join(lifeOf(place), name)));
    const { file, offset } = target(written, part);
    const bytes = written[file] as Buffer;
    bytes[offset] = (bytes[offset] ?? 0) ^ 0x10;
    writeFileSync(join(lifeOf(place), files[file] ?? ''), bytes);
  },
  remove: async (place) => {
    for (const { log } of place.abandoned) await log.close().catch(() => undefined);
    rmSync(place.root, { recursive: true, force: true });
  },
};

function lifeOf({ root, lives }: Directory): string {
  return join(root, `life-${lives}`);
}

/** The byte at `part` of everything that is not the zeros of a prepared segment. */
function target(
  files: readonly Uint8Array[],
  part: number,
): { readonly file: number; readonly offset: number } {
  const used = files.map(usedBytes);
  let left = Math.floor(part * used.reduce((sum, length) => sum + length, 0));
  for (const [file, length] of used.entries()) {
    if (left < length) return { file, offset: left };
    left -= length;
  }
  throw new Error('nothing was written');
}

function usedBytes(bytes: Uint8Array): number {
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === 0) length -= 1;
  return length;
}

describe('the segmented log on files of this machine', () => {
  for (const { name, run } of logConformance(onFiles)) it(name, run);
});

describe('the segmented log on the simulated disk', () => {
  const names = logConformance(onSimulatedDisk(null as unknown as SimulatedMachine)).map(({ name }) => name);

  it.each(names.flatMap((name) => [1, 2, 3].map((seed) => [name, seed] as const)))(
    '%s (seed %d)',
    (name, seed) => inSimulation(name, seed),
  );
});

interface SimulatedMachine {
  readonly node: SimNode;
  platform(): Platform;
}

function onSimulatedDisk(machine: SimulatedMachine): LogUnderTest<SimulatedMachine> {
  return {
    create: () => machine,
    open: (machine, identity) => openLog(machine.platform(), { ...identity, directory: 'log', limits }),
    crash: async ({ node }) => {
      const { world } = node;
      node.crash({ unreachable: true });
      node.start();
      await new Promise<void>((resolve) => void world.after(10, resolve));
    },
    failNextSync: ({ node }) => {
      node.disk.faults.failingSyncs = 1;
    },
    damage: ({ node }, part) => {
      const paths = [...node.disk.inodes.keys()].filter((path) => path.endsWith('.log')).sort();
      const files = paths.map((path) => node.disk.inodes.get(path)?.bytes);
      const read = files.map((bytes) => bytes?.read(0, bytes.size) ?? new Uint8Array(0));
      const { file, offset } = target(read, part);
      files[file]?.write(offset, Uint8Array.of((read[file]?.[offset] ?? 0) ^ 0x10));
    },
  };
}

/** Runs a case on a simulated machine, in simulated time: a crash loses and tears what was not synced. */
function inSimulation(name: string, seed: number): Promise<void> {
  return fromEventLoop(() => {
    const world = new World({ tape: generatedTape(seed) });
    let current: Platform | null = null;
    const node = world.addNode('n1', (platform) => {
      current = platform;
    });
    node.start();
    world.run(10);
    const machine: SimulatedMachine = { node, platform: () => current as unknown as Platform };
    const { run } = caseNamed(logConformance(onSimulatedDisk(machine)), name);
    let outcome: { readonly error: unknown } | null = null;
    world.after(0, () => {
      void run().then(
        () => (outcome = { error: null }),
        (error: unknown) => (outcome = { error }),
      );
    });
    world.run(600_000, () => outcome !== null);
    const { violation } = world;
    world.end();
    if (violation !== null) throw new Error(`${violation.name}: ${violation.message}`);
    expect(outcome).toEqual({ error: null });
  });
}

describe('a log in memory that keeps the contract', () => {
  for (const { name, run } of logConformance(soundLog)) it(name, run);
});

describe('a log that', () => {
  it.each(logFlaws)('$what is caught by «$caught»', async ({ flaw, caught }) => {
    const failure = await caseNamed(logConformance(flawedLog(flaw)), caught)
      .run()
      .then(
        () => null,
        (error: unknown) => error,
      );
    expect(failure).toBeInstanceOf(FlotillaError);
    expect(failure).toMatchObject({ code: 'FLOTILLA_CONFORMANCE' });
  });

  it('breaks any rule is known: every case of the kit has such a one', () => {
    const caught = new Set<string>(logFlaws.map((flaw) => flaw.caught));
    const names = logConformance(soundLog).map(({ name }) => name);
    expect(names.filter((name) => !caught.has(name))).toEqual([]);
  });
});
