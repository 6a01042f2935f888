import { describe, expect, it } from 'vitest';
import { callsOf, type Row, rulesIn } from '../../simulation/rows.ts';
import {
  checkReadWriteRegisters,
  type RegisterCall,
  type RegisterRead,
  type RegisterStep,
} from './read-write-registers.ts';

/**
 * `r x 3 a` (read value a of version 3), `r x 0` (nothing was there), `p x 0` (the same in a range), `e x 3` (expect),
 * `w x b`; `@ 5`: the version of what was written.
 */
function parse(text: string): Pick<RegisterCall, 'operation'> & {
  readonly result: { readonly version: number | null; readonly reads: (RegisterRead | null)[] };
} {
  const [body = '', version] = text.split(' @ ');
  const operation: RegisterStep[] = [];
  const reads: (RegisterRead | null)[] = [];
  for (const part of body.split(', ')) {
    const [kind, key = '', first = '', value = null] = part.split(' ');
    if (kind === 'w') operation.push({ type: 'write', key, value: first });
    else if (kind === 'e') operation.push({ type: 'expect', key, version: Number(first) });
    else operation.push({ type: 'read', key, inRange: kind === 'p' });
    reads.push(kind === 'r' || kind === 'p' ? { version: Number(first), value } : null);
  }
  return { operation, result: { version: version === undefined ? null : Number(version), reads } };
}

function history(...rows: readonly Row[]): RegisterCall[] {
  return callsOf(rows, parse);
}

function rulesOf(calls: readonly RegisterCall[]): readonly string[] {
  return rulesIn(checkReadWriteRegisters(calls).verdict);
}

describe('legal', () => {
  it('is what happened one after the other', () => {
    const calls = history(
      [0, 1, 'w x a @ 2'],
      [2, 3, 'r x 2 a, w y a @ 3'],
      [4, 5, 'e x 2, w x b @ 4'],
      [6, 7, 'r x 4 b, r y 3 a'],
    );
    expect(checkReadWriteRegisters(calls)).toEqual({
      verdict: { outcome: 'ok' },
      transactions: 4,
      versions: 3,
    });
  });

  it('is any order of what was open at the same time', () => {
    expect(rulesOf(history([0, 9, 'w x a @ 2'], [0, 9, 'r x 0'], [0, 9, 'r x 2 a']))).toEqual(['ok']);
  });

  it('is an answer that was lost, whether its value was read or not', () => {
    expect(rulesOf(history([0, 1, 'w x a', 'unknown'], [2, 3, 'r x 0']))).toEqual(['ok']);
    expect(rulesOf(history([0, 1, 'w x a', 'unknown'], [2, 3, 'r x 0'], [4, 5, 'r x 2 a']))).toEqual(['ok']);
  });

  it('is what a transaction reads of its own', () => {
    expect(rulesOf(history([0, 1, 'r x 0, w x a, r x 2 a @ 2']))).toEqual(['ok']);
  });
});

describe('illegal by itself', () => {
  it('is a transaction that does not see its own writes, or sees others come in between', () => {
    expect(rulesOf(history([0, 1, 'w x a, r x 0 @ 2']))).toEqual(['registers/internal']);
    expect(rulesOf(history([0, 1, 'r x 2 a, w x a @ 2']))).toEqual(['registers/internal']);
    expect(rulesOf(history([0, 1, 'w x a @ 2'], [0, 1, 'r x 0, r x 2 a']))).toEqual(['registers/internal']);
  });

  it('is what nobody wrote, and what a failed transaction wrote', () => {
    expect(rulesOf(history([0, 1, 'r x 2 a']))).toEqual(['registers/made-up']);
    expect(rulesOf(history([0, 1, 'r x 2']))).toEqual(['registers/made-up']);
    expect(rulesOf(history([0, 1, 'e x 2, w x a @ 3']))).toEqual(['registers/made-up']);
    expect(rulesOf(history([0, 1, 'w x a', 'failed'], [2, 3, 'r x 2 a']))).toEqual(['registers/G1a']);
  });

  it('is a transaction in two revisions, answered or not', () => {
    expect(rulesOf(history([0, 1, 'w x a, w y a @ 2'], [2, 3, 'r y 3 a']))).toEqual([
      'registers/two-versions',
    ]);
    expect(rulesOf(history([0, 1, 'w x a, w y a', 'unknown'], [2, 3, 'r x 2 a, r y 3 a']))).toEqual([
      'registers/two-versions',
    ]);
  });

  it('is two transactions in one revision, even of different keys', () => {
    expect(rulesOf(history([0, 9, 'w x a @ 2'], [0, 9, 'w y a @ 2']))).toEqual(['registers/same-version']);
  });
});

