import { FlotillaError, type Platform } from '@flotilla/platform';
import { openLog } from '@flotilla/raft';
import { beforeAll, describe, expect, it } from 'vitest';
import { readLog } from '../../simulation/log-check.ts';
import { signature } from '../../simulation/log-model.ts';
import {
  directory,
  entries,
  entry,
  hardState,
  onMachine,
  options,
  putFiles,
  record,
  snapshot,
  takeFiles,
  type Files,
  type Outcome,
} from '../../test/log-machine.ts';

/** Opens the log and reads all of it. */
function open(files: Files): Promise<Outcome<string>> {
  return onMachine(files, async (platform) => {
    const { log, groups } = await openLog(platform, options);
    return signature(await readLog(log, groups));
  });
}

/** Three segments, two groups, every kind of record but relocations; the last batch is acknowledged, not closed. */
async function makeLog(close: boolean): Promise<Files> {
  const { files } = await onMachine(new Map(), async (platform) => {
    const { log } = await openLog(platform, options);
    await log.append([record(0, { entries: entries(1, 3, 1), hardState: hardState(1, 1, 0) })]);
    await log.append([record(5, { snapshot: snapshot(10, 1), hardState: hardState(1, 2, 10) })]);
    await log.append([record(5, { entries: entries(11, 20, 1) }), record(0, { entries: entries(4, 8, 1) })]);
    await log.append([
      record(0, {
        truncateFrom: entry(7, 1).index,
        entries: entries(7, 9, 2),
        hardState: hardState(2, 3, 5),
      }),
    ]);
    await log.append([record(0, { entries: [entry(10, 2, 'add member 4', 'membership')] })]);
    for (let index = 11; index < 24; index += 1)
      await log.append([record(0, { entries: entries(index, index, 2, 250) })]);
    await log.compact(5, snapshot(15, 1));
    await log.append([record(0, { entries: entries(24, 25, 2), hardState: hardState(2, 3, 25) })]);
    if (close) await log.close();
  });
  expect([...files.keys()].filter((name) => /^\d+\.log$/.test(name)).length).toBeGreaterThanOrEqual(3);
  return files;
}

function changed(files: Files, name: string, change: (bytes: Uint8Array) => Uint8Array | null): Files {
  const copy = new Map(files);
  const bytes = change((files.get(name) ?? new Uint8Array()).slice());
  if (bytes === null) copy.delete(name);
  else copy.set(name, bytes);
  return copy;
}

function flipped(files: Files, name: string, offset: number, bit: number): Files {
  return changed(files, name, (bytes) => {
    bytes[offset] = (bytes[offset] ?? 0) ^ (1 << bit);
    return bytes;
  });
}

function expectRefused(outcome: Outcome<string>, before: Files, path: string): void {
  expect(outcome.error?.code).toBe('FLOTILLA_LOG_DAMAGED');
  expect(outcome.error?.message).toMatch(/: data\/log\/\d+\.log at offset \d+: /);
  expect(outcome.error?.message).toContain(path);
  expect(isUntouched(outcome.files, before)).toBe(true);
}

function isUntouched(files: Files, before: Files): boolean {
  return (
    files.size === before.size &&
    [...before].every(([name, bytes]) => Buffer.compare(files.get(name) ?? new Uint8Array(), bytes) === 0)
  );
}

/** Flips a bit at each of these offsets, one after the other, and opens the log; puts everything back in between. */
async function flipEach(files: Files, name: string, offsets: readonly number[]): Promise<Outcome<string>[]> {
  const outcomes: Outcome<string>[] = [];
  await onMachine(files, async (platform) => {
    for (const offset of offsets) {
      const bit = 1 << (offset % 8);
      await flipBit(platform, name, offset, bit);
      try {
        const { log, groups } = await openLog(platform, options);
        const result = signature(await readLog(log, groups));
        await log.close();
        outcomes.push({ result, error: null, files });
        await putFiles(platform, files);
      } catch (error) {
        if (!(error instanceof FlotillaError)) throw error;
        await flipBit(platform, name, offset, bit);
        outcomes.push({ result: null, error, files: await takeFiles(platform) });
      }
    }
  });
  return outcomes;
}

async function flipBit(platform: Platform, name: string, offset: number, bit: number): Promise<void> {
  const file = await platform.disk.open(`${directory}/${name}`, 'write');
  const [byte] = await file.read(offset, 1);
  file.write(offset, Uint8Array.of((byte ?? 0) ^ bit));
  await file.close();
}

