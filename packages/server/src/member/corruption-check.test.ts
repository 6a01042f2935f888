import type { SumAt } from '@flotilla/store';
import { describe, expect, it } from 'vitest';
import { decodeSums, encodeSums, judge } from './corruption-check.ts';

const answer = (memberId: number, ...sums: (readonly [number, number])[]) => ({
  memberId: BigInt(memberId),
  sums: sums.map(([index, sum]): SumAt => ({ index, sum })),
});

describe('sums of members', () => {
  it('arrive as they were sent', () => {
    const sums = [
      { index: 64, sum: 0xffff_ffff },
      { index: 100, sum: 0 },
    ];
    expect(decodeSums(encodeSums(sums))).toEqual(sums);
  });

  it('are compared at the newest index that both have applied', () => {
    const all = [
      answer(1, [64, 5], [128, 6], [200, 7]),
      answer(2, [64, 5], [128, 6], [199, 1]),
      answer(3, [64, 5]),
    ];
    expect(judge(all, 2)).toEqual([]);
  });

  it('accuse those who differ from a majority', () => {
    expect(judge([answer(1, [64, 5]), answer(2, [64, 6]), answer(3, [64, 5])], 2)).toEqual([2n]);
    expect(judge([answer(1, [64, 6]), answer(2, [64, 5]), answer(3, [64, 5])], 2)).toEqual([1n]);
    const two = [
      answer(1, [64, 5]),
      answer(2, [64, 6]),
      answer(3, [64, 5]),
      answer(4, [64, 7]),
      answer(5, [64, 5]),
    ];
    expect(judge(two, 3)).toEqual([2n, 4n]);
  });

  it('accuse nobody by name where no majority agrees', () => {
    expect(judge([answer(1, [64, 5]), answer(2, [64, 6])], 2)).toEqual([0n]);
    expect(judge([answer(1, [64, 5]), answer(3, [64, 7])], 2)).toEqual([0n]);
  });

  it('say nothing where nothing can be compared', () => {
    expect(judge([answer(1, [64, 5]), answer(2), answer(3, [65, 7])], 2)).toEqual([]);
    expect(judge([answer(1, [64, 5])], 2)).toEqual([]);
    expect(judge([answer(1, [64, 5]), answer(2, [64, 5]), answer(3)], 2)).toEqual([]);
  });
});
