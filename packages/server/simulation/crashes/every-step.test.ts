import { expect, test } from 'vitest';
import { crashAtEveryStep } from './every-step.ts';
import { operations } from './operations.ts';
import { shardOperations } from './shard-operations.ts';

/** Steps that must be among those that were tried, so that a name that is gone shows. */
const expected = {
  'first start': ['after sync the cluster file', 'after rename the cluster file', 'after sync the log'],
  apply: ['after sync the log', 'after unlink the log', 'a commit can be read', 'a commit is durable'],
  compaction: ['after sync the log', 'a commit is handed over', 'a commit is durable'],
  snapshot: [
    'a commit that empties the state is handed over',
    'a commit that empties the state is durable',
    'a commit is durable',
    'after sync the log',
  ],
  restore: ['after rename the cluster file', 'a commit is durable', 'after sync the log’s directory'],
} as const satisfies Readonly<Record<keyof typeof operations, readonly string[]>>;

for (const [name, operation] of Object.entries(operations)) {
  test(`a crash at any step of ${name} loses nothing, and it comes to its end`, async () => {
    const { steps, broken } = await crashAtEveryStep(operation, 1, 'named');
    expect(broken).toEqual([]);
    expect(steps).toEqual(expect.arrayContaining([...expected[name as keyof typeof operations]]));
  });
}

test('a crash of the controller in the middle of a move loses nothing, and the move comes to its end', async () => {
  const { broken, tried } = await crashAtEveryStep(shardOperations.get('move, its controller')!, 1, 1);
  expect(broken).toEqual([]);
  expect(tried).toBe(1);
});
