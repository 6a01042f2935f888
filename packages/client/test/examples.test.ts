import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { InProcessCluster } from '../../server/test/support/in-process.ts';

const folder = fileURLToPath(new URL('../examples/', import.meta.url));

const printed: Readonly<Record<string, readonly string[]>> = {
  'counter.ts': ['30'],
  'leader.ts': ['a leads', 'leader: a, at work', 'b leads', 'leader: b, at work'],
  'quick-start.ts': [
    'hello',
    'hallo',
    'put greetings/de',
    'put greetings/en',
    'greetings/de',
    'greetings/en',
    '2 deleted',
  ],
  'work-queue.ts': ['6 jobs done', '6 results'],
};

let cluster: InProcessCluster;

beforeAll(async () => {
  cluster = await InProcessCluster.start(1);
  process.env['ENDPOINTS'] = cluster.endpoints.join(',');
});

afterEach(() => vi.restoreAllMocks());

afterAll(async () => {
  delete process.env['ENDPOINTS'];
  await cluster.remove();
});

test('every example is tried', () => {
  expect(readdirSync(folder).sort()).toEqual(Object.keys(printed));
});

test.each(Object.keys(printed))('%s is short, and prints what it should', async (name) => {
  expect(readFileSync(folder + name, 'utf8').split('\n').length).toBeLessThan(40);
  const lines: unknown[] = [];
  vi.spyOn(console, 'log').mockImplementation((line) => lines.push(line));
  await import(folder + name);
  expect(lines).toEqual(printed[name]);
});
