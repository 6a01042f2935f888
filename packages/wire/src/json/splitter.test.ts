import { expect, test } from 'vitest';
import { JsonSplitter } from './splitter.ts';

const tooLong = (sizeBytes: number): Error => new Error(`${sizeBytes} bytes`);

function split(text: string, pieceBytes: number): { values: string[]; rest: string | null } {
  const splitter = new JsonSplitter(1000, tooLong);
  const bytes = new TextEncoder().encode(text);
  const values: string[] = [];
  for (let i = 0; i < bytes.length; i += pieceBytes) {
    values.push(...splitter.push(bytes.subarray(i, i + pieceBytes)));
  }
  return { values: values.map((value) => value.trim()), rest: splitter.end() };
}

test.each([1, 2, 3, 1000])('values are found wherever a body is cut (pieces of %i bytes)', (pieceBytes) => {
  const values = ['{"a":"}\\"{","b":[{}]}', '{}', '[1,{"ü":"\\\\"}]', '{"c":"€"}'];
  expect(split(`  ${values.join(' \n')}\n`, pieceBytes)).toEqual({ values, rest: null });
  expect(split(values.join(''), pieceBytes)).toEqual({ values, rest: null });
});

test('what the end cuts off is handed over, and white space is not', () => {
  expect(split('{}{"a":', 2)).toEqual({ values: ['{}'], rest: '{"a":' });
  expect(split(' \n', 1)).toEqual({ values: [], rest: null });
  expect(split('nonsense', 3)).toEqual({ values: [], rest: 'nonsense' });
});

test('what is no message ends somewhere, too', () => {
  expect(split('}1 "a" true {}', 1).values).toEqual(['}', '1', '"a"', 'true', '{}']);
});

test('a value that is too long is refused before it is whole', () => {
  const splitter = new JsonSplitter(10, tooLong);
  expect(splitter.push(new TextEncoder().encode('{"a":1}{"b"'))).toHaveLength(1);
  expect(() => splitter.push(new TextEncoder().encode(':"12345'))).toThrow('11 bytes');
});
