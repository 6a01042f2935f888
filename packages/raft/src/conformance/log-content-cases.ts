import type { Index, NodeId } from '../core/types.ts';
import type { GroupId } from '../host/types.ts';
import { demand, demandEqual, demandRejection } from './case.ts';
import type { LogCases } from './log-bench.ts';
import { demandEntries, entriesOf, entryOf, hardStateOf, LogModel, record, snapshotOf } from './log-model.ts';
import type { LogOperation } from './log-model.ts';
import type { LogBench } from './log-bench.ts';

/** Performs the operations one by one, and demands the same contents before and after a restart. */
async function holds(bench: LogBench, operations: readonly LogOperation[]): Promise<void> {
  const { log } = await bench.open();
  for (const operation of operations) {
    if (operation.type === 'append') await log.append(operation.records);
    else await log.compact(operation.group, operation.through);
  }
  const model = LogModel.after(operations);
  for (const group of model.groups) {
    const entries = model.entries(group);
    const first = (model.lastIndex(group) - entries.length + 1) as Index;
    const end = (model.lastIndex(group) + 1) as Index;
    const found = await log.read(group, first, end, Number.MAX_SAFE_INTEGER);
    demand(found !== 'compacted', `group ${group}: entry ${first} is said to be compacted`);
    demandEntries(found, entries);
  }
  await model.demandHeld(await bench.reopen());
}

const append = (...records: ReturnType<typeof record>[]): LogOperation => ({ type: 'append', records });

