import { isFlotillaError, type Platform } from '@flotilla/platform';
import { generatedTape, World, fromEventLoop, type SimNode } from '@flotilla/sim';
import { openLog, type Entry, type Index, type LogOptions, type WriteAheadLog } from '@flotilla/raft';
import { describe, expect, it } from 'vitest';
import {
  entries,
  entry,
  hardState,
  onMachine,
  options,
  record,
  snapshot,
  type Files,
} from '../../test/log-machine.ts';

const none: Files = new Map();

/** Runs on a machine with an empty disk. */
async function onLog<T>(
  main: (log: WriteAheadLog, platform: Platform) => Promise<T>,
  changes: Partial<LogOptions> = {},
): Promise<T> {
  const { result, error } = await onMachine(none, async (platform) => {
    const { log } = await openLog(platform, { ...options, ...changes });
    return { value: await main(log, platform) };
  });
  if (error !== null || result === null) throw error ?? new Error('nothing came of it');
  return result.value;
}

function texts(read: readonly Entry[] | 'compacted'): readonly string[] | 'compacted' {
  return read === 'compacted' ? read : read.map((one) => new TextDecoder().decode(one.payload).trimEnd());
}

function indexes(read: readonly Entry[] | 'compacted'): readonly number[] | 'compacted' {
  return read === 'compacted' ? read : read.map((one) => one.index);
}

const index = (value: number): Index => value as Index;

describe('appending', () => {
  it('takes one write and one sync for all groups of a turn', async () => {
    await onLog(async (log) => {
      const before = log.stats();
      await log.append([
        record(0, { entries: entries(1, 3, 1), hardState: hardState(1, 1, 0) }),
        record(1, { entries: entries(1, 1, 1) }),
        record(2, { hardState: hardState(4, 2, 0) }),
      ]);
      const after = log.stats();
      expect(after.syncs - before.syncs).toBe(1);
      expect(after.batches - before.batches).toBe(1);
      expect(after.records - before.records).toBe(3);
      expect(after.entries - before.entries).toBe(4);
    });
  });

  it('gathers what arrives during a sync into the next batch', async () => {
    await onLog(async (log) => {
      const first = log.append([record(0, { entries: entries(1, 1, 1) })]);
      const rest = [2, 3, 4, 5].map((at) => log.append([record(0, { entries: entries(at, at, 1) })]));
      await first;
      await Promise.all(rest);
      expect(log.stats().batches).toBe(2);
      expect(indexes(await log.read(0, index(1), index(6), 1000))).toEqual([1, 2, 3, 4, 5]);
    });
  });

  it('resolves in the order of the calls', async () => {
    await onLog(
      async (log) => {
        const order: number[] = [];
        const calls = [1, 2, 3, 4, 5, 6].map((at) => {
          const isCommit = at % 2 === 0;
          const write = isCommit
            ? { hardState: hardState(0, 0, at / 2), mustSync: false }
            : { entries: entries((at + 1) / 2, (at + 1) / 2, 1) };
          return log.append([record(0, write)]).then(() => order.push(at));
        });
        await Promise.all(calls);
        expect(order).toEqual([1, 2, 3, 4, 5, 6]);
      },
      { limits: { ...options.limits, batchBytes: 1 } },
    );
  });

  it('writes nothing for a commit index alone until something else comes along', async () => {
    await onLog(async (log) => {
      await log.append([record(0, { entries: entries(1, 2, 1), hardState: hardState(1, 1, 0) })]);
      const { syncs, batches } = log.stats();
      await log.append([record(0, { hardState: hardState(1, 1, 1), mustSync: false })]);
      await log.append([record(0, { hardState: hardState(1, 1, 2), mustSync: false })]);
      expect(log.stats()).toMatchObject({ syncs, batches });
      await log.append([record(0, { entries: entries(3, 3, 1) })]);
      expect(log.stats()).toMatchObject({ syncs: syncs + 1, batches: batches + 1 });
    });
  });

  it('makes a segment that is large enough for a record of any size', async () => {
    await onLog(async (log) => {
      const large = entry(2, 1, 'large '.repeat(2000));
      await log.append([record(0, { entries: entries(1, 1, 1) })]);
      await log.append([record(0, { entries: [large] })]);
      await log.append([record(0, { entries: entries(3, 3, 1) })]);
      expect(await log.read(0, index(2), index(3), 10)).toEqual([large]);
    });
  });

  it('refuses what no core may ask for, and then everything', async () => {
    const wrongs = [
      record(0, { entries: entries(5, 5, 1) }),
      record(0, { entries: entries(4, 4, 0) }),
      record(0, { truncateFrom: index(2), entries: entries(2, 2, 2) }),
      record(0, { hardState: hardState(0, 1, 2) }),
      record(0, { hardState: hardState(1, 1, 1) }),
      record(0, { hardState: hardState(1, 1, 4) }),
      record(0, { hardState: hardState(2, 1, 3), mustSync: false }),
    ];
    for (const wrong of wrongs) {
      await onLog(async (log) => {
        await log.append([record(0, { entries: entries(1, 3, 1), hardState: hardState(1, 1, 2) })]);
        await expect(log.append([wrong])).rejects.toMatchObject({ code: 'FLOTILLA_LOG_FAILED' });
        await expect(log.append([])).rejects.toMatchObject({ code: 'FLOTILLA_LOG_FAILED' });
      });
    }
  });
});

