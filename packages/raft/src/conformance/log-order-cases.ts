import { demand, demandEqual, demandRejection } from './case.ts';
import type { LogCases } from './log-bench.ts';
import { entriesOf, hardStateOf, LogModel, record, snapshotOf } from './log-model.ts';
import type { LogOperation } from './log-model.ts';

/** Who waits for what, and in which order it is answered. */
export const orderCases: LogCases = {
  'appends at the same time are answered in the order of the calls': async (bench) => {
    const { log } = await bench.open();
    const operations: LogOperation[] = [];
    const answered: number[] = [];
    const calls: Promise<void>[] = [];
    for (let at = 0; at < 60; at += 1) {
      // Commit indexes alone need no sync; they must not overtake what does.
      const records =
        at % 4 === 3
          ? [record(9, { hardState: hardStateOf(1, 1, 0), mustSync: false })]
          : [
              record(at % 4, {
                entries: entriesOf(Math.floor(at / 4) + 1, Math.floor(at / 4) + 1, 1, 1 + at * 40),
              }),
            ];
      operations.push({ type: 'append', records });
      calls.push(log.append(records).then(() => void answered.push(at)));
    }
    await Promise.all(calls);
    demandEqual(
      answered,
      operations.map((_, at) => at),
      'order of the answers',
    );
  },

  'appends and compactions at the same time take effect in the order of the calls': async (bench) => {
    const { log } = await bench.open();
    const operations: LogOperation[] = [];
    const calls: Promise<void>[] = [];
    for (let round = 0; round < 20; round += 1) {
      const first = round * 5 + 1;
      for (const group of [0, 1]) {
        const records = [record(group, { entries: entriesOf(first, first + 4, 1, 200) })];
        operations.push({ type: 'append', records });
        calls.push(log.append(records));
      }
      if (round % 3 === 2) {
        const through = snapshotOf(first - 2, 1);
        operations.push({ type: 'compact', group: 0, through });
        calls.push(log.compact(0, through));
      }
    }
    await Promise.all(calls);
    await LogModel.after(operations).demandHeld(await bench.reopen());
  },

  'what is asked for before a close is done by it': async (bench) => {
    const { log } = await bench.open();
    const operations: LogOperation[] = [];
    const calls: Promise<unknown>[] = [];
    for (let at = 1; at <= 10; at += 1) {
      const records = [record(0, { entries: entriesOf(at, at, 1, 300) })];
      operations.push({ type: 'append', records });
      calls.push(log.append(records).catch((error: unknown) => error));
    }
    const opened = await bench.reopen();
    demandEqual(
      await Promise.all(calls),
      operations.map(() => undefined),
      'answers to appends before the close',
    );
    await LogModel.after(operations).demandHeld(opened);
  },

  'a closed log takes nothing more': async (bench) => {
    const { log } = await bench.open();
    await log.append([record(0, { entries: entriesOf(1, 3, 1) })]);
    await bench.close();
    const closed = ['FLOTILLA_LOG_CLOSED'] as const;
    await demandRejection(
      log.append([record(0, { entries: entriesOf(4, 4, 1) })]),
      closed,
      'an append after close',
    );
    await demandRejection(log.compact(0, snapshotOf(2, 1)), closed, 'a compaction after close');
  },

  'a log has one owner at a time': async (bench) => {
    const { log } = await bench.open();
    await demandRejection(bench.open(), ['FLOTILLA_DISK_LOCKED'], 'a second open of one place');
    await log.append([record(0, { entries: entriesOf(1, 1, 1) })]);
    await bench.reopen();
  },

  'statistics tell what was written': async (bench) => {
    const { log } = await bench.open();
    const before = log.stats();
    await log.append([
      record(0, { entries: entriesOf(1, 8, 1, 1000) }),
      record(1, { entries: entriesOf(1, 2, 1) }),
    ]);
    const after = log.stats();
    demandEqual(after.entries - before.entries, 10, 'entries');
    demandEqual(after.records - before.records, 2, 'records');
    demand(
      after.liveBytes - before.liveBytes >= 8000,
      () => `8,000 bytes of payload live in ${after.liveBytes - before.liveBytes}`,
    );
    demand(after.syncs > before.syncs, 'an append that must be synced was not counted as a sync');
    demandEqual(after.failure, null, 'failure');
    await log.compact(0, snapshotOf(8, 1));
    demand(log.stats().liveBytes < after.liveBytes, 'compacted entries are counted as live');
    const strangers = log.pinning().filter((group) => group !== 0 && group !== 1);
    demandEqual(strangers, [], 'groups that pin the log and were never written to');
  },
};
