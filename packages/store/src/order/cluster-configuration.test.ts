import { seededRandom } from '@flotilla/platform';
import { describe, expect, test } from 'vitest';
import { toBytes } from '../../test/model.ts';
import { limits } from '../limits.ts';
import { ClusterConfiguration } from './cluster-configuration.ts';
import type { ConfigurationRefusal, NodeState } from './order-entry.ts';
import { ShardMap, type ShardRow } from './shard-map.ts';

const begun = [1, 2, 3, 4].map((node) => ({ node, zone: '', labels: [] }));

/** Three shards: 0 on every node, 1 from `h` on, 2 from `p` on. */
class Cluster {
  readonly configuration: ClusterConfiguration;
  #index = 0;

  constructor() {
    const row = { range: 1, membership: 1 };
    const rows: ShardRow[] = [
      { shard: 0, span: { from: new Uint8Array(0), to: toBytes('h') }, ...row, nodes: [1, 2, 3, 4] },
      { shard: 1, span: { from: toBytes('h'), to: toBytes('p') }, ...row, nodes: [1, 2, 3] },
      { shard: 2, span: { from: toBytes('p'), to: null }, ...row, nodes: [1, 2, 3] },
    ];
    this.configuration = new ClusterConfiguration(new ShardMap(rows, 0));
    this.configuration.begin(begun, this.place());
  }

  get number(): number {
    return this.configuration.number;
  }

