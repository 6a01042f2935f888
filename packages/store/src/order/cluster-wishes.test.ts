import { expect, it } from 'vitest';
import { ClusterConfiguration, type StoredConfiguration } from './cluster-configuration.ts';
import { everyShard, type WishKind } from './cluster-wishes.ts';
import { decodeOrderEntry, encodeOrderEntry } from './order-entry-codec.ts';
import { OrderPart, partOf } from './order-parts.ts';
import { ShardMap } from './shard-map.ts';

const place = { index: 7, revision: 3 };
const key = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Shards 0, 1 and 2, from the left. */
function threeShards(): ClusterConfiguration {
  const span = { from: new Uint8Array(0), to: null };
  const configuration = new ClusterConfiguration(
    new ShardMap([{ shard: 0, span, range: 1, membership: 1, nodes: [1, 2, 3] }], 0),
  );
  const nodes = [1, 2, 3].map((node) => ({ node, zone: '', labels: [] }));
  configuration.begin(nodes, place);
  configuration.split({ kind: 'split', shard: 0, at: key('b') }, 1, [1, 2, 3], place);
  configuration.split({ kind: 'split', shard: 1, at: key('c') }, 2, [], place);
  return configuration;
}

function presplit(to: ClusterConfiguration, ...keys: readonly string[]): string | null {
  return to.presplit({ kind: 'presplit', keys: keys.map(key), configuration: to.number }, place);
}

function wish(
  to: ClusterConfiguration,
  kind: WishKind,
  id: number,
  value: number | null,
  configuration = to.number,
): string | null {
  return to.wish({ kind: 'wish', wish: kind, id, value, configuration }, place);
}

it('a wish is numbered, and one made before the last that it would change is stale', () => {
  const configuration = threeShards();
  const before = configuration.number;
  expect(wish(configuration, 'replicas', 1, 5)).toBeNull();
  expect(configuration.number).toBe(before + 1);
  expect(configuration.changes.at(-1)?.step).toEqual({ kind: 'wish', wish: 'replicas', id: 1, value: 5 });
  expect(wish(configuration, 'replicas', 1, 7, before)).toBe('stale');
  expect(configuration.wishes.get('replicas', 1)?.value).toBe(5);
});

it('what makes no sense is refused', () => {
  const configuration = threeShards();
  expect(wish(configuration, 'merge', 1, 9)).toBe('no-neighbours');
  expect(wish(configuration, 'merge', 2, 0)).toBe('no-neighbours');
  expect(wish(configuration, 'merge', 0, 1)).toBe('order-shard');
  expect(wish(configuration, 'replicas', 0, 3)).toBe('order-shard');
  expect(wish(configuration, 'replicas', 8, 3)).toBe('no-such-shard');
  expect(wish(configuration, 'replicas', everyShard, 0)).toBe('bad-value');
  expect(wish(configuration, 'leaving', 9, 1)).toBe('unknown-node');
  expect([...configuration.wishes.of('merge'), ...configuration.wishes.of('replicas')]).toEqual([]);
});

it('a child is wanted as its parent is, and what is merged is wanted no more', () => {
  const configuration = threeShards();
  wish(configuration, 'replicas', 2, 5);
  wish(configuration, 'kept', 2, 1);
  configuration.split({ kind: 'split', shard: 2, at: key('d') }, 3, [], place);
  expect(configuration.wishes.get('replicas', 3)?.value).toBe(5);
  expect(configuration.wishes.get('kept', 3)?.value).toBe(1);
  wish(configuration, 'merge', 3, 2);
  configuration.merge({ kind: 'merge', shard: 3, into: 2 }, place);
  for (const kind of ['replicas', 'kept', 'merge'] as const)
    expect(configuration.wishes.get(kind, 3)).toBeNull();
});

it('a node that has left, or stays after all, leaves no more', () => {
  const configuration = threeShards();
  const change = (state: 'joined' | 'draining'): void => {
    const node = { node: 3, zone: '', labels: [], configuration: configuration.number };
    expect(configuration.changeNode({ kind: 'node', state, ...node }, place)).toBeNull();
  };
  change('draining');
  expect(wish(configuration, 'leaving', 3, 1)).toBeNull();
  change('joined');
  expect(configuration.wishes.get('leaving', 3)).toBeNull();
});

