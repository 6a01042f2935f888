import type { Platform } from '@flotilla/platform';
import { openLog, type WriteAheadLog } from '@flotilla/raft';
import { expect, it } from 'vitest';
import { entries, type Files, hardState, onMachine, options, record } from '../../test/log-machine.ts';

const none: Files = new Map();

async function lives(
  ...mains: readonly ((log: WriteAheadLog, platform: Platform) => Promise<void>)[]
): Promise<void> {
  let files = none;
  for (const main of mains) {
    const outcome = await onMachine(files, async (platform) => {
      const { log } = await openLog(platform, options);
      await main(log, platform);
      // As a crash would: nothing is said at the end.
    });
    if (outcome.error !== null) throw outcome.error;
    files = outcome.files;
  }
}

/** What a life finds. */
async function found(
  files: Files,
): Promise<{ readonly groups: readonly number[]; readonly removed: readonly number[] }> {
  const { result, error } = await onMachine(files, async (platform) => {
    const { log, groups, removed } = await openLog(platform, options);
    await log.close();
    return { groups: [...groups.keys()], removed: removed ?? [] };
  });
  if (error !== null || result === null) throw error ?? new Error('nothing came of it');
  return result;
}

async function filesAfter(main: (log: WriteAheadLog) => Promise<void>): Promise<Files> {
  const { files, error } = await onMachine(none, async (platform) => {
    const { log } = await openLog(platform, options);
    await main(log);
  });
  if (error !== null) throw error;
  return files;
}

const some = (group: number, from: number, to: number) =>
  record(group, { entries: entries(from, to, 1), hardState: hardState(1, 1, 0) });

it('a removed group takes no space, and its segments go', async () => {
  await lives(async (log) => {
    await log.append([some(1, 1, 5)]);
    for (let at = 0; at < 40; at += 1) await log.append([some(7, at * 10 + 1, at * 10 + 10)]);
    const before = log.stats();
    await log.remove?.(7);
    const after = log.stats();
    expect(after.liveBytes).toBeLessThan(before.liveBytes / 10);
    expect(await log.read(7, 1 as never, 50 as never, 1_000)).toEqual([]);
    expect(log.pinning()).not.toContain(7);
  });
});

it('that a group was removed outlives crashes and segments, until it is forgotten', async () => {
  const removed = await filesAfter(async (log) => {
    await log.append([some(1, 1, 5), some(7, 1, 5)]);
    await log.remove?.(7);
    // Far enough for the segment with the removal to go.
    for (let at = 0; at < 60; at += 1) await log.append([some(8, at * 10 + 1, at * 10 + 10)]);
    await log.remove?.(8);
    for (let at = 0; at < 30; at += 1) await log.append([some(9, at * 10 + 1, at * 10 + 10)]);
  });
  expect(await found(removed)).toEqual({ groups: [1, 9], removed: [7, 8] });
  const forgotten = await filesAfter(async (log) => {
    await log.append([some(1, 1, 5), some(7, 1, 5), some(8, 1, 5)]);
    await log.remove?.(7);
    await log.remove?.(8);
    await log.forget?.(8);
    for (let at = 0; at < 60; at += 1) await log.append([some(9, at * 10 + 1, at * 10 + 10)]);
  });
  expect(await found(forgotten)).toEqual({ groups: [1, 9], removed: [7] });
});

it('a forgotten group begins anew, with another term and other entries', async () => {
  const files = await filesAfter(async (log) => {
    await log.append([record(7, { entries: entries(1, 9, 6), hardState: hardState(6, 1, 4) })]);
    await log.remove?.(7);
    await log.forget?.(7);
    await log.append([record(7, { entries: entries(1, 2, 1), hardState: hardState(1, 2, 0) })]);
  });
  const { result } = await onMachine(files, async (platform) => {
    const { groups } = await openLog(platform, options);
    return groups.get(7);
  });
  expect(result).toMatchObject({ lastIndex: 2, hardState: { term: 1, vote: 2, commit: 0 } });
});

it('a group that comes back has its term, its vote and the end of its log, through crashes and segments', async () => {
  const fill = async (log: WriteAheadLog, group: number): Promise<void> => {
    for (let at = 0; at < 60; at += 1) await log.append([some(group, at * 10 + 1, at * 10 + 10)]);
    await log.remove?.(group);
  };
  const kept = { hardState: hardState(6, 3, 0), lastIndex: 0, former: { term: 5, index: 9 } };
  const removed = await filesAfter(async (log) => {
    await log.append([record(7, { entries: entries(1, 9, 5), hardState: hardState(6, 3, 4) })]);
    await log.remove?.(7);
    await fill(log, 8);
  });
  const back = await onMachine(removed, async (platform) => {
    const { log } = await openLog(platform, options);
    expect(await log.readmit?.(7)).toMatchObject(kept);
    await fill(log, 10);
  });
  expect(back.error).toBeNull();
  const written = await onMachine(back.files, async (platform) => {
    const { log, groups, removed: gone } = await openLog(platform, options);
    expect(groups.get(7)).toMatchObject(kept);
    expect(gone).not.toContain(7);
    await log.append([record(7, { entries: entries(1, 8, 5) })]);
    // It goes once more before it is as far as it was.
    await log.remove?.(7);
    expect(await log.readmit?.(7)).toMatchObject(kept);
    await log.append([record(7, { entries: entries(1, 9, 5) })]);
  });
  expect(written.error).toBeNull();
  const { result } = await onMachine(written.files, async (platform) => {
    const { groups } = await openLog(platform, options);
    return groups.get(7);
  });
  expect(result).toMatchObject({ lastIndex: 9, hardState: hardState(6, 3, 0) });
  expect(result?.former).toBeUndefined();
});

it('what a removed group still writes is a broken assertion', async () => {
  const { error } = await onMachine(none, async (platform) => {
    const { log } = await openLog(platform, options);
    await log.append([some(7, 1, 5)]);
    await log.remove?.(7);
    await log.append([record(7, { entries: entries(6, 6, 1) })]);
  });
  expect(error?.message).toContain('a group that was removed writes nothing');
});
