import { expect, test } from 'vitest';
import { decodePlain, encodePlain } from './plain.ts';

test('plain data comes back as it was', () => {
  const data = {
    nothing: null,
    flags: [true, false],
    numbers: [0, 1, -7, 2 ** 51 + 3, Infinity],
    id: -5n,
    text: 'schön',
    bytes: new Uint8Array([0, 255]),
    nested: { list: [{ a: 1 }, {}] },
  };
  expect(decodePlain(encodePlain(data))).toEqual(data);
});

test('what is no plain data is refused', () => {
  expect(() => encodePlain({ run: () => undefined })).toThrow('no plain data');
  expect(() => encodePlain(0.5)).toThrow('safe integer');
});

test('bytes that go on after the data are refused', () => {
  expect(() => decodePlain(new Uint8Array([...encodePlain(null), 0]))).toThrow('ends where its bytes end');
});
