import type { Index } from '../core/types.ts';
import { demand } from './case.ts';
import type { LogBench, LogCases } from './log-bench.ts';
import { entriesOf, hardStateOf, LogModel, record, snapshotOf } from './log-model.ts';
import type { LogOperation } from './log-model.ts';
import type { OpenedLog } from '../log/types.ts';

/** How many records of the operations the log holds; demands that it is a number of them, and at least `acknowledged`. */
async function demandPrefix(
  opened: OpenedLog,
  operations: readonly LogOperation[],
  acknowledged: number,
): Promise<number> {
  const records = operations.reduce((sum, one) => sum + (one.type === 'append' ? one.records.length : 1), 0);
  let nearest = '';
  for (let count = records; count >= acknowledged; count -= 1) {
    const difference = await LogModel.after(operations, count).differenceTo(opened);
    if (difference === null) return count;
    if (count === acknowledged) nearest = difference;
  }
  demand(
    false,
    `of ${records} records ${acknowledged} were acknowledged, and the log holds no prefix that has these; ` +
      `the difference to them alone: ${nearest}`,
  );
}

/** A run of work that crashes with the last `unawaited` calls under way. */
async function crashesUnder(
  bench: LogBench,
  operations: readonly LogOperation[],
  unawaited: number,
): Promise<void> {
  const { log } = await bench.open();
  let acknowledged = 0;
  for (const [at, operation] of operations.entries()) {
    const steps = operation.type === 'append' ? operation.records.length : 1;
    const call =
      operation.type === 'append'
        ? log.append(operation.records)
        : log.compact(operation.group, operation.through);
    if (at < operations.length - unawaited) {
      await call;
      acknowledged += steps;
    } else call.catch(() => undefined);
  }
  await demandPrefix(await bench.crash(), operations, acknowledged);
}

function work(rounds: number): LogOperation[] {
  const operations: LogOperation[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const first = round * 3 + 1;
    const records = [0, 1, 2].map((group) =>
      record(group, {
        entries: entriesOf(first, first + 2, round + 1, 150),
        hardState: hardStateOf(round + 1, group, first - 1),
      }),
    );
    operations.push({ type: 'append', records });
    if (round % 4 === 3) {
      const replaced = record(1, {
        truncateFrom: (first + 1) as Index,
        entries: entriesOf(first + 1, first + 2, round + 1, 77),
      });
      operations.push({ type: 'append', records: [replaced] });
    }
    if (round % 5 === 4)
      operations.push({ type: 'compact', group: 0, through: snapshotOf(first - 3, round) });
  }
  return operations;
}

/** What a power cut may take, and what it may not. */
export const crashCases: LogCases = {
  'what was answered survives a crash': (bench) => crashesUnder(bench, work(12), 0),

  'of what was not answered a crash keeps a prefix': (bench) => crashesUnder(bench, work(20), 12),

  'of one append that was not answered a crash keeps a prefix of its records': (bench) => {
    const records = Array.from({ length: 30 }, (_, group) =>
      record(group, { entries: entriesOf(1, 3, 1, 2000) }),
    );
    return crashesUnder(bench, [{ type: 'append', records }], 1);
  },

  'a vote is on the disk when its write is answered': (bench) =>
    crashesUnder(
      bench,
      [
        { type: 'append', records: [record(0, { hardState: hardStateOf(5, 2, 0) })] },
        { type: 'append', records: [record(0, { hardState: hardStateOf(6, 3, 0) })] },
      ],
      0,
    ),

  'a compaction that was answered survives a crash': (bench) =>
    crashesUnder(
      bench,
      [
        { type: 'append', records: [record(0, { entries: entriesOf(1, 40, 1, 300) })] },
        { type: 'compact', group: 0, through: snapshotOf(30, 1) },
      ],
      0,
    ),

  'a commit index that need not be synced may be lost, and nothing else with it': async (bench) => {
    const { log } = await bench.open();
    await log.append([record(0, { entries: entriesOf(1, 5, 1), hardState: hardStateOf(1, 1, 2) })]);
    await log.append([record(0, { hardState: hardStateOf(1, 1, 4), mustSync: false })]);
    const { groups } = await bench.crash();
    const found = groups.get(0)?.hardState.commit ?? 0;
    demand(found === 2 || found === 4, () => `the commit index is ${found}; 2 was synced, 4 was written`);
    demand(groups.get(0)?.lastIndex === 5, () => `the last index is ${groups.get(0)?.lastIndex}, not 5`);
  },

  'a log that came back from a crash goes on, and crashes again': async (bench) => {
    const operations: LogOperation[] = [];
    let { log } = await bench.open();
    for (let life = 0; life < 5; life += 1) {
      for (let at = 0; at < 4; at += 1) {
        const index = life * 4 + at + 1;
        const records = [record(0, { entries: entriesOf(index, index, life + 1, 400) })];
        operations.push({ type: 'append', records });
        await log.append(records);
      }
      const opened = await bench.crash();
      await LogModel.after(operations).demandHeld(opened);
      ({ log } = opened);
    }
  },
};
