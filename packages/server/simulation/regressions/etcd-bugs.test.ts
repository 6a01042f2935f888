import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { etcdBugs } from './etcd-bugs.ts';

const page = readFileSync(new URL('../../../../docs/regressions.md', import.meta.url), 'utf8');

test('each of the 17 bugs that etcd has shipped is on the list once, and on the page', () => {
  const rows = etcdBugs.map(
    ({ issue, name, claim }) =>
      `| [#${issue}](https://github.com/etcd-io/etcd/issues/${issue}) | ${name} | ${claim} |`,
  );
  expect(new Set(rows).size).toBe(17);
  const [list] = page.split('Other bugs');
  expect(list?.split('\n').filter((line) => line.startsWith('| [#'))).toEqual(rows);
});

for (const { issue, name, claim, scenario } of etcdBugs) {
  test(`etcd #${issue}, ${name}: here ${claim}`, () => scenario(1));
}
