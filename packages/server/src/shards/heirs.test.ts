import type { NodeId } from '@flotilla/raft';
import { expect, test } from 'vitest';
import { VirtualPlatform } from '../../../store/test/virtual-platform.ts';
import { limits } from '../limits.ts';
import { Heirs } from './heirs.ts';
import { decodeMessage, encodeMessage } from './node-messages.ts';

const former = 9;

/** Asked by node 3, which has a replica of a shard that has ended; `keepers` have what came of it for good. */
function heirsWith(keepers: readonly number[]): Heirs {
  return new Heirs({
    platform: new VirtualPlatform(),
    nodeId: 3 as NodeId,
    order: () => null,
    orderVoters: () => [],
    orderMembers: () => [1, 2, 3, 4, 5] as NodeId[],
    range: () => null,
    flush: () => Promise.resolve(),
    ask: (node, _, body) => {
      const { heirs } = decodeMessage<{ readonly heirs: readonly { readonly shard: number }[] }>(body);
      const kept = keepers.includes(node) ? heirs.map(({ shard }) => shard) : [];
      return Promise.resolve(encodeMessage({ kept }));
    },
  });
}

const heir = (...nodes: number[]): [{ shard: number; range: number; nodes: number[] }] => [
  { shard: 2, range: 1, nodes },
];

test('a former replica goes when most nodes of its heir have all of it, and not before', async () => {
  expect(await heirsWith([1, 2]).haveAll(heir(1, 2, 3), former, 0)).toBe(true);
  expect(await heirsWith([1]).haveAll(heir(1, 2, 3), former, 0)).toBe(false);
});

test('of two nodes of an heir the other one is enough: sharded-registers, seed 7', async () => {
  expect(await heirsWith([2]).haveAll(heir(2, 3), former, 0)).toBe(true);
  expect(await heirsWith([]).haveAll(heir(2, 3), former, 0)).toBe(false);
});

test('nodes of an heir do not wait for each other for ever: sharded-phantom, seed 8', async () => {
  const long = limits.heirsAwaitedMs + 1;
  expect(await heirsWith([1]).haveAll(heir(1, 2, 3), former, long)).toBe(true);
  expect(await heirsWith([]).haveAll(heir(1, 2, 3), former, long)).toBe(false);
});

test('what is to be elsewhere waits for most of those nodes, however long that is', async () => {
  expect(await heirsWith([1]).haveAll(heir(1, 2, 4), former, Infinity)).toBe(false);
});