  place(): { index: number; revision: number } {
    this.#index += 1;
    return { index: this.#index, revision: 100 + this.#index };
  }

  assign(shard: number, nodes: readonly number[], configuration = this.number): ConfigurationRefusal | null {
    return this.configuration.assign({ kind: 'assign', shard, nodes, configuration }, this.place());
  }

  node(node: number, state: NodeState, configuration = this.number): ConfigurationRefusal | null {
    const entry = { kind: 'node', node, zone: '', labels: [], state, configuration } as const;
    return this.configuration.changeNode(entry, this.place());
  }

  members(shard: number, nodes: readonly number[]): void {
    const membership = 1 + (this.configuration.map.row(shard)?.membership ?? 0);
    this.configuration.members({ kind: 'members', shard, membership, nodes }, this.place());
  }
}

describe('what is wanted of a shard', () => {
  test('is told from what it was, with the number since which it is that', () => {
    const cluster = new Cluster();
    expect(cluster.configuration.assignment(1)).toBeNull();
    expect(cluster.assign(1, [2, 3, 4])).toBeNull();
    expect(cluster.configuration.assignment(1)).toEqual({
      shard: 1,
      nodes: [2, 3, 4],
      since: cluster.number,
    });
    expect(cluster.configuration.map.row(1)?.nodes).toEqual([1, 2, 3]);
  });

  test('cannot be changed by who has not seen what was done to it since', () => {
    const cluster = new Cluster();
    const seen = cluster.number;
    expect(cluster.assign(1, [2, 3, 4], seen)).toBeNull();
    const { number } = cluster;
    expect(cluster.assign(1, [1, 2, 4], seen)).toBe('stale');
    expect([cluster.configuration.assignment(1)?.nodes, cluster.number]).toEqual([[2, 3, 4], number]);
    // What happens to others is no matter.
    expect(cluster.assign(2, [1, 2, 4], seen)).toBeNull();
    expect(cluster.assign(1, [1, 2, 4], number)).toBeNull();
    cluster.members(1, [1, 2, 4]);
    expect(cluster.assign(1, [1, 2, 3], cluster.number - 1)).toBe('stale');
  });

  test('cannot be changed by who has not seen what became of a node', () => {
    const cluster = new Cluster();
    const seen = cluster.number;
    cluster.node(4, 'draining');
    cluster.node(4, 'joined');
    expect(cluster.assign(1, [2, 3, 4], seen)).toBe('stale');
    expect(cluster.assign(1, [1, 2], seen)).toBeNull();
  });

  test('makes sense, or is refused', () => {
    const cluster = new Cluster();
    expect(cluster.assign(0, [1])).toBe('order-shard');
    expect(cluster.assign(9, [1])).toBe('no-such-shard');
    expect(cluster.assign(1, [])).toBe('bad-nodes');
    expect(cluster.assign(1, [2, 2])).toBe('bad-nodes');
    expect(cluster.assign(1, [2, 9])).toBe('unknown-node');
    cluster.node(4, 'draining');
    expect(cluster.assign(1, [2, 4])).toBe('node-draining');
    cluster.node(3, 'draining');
    // It is there still, and may stay for a while.
    expect(cluster.assign(1, [2, 3])).toBeNull();
    cluster.node(4, 'left');
    expect(cluster.assign(1, [2, 4])).toBe('node-left');
  });

  test('ends with the shard', () => {
    const cluster = new Cluster();
    cluster.assign(2, [1, 2, 4]);
    cluster.configuration.merge({ kind: 'merge', shard: 2, into: 1 }, cluster.place());
    expect(cluster.configuration.assignment(2)).toBeNull();
  });
});

describe('a merge', () => {
  const merging = { kind: 'merge', shard: 1, into: 2 } as const;

  test('is refused when the one that takes it over has moved away, or is about to', () => {
    const cluster = new Cluster();
    const refusal = (): ConfigurationRefusal | null => cluster.configuration.refusalOf(merging, [1, 2, 3]);
    expect(refusal()).toBeNull();
    cluster.node(5, 'joined');
    cluster.assign(2, [3, 4, 5]);
    expect(refusal()).toBe('not-beside');
    cluster.assign(2, [2, 3, 4]);
    expect(refusal()).toBeNull();
    cluster.members(2, [3, 4, 5]);
    expect(refusal()).toBe('not-beside');
  });

  test('of whoever does not say where it is waits for it wherever that may be', () => {
    const cluster = new Cluster();
    cluster.members(2, [4]);
    expect(cluster.configuration.refusalOf(merging, [])).toBeNull();
  });
});

describe('a node', () => {
  test('is not emptied by whoever has not seen that another one is', () => {
    const cluster = new Cluster();
    const { number } = cluster;
    expect(cluster.node(4, 'draining', number)).toBeNull();
    expect(cluster.node(3, 'draining', number)).toBe('stale');
    expect(cluster.node(3, 'draining')).toBeNull();
  });

  test('joins, is emptied, leaves when nothing is there, and may come again', () => {
    const cluster = new Cluster();
    expect(cluster.node(5, 'draining')).toBe('unknown-node');
    expect(cluster.node(5, 'joined')).toBeNull();
    expect(cluster.configuration.map.row(0)?.nodes).toEqual([1, 2, 3, 4, 5]);
    cluster.assign(1, [1, 2, 5]);
    expect(cluster.node(5, 'left')).toBe('node-in-use');
    expect(cluster.node(1, 'left')).toBe('node-in-use');
    cluster.assign(1, [1, 2, 3]);
    expect(cluster.node(5, 'draining')).toBeNull();
    expect(cluster.node(5, 'left')).toBeNull();
    expect(cluster.configuration.map.row(0)?.nodes).toEqual([1, 2, 3, 4]);
    expect(cluster.node(5, 'draining')).toBe('node-left');
    expect(cluster.node(5, 'joined')).toBeNull();
    expect(cluster.configuration.node(5)).toMatchObject({ state: 'joined', since: cluster.number });
  });

  test('is not changed by who has not seen what became of it', () => {
    const cluster = new Cluster();
    const seen = cluster.number;
    cluster.node(4, 'draining');
    expect(cluster.node(4, 'joined', seen)).toBe('stale');
    expect(cluster.configuration.node(4)?.state).toBe('draining');
  });
});

describe('configurations', () => {
  test('are numbered by every change, and can be asked for afterwards', () => {
    const cluster = new Cluster();
    const { configuration } = cluster;
    const maps = [configuration.map];
    const change = (make: () => void): void => {
      make();
      maps.push(configuration.map);
    };
    change(() => configuration.split({ kind: 'split', shard: 1, at: toBytes('k') }, 3, [], cluster.place()));
    change(() => cluster.members(3, [2, 3, 4]));
    change(() => configuration.refuse({ kind: 'merge', shard: 3, into: 0 }, cluster.place()));
    change(() => configuration.merge({ kind: 'merge', shard: 1, into: 0 }, cluster.place()));
    change(() => cluster.node(5, 'joined'));
    change(() => cluster.assign(2, [1, 2, 5]));
    expect(configuration.number).toBe(7);
    maps.forEach((map, i) => {
      expect(configuration.at(1 + i)?.rows).toEqual(map.rows);
      expect(configuration.at(1 + i)?.configuration).toBe(1 + i);
    });
    expect([configuration.at(8), configuration.at(-1)]).toEqual([null, null]);
    expect(
      configuration.changes.map(({ configuration: number, index, revision, step }) => [
        number,
        index,
        revision,
        step.kind,
      ]),
    ).toEqual([
      [1, 1, 101, 'begin'],
      [2, 2, 102, 'split'],
      [3, 3, 103, 'members'],
      [4, 4, 104, 'refused'],
      [5, 5, 105, 'merge'],
      [6, 6, 106, 'node'],
      [7, 7, 107, 'assign'],
    ]);
  });

  test('are kept up to a bound, the last ones', () => {
    const cluster = new Cluster();
    const { configuration } = cluster;
    for (let i = 0; i < limits.orderConfigurations + 10; i += 1) cluster.members(1, [1 + (i % 4)]);
    expect(configuration.changes.length).toBe(limits.orderConfigurations);
    expect(configuration.oldest).toBe(configuration.number - limits.orderConfigurations);
    expect(configuration.at(configuration.oldest)?.row(1)?.nodes).toEqual([2]);
    expect(configuration.at(configuration.oldest - 1)).toBeNull();
  });
});

describe('whatever happens, and whoever has looked at what', () => {
  test('what is done was wanted for what was there, and every configuration can be asked for', () => {
    let done = 0;
    let stale = 0;
    for (let seed = 1; seed <= 40; seed += 1) {
      const random = seededRandom(seed);
      const below = (bound: number): number => random.u32() % bound;
      const cluster = new Cluster();
      const { configuration } = cluster;
      /** By configuration, what there was of everything that an operation is about. */
      const seen = new Map([[cluster.number, viewOf(configuration)]]);
      for (let step = 0; step < 60; step += 1) {
        const { rows } = configuration.map;
        const row = rows[below(rows.length)] as ShardRow;
        const asOf = Math.max(1, cluster.number - below(6));
        const before = viewOf(configuration);
        const then = seen.get(asOf) as View;
        const kind = below(10);
        let isDone = true;
        if (kind < 4) {
          const nodes = [1 + below(4), 1 + below(5)];
          isDone = cluster.assign(row.shard, nodes, asOf) === null;
          if (isDone) {
            done += 1;
            expect(then.shards.get(row.shard)).toEqual(before.shards.get(row.shard));
            for (const node of nodes) expect(then.nodes.get(node)).toBe(before.nodes.get(node));
          }
        } else if (kind < 6) {
          const node = 1 + below(5);
          const state = (['joined', 'draining', 'left'] as const)[below(3)] as NodeState;
          const refusal = cluster.node(node, state, asOf);
          isDone = refusal === null;
          if (isDone) expect(then.nodes.get(node)).toBe(before.nodes.get(node));
          if (refusal === 'stale') stale += 1;
        } else if (kind < 7) {
          cluster.members(row.shard, [1 + below(4)]);
        } else if (kind < 8) {
          const at = toBytes(String.fromCharCode(97 + below(26)));
          const change = { kind: 'split', shard: row.shard, at } as const;
          isDone = configuration.map.allows(change);
          if (isDone) configuration.split(change, 10 + step, [1], cluster.place());
        } else if (kind < 9) {
          const into = (rows[below(rows.length)] as ShardRow).shard;
          const change = { kind: 'merge', shard: row.shard, into } as const;
          isDone = row.shard !== 0 && configuration.map.allows(change);
          if (isDone) configuration.merge(change, cluster.place());
        } else configuration.refuse({ kind: 'merge', shard: row.shard, into: 0 }, cluster.place());
        if (isDone) seen.set(cluster.number, viewOf(configuration));
      }
      expect(seen.size).toBe(cluster.number);
      for (const [number, { rows }] of seen) expect(configuration.at(number)?.rows).toEqual(rows);
    }
    expect([done > 100, stale > 50]).toEqual([true, true]);
  });
});

interface View {
  readonly rows: readonly ShardRow[];
  readonly shards: ReadonlyMap<number, unknown>;
  readonly nodes: ReadonlyMap<number, unknown>;
}

function viewOf(configuration: ClusterConfiguration): View {
  const { rows } = configuration.map;
  return {
    rows,
    shards: new Map(rows.map((row) => [row.shard, [row, configuration.assignment(row.shard)]])),
    nodes: new Map(configuration.nodes.map((node) => [node.node, node])),
  };
}