/** Every `step`th byte up to the end of the records; of the zeros elsewhere one in 37. */
function offsetsOf(files: Files, name: string, step: number): readonly number[] {
  const bytes = files.get(name) ?? new Uint8Array();
  const end = endOf(bytes);
  const offsets: number[] = [];
  for (let offset = 0; offset < bytes.length;) {
    offsets.push(offset);
    const zeros = offset > end || (offset >= 48 && offset < 512) || (offset >= 528 && offset < 1024);
    offset += zeros ? 37 : step;
  }
  return offsets;
}

let closed: Files;
let crashed: Files;
let content: string;
let segments: readonly string[];

beforeAll(async () => {
  closed = await makeLog(true);
  crashed = await makeLog(false);
  content = (await open(closed)).result ?? '';
  segments = [...closed.keys()].filter((name) => name.endsWith('.log'));
  expect((await open(crashed)).result).toBe(content);
});

const [first, second, third] = ['0000000001.log', '0000000002.log', '0000000003.log'];

describe('a log that was closed', () => {
  it('refuses a flipped bit at any byte, or is not changed by it', async () => {
    let refused = 0;
    for (const name of segments) {
      for (const outcome of await flipEach(closed, name, offsetsOf(closed, name, 1))) {
        if (outcome.error === null) {
          expect(outcome.result).toBe(content);
          continue;
        }
        refused += 1;
        expectRefused(outcome, closed, `${directory}/`);
      }
    }
    // Everything but the zeros behind the records and the padding between them.
    expect(refused).toBeGreaterThan(used(closed) * 0.9);
  });

  it('refuses a zeroed sector, or is not changed by it', async () => {
    for (const name of segments) {
      for (let sector = 0; sector < (closed.get(name)?.length ?? 0) / 512; sector += 1) {
        const zeroed = changed(closed, name, (bytes) => bytes.fill(0, sector * 512, (sector + 1) * 512));
        const outcome = await open(zeroed);
        if (outcome.error === null) expect(outcome.result).toBe(content);
        else expectRefused(outcome, zeroed, `${directory}/`);
      }
    }
  });

  it('refuses a file that was cut short anywhere', async () => {
    for (const name of segments) {
      for (let size = 0; size < (closed.get(name)?.length ?? 0); size += 211) {
        const cut = changed(closed, name, (bytes) => bytes.slice(0, size));
        expectRefused(await open(cut), cut, `${directory}/${name} at offset ${size}`);
      }
    }
  });

  it('refuses to go on without any one of its segments', async () => {
    for (const name of segments.slice(0, -1)) {
      const missing = changed(closed, name, () => null);
      expectRefused(await open(missing), missing, `${directory}/${name}`);
    }
  });

  it('refuses segments under each other’s names', async () => {
    for (const [one, other] of [
      [first, second],
      [second, third],
      [first, third],
    ] as const) {
      const swapped = new Map(closed);
      swapped.set(one, closed.get(other) ?? new Uint8Array());
      swapped.set(other, closed.get(one) ?? new Uint8Array());
      expectRefused(await open(swapped), swapped, `${directory}/${one}`);
    }
  });

  it('refuses a second copy of a segment', async () => {
    for (const [name, copy] of [
      [first, '0000000009.log'],
      [first, third],
      [second, first],
    ] as const) {
      const doubled = changed(closed, copy, () => closed.get(name) ?? null);
      expectRefused(await open(doubled), doubled, `${directory}/${copy}`);
    }
  });

  it('refuses a file that never was a segment', async () => {
    const name = segments.at(-1) ?? '';
    const next = String(Number(name.slice(0, 10)) + 1).padStart(10, '0') + '.log';
    for (const bytes of [
      new Uint8Array(0),
      new Uint8Array(2048),
      new TextEncoder().encode('hello'.repeat(400)),
    ]) {
      const strange = changed(closed, next, () => bytes);
      expectRefused(await open(strange), strange, `${directory}/${next}`);
    }
  });

  it('has no use for files with other names, and leaves them alone', async () => {
    const visited = changed(closed, 'notes.txt', () => new TextEncoder().encode('not a log'));
    const outcome = await open(visited);
    expect(outcome.result).toBe(content);
    expect(outcome.files.get('notes.txt')).toEqual(visited.get('notes.txt'));
  });

  it('is not changed by bytes behind the end of a segment', async () => {
    for (const name of segments) {
      const longer = changed(closed, name, (bytes) =>
        Uint8Array.from([...bytes, ...new Uint8Array(100).fill(0xab)]),
      );
      expect((await open(longer)).result).toBe(content);
    }
  });

  it('refuses what is written into a segment that was not in use yet', async () => {
    const tail = segments.at(-1) ?? '';
    const rotten = flipped(closed, tail, 4090, 3);
    const outcome = await open(rotten);
    if (outcome.error === null) expect(outcome.result).toBe(content);
    else expectRefused(outcome, rotten, directory);
  });
});

