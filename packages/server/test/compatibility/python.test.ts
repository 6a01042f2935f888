import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Etcd } from '../support/etcd.ts';
import { InProcessCluster } from '../support/in-process.ts';
import { requireProgram, requirePython } from '../support/programs.ts';

const run = promisify(execFile);

/** What a script prints: one fact a line. */
async function facts(python: string, script: string, endpoint: string, args: readonly string[]) {
  const path = fileURLToPath(new URL(`python/${script}`, import.meta.url));
  const { hostname, port } = new URL(endpoint);
  const { stdout } = await run(python, [path, hostname, port, ...args]);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

const isCountOfMembers = (fact: unknown): boolean => JSON.stringify(fact) === '{"members":1}';

const etcdIsThere = requireProgram('etcd', "what Python's clients see, beside what they see of a real etcd");

/** Both start empty, so that revisions are comparable. */
describe.skipIf(!etcdIsThere)(
  "Debian's clients for Python do the same work with Flotilla as with etcd",
  () => {
    let cluster: InProcessCluster;
    let etcd: Etcd;

    beforeAll(async () => {
      [cluster, etcd] = await Promise.all([InProcessCluster.start(1), Etcd.start()]);
    });

    afterAll(() => Promise.all([cluster.remove(), etcd.remove()]));

    async function compare(
      python: string,
      script: string,
      ours: readonly string[],
      theirs: readonly string[],
    ) {
      const [flotilla, oracle] = await Promise.all([
        facts(python, script, cluster.endpoints[0] as string, ours),
        facts(python, script, etcd.endpoint, theirs),
      ]);
      // etcd is one; Flotilla is what the tests are run on.
      const members = cluster.endpoints.length;
      const expected = oracle.map((fact) => (isCountOfMembers(fact) ? { members } : fact));
      expect(flotilla).toEqual(expected);
      expect(flotilla.length).toBeGreaterThan(10);
    }

    const gateway = requirePython('etcd3gw', 'python3-etcd3gw, over the JSON gateway');
    const grpc = requirePython('etcd3', 'python3-etcd3, over gRPC');

    // By default it asks for the path of etcd 3.2, which etcd 3.4 has no more.
    test.skipIf(gateway === null)('python3-etcd3gw', async () => {
      await compare(gateway ?? '', 'gateway_work.py', ['/v3alpha/'], ['/v3/']);
    });

    test.skipIf(grpc === null)('python3-etcd3', async () => {
      await compare(grpc ?? '', 'grpc_work.py', [], []);
    });
  },
);
