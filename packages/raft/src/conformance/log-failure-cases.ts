import { isFlotillaError } from '@flotilla/platform';
import type { Index } from '../core/types.ts';
import { demand, demandEqual, demandRejection } from './case.ts';
import type { LogBench, LogCases } from './log-bench.ts';
import { entriesOf, LogModel, record } from './log-model.ts';
import type { LogOperation } from './log-model.ts';

const failed = ['FLOTILLA_LOG_FAILED'] as const;

/** After a failed sync nobody knows what is on the disk: nothing may be answered any more. */
export const syncFailureCases: LogCases = {
  'after a sync has failed nothing is answered, and nothing is tried again': async (bench) => {
    const { log } = await bench.open();
    await log.append([record(0, { entries: entriesOf(1, 3, 1) })]);
    await bench.failNextSync();
    const calls = [4, 5, 6].map((at) => log.append([record(0, { entries: entriesOf(at, at, 1) })]));
    for (const call of await Promise.allSettled(calls)) {
      const settled = call.status === 'rejected' ? Promise.reject(call.reason as Error) : Promise.resolve();
      await demandRejection(settled, failed, 'an append whose sync failed, or came after');
    }
    await demandRejection(
      log.append([record(0, { entries: entriesOf(4, 4, 1) })]),
      failed,
      'an append later',
    );
    demand(log.stats().failure !== null, 'stats().failure is null after a sync has failed');
  },

  'the failure is told once': async (bench) => {
    const { log } = await bench.open();
    const told: Error[] = [];
    log.onFailure((error) => told.push(error));
    await bench.failNextSync();
    await log.append([record(0, { entries: entriesOf(1, 1, 1) })]).catch(() => undefined);
    await log.append([record(0, { entries: entriesOf(2, 2, 1) })]).catch(() => undefined);
    demandEqual(told.length, 1, 'calls of onFailure');
    demand(
      isFlotillaError(told[0], 'FLOTILLA_LOG_FAILED'),
      'onFailure was told another error than FLOTILLA_LOG_FAILED',
    );
  },

  'a log that has failed releases its place, which holds what was answered': async (bench) => {
    const { log } = await bench.open();
    const operations: LogOperation[] = [
      { type: 'append', records: [record(0, { entries: entriesOf(1, 3, 1) })] },
    ];
    await log.append([record(0, { entries: entriesOf(1, 3, 1) })]);
    await bench.failNextSync();
    await log.append([record(0, { entries: entriesOf(4, 4, 1) })]).catch(() => undefined);
    await demandRejection(bench.close(), failed, 'the close of a log that has failed');
    const opened = await bench.open();
    const withThe4th: LogOperation = {
      type: 'append',
      records: [record(0, { entries: entriesOf(4, 4, 1) })],
    };
    const difference = await LogModel.after(operations).differenceTo(opened);
    const other = await LogModel.after([...operations, withThe4th]).differenceTo(opened);
    demand(
      difference === null || other === null,
      () => `neither with the failed append nor without it: ${difference}`,
    );
  },
};

async function damagedAt(bench: LogBench, part: number): Promise<void> {
  const { log } = await bench.open();
  const operations: LogOperation[] = [];
  for (let at = 1; at <= 20; at += 1) {
    const records = [record(at % 2, { entries: entriesOf(Math.ceil(at / 2), Math.ceil(at / 2), 1, 600) })];
    operations.push({ type: 'append', records });
    await log.append(records);
  }
  await bench.close();
  await bench.damage(part);
  const model = LogModel.after(operations);
  for (const attempt of ['first', 'second']) {
    const outcome = await bench.open().then(
      async (opened) => (await model.differenceTo(opened)) ?? 'whole',
      (error: unknown) =>
        isFlotillaError(error, 'FLOTILLA_LOG_DAMAGED') ? 'refused' : Promise.reject(error as Error),
    );
    demand(
      outcome === 'whole' || outcome === 'refused',
      () => `a damaged log opens at the ${attempt} attempt, and has lost what was answered: ${outcome}`,
    );
    await bench.close();
  }
}

/** Damage is not a crash: what was answered is never let go of in silence. */
export const damageCases: LogCases = {
  'damage to the oldest bytes is noticed, or does not matter': (bench) => damagedAt(bench, 0.02),
  'damage in the middle is noticed, or does not matter': (bench) => damagedAt(bench, 0.5),
  'damage to the newest bytes of a closed log is noticed, or does not matter': (bench) =>
    damagedAt(bench, 0.99),

  'damage that comes while the log is open is not read as an entry': async (bench) => {
    const { log } = await bench.open();
    await log.append([record(0, { entries: entriesOf(1, 20, 1, 2000) })]);
    const wanted = LogModel.after([
      { type: 'append', records: [record(0, { entries: entriesOf(1, 20, 1, 2000) })] },
    ]);
    await bench.damage(0.5);
    for (let at = 1; at <= 20; at += 1) {
      const read = await log.read(0, at as Index, (at + 1) as Index, 1).catch((error: unknown) => error);
      if (isFlotillaError(read, 'FLOTILLA_LOG_DAMAGED')) continue;
      demand(Array.isArray(read), () => `a read of damaged bytes answers ${String(read)}`);
      const [entry] = read as { payload: Uint8Array }[];
      const other = wanted.entries(0)[at - 1]?.payload;
      const same = entry !== undefined && entry.payload.every((byte, offset) => byte === other?.[offset]);
      demand(same, `entry ${at} is read with another payload than it was written with`);
    }
  },
};
