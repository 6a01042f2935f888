import { nodePlatform } from '@flotilla/platform/node';
import type { SumAt } from '@flotilla/store';
import { AlarmRequest } from '@flotilla/wire';
import { describe, expect, it } from 'vitest';
import { CorruptionCheck, decodeSums, encodeSums, judge, type OwnSums } from './corruption-check.ts';

const nothing = (): void => undefined;
const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing };

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
    const own = { clusterId: 0xffff_ffff_ffff_fff0n, memberId: 0x8e9e_05c5_2164_694dn, sums };
    expect(decodeSums(encodeSums(own))).toEqual(own);
  });

  it('count only from the member that is asked: its address may be that of another cluster by now', async () => {
    const sums = [{ index: 64, sum: 5 }];
    const compared = async (answered: Pick<OwnSums, 'clusterId' | 'memberId'>): Promise<bigint[]> => {
      const accused: bigint[] = [];
      const check = new CorruptionCheck({
        platform: nodePlatform({ nodeName: 'n1', logger: silent, onFatal: () => undefined }),
        calls: {
          handle: () => undefined,
          call: () => Promise.resolve(encodeSums({ ...answered, sums: [{ index: 64, sum: 6 }] })),
        },
        state: { alarms: [], sums, verify: () => Promise.resolve(true) },
        members: () => [1n, 2n].map((memberId) => ({ memberId, peerUrls: ['http://127.0.0.1:2380'] })),
        memberId: () => 1n,
        clusterId: 7n,
        leads: () => true,
        propose: (request) => {
          accused.push(AlarmRequest.decode(request).memberId);
          return Promise.resolve();
        },
        compareMs: 0,
        verifyMs: 0,
      });
      await check.compare();
      check.stop();
      return accused;
    };
    expect(await compared({ clusterId: 7n, memberId: 2n })).toEqual([0n]);
    expect(await compared({ clusterId: 8n, memberId: 2n })).toEqual([]);
    expect(await compared({ clusterId: 7n, memberId: 3n })).toEqual([]);
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
