import { describe, expect, it } from 'vitest';
import { History } from './history.ts';
import { readHistory, writeHistory } from './ndjson.ts';

describe('a history', () => {
  it('refuses a clock that runs backwards', () => {
    const times = [5, 4];
    const history = new History<string, string>(() => times.shift() ?? 0);
    history.call(1, 'a');
    expect(() => history.call(1, 'b')).toThrow('from 5 to 4');
  });

  it('lets a call end once', () => {
    const history = new History<string, string>(() => 1);
    const id = history.call(1, 'a');
    history.returned(id, 'done');
    expect(() => history.failed(id, 'no')).toThrow('ended before');
  });

  it('leaves a call without an answer unknown', () => {
    const history = new History<string, string>(() => 1);
    history.call(1, 'a');
    expect(history.calls[0]?.outcome.type).toBe('unknown');
  });
});

describe('history files', () => {
  it('hold every value exactly', () => {
    let time = 0;
    const history = new History<unknown, unknown>(() => (time += 0.25));
    const id = history.call(3, { lease: 2n ** 63n - 1n, key: 'k\u0000\u00ff', revision: 2 ** 53 - 1 });
    history.returned(id, { bytes: Uint8Array.of(0, 255), list: [null, true, -1.5] });
    history.unknown(history.call(4, { type: 'read' }), 'time-out');
    history.failed(history.call(4, { type: 'read' }), 'refused');
    expect(readHistory(writeHistory(history.calls))).toEqual(history.calls);
  });

  it('refuse integers that JSON would round', () => {
    const line = (revision: string): string =>
      `{"id":0,"client":0,"operation":{"revision":${revision}},"calledAt":1,"outcome":{"type":"unknown","reason":""}}\n`;
    expect(readHistory(line('9007199254740991'))).toHaveLength(1);
    expect(() => readHistory(line('9007199254740993'))).toThrow('line 1');
    const history = new History<number, number>(() => 1);
    history.call(1, 2 ** 53);
    expect(() => writeHistory(history.calls)).toThrow('not exact');
  });

  it.each([
    ['{', 'not JSON'],
    ['{"id":0}', 'not a call'],
    ['[]', 'not a call'],
    ['{"id":1,"client":0,"operation":0,"calledAt":1,"outcome":{"type":"unknown","reason":""}}', 'expected 0'],
    ['{"id":0,"client":0,"operation":{"$x":1},"calledAt":1,"outcome":{"type":"unknown","reason":""}}', '$x'],
    ['{"id":0,"client":0,"operation":{"$bigint":"1.5"},"calledAt":1,"outcome":{"type":"unknown"}}', 'bigint'],
  ])('refuse %s', (line, message) => {
    expect(() => readHistory(line)).toThrow(message);
  });
});
