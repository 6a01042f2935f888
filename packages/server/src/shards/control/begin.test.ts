import { etcdErrors, ShardBeginRequest } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { limits } from '../../limits.ts';
import { beginSharding } from './begin.ts';

type Parts = Parameters<typeof beginSharding>[0];

test('a cluster is not sharded while a member would not understand it', async () => {
  const proposed: unknown[] = [];
  const node = {
    order: null,
    propose: (entry: unknown) => {
      proposed.push(entry);
      return Promise.resolve();
    },
  };
  let waitedMs = 0;
  const waiting = {
    pause: (delayMs: number) => {
      waitedMs += delayMs;
      return Promise.resolve();
    },
  };
  const parts = { node, members: [{ node: 1 }], waiting, isUnderstood: () => false } as unknown as Parts;
  const request = ShardBeginRequest.create({ shards: 2, replicas: 1 });
  await expect(beginSharding(parts, request, {} as never)).rejects.toBe(etcdErrors.notCapable);
  expect(proposed).toEqual([]);
  expect(waitedMs).toBe(limits.controlStepCallMs);
});
