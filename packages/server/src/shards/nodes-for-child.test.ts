import { ClusterConfiguration, everyKeySpan, type NodeEntry, ShardMap } from '@flotilla/store';
import { expect, it } from 'vitest';
import { nodesForChild } from './nodes-for-child.ts';

function cluster(nodes: number, labels: (node: number) => NodeEntry['labels'] = () => []) {
  const ids = Array.from({ length: nodes }, (_, at) => at + 1);
  const row = { shard: 0, span: everyKeySpan, range: 1, membership: 1, nodes: ids };
  const configuration = new ClusterConfiguration(new ShardMap([row], 0));
  const place = { index: 1, revision: 1 };
  configuration.begin(
    ids.map((node) => ({ node, zone: '', labels: labels(node) })),
    place,
  );
  return { configuration, map: configuration.map };
}

const except = (...silent: readonly number[]) => {
  return (node: number): boolean => !silent.includes(node);
};

it('a child begins on nodes that live', () => {
  const order = cluster(5);
  expect(nodesForChild(order, except())).toEqual([1, 2, 3]);
  expect(nodesForChild(order, except(1, 3))).toEqual([2, 4, 5]);
});

it('a silent node is among those of a child only where a majority of them lives', () => {
  const order = cluster(3);
  expect(nodesForChild(order, except(1))).toEqual([2, 3, 1]);
  expect(nodesForChild(order, except(1, 2))).toEqual([3]);
});

it('a child begins on the group of nodes that live', () => {
  const order = cluster(6, (node) => [{ name: 'group', value: node <= 3 ? 'a' : 'b' }]);
  expect(nodesForChild(order, except())).toEqual([1, 2, 3]);
  expect(nodesForChild(order, except(2))).toEqual([4, 5, 6]);
});
