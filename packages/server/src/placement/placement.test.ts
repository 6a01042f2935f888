import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NodeView, ReplicaView, ShardView } from './cluster-view.ts';
import { refusalOfOperation } from './operation-check.ts';
import type { Operation } from './operation.ts';
import { plan } from './plan.ts';
import { PlacementState } from './placement-state.ts';
import { defaultSettings, type PlacementSettings } from './settings.ts';

const mebibyte = 1024 * 1024;
const settings: PlacementSettings = { ...defaultSettings, mergeBytes: 0 };

function node(id: number, more: Partial<NodeView> = {}): NodeView {
  return {
    id,
    zone: 'z',
    labels: [],
    life: 'serving',
    silent: false,
    sinceMs: -1_000_000,
    capacityBytes: 1024 * 1024 * mebibyte,
    usedBytes: 0,
    capacityLoad: 10_000,
    ...more,
  };
}

function shard(id: number, on: readonly number[], more: Partial<ShardView> = {}): ShardView {
  return {
    id,
    left: null,
    right: null,
    epoch: { membership: 1, range: 1 },
    policy: 0,
    bytes: 64 * mebibyte,
    writes: 10,
    reads: 10,
    hotKey: false,
    sticky: false,
    replicas: on.map((its) => ({ node: its, role: 'voter' })),
    leader: on[0] ?? null,
    replaces: null,
    movedFrom: [],
    operation: null,
    ...more,
  };
}

function stateOf(
  nodes: readonly NodeView[],
  shards: readonly ShardView[],
  its: Partial<PlacementSettings> = {},
): PlacementState {
  const state = PlacementState.of({ ...settings, ...its }, 0, nodes, shards);
  state.budgetBytes = 1e12;
  return state;
}

/** What a shard is after an operation that nothing has disturbed, learners caught up. */
function after(view: ShardView, operation: Operation): ShardView {
  const replicas = view.replicas.filter((its) => its.node !== ('node' in operation ? operation.node : -1));
  const membership = view.epoch.membership + 1;
  const next = { ...view, operation: null, epoch: { ...view.epoch, membership } };
  if (operation.kind === 'add-learner') {
    const learner: ReplicaView = { node: operation.node, role: 'caught-up' };
    return { ...next, replaces: operation.replaces, replicas: [...replicas, learner] };
  }
  if (operation.kind === 'promote') {
    const stay = replicas.filter((its) => its.node !== operation.removes);
    const movedFrom = operation.removes === null ? [] : [operation.removes];
    return {
      ...next,
      replicas: [...stay, { node: operation.node, role: 'voter' }],
      replaces: null,
      movedFrom,
    };
  }
  if (operation.kind === 'remove') return { ...next, replicas, replaces: null };
  if (operation.kind === 'transfer-leader') return { ...view, operation: null, leader: operation.to };
  throw new Error(`not met here: ${operation.kind}`);
}

/** Calls and executes until nothing is decided; answers the bytes that moved, and each place that was left and taken. */
function settle(state: PlacementState): {
  readonly bytes: number;
  readonly turns: number;
  readonly returns: number;
} {
  let [bytes, returns] = [0, 0];
  const left = new Set<string>();
  for (let turn = 1; turn <= 500; turn += 1) {
    const { operations } = plan(state, { seed: turn });
    if (operations.length === 0) return { bytes, turns: turn, returns };
    for (const operation of operations) {
      const view = state.shard(operation.shard)!;
      if (operation.kind === 'add-learner') {
        bytes += view.bytes;
        if (left.has(`${view.id} ${operation.node}`)) returns += 1;
        if (operation.replaces !== null) left.add(`${view.id} ${operation.replaces}`);
      }
      expect(refusalOfOperation(state, operation)).toBeNull();
      state.begin(operation);
      const next = after(view, operation);
      expect(new Set(next.replicas.map((its) => its.node)).size).toBe(next.replicas.length);
      state.setShard(next);
    }
  }
  throw new Error('it does not settle');
}

function counts(state: PlacementState): number[] {
  return state.nodes.order.map((place) => state.nodes.amounts[0]![place]!);
}

const even = (nodes: number, shards: number, from = 1): ShardView[] =>
  Array.from({ length: shards }, (_, i) =>
    shard(
      i + 1,
      [0, 1, 2].map((k) => from + ((i + k) % nodes)),
    ),
  );

describe('a balanced cluster', () => {
  test('is left alone', () => {
    const state = stateOf(
      [1, 2, 3, 4, 5].map((id) => node(id)),
      even(5, 50),
    );
    for (let seed = 0; seed < 20; seed += 1) expect(plan(state, { seed }).operations).toEqual([]);
  });

  test('stays as it is while a node restarts; a lost one is replaced, and what is on it alone', () => {
    const nodes = [1, 2, 3, 4, 5].map((id) => node(id));
    const state = stateOf(
      nodes,
      even(5, 50).map((its) => ({ ...its, leader: its.replicas.find((r) => r.node !== 3)!.node })),
    );
    state.setNode({ ...nodes[2]!, silent: true, sinceMs: 0 });
    state.advance(settings.lostAfterMs - 1);
    const moves = (): Operation[] =>
      plan(state, { seed: 1 }).operations.filter(({ kind }) => kind === 'add-learner');
    expect(moves()).toEqual([]);
    state.advance(settings.lostAfterMs);
    expect(moves().length).toBeGreaterThan(0);
    expect(
      moves().every((its) => its.reason === 'replace-lost' && 'replaces' in its && its.replaces === 3),
    ).toBe(true);
  });
});