describe('reading', () => {
  it('gives the asked range, bounded in bytes but never empty', async () => {
    await onLog(async (log) => {
      for (let at = 1; at <= 30; at += 3)
        await log.append([record(0, { entries: entries(at, at + 2, 1, 20) })]);
      expect(indexes(await log.read(0, index(5), index(9), 1000))).toEqual([5, 6, 7, 8]);
      expect(indexes(await log.read(0, index(5), index(31), 60))).toEqual([5, 6, 7]);
      expect(indexes(await log.read(0, index(5), index(31), 0))).toEqual([5]);
      expect(indexes(await log.read(0, index(29), index(40), 1000))).toEqual([29, 30]);
      expect(indexes(await log.read(0, index(31), index(40), 1000))).toEqual([]);
      expect(texts(await log.read(0, index(1), index(2), 1000))).toEqual(['1 xxxxxxxxxxxxxxxxxx']);
    });
  });

  it('sees the log as it is when it is asked, and never a mixture', async () => {
    await onLog(async (log) => {
      await log.append([record(0, { entries: entries(1, 4, 1) })]);
      await log.append([record(0, { entries: entries(5, 8, 1) })]);
      const reading = log.read(0, index(3), index(9), 1000);
      const appending = log.append([record(0, { truncateFrom: index(6), entries: entries(6, 9, 2) })]);
      const before = await reading;
      await appending;
      const after = await log.read(0, index(3), index(10), 1000);
      expect(before).toEqual(entries(3, 8, 1));
      expect(after).toEqual([...entries(3, 5, 1), ...entries(6, 9, 2)]);
    });
  });

  it('says so when the entries are compacted', async () => {
    await onLog(async (log) => {
      await log.append([record(0, { entries: entries(1, 9, 1), hardState: hardState(1, 0, 9) })]);
      await log.compact(0, snapshot(6, 1));
      expect(await log.read(0, index(6), index(9), 1000)).toBe('compacted');
      expect(indexes(await log.read(0, index(7), index(10), 1000))).toEqual([7, 8, 9]);
      await log.compact(0, snapshot(3, 1));
      expect(indexes(await log.read(0, index(7), index(10), 1000))).toEqual([7, 8, 9]);
    });
  });

  it('knows nothing of a group that it never met', async () => {
    await onLog(async (log) => expect(await log.read(9, index(1), index(5), 100)).toEqual([]));
  });
});

describe('what comes back', () => {
  it('is everything that a core needs', async () => {
    const { files } = await onMachine(none, async (platform) => {
      const { log } = await openLog(platform, options);
      await log.append([record(3, { entries: entries(1, 4, 1), hardState: hardState(1, 1, 2) })]);
      await log.append([record(3, { entries: [entry(5, 2, 'three voters', 'membership')] })]);
      await log.append([
        record(3, {
          truncateFrom: index(5),
          entries: [entry(5, 3), entry(6, 3, 'four voters', 'membership'), entry(7, 4)],
          hardState: hardState(4, 2, 3),
        }),
      ]);
      await log.compact(3, snapshot(2, 1));
      await log.append([record(3, { hardState: hardState(4, 2, 5), mustSync: false })]);
      await log.append([record(8, { snapshot: snapshot(100, 9), hardState: hardState(9, 0, 100) })]);
      await log.close();
    });
    await onMachine(files, async (platform) => {
      const { groups } = await openLog(platform, options);
      expect([...groups.keys()]).toEqual([3, 8]);
      expect(groups.get(3)).toEqual({
        hardState: hardState(4, 2, 5),
        snapshot: snapshot(2, 1),
        termRuns: [
          { from: 3, term: 1 },
          { from: 5, term: 3 },
          { from: 7, term: 4 },
        ],
        lastIndex: 7,
        membership: [entry(6, 3, 'four voters', 'membership')],
      });
      expect(groups.get(8)).toEqual({
        hardState: hardState(9, 0, 100),
        snapshot: snapshot(100, 9),
        termRuns: [],
        lastIndex: 100,
        membership: [],
      });
    });
  });
});

