import { expect, test } from 'vitest';
import { executeRange } from './execute.ts';
import { KeySpace } from './key-space.ts';
import { range } from './requests.ts';

// What etcd 3.4.23 answers to `etcdctl get a z --sort-by MODIFY`, with and without `--order ASCEND`.
test('a limit without an order cuts, one key later than asked, before it sorts by another target than the key', () => {
  const space = new KeySpace(['a', 'b', 'c', 'd']);
  for (const [index, key] of ['d', 'c', 'b', 'a'].entries()) {
    const revision = index + 2;
    space.put({
      key,
      value: `v${key}`,
      createRevision: revision,
      modRevision: revision,
      version: 1,
      lease: 0n,
    });
  }
  const keys = (limit: number, sortOrder: 'none' | 'ascend', minModRevision = 0): string => {
    const request = range('a', { rangeEnd: 'z', sortTarget: 'mod', sortOrder, limit, minModRevision });
    const { kvs } = executeRange(space, request);
    return kvs.map((kv) => kv.key).join('');
  };
  expect(keys(1, 'none')).toBe('b');
  expect(keys(2, 'none')).toBe('cb');
  expect(keys(1, 'ascend')).toBe('d');
  expect(keys(1, 'none', 1)).toBe('d');
  expect(keys(0, 'none')).toBe('dcba');
});
