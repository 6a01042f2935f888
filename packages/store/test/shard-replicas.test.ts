import { seededRandom } from '@flotilla/platform';
import { describe, expect, test } from 'vitest';
import { ShardHistory } from './shard-history.ts';
import { ShardNode } from './shard-nodes.ts';
import { ReplicasRun } from './shard-replicas-run.ts';

/** More of them: `FLOTILLA_SHARD_SEEDS=200 npx vitest run packages/store/test/shard-replicas.test.ts`. */
const seeds = Number(process.env['FLOTILLA_SHARD_SEEDS'] ?? 2);
const first = Number(process.env['FLOTILLA_SHARD_FIRST'] ?? 1);
describe('replicas of shards over one store', () => {
  const coverage = new Map<string, number>();
  const count = (counts: ReadonlyMap<string, number>): void => {
    for (const [what, times] of counts) coverage.set(what, (coverage.get(what) ?? 0) + times);
  };

  for (let seed = first; seed < first + seeds; seed += 1) {
    test(
      `are what they would be if nothing had ever crashed, seed ${seed}`,
      { timeout: 60_000 },
      async () => {
        const run = new ReplicasRun(seed);
        await run.go();
        count(run.history.coverage);
        for (const node of run.nodes) count(node.coverage);
      },
    );
  }

  test('have met what they are to be safe from', () => {
    if (process.env['FLOTILLA_SHARD_SEEDS'] !== undefined) console.log(Object.fromEntries(coverage));
    const met = (what: string): number => coverage.get(what) ?? 0;
    for (const what of ['split', 'merge', 'crash', 'snapshot', 'removal', 'child', 'taken over', 'vote']) {
      expect(met(what), what).toBeGreaterThan(0);
    }
    expect(met('comparison')).toBeGreaterThan(100);
  });
});

describe('a replica that had taken over a neighbour in the commit that is still to come', () => {
  async function taker(): Promise<ShardNode> {
    const history = new ShardHistory(seededRandom(1));
    const node = new ShardNode(history);
    node.begin();
    await node.run(node.store.flushNow());
    history.log(2, { kind: 'barrier', change: { kind: 'merge', shard: 2, into: 1 }, range: 1 });
    history.settle();
    for (const shard of [2, 1]) while (node.deliver(shard, 20));
    expect([...node.replicas.keys()]).toEqual([1]);
    return node;
  }

  test('takes what is stored of it along when shard 0 takes both over', async () => {
    const node = await taker();
    const replica = node.replicas.get(1)!;
    node.replicas.delete(1);
    await node.run(replica.takenByOrder());
    expect(node.coverage.get('taken over for good')).toBe(1);
    node.crash();
    expect([...node.replicas.keys()]).toEqual([]);
  });

  test('lets whoever waits for the end of it go on when it is removed itself', async () => {
    const node = await taker();
    await node.remove(1);
    expect(node.coverage.get('taken over for good')).toBe(1);
    node.crash();
    expect([...node.replicas.keys()]).toEqual([]);
  });
});
