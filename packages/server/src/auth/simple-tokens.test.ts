import { expect, test } from 'vitest';
import { indexOfToken, SimpleTokens } from './simple-tokens.ts';

function tokens(limit = 3) {
  const clock = { nowMs: 0 };
  return { clock, tokens: new SimpleTokens({ now: () => clock.nowMs, lifetimeMs: 100, limit }) };
}

test('a token is good for its time after each use, and not a moment longer', () => {
  const { clock, tokens: kept } = tokens();
  kept.issue('t', 'alice');
  for (let i = 0; i < 5; i += 1) {
    clock.nowMs += 99;
    expect(kept.use('t')).toBe('alice');
  }
  clock.nowMs += 100;
  expect(kept.has('t')).toBe(false);
  expect(kept.use('t')).toBeNull();
});

test('looking whether it is there does not prolong it', () => {
  const { clock, tokens: kept } = tokens();
  kept.issue('t', 'alice');
  clock.nowMs += 99;
  expect(kept.has('t')).toBe(true);
  clock.nowMs += 1;
  expect(kept.has('t')).toBe(false);
});

test('beyond the limit the one that was used least recently goes', () => {
  const { clock, tokens: kept } = tokens(2);
  kept.issue('first', 'alice');
  clock.nowMs += 1;
  kept.issue('second', 'bob');
  clock.nowMs += 1;
  kept.use('first');
  kept.issue('third', 'carol');
  expect(['first', 'second', 'third'].map((token) => kept.has(token))).toEqual([true, false, true]);
});

test('those of one user are forgotten without the others', () => {
  const { tokens: kept } = tokens();
  kept.issue('a1', 'alice');
  kept.issue('b1', 'bob');
  kept.issue('a2', 'alice');
  kept.forgetUser('alice');
  expect(['a1', 'b1', 'a2'].map((token) => kept.use(token))).toEqual([null, 'bob', null]);
  kept.forgetAll();
  expect(kept.has('b1')).toBe(false);
});

test("a token's index is read in etcd's form only", () => {
  expect(indexOfToken('abc.12')).toBe(12);
  expect(indexOfToken('.0')).toBe(0);
  for (const token of ['', 'abc', 'abc.', 'abc.x', 'abc.-1', 'a.b.1', 'abc.1 ', 'abc.99999999999999999999']) {
    expect(indexOfToken(token)).toBeNull();
  }
});
