import { expect, it } from 'vitest';
import { framedHead, HeadReader, inChunks } from './chunks.ts';
import type { SnapshotContent } from './state-machine.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

async function collect(
  content: SnapshotContent | Promise<SnapshotContent>,
  chunkBytes = 4,
): Promise<string[]> {
  const chunks: string[] = [];
  for await (const chunk of inChunks(text('<>'), content, chunkBytes))
    chunks.push(new TextDecoder().decode(chunk));
  return chunks;
}

it('fills chunks from pieces of any size, however they come', async () => {
  async function* later(): AsyncGenerator<Uint8Array> {
    yield text('abc');
    await Promise.resolve();
    yield text('');
    yield text('defghijk');
  }
  const expected = ['<>ab', 'cdef', 'ghij', 'k'];
  expect(await collect(text('abcdefghijk'))).toEqual(expected);
  expect(await collect([text('a'), text('bcdefghij'), text('k')])).toEqual(expected);
  expect(await collect(later())).toEqual(expected);
  expect(await collect(Promise.resolve([text('abcdefghijk')]))).toEqual(expected);
  expect(await collect(text(''))).toEqual(['<>']);
});

it('takes the head off again, wherever the stream was cut', () => {
  const bytes = Uint8Array.from([...framedHead(text('head')), ...text('content')]);
  for (let size = 1; size <= bytes.length; size += 1) {
    const reader = new HeadReader();
    let content = '';
    for (let at = 0; at < bytes.length; at += size) {
      content += new TextDecoder().decode(reader.push(bytes.subarray(at, at + size)));
    }
    expect(new TextDecoder().decode(reader.head ?? undefined)).toBe('head');
    expect(content).toBe('content');
  }
});
