import { expect, test } from 'vitest';
import { ShardLab } from './shard-lab.ts';

// Transactions, sharded-phantom, seed 76: a merge into shard 0 that was said again ended the replica of a node that had
// got the first from a snapshot. Its keys stayed taken, and their heir waited for ever.
test('a merge into shard 0 that comes too late ends nothing that another shard takes over', () =>
  ShardLab.run({ members: 3 }, (lab) => {
    lab.begin();
    const middle = lab.split('g');
    lab.led(middle);
    const right = lab.split('p');
    lab.led(right);
    lab.put('h', 'kept');
    const range = lab.order().map.row(middle)?.range ?? 0;
    const merge = { kind: 'merge', shard: middle, into: right } as const;
    const late = { kind: 'range', change: { ...merge, into: 0 }, range: range - 1, nodes: [] } as const;
    const begun = lab.start(0, ({ shards }) =>
      shards.log(middle, { kind: 'barrier', change: merge, range }, patience),
    );
    const isOver = (): boolean => lab.order().map.row(middle) === null;
    for (let i = 0; i < 400 && !isOver(); i += 1) {
      lab.start(0, ({ shards }) => shards.propose(late, patience));
      lab.pass(1);
    }
    expect(begun.error).toBeUndefined();
    expect(isOver()).toBe(true);
    lab.converge();
    expect(lab.get('h')).toBe('kept');
  }));

const patience = { timeoutMs: 10_000 };