describe('illegal together', () => {
  it('is a snapshot that is done in one register and not in another (G-single)', () => {
    const read = [0, 9, 'r x 2 a, r y 0'] as const;
    expect(rulesOf(history([0, 9, 'w x a, w y a @ 2'], read))).toEqual(['registers/G-single']);
    expect(rulesOf(history([0, 9, 'w x a, w y a', 'unknown'], read))).toEqual(['registers/G-single']);
  });

  it('is a lost update, by what was read or by what was expected (G-single)', () => {
    for (const how of ['r x 2 a', 'e x 2']) {
      const calls = history([0, 1, 'w x a @ 2'], [2, 9, `${how}, w x b @ 3`], [2, 9, `${how}, w x c @ 4`]);
      expect(rulesOf(calls)).toEqual(['registers/G-single']);
    }
  });

  it('is an update whose answer was lost, on what another had changed before it', () => {
    const calls = history(
      [0, 1, 'w x a @ 2'],
      [2, 9, 'e x 2, w x b', 'unknown'],
      [2, 9, 'e x 2, w x c @ 3'],
      [2, 9, 'r x 4 b'],
    );
    expect(rulesOf(calls)).toEqual(['registers/G-single']);
  });

  it('is two transactions that saw each other (G1c)', () => {
    const calls = history([0, 9, 'w x a, r y 3 b @ 2'], [0, 9, 'w y b, r x 2 a @ 3']);
    expect(rulesOf(calls)).toEqual(['registers/G1c']);
  });

  it('is write skew, and a long fork (G2-item)', () => {
    expect(rulesOf(history([0, 9, 'r x 0, w y a @ 2'], [0, 9, 'r y 0, w x b @ 3']))).toEqual([
      'registers/G2-item',
    ]);
    const fork = history(
      [0, 9, 'w x a @ 2'],
      [0, 9, 'w y b @ 3'],
      [0, 9, 'r x 2 a, r y 0'],
      [0, 9, 'r x 0, r y 3 b'],
    );
    expect(rulesOf(fork)).toEqual(['registers/G2-item']);
  });

  it('is two that found a range without what the other put there: phantoms (G2)', () => {
    const calls = history([0, 9, 'p x 0, p y 0, w x a @ 2'], [0, 9, 'p x 0, p y 0, w y b @ 3']);
    expect(rulesOf(calls)).toEqual(['registers/G2']);
  });

  it('is a read that misses what was over before it began', () => {
    expect(rulesOf(history([0, 1, 'w x a @ 2'], [2, 3, 'r x 0']))).toEqual(['registers/G-single-realtime']);
    // No order of the clock between them.
    expect(rulesOf(history([0, 2, 'w x a @ 2'], [2, 3, 'r x 0']))).toEqual(['ok']);
  });

  it('is a write before one that was over when it was made', () => {
    expect(rulesOf(history([0, 1, 'w x a @ 3'], [2, 3, 'w x b @ 2']))).toEqual(['registers/G0-realtime']);
  });

  it('is told by its shortest cycle', () => {
    const calls = history(
      [0, 9, 'r x 0, w y a @ 2'],
      [0, 9, 'r y 0, w z b @ 3'],
      [0, 9, 'r z 0, w x c @ 4'],
      [0, 9, 'r z 0, w y d @ 5'],
    );
    expect(checkReadWriteRegisters(calls).verdict).toEqual({
      outcome: 'illegal',
      violations: [
        {
          rule: 'registers/G2-item',
          message:
            'transaction 2 of client 2 (read z, write c to x) read z before version 3 of transaction 1; ' +
            'transaction 1 of client 1 (read y, write b to z) read y before version 2 of transaction 0; ' +
            'transaction 0 of client 0 (read x, write a to y) read x before version 4 of transaction 2',
          calls: [2, 1, 0],
        },
      ],
    });
  });
});

it('what a transaction wrote over itself is seen by nobody else (G1b)', () => {
  const twice = [0, 9, 'w x a, w x b @ 2'] as const;
  expect(rulesOf(history(twice, [0, 9, 'r x 2 b']))).toEqual(['ok']);
  expect(rulesOf(history(twice, [0, 9, 'r x 2 a']))).toEqual(['registers/G1b']);
});

it('without real time only the order of transactions counts', () => {
  const stale = history([0, 1, 'w x a @ 2'], [2, 3, 'r x 0']);
  expect(rulesOf(stale)).toEqual(['registers/G-single-realtime']);
  expect(rulesIn(checkReadWriteRegisters(stale, { realTime: false }).verdict)).toEqual(['ok']);
});

it('histories that could tell nothing are refused', () => {
  const check =
    (...rows: readonly Row[]) =>
    () =>
      checkReadWriteRegisters(history(...rows));
  expect(check([0, 1, 'w x a @ 2'], [2, 3, 'w x a @ 3'])).toThrow(
    'call 1 writes a to x, as another write does',
  );
  expect(check([0, 1, 'w x a'])).toThrow('call 0 writes 1 keys and has version null');
});
