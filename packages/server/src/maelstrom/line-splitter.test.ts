import { expect, it } from 'vitest';
import { LineSplitter } from './line-splitter.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

it('lines are found wherever the pieces end, in the middle of a character too', () => {
  const whole = bytes('één\n\ntwo\nthree\n');
  for (let size = 1; size <= whole.length; size += 1) {
    const splitter = new LineSplitter(100, () => expect.unreachable());
    const lines: string[] = [];
    for (let at = 0; at < whole.length; at += size)
      lines.push(...splitter.push(whole.subarray(at, at + size)));
    expect(lines).toEqual(['één', '', 'two', 'three']);
  }
});

it('a line that is too long is dropped and told once, and the next is read', () => {
  let told = 0;
  const splitter = new LineSplitter(5, () => (told += 1));
  expect(splitter.push(bytes('12345\n123'))).toEqual(['12345']);
  expect(splitter.push(bytes('456'))).toEqual([]);
  expect(told).toBe(1);
  expect(splitter.push(bytes('7890123456789\nnext\n'))).toEqual(['next']);
  expect(told).toBe(1);
});