describe('the size of the log', () => {
  it('stays within its bound while one group writes and another one sleeps on old entries', async () => {
    await onLog(
      async (log) => {
        await log.append([record(1, { entries: entries(1, 20, 1), hardState: hardState(1, 0, 20) })]);
        for (let at = 1; at <= 1500; at += 5) {
          await log.append([
            record(0, { entries: entries(at, at + 4, 1, 200), hardState: hardState(1, 0, at) }),
          ]);
          if (at % 50 === 1 && at > 50) await log.compact(0, snapshot(at - 1, 1));
          expect(log.stats().totalBytes).toBeLessThanOrEqual(10 * 4096);
        }
        expect(log.stats().relocatedBytes).toBeGreaterThan(0);
        expect(await log.read(1, index(1), index(21), 10_000)).toEqual(entries(1, 20, 1));
      },
      { limits: { ...options.limits, totalBytes: 8 * 4096 } },
    );
  });

  it('names the groups that have to be compacted', async () => {
    await onLog(async (log) => {
      for (let at = 1; at <= 60; at += 1) {
        await log.append([record(4, { entries: entries(at, at, 1, 200), hardState: hardState(1, 0, at) })]);
        if (at > 10) await log.append([record(2, { entries: entries(at - 10, at - 10, 1) })]);
      }
      expect(log.pinning()).toEqual([4]);
      const { segments } = log.stats();
      await log.compact(4, snapshot(60, 1));
      expect(log.stats().segments).toBeLessThan(segments);
    });
  });
});

describe('a log that has failed', () => {
  const faults: readonly [string, (node: SimNode) => void][] = [
    ['a sync', (node) => (node.disk.faults.failingSyncs = 1)],
    ['a write', (node) => (node.disk.faults.failingWrites = 1)],
    ['room for the next segment', (node) => (node.disk.faults.full = true)],
  ];
  for (const [what, inject] of faults) {
    it(`takes nothing after ${what} failed, tells once, and keeps what was durable`, async () => {
      const told: Error[] = [];
      let kept: readonly Entry[] | 'compacted' = [];
      let refused = 0;
      let acknowledged = 0;
      await fromEventLoop(() => {
        const world = new World({ tape: generatedTape(1) });
        const node = world.addNode('n1', async (platform) => {
          const { log } = await openLog(platform, options);
          if (told.length > 0) {
            kept = await log.read(0, index(1), index(1000), 1_000_000);
            world.stop();
            return;
          }
          log.onFailure((error) => told.push(error));
          for (let at = 1; at <= 200; at += 1) {
            if (at === 10) inject(node);
            await log.append([record(0, { entries: entries(at, at, 1, 100) })]).then(
              () => (acknowledged = refused === 0 ? at : -1),
              (error: unknown) => (refused += isFlotillaError(error, 'FLOTILLA_LOG_FAILED') ? 1 : 1000),
            );
          }
          await log.close().catch(() => undefined);
          node.disk.healed();
          node.crash();
          node.start();
        });
        node.start();
        world.run(60_000);
        world.end();
        expect(world.violation).toBeNull();
      });
      expect(told).toHaveLength(1);
      expect(told[0]).toMatchObject({ code: 'FLOTILLA_LOG_FAILED' });
      expect(acknowledged).toBeGreaterThanOrEqual(9);
      expect(refused).toBe(200 - acknowledged);
      expect(kept.length).toBeGreaterThanOrEqual(acknowledged);
    });
  }
});

describe('a log that is closed', () => {
  it('refuses everything but another close', async () => {
    await onLog(async (log) => {
      await log.append([record(0, { entries: entries(1, 1, 1) })]);
      await log.close();
      await log.close();
      await expect(log.append([])).rejects.toMatchObject({ code: 'FLOTILLA_LOG_CLOSED' });
      await expect(log.read(0, index(1), index(2), 10)).rejects.toMatchObject({
        code: 'FLOTILLA_LOG_CLOSED',
      });
      await expect(log.compact(0, snapshot(1, 1))).rejects.toMatchObject({ code: 'FLOTILLA_LOG_CLOSED' });
    });
  });

  it('has finished every append that was under way', async () => {
    await onLog(async (log) => {
      const pending = [1, 2, 3].map((at) => log.append([record(0, { entries: entries(at, at, 1) })]));
      await log.close();
      await Promise.all(pending);
    });
  });
});