describe('a log whose process was killed', () => {
  it('loses no more than the last batch to a flipped bit', async () => {
    const earlier = content.replace(/ 2c20\.\w+ 2c20\.\w+\n/, '\n');
    expect(earlier).not.toBe(content);
    for (const name of segments) {
      for (const outcome of await flipEach(crashed, name, offsetsOf(crashed, name, 5))) {
        if (outcome.error === null) expect([content, earlier]).toContain(outcome.result);
        else expectRefused(outcome, crashed, `${directory}/`);
      }
    }
  });

  it('gets a durable repair: the leftovers of the tail are gone for ever', async () => {
    const name = lastUsed(crashed);
    const end = endOf(crashed.get(name));
    const torn = changed(crashed, name, (bytes) => bytes.fill(0x5a, end, end + 300));
    const outcome = await open(torn);
    expect(outcome.result).toBe(content);
    expect(outcome.files.get(name)?.subarray(0, end)).toEqual(crashed.get(name)?.subarray(0, end));
    const behind = outcome.files.get(name)?.subarray(end) ?? new Uint8Array();
    expect(behind.every((byte) => byte === 0)).toBe(true);
  });

  it('removes what is left of a segment that was being made', async () => {
    const littered = changed(crashed, '0000000004.log.tmp', () => new Uint8Array(700).fill(1));
    const outcome = await open(littered);
    expect(outcome.result).toBe(content);
    expect(outcome.files.has('0000000004.log.tmp')).toBe(false);
  });
});

describe('a log of somebody else', () => {
  it('is refused and left as it is when it belongs to another cluster', async () => {
    const outcome = await onMachine(closed, (platform) => openLog(platform, { ...options, clusterId: 8n }));
    expect(outcome.error?.code).toBe('FLOTILLA_LOG_FOREIGN');
    expect(outcome.error?.message).toBe(
      'data/log/0000000001.log is the log of member 1 of cluster 7, not of member 1 of cluster 8',
    );
    expect(isUntouched(outcome.files, closed)).toBe(true);
  });

  it('is refused and left as it is when it belongs to another member', async () => {
    const nodeId = 2 as typeof options.nodeId;
    const outcome = await onMachine(closed, (platform) => openLog(platform, { ...options, nodeId }));
    expect(outcome.error?.code).toBe('FLOTILLA_LOG_FOREIGN');
    expect(isUntouched(outcome.files, closed)).toBe(true);
  });

  it('is refused and left as it is when a newer program wrote it, torn tails and temporary files included', async () => {
    const name = segments.at(-1) ?? '';
    const newer = new Map(changed(closed, name, (bytes) => withVersion(bytes, 2)));
    newer.set('0000000009.log.tmp', new Uint8Array(9));
    const outcome = await open(newer);
    expect(outcome.error?.code).toBe('FLOTILLA_LOG_VERSION');
    expect(outcome.error?.message).toContain(`${directory}/${name} at offset 8 has log format 2`);
    expect(isUntouched(outcome.files, newer)).toBe(true);
  });

  it('is refused while its owner lives', async () => {
    const outcome = await onMachine(closed, async (platform) => {
      const { log } = await openLog(platform, options);
      await expect(openLog(platform, options)).rejects.toMatchObject({ code: 'FLOTILLA_DISK_LOCKED' });
      await log.close();
      await (await openLog(platform, options)).log.close();
    });
    expect(outcome.error).toBeNull();
  });
});

/** A header as a program with another format would write it: its checksum fits its own version. */
function withVersion(bytes: Uint8Array, version: number): Uint8Array {
  const view = new DataView(bytes.buffer);
  view.setUint32(8, version, true);
  view.setUint32(12, 0x1234_5678, true);
  return bytes;
}

function endOf(bytes: Uint8Array | undefined): number {
  let end = bytes?.length ?? 0;
  while (end > 512 && bytes?.[end - 1] === 0) end -= 1;
  return Math.ceil(end / 8) * 8;
}

/** Bytes before the end of the records of every segment, without the zeros of header and mark sectors. */
function used(files: Files): number {
  let bytes = 0;
  for (const name of segments) bytes += endOf(files.get(name)) - 1024 + 64;
  return bytes;
}

function lastUsed(files: Files): string {
  const used = segments.filter((name) => endOf(files.get(name)) > 512);
  return used.at(-1) ?? '';
}
