import { expect, test } from 'vitest';
import { encodeMessage, paths } from '../../src/shards/node-messages.ts';
import { ShardLab } from './shard-lab.ts';

// Scenario 58, seed 2: its leader believed that it had what it had acknowledged, and sent it nothing any more.
test('a learner that loses what it has acknowledged begins anew, and becomes a member', () =>
  ShardLab.run({ members: 4 }, (lab) => {
    lab.begin();
    const shard = lab.split('m');
    lab.led(shard);
    lab.put('x', 'before');
    const nodes = lab.order().map.row(shard)?.nodes ?? [];
    const newcomer = [1, 2, 3, 4].find((node) => !nodes.includes(node)) as number;
    const wanted = [...nodes.slice(1), newcomer].sort((a, b) => a - b);
    const { configuration } = lab.order();
    const { shards } = lab.member(newcomer - 1);
    const held = (): ReturnType<typeof shards.held> => shards.held(shard);
    const assigned = { kind: 'assign', shard, nodes: wanted, configuration: configuration.number } as const;
    const assign = lab.start(0, async () => (await lab.member(0).shards.propose(assigned, patience), true));
    lab.until('its snapshot', () => held()?.state !== null && held()?.state !== undefined);
    expect(lab.order().map.row(shard)?.nodes).not.toContain(newcomer);
    const before = held();
    // A late word, for all it knows, that it has left.
    const body = encodeMessage({ shard, index: 1_000_000 });
    lab.act(newcomer - 1, ({ shards: its }) => its.ask(its.nodeId, paths.drop, body, patience));
    expect(held()).not.toBe(before);
    lab.until('the move', () => lab.order().map.row(shard)?.nodes.join() === wanted.join(), 8_000);
    expect(assign.error).toBeUndefined();
    expect(lab.put('y', 'after', newcomer - 1)).toBeGreaterThan(0);
    lab.converge();
  }));

const patience = { timeoutMs: 10_000 };
