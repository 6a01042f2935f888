import { describe, expect, it } from 'vitest';
import { seededRandom } from '@flotilla/platform';
import { BoltReader } from './bolt-reader.ts';
import { BoltWriter } from './bolt-writer.ts';
import { MemoryFile } from '../../test/memory-file.ts';

type Contents = Readonly<Record<string, readonly (readonly [string, number])[]>>;

function fileOf(contents: Contents): MemoryFile {
  const file = new MemoryFile();
  const writer = new BoltWriter(file);
  for (const name of Object.keys(contents).sort()) {
    writer.beginBucket(name);
    for (const [key, valueBytes] of contents[name]!) {
      writer.put(Buffer.from(key), new Uint8Array(valueBytes).fill(key.length));
    }
    writer.endBucket();
  }
  expect(writer.finish()).toBe(file.sizeBytes);
  return file;
}

async function contentsOf(file: MemoryFile): Promise<Contents> {
  const reader = await BoltReader.open(file);
  const contents: Record<string, (readonly [string, number])[]> = {};
  for (const bucket of reader.buckets) {
    const entries: (readonly [string, number])[] = [];
    for await (const { key, value } of reader.entries(bucket)) {
      if (value.some((byte) => byte !== key.length)) throw new Error('another value');
      entries.push([Buffer.from(key).toString(), value.length]);
    }
    contents[bucket] = entries;
  }
  return contents;
}

const keys = (count: number, valueBytes: (i: number) => number): (readonly [string, number])[] =>
  Array.from({ length: count }, (_, i) => [`key${String(i).padStart(8, '0')}`, valueBytes(i)] as const);

describe('a bbolt file', () => {
  it('has what was put into it, from nothing to three levels of pages', async () => {
    const contents = {
      empty: [],
      large: keys(4, (i) => [0, 4_080, 10_000, 1_000_000][i]!),
      many: keys(30_000, (i) => i % 100),
      one: keys(1, () => 7),
    };
    expect(await contentsOf(fileOf(contents))).toEqual(contents);
    expect(await contentsOf(fileOf({}))).toEqual({});
  });

  it('consists of whole pages, each of which is used once', async () => {
    const file = fileOf({ many: keys(5_000, (i) => (i % 10) * 700), other: keys(3, () => 5_000) });
    expect(file.sizeBytes % 4_096).toBe(0);
    const view = new DataView(file.bytes.buffer, file.bytes.byteOffset);
    let page = 0;
    while (page < file.sizeBytes / 4_096) {
      expect(Number(view.getBigUint64(page * 4_096, true))).toBe(page);
      page += 1 + view.getUint32(page * 4_096 + 12, true);
    }
    expect(page).toBe(file.sizeBytes / 4_096);
  });

  it('is refused or read as far as it is whole, whatever byte is damaged or missing', async () => {
    const contents = { a: keys(300, (i) => i), b: keys(2, () => 6_000), c: [] };
    const whole = fileOf(contents);
    const random = seededRandom(1);
    let refused = 0;
    for (let run = 0; run < 300; run += 1) {
      const file = new MemoryFile();
      const cut = run % 3 === 0;
      file.bytes = whole.bytes.slice(0, cut ? random.u32() % whole.sizeBytes : whole.sizeBytes);
      if (!cut) {
        // Mostly where the structure is.
        const page = (random.u32() % (whole.sizeBytes / 4_096)) * 4_096;
        file.bytes[page + (random.u32() % 64)]! ^= 1 << (random.u32() % 8);
      }
      try {
        const reader = await BoltReader.open(file);
        for (const bucket of reader.buckets) for await (const entry of reader.entries(bucket)) void entry;
      } catch (error) {
        expect((error as { code?: string }).code).toBe('FLOTILLA_SNAPSHOT_DAMAGED');
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(150);
  });
});
