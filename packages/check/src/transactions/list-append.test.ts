import { describe, expect, it } from 'vitest';
import { callsOf, type Row, rulesIn } from '../../simulation/rows.ts';
import { checkListAppend, type ListCall, type ListResult, type ListTransaction } from './list-append.ts';

/** `r x [1 2]`, `a x 3`: steps with their answers. */
function steps(text: string): { operation: ListTransaction; result: ListResult } {
  const parsed = text.split(', ').map((step) => {
    const [kind, key = '', ...rest] = step.split(' ');
    if (kind === 'a') {
      return { step: { type: 'append', key, element: Number(rest[0]) } as const, answer: null };
    }
    const list = rest.join(' ').slice(1, -1);
    return { step: { type: 'read', key } as const, answer: list === '' ? [] : list.split(' ').map(Number) };
  });
  return { operation: parsed.map(({ step }) => step), result: parsed.map(({ answer }) => answer) };
}

/** Transactions from one time to another. */
function history(...rows: readonly Row[]): ListCall[] {
  return callsOf(rows, steps);
}

function rulesOf(calls: readonly ListCall[]): readonly string[] {
  return rulesIn(checkListAppend(calls).verdict);
}

describe('legal', () => {
  it('is what happened one after the other', () => {
    const calls = history([0, 1, 'a x 1'], [2, 3, 'r x [1], a y 2, r y [2]'], [4, 5, 'r y [2], r x [1]']);
    expect(checkListAppend(calls)).toEqual({ verdict: { outcome: 'ok' }, transactions: 3, elements: 2 });
  });

  it('is any order of what was open at the same time', () => {
    expect(rulesOf(history([0, 9, 'a x 1'], [0, 9, 'r x []'], [0, 9, 'r x [1]']))).toEqual(['ok']);
  });

  it('is an answer that was lost, whether it was read or not', () => {
    expect(rulesOf(history([0, 1, 'a x 1', 'unknown'], [2, 3, 'r x []']))).toEqual(['ok']);
    expect(rulesOf(history([0, 1, 'a x 1', 'unknown'], [2, 3, 'r x []'], [4, 5, 'r x [1]']))).toEqual(['ok']);
  });
});