describe('movement', () => {
  test('one node more gets its share, and little else moves', () => {
    const state = stateOf(
      [1, 2, 3, 4, 5, 6].map((id) => node(id)),
      even(5, 200),
    );
    const { bytes, returns } = settle(state);
    expect(counts(state).every((count) => Math.abs(count - 100) <= 6)).toBe(true);
    expect(bytes).toBeLessThanOrEqual(1.1 * 100 * 64 * mebibyte);
    expect(returns).toBe(0);
  });

  test('a draining node ends empty and without leaders', () => {
    const nodes = [1, 2, 3, 4, 5].map((id) => node(id, { life: id === 2 ? 'draining' : 'serving' }));
    const state = stateOf(nodes, even(5, 40));
    const { bytes } = settle(state);
    expect(state.nodes.listed[state.nodes.placeOf(2)]).toBe(0);
    expect(bytes).toBeLessThanOrEqual(1.1 * 24 * 64 * mebibyte);
  });

  test('a shard with one replica moves with its leader, by way of a second voter', () => {
    const nodes = [node(1, { life: 'draining' }), node(2)];
    const state = stateOf(nodes, [shard(1, [1])], { policies: [{ replicas: 1, labels: [] }] });
    settle(state);
    expect(state.shard(1)).toMatchObject({ leader: 2, replicas: [{ node: 2, role: 'voter' }] });
  });

  test('any beginning comes to rest over its zones; nothing returns; a state of the same views decides the same', () => {
    const cluster = fc.record({
      zones: fc.integer({ min: 1, max: 4 }),
      nodes: fc.integer({ min: 4, max: 9 }),
      homes: fc.array(fc.tuple(fc.nat(20), fc.nat(128), fc.nat(100)), { minLength: 1, maxLength: 40 }),
    });
    fc.assert(
      fc.property(cluster, ({ zones, nodes, homes }) => {
        const views = Array.from({ length: nodes }, (_, i) => node(i + 1, { zone: `z${i % zones}` }));
        const shards = homes.map(([home, size, writes], i) =>
          shard(
            i + 1,
            [0, 1, 2].map((k) => 1 + ((home + k) % nodes)),
            { bytes: size * mebibyte, writes },
          ),
        );
        const state = stateOf(views, shards);
        const again = stateOf([...views].reverse(), [...shards].reverse());
        expect(plan(again, { seed: 7 }).operations).toEqual(plan(state, { seed: 7 }).operations);
        settle(state);
        for (const view of state.shardViews()) {
          const used = new Set(view.replicas.map((its) => (its.node - 1) % zones));
          expect(used.size).toBe(Math.min(3, zones));
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe('limits', () => {
  test('of moves into and out of a node, and of the budget, hold within a call', () => {
    const nodes = [1, 2, 3, 4].map((id) => node(id));
    const state = stateOf(nodes, even(3, 100), { movesInPerNode: 3, movesOutPerNode: 2 });
    const moves = plan(state, { seed: 1 }).operations.filter(({ kind }) => kind === 'add-learner');
    expect(moves.length).toBe(3);
    const leaders = moves.map((its) => state.shard(its.shard)!.leader);
    expect(
      Math.max(...[1, 2, 3].map((id) => leaders.filter((its) => its === id).length)),
    ).toBeLessThanOrEqual(2);
    state.budgetBytes = 1;
    const one = plan(state, { seed: 1 });
    expect(one.balancedBytes).toBe(64 * mebibyte);
    state.budgetBytes = 0;
    const none = plan(state, { seed: 1 });
    expect(none.balancedBytes).toBe(0);
    expect(none.refused.get('budget')).toBeGreaterThan(0);
  });

  test('labels and full disks keep replicas away', () => {
    const ssd = { labels: ['disk=ssd'] };
    const nodes = [node(1, ssd), node(2, ssd), node(3), node(4, ssd), node(5, { ...ssd, usedBytes: 1e13 })];
    const state = stateOf(nodes, [shard(1, [1, 2, 3])], {
      policies: [{ replicas: 3, labels: ['disk=ssd'] }],
    });
    const { operations } = plan(state, { seed: 1 });
    expect(operations).toMatchObject([{ kind: 'add-learner', node: 4, replaces: 3, reason: 'obey-labels' }]);
  });
});

describe('ranges', () => {
  test('a large or busy shard is split, one with a hot key is not, small neighbours are merged where they are', () => {
    const shards = [
      shard(1, [1, 2, 3], { right: 2, bytes: 300 * mebibyte }),
      shard(2, [1, 2, 3], { left: 1, right: 3, writes: 3_000 }),
      shard(3, [1, 2, 3], { left: 2, right: 4, writes: 3_000, hotKey: true }),
      shard(4, [1, 2, 3], { left: 3, right: 5, bytes: mebibyte }),
      shard(5, [1, 2, 3], { left: 4, right: 6, bytes: mebibyte }),
      shard(6, [1, 2, 3], { left: 5, bytes: mebibyte, sticky: true }),
    ];
    const state = stateOf(
      [1, 2, 3].map((id) => node(id)),
      shards,
      { mergeBytes: 16 * mebibyte },
    );
    const { operations } = plan(state, { seed: 1 });
    const ofRanges = operations.filter(({ kind }) => kind === 'split' || kind === 'merge');
    expect(ofRanges.map(({ kind, shard: id, reason }) => [kind, id, reason])).toEqual([
      ['split', 1, 'split-size'],
      ['split', 2, 'split-load'],
      ['merge', 4, 'merge-small'],
    ]);
  });
});

describe('explanations', () => {
  const nodes = [
    node(1),
    node(2),
    node(3),
    node(4, { life: 'joining' }),
    node(5, { silent: true, sinceMs: 0 }),
  ];

  test('there is one for every shard that is asked for', () => {
    const state = stateOf(nodes, [shard(1, [1, 2, 3], { leader: 2 }), shard(2, [1, 2])]);
    const { explanations } = plan(state, { seed: 1, explain: [2, 1, 99] });
    expect(explanations.map(({ shard: id, because }) => [id, because])).toEqual([
      [2, 'add-missing'],
      [1, 'rules-kept'],
      [99, 'unknown-shard'],
    ]);
    expect(explanations[0]?.candidates).toEqual([
      { node: 1, refusal: 'holds-replica' },
      { node: 2, refusal: 'holds-replica' },
      { node: 3, refusal: null },
      { node: 4, refusal: 'joining' },
      { node: 5, refusal: 'silent' },
    ]);
    const kinds = new Set(explanations[1]?.alternatives.map(({ kind }) => kind));
    expect([...kinds]).toEqual(['move', 'transfer-leader', 'split', 'merge']);
  });

  test('what nobody can do is said', () => {
    const lost = [
      node(1),
      node(2, { silent: true, sinceMs: -1e6 }),
      node(3, { silent: true, sinceMs: -1e6 }),
      node(4),
    ];
    const state = stateOf(lost, [shard(1, [1, 2, 3]), shard(2, [1, 4, 2], { leader: null })]);
    const { operations, explanations } = plan(state, { seed: 1, explain: [1, 2] });
    expect(operations).toEqual([]);
    expect(explanations.map(({ because }) => because)).toEqual(['no-quorum', 'no-leader']);
  });
});

describe('an operation that comes late or is wrong is refused, and told why', () => {
  const nodes = [
    node(1),
    node(2),
    node(3),
    node(4, { life: 'draining' }),
    node(5, { silent: true }),
    node(6),
  ];
  const state = stateOf(nodes, [shard(1, [1, 2, 3]), shard(2, [1])]);
  const decided = { shard: 1, epoch: { membership: 1, range: 1 }, reason: 'balance-bytes' } as const;
  test.each<[Operation, string]>([
    [
      { ...decided, kind: 'add-learner', node: 6, replaces: 1, epoch: { membership: 0, range: 1 } },
      'stale-epoch',
    ],
    [{ ...decided, kind: 'split', epoch: { membership: 1, range: 2 } }, 'stale-epoch'],
    [{ ...decided, kind: 'add-learner', node: 9, replaces: 1 }, 'unknown-node'],
    [{ ...decided, kind: 'add-learner', node: 2, replaces: 1 }, 'holds-replica'],
    [{ ...decided, kind: 'add-learner', node: 4, replaces: 1 }, 'draining'],
    [{ ...decided, kind: 'add-learner', node: 5, replaces: 1 }, 'silent'],
    [{ ...decided, kind: 'add-learner', node: 6, replaces: 9 }, 'not-there'],
    [{ ...decided, kind: 'promote', node: 6, removes: 1 }, 'not-there'],
    [{ ...decided, kind: 'remove', node: 1 }, 'is-leader'],
    [{ ...decided, kind: 'remove', node: 6 }, 'not-there'],
    [{ ...decided, kind: 'transfer-leader', from: 2, to: 3 }, 'not-there'],
    [{ ...decided, kind: 'transfer-leader', from: 1, to: 6 }, 'not-voter'],
    [{ ...decided, kind: 'finish-change' }, 'not-there'],
    [{ ...decided, kind: 'merge', into: 2, intoEpoch: { membership: 1, range: 1 } }, 'no-neighbour'],
    [{ ...decided, kind: 'split', shard: 7 }, 'unknown-shard'],
  ])('%o: %s', (operation, refusal) => {
    expect(refusalOfOperation(state, operation)).toMatchObject({ refusal, message: expect.any(String) });
  });

  test('the last replica is never removed', () => {
    const alone = stateOf(nodes, [shard(2, [1], { leader: 2 })]);
    const operation: Operation = { ...decided, shard: 2, kind: 'remove', node: 1 };
    expect(refusalOfOperation(alone, operation)?.message).toBe('the replica on node 1 is the last one');
  });
});