// Scenarios 65 and 66 of the catalogue, seed 1: a node that had joined again was to leave for ever.
it('a wish that comes late, for a node or a shard that has changed since, is refused', () => {
  const configuration = threeShards();
  const change = (state: 'joined' | 'draining'): void => {
    const node = { node: 3, zone: '', labels: [], configuration: configuration.number };
    expect(configuration.changeNode({ kind: 'node', state, ...node }, place)).toBeNull();
  };
  change('draining');
  const drained = configuration.number;
  change('joined');
  expect(wish(configuration, 'leaving', 3, 1, drained)).toBe('stale');
  expect(wish(configuration, 'leaving', 3, 1)).toBe('stale');
  change('draining');
  expect(wish(configuration, 'leaving', 3, 1, drained)).toBe('stale');
  expect(wish(configuration, 'leaving', 3, 1)).toBeNull();
  const before = configuration.number;
  configuration.split({ kind: 'split', shard: 2, at: key('d') }, 3, [], place);
  expect(wish(configuration, 'merge', 2, 1, before)).toBe('stale');
  expect(wish(configuration, 'merge', 2, 1)).toBeNull();
});

it('keys at which shards shall begin go with the split that was wanted, and whoever wants others comes too late', () => {
  const configuration = threeShards();
  const before = configuration.number;
  expect(presplit(configuration, 'a', 'b', 'x')).toBeNull();
  expect(configuration.presplits).toEqual([key('a'), key('x')]);
  const late = { kind: 'presplit', keys: [], configuration: before } as const;
  expect(configuration.presplit(late, place)).toBe('stale');
  expect(presplit(configuration, 'x', 'a')).toBe('bad-value');
  configuration.split({ kind: 'split', shard: 2, at: key('m') }, 3, [], place);
  expect(configuration.presplits).toHaveLength(2);
  configuration.split({ kind: 'split', shard: 3, at: key('x') }, 4, [], place);
  expect(configuration.presplits).toEqual([key('a')]);
});

it('wishes are found again in the records, and those that are over are not', () => {
  const configuration = threeShards();
  const records = new Map<string, readonly [OrderPart, Uint8Array]>();
  const flush = (everything: boolean): void =>
    configuration.flush((name, record) => {
      const id = name.join();
      if (record === null) records.delete(id);
      else records.set(id, [partOf(name), record]);
    }, everything);
  flush(true);
  wish(configuration, 'replicas', everyShard, 4);
  wish(configuration, 'merge', 1, 2);
  wish(configuration, 'kept', 2, 1);
  presplit(configuration, 'bb', 'c', 'x');
  flush(false);
  wish(configuration, 'merge', 1, null);
  flush(false);
  const of = (part: OrderPart): Uint8Array[] =>
    [...records.values()].flatMap(([its, record]) => (its === part ? [record] : []));
  const stored: StoredConfiguration = {
    rows: of(OrderPart.ROW),
    nodes: of(OrderPart.NODE),
    assignments: of(OrderPart.ASSIGNMENT),
    changes: [],
    wishes: of(OrderPart.WISH),
    presplit: of(OrderPart.PRESPLIT)[0] ?? null,
  };
  const again = ClusterConfiguration.restored(configuration.number, stored);
  expect([...again.wishes.of('replicas')]).toEqual([...configuration.wishes.of('replicas')]);
  expect([...again.wishes.of('kept')]).toHaveLength(1);
  expect([...again.wishes.of('merge')]).toEqual([]);
  expect(again.presplits).toEqual([key('bb'), key('x')]);
});

it('entries about wishes come back from the log as they went in', () => {
  for (const value of [null, 0, 12]) {
    const entry = { kind: 'wish', wish: 'replicas', id: everyShard, value, configuration: 300 } as const;
    expect(decodeOrderEntry(encodeOrderEntry(entry))).toEqual(entry);
  }
});