describe('illegal', () => {
  it('is a transaction that does not see its own appends, or sees others come in between', () => {
    expect(rulesOf(history([0, 1, 'a x 1, r x []']))).toEqual(['list-append/internal']);
    expect(rulesOf(history([0, 1, 'a x 7'], [0, 1, 'r x [], r x [7]']))).toEqual(['list-append/internal']);
  });

  it('is what nobody appended, what a failed transaction did, and what is there twice', () => {
    expect(rulesOf(history([0, 1, 'r x [1]']))).toEqual(['list-append/made-up']);
    expect(rulesOf(history([0, 1, 'a x 1', 'failed'], [2, 3, 'r x [1]']))).toEqual(['list-append/G1a']);
    expect(rulesOf(history([0, 1, 'a x 1'], [2, 3, 'r x [1 1]']))).toEqual(['list-append/duplicate-element']);
  });

  it('is a list in two orders', () => {
    const calls = history([0, 1, 'a x 1'], [0, 1, 'a x 2'], [2, 3, 'r x [1 2]'], [2, 3, 'r x [2]']);
    expect(rulesOf(calls)).toEqual(['list-append/incompatible-orders']);
  });

  it('is what one transaction appended in another order than its own', () => {
    const calls = history([0, 1, 'a x 1, a x 2'], [2, 3, 'r x [2 1]']);
    expect(rulesOf(calls)).toEqual(['list-append/own-order']);
  });

  it('is half of a transaction (G1b)', () => {
    const calls = history([0, 9, 'a x 1, a x 2'], [0, 9, 'r x [1]'], [0, 9, 'r x [1 2]']);
    expect(rulesOf(calls)).toEqual(['list-append/G1b']);
  });

  it('is two transactions that wrote over each other (G0)', () => {
    const calls = history(
      [0, 9, 'a x 1, a y 1'],
      [0, 9, 'a x 2, a y 2'],
      [0, 9, 'r x [1 2]'],
      [0, 9, 'r y [2 1]'],
    );
    expect(rulesOf(calls)).toEqual(['list-append/G0']);
  });

  it('is two transactions that saw each other (G1c)', () => {
    expect(rulesOf(history([0, 9, 'a x 1, r y [1]'], [0, 9, 'a y 1, r x [1]']))).toEqual(['list-append/G1c']);
  });

  it('is a snapshot that is done in one list and not in another (G-single)', () => {
    const calls = history([0, 9, 'a x 1, a y 1'], [0, 9, 'r x [1], r y []']);
    expect(rulesOf(calls)).toEqual(['list-append/G-single']);
  });

  it('is a lost answer whose transaction was seen in one list and not in another', () => {
    const calls = history([0, 9, 'a x 1, a y 1', 'unknown'], [0, 9, 'r x [1], r y []']);
    expect(rulesOf(calls)).toEqual(['list-append/G-single']);
  });

  it('is write skew, and a long fork (G2)', () => {
    expect(rulesOf(history([0, 9, 'r x [], a y 1'], [0, 9, 'r y [], a x 1']))).toEqual([
      'list-append/G2-item',
    ]);
    const fork = history(
      [0, 9, 'a x 1'],
      [0, 9, 'a y 1'],
      [0, 9, 'r x [1], r y []'],
      [0, 9, 'r x [], r y [1]'],
    );
    expect(rulesOf(fork)).toEqual(['list-append/G2-item']);
  });

  it('is a read that misses what was over before it began', () => {
    expect(rulesOf(history([0, 1, 'a x 1'], [2, 3, 'r x []']))).toEqual(['list-append/G-single-realtime']);
    // No order of the clock between them.
    expect(rulesOf(history([0, 2, 'a x 1'], [2, 3, 'r x []']))).toEqual(['ok']);
  });

  it('is an append before one that was over when it was made', () => {
    const calls = history([0, 1, 'a x 1'], [2, 3, 'a x 2'], [4, 5, 'r x [2 1]']);
    expect(rulesOf(calls)).toEqual(['list-append/G0-realtime']);
  });

  it('is told by its shortest cycle, with everybody who is on it', () => {
    const calls = history(
      [0, 9, 'r a [], a b 1'],
      [0, 9, 'r b [], a c 1'],
      [0, 9, 'r c [], a d 1'],
      [0, 9, 'r d [], a a 1'],
      [0, 9, 'r c [], a b 2'],
      [0, 9, 'r b [1 2]'],
    );
    const { verdict } = checkListAppend(calls);
    expect(verdict).toEqual({
      outcome: 'illegal',
      violations: [
        {
          rule: 'list-append/G2-item',
          message:
            'transaction 1 of client 1 (read b, append 1 to c) read b without 1 of transaction 0; ' +
            'transaction 0 of client 0 (read a, append 1 to b) appended to b right before 2 of transaction 4; ' +
            'transaction 4 of client 4 (read c, append 2 to b) read c without 1 of transaction 1',
          calls: [1, 0, 4],
        },
      ],
    });
  });

  it('is unknown when the search for a cycle may take no steps', () => {
    const calls = history([0, 9, 'r x [], a y 1'], [0, 9, 'r y [], a x 1']);
    expect(checkListAppend(calls, { maxSteps: 1 }).verdict).toEqual({
      outcome: 'unknown',
      reason: 'there is a cycle, and none was found in 1 steps',
    });
  });
});

it('histories that could tell nothing are refused', () => {
  expect(() => checkListAppend(history([0, 1, 'a x 1'], [2, 3, 'a x 1']))).toThrow(
    'call 1 appends 1 to x, as another append does',
  );
  const [call] = history([0, 1, 'a x 1, r x [1]']);
  const short = { ...call, outcome: { type: 'returned', at: 1, result: [null] } } as ListCall;
  expect(() => checkListAppend([short])).toThrow('2 operations and 1 answers');
});

it('a long row of transactions is no deep recursion', () => {
  const calls = history(
    ...Array.from(
      { length: 20_000 },
      (_, at) => [2 * at, 2 * at + 1, `r k${at} [], a k${at + 1} 1`] as const,
    ),
  );
  expect(rulesOf(calls)[0]).toBe('list-append/G-single-realtime');
});
