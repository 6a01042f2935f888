import { nodePlatform } from '@flotilla/platform/node';
import type { SumAt } from '@flotilla/store';
import { AlarmRequest } from '@flotilla/wire';
import { describe, expect, it } from 'vitest';
import {
  type CheckedShard,
  CorruptionCheck,
  decodeSums,
  encodeShardSums,
  encodeSums,
  judge,
  type OwnSums,
} from './corruption-check.ts';

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
        shards: () => [],
        replicas: () => null,
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

describe('sums of shards', () => {
  const verified = (): Promise<boolean> => Promise.resolve(true);
  const shard = (id: number, ...sums: (readonly [number, number])[]): CheckedShard => ({
    ...answer(0, ...sums),
    id,
    verify: verified,
  });

  /** Of five members: the first compares. */
  async function accused(
    own: readonly CheckedShard[],
    told: readonly (readonly CheckedShard[])[],
    verify = verified,
  ): Promise<bigint[]> {
    const found: bigint[] = [];
    const ids = [1n, 2n, 3n, 4n, 5n];
    const urls = ids.map((memberId) => `http://127.0.0.1:${2380 + Number(memberId)}`);
    const check = new CorruptionCheck({
      platform: nodePlatform({ nodeName: 'n1', logger: silent, onFatal: () => undefined }),
      calls: {
        handle: () => undefined,
        call: ({ port }, path) => {
          const memberId = BigInt(port - 2380);
          const shards = told[Number(memberId) - 2] ?? [];
          return Promise.resolve(
            path === '/shard-sums'
              ? encodeShardSums(7n, memberId, shards)
              : encodeSums({ clusterId: 7n, memberId, sums: [] }),
          );
        },
      },
      state: { alarms: [], sums: [], verify: verified },
      shards: () => own.map((each) => ({ ...each, verify })),
      replicas: (id) => (id === 9 ? null : 3),
      members: () => ids.map((memberId, i) => ({ memberId, peerUrls: [urls[i] as string] })),
      memberId: () => 1n,
      clusterId: 7n,
      leads: () => true,
      propose: (request) => {
        found.push(AlarmRequest.decode(request).memberId);
        return Promise.resolve();
      },
      compareMs: 0,
      verifyMs: 0,
    });
    await check.compare();
    await check.verify();
    check.stop();
    return found;
  }

  it('accuse the replica that differs from a majority of those of its shard', async () => {
    const good = shard(5, [64, 5], [70, 6]);
    expect(await accused([good], [[shard(5, [64, 9])], [good], [shard(6, [64, 1])]])).toEqual([2n]);
    expect(
      await accused([good], [[good], [shard(6, [64, 2])], [shard(6, [64, 1])], [shard(6, [64, 1])]]),
    ).toEqual([3n]);
    expect(await accused([good], [[], [shard(5, [64, 9])]])).toEqual([0n]);
  });

  it('say nothing of replicas at other indexes, and of shards that have ended', async () => {
    expect(await accused([shard(5, [64, 5])], [[shard(5, [65, 9])], []])).toEqual([]);
    expect(await accused([shard(9, [64, 5])], [[shard(9, [64, 9])], [shard(9, [64, 9])]])).toEqual([]);
  });

  it('are read again by the member that has them', async () => {
    expect(await accused([shard(5, [64, 5])], [], () => Promise.resolve(false))).toEqual([1n]);
  });
});