/** What is in the log is what was put there. */
export const contentCases: LogCases = {
  'a new log holds no group': async (bench) => {
    demandEqual([...(await bench.open()).groups.keys()], [], 'groups of a new log');
    demandEqual(
      [...(await bench.reopen()).groups.keys()],
      [],
      'groups of a log in which nothing was written',
    );
  },

  'entries of every kind and size come back as they were, across a restart': (bench) =>
    holds(bench, [
      append(record(0, { entries: [entryOf(1, 1, 'no-op', 0), entryOf(2, 1, 'command', 1)] })),
      append(record(0, { entries: [entryOf(3, 1, 'membership', 40), entryOf(4, 2, 'command', 300_000)] })),
      append(record(0, { entries: [entryOf(5, 7, 'command', 0), entryOf(6, 7, 'membership', 5)] })),
      append(record(0, { entries: entriesOf(7, 400, 8) })),
    ]),

  'the last term, vote and commit index come back': (bench) =>
    holds(bench, [
      append(record(0, { hardState: hardStateOf(1, 2, 0) })),
      append(record(0, { hardState: hardStateOf(3, 0, 0), entries: entriesOf(1, 5, 3) })),
      append(record(0, { hardState: hardStateOf(3, 3, 4) })),
      append(record(0, { entries: entriesOf(6, 6, 3) })),
      append(record(1, { hardState: hardStateOf(2 ** 40, 4_294_967_295, 0) })),
    ]),

  'a commit index that need not be synced is there after a close': (bench) =>
    holds(bench, [
      append(record(0, { hardState: hardStateOf(1, 1, 0), entries: entriesOf(1, 5, 1) })),
      append(record(0, { hardState: hardStateOf(1, 1, 5), mustSync: false })),
    ]),

  'entries are replaced from where a write says so': (bench) =>
    holds(bench, [
      append(record(0, { entries: entriesOf(1, 10, 1) })),
      append(record(0, { entries: [entryOf(11, 2, 'membership'), ...entriesOf(12, 20, 2)] })),
      append(record(0, { truncateFrom: 8 as Index, entries: entriesOf(8, 9, 3, 33) })),
      append(record(0, { entries: entriesOf(10, 12, 4) })),
      append(record(0, { truncateFrom: 12 as Index, entries: entriesOf(12, 12, 5) })),
    ]),

  'a compaction lets go of what it names and of nothing else': (bench) =>
    holds(bench, [
      append(record(0, { entries: [...entriesOf(1, 9, 1), entryOf(10, 1, 'membership')] })),
      append(record(0, { entries: entriesOf(11, 30, 2) })),
      { type: 'compact', group: 0, through: snapshotOf(15, 2) },
      append(record(0, { entries: entriesOf(31, 40, 2) })),
      { type: 'compact', group: 0, through: snapshotOf(32, 2) },
      { type: 'compact', group: 0, through: snapshotOf(12, 2) },
      append(record(0, { truncateFrom: 36 as Index, entries: entriesOf(36, 38, 3) })),
    ]),

  'everything may be compacted, and the log goes on after it': (bench) =>
    holds(bench, [
      append(record(0, { entries: entriesOf(1, 20, 1), hardState: hardStateOf(1, 1, 20) })),
      { type: 'compact', group: 0, through: snapshotOf(20, 1) },
      append(record(0, { entries: entriesOf(21, 22, 1) })),
      { type: 'compact', group: 0, through: snapshotOf(22, 1) },
    ]),

  'a snapshot from a leader takes the place of the whole log': (bench) =>
    holds(bench, [
      append(record(0, { entries: entriesOf(1, 20, 1), hardState: hardStateOf(1, 1, 5) })),
      append(record(0, { snapshot: snapshotOf(15, 3), hardState: hardStateOf(4, 0, 15) })),
      append(record(0, { entries: entriesOf(16, 18, 4) })),
      append(record(1, { snapshot: snapshotOf(100, 2), hardState: hardStateOf(2, 0, 100) })),
    ]),

  'a read answers the entries from where it starts to where it ends, within its bytes': async (bench) => {
    const { log } = await bench.open();
    await log.append([record(0, { entries: entriesOf(1, 50, 1, 100) })]);
    const indexes = async (from: number, to: number, maxBytes: number): Promise<unknown> => {
      const read = await log.read(0, from as Index, to as Index, maxBytes);
      return read === 'compacted' ? read : read.map((entry) => entry.index);
    };
    demandEqual(await indexes(3, 6, 100_000), [3, 4, 5], 'a read from 3 to before 6');
    demandEqual(await indexes(3, 50, 250), [3, 4], 'a read of at most 250 bytes of entries of 100');
    demandEqual(await indexes(3, 50, 1), [3], 'a read of less than one entry');
    demandEqual(await indexes(50, 60, 100_000), [50], 'a read beyond the end');
    demandEqual(await indexes(51, 60, 100_000), [], 'a read after the end');
    await log.compact(0, snapshotOf(10, 1));
    demandEqual(await indexes(10, 12, 100_000), 'compacted', 'a read that starts at the snapshot');
    demandEqual(await indexes(11, 12, 100_000), [11], 'a read that starts after the snapshot');
  },

  'groups do not touch each other, however many there are': async (bench) => {
    const all: GroupId[] = Array.from({ length: 80 }, (_, id) => id);
    const operations: LogOperation[] = [
      append(...all.map((id) => record(id, { entries: entriesOf(1, 4, 1 + (id % 3)) }))),
      append(
        ...all
          .filter((id) => id % 2 === 0)
          .map((id) => record(id, { entries: entriesOf(5, 6, 4), hardState: hardStateOf(4, id, 3) })),
      ),
      append(record(7, { truncateFrom: 2 as Index, entries: entriesOf(2, 2, 9) })),
      append(record(9, { snapshot: snapshotOf(50, 9) })),
      { type: 'compact', group: 8, through: snapshotOf(5, 4) },
      // A group's number says nothing of how many there are.
      append(record(1_000_000, { entries: entriesOf(1, 1, 1) })),
    ];
    await holds(bench, operations);
  },

  'contents survive many restarts with work between them': async (bench) => {
    const operations: LogOperation[] = [];
    let { log } = await bench.open();
    for (let life = 0; life < 6; life += 1) {
      const first = life * 40 + 1;
      const added = append(
        record(0, {
          entries: entriesOf(first, first + 39, life + 1, 500),
          hardState: hardStateOf(life + 1, 1, first),
        }),
      );
      operations.push(added);
      if (added.type === 'append') await log.append(added.records);
      if (life % 2 === 1) {
        const through = snapshotOf(first, life + 1);
        operations.push({ type: 'compact', group: 0, through });
        await log.compact(0, through);
      }
      const opened = await bench.reopen();
      await LogModel.after(operations).demandHeld(opened);
      ({ log } = opened);
    }
  },

  'the log of another member or another cluster is refused': async (bench) => {
    const { log } = await bench.open();
    await log.append([record(0, { entries: entriesOf(1, 1, 1) })]);
    await bench.close();
    const foreign = ['FLOTILLA_LOG_FOREIGN'] as const;
    await demandRejection(
      bench.open({ clusterId: 0xf107n, nodeId: 2 as NodeId }),
      foreign,
      "another member's log",
    );
    await demandRejection(
      bench.open({ clusterId: 1n, nodeId: 1 as NodeId }),
      foreign,
      "another cluster's log",
    );
    await LogModel.after([append(record(0, { entries: entriesOf(1, 1, 1) }))]).demandHeld(await bench.open());
  },
};
