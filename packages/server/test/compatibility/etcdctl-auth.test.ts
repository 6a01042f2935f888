import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Etcd } from '../support/etcd.ts';
import { type Answer, etcdctl } from '../support/etcdctl.ts';
import { InProcessCluster } from '../support/in-process.ts';
import { requireProgram } from '../support/programs.ts';
import { authScript } from './etcdctl-auth-script.ts';

const withBoth =
  requireProgram('etcdctl', 'etcdctl with users and roles') &&
  requireProgram('etcd', 'answers about users and roles compared with a real etcd');

describe.skipIf(!withBoth)('etcdctl with users and roles', () => {
  const cost = '4';
  let cluster: InProcessCluster;
  let etcd: Etcd;

  beforeAll(async () => {
    [cluster, etcd] = await Promise.all([
      InProcessCluster.start(1, { 'bcrypt-cost': cost }),
      Etcd.start(undefined, [`--bcrypt-cost=${cost}`]),
    ]);
  });

  afterAll(async () => {
    await Promise.all([cluster.remove(), etcd.remove()]);
  });

  test('sees the same answers as from a real etcd 3.4, or those of a newer one', async () => {
    for (const [i, step] of authScript.entries()) {
      const [expected, actual] = await Promise.all([
        etcdctl([etcd.endpoint], step.args, step.input),
        etcdctl([cluster.endpoints[i % cluster.endpoints.length] as string], step.args, step.input),
      ]);
      const asked = `${step.args.join(' ')}\n${step.input ?? ''}`;
      if (step.newer === undefined) {
        expect(comparable(actual), asked).toEqual(comparable(expected));
      } else {
        expect(actual.stdout + actual.stderr, asked).toContain(step.newer);
        expect(expected.stdout + expected.stderr, asked).not.toContain(step.newer);
      }
    }
  });
});

/** All but the ids of cluster and member, terms, and what etcdctl puts into its log lines about time and place. */
function comparable({ code, stdout, stderr }: Answer): Answer {
  const stable = (text: string): string =>
    text
      .replace(/"(cluster_id|member_id|raft_term)":\d+/g, '"$1":0')
      .replace(/"(ClusterID|MemberID|RaftTerm)" : \d+/g, '"$1" : 0')
      .replace(/"ts":"[^"]*"/g, '"ts":""')
      .replace(/"target":"[^"]*"/g, '"target":""')
      .replace(/127\.0\.0\.1:\d+/g, 'endpoint');
  return { code, stdout: stable(stdout), stderr: stable(stderr) };
}
