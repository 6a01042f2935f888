import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { processFacts } from '../../src/node/process-metrics.ts';
import { Registry } from '../../src/metrics/registry.ts';
import { Etcd } from '../support/etcd.ts';
import { ask } from '../support/http.ts';
import { InProcessCluster } from '../support/in-process.ts';
import { requireProgram } from '../support/programs.ts';

let cluster: InProcessCluster;

beforeAll(async () => {
  cluster = await InProcessCluster.start(3, { metrics: 'extensive' });
  for (const endpoint of cluster.endpoints) {
    await post(endpoint, '/v3/kv/put', { key: 'YQ==', value: 'Yg==' });
    await post(endpoint, '/v3/kv/range', { key: 'YQ==' });
    await ask('GET', `${endpoint}/readyz`);
  }
});

afterAll(() => cluster.remove());

function post(endpoint: string, path: string, body: unknown) {
  return ask('POST', `${endpoint}${path}`, JSON.stringify(body));
}

const metricsOf = async (endpoint: string): Promise<string> => (await ask('GET', `${endpoint}/metrics`)).body;

/** Types by name. */
function typesIn(text: string): Map<string, string> {
  return new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name as string, type as string]),
  );
}

/** The value of one series, labels as they are written. */
function valueOf(text: string, series: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  if (line === undefined) throw new Error(`no ${series}`);
  return Number(line.slice(series.length + 1));
}

test('say what every member has done, and who leads', async () => {
  const texts = await Promise.all(cluster.endpoints.map(metricsOf));
  expect(texts.map((text) => valueOf(text, 'etcd_server_has_leader'))).toEqual(texts.map(() => 1));
  const leaders = texts.map((text) => valueOf(text, 'etcd_server_is_leader'));
  expect(leaders.reduce((sum, leads) => sum + leads, 0)).toBe(1);
  expect(leaders[cluster.leader()]).toBe(1);
  for (const text of texts) {
    expect(valueOf(text, 'etcd_mvcc_put_total')).toBe(3);
    expect(valueOf(text, 'etcd_mvcc_range_total')).toBe(1);
    expect(valueOf(text, 'etcd_debugging_mvcc_keys_total')).toBe(1);
    expect(valueOf(text, 'etcd_debugging_mvcc_current_revision')).toBe(4);
    expect(valueOf(text, 'etcd_server_proposals_pending')).toBe(0);
    expect(valueOf(text, 'etcd_server_leader_changes_seen_total')).toBeGreaterThanOrEqual(1);
    expect(valueOf(text, 'etcd_disk_wal_fsync_duration_seconds_count')).toBeGreaterThan(0);
    const put = 'grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"';
    expect(valueOf(text, `grpc_server_handled_total{grpc_code="OK",${put}}`)).toBe(1);
    expect(valueOf(text, `grpc_server_handling_seconds_count{${put}}`)).toBe(1);
    expect(valueOf(text, 'etcd_server_healthcheck{name="linearizable_read",type="readyz"}')).toBe(1);
    expect(text.match(/^etcd_network_peer_sent_bytes_total\{To="[0-9a-f]+"\} [1-9]/gm)).toHaveLength(2);
    expect(text.match(/^etcd_network_active_peers\{.*\} 1$/gm)).toHaveLength(2);
  }
});

describe.skipIf(!requireProgram('etcd', 'metrics beside those of a real etcd'))('names and types', () => {
  test('are those of etcd 3.4 where both have them', async () => {
    const etcd = await Etcd.start();
    try {
      await post(etcd.endpoint, '/v3/kv/range', { key: 'YQ==' });
      const theirs = typesIn(await metricsOf(etcd.endpoint));
      const ours = typesIn(
        `${await metricsOf(cluster.endpoints[0] as string)}${new Registry(processFacts().metrics).render()}`,
      );
      const shared = [...ours].filter(([name]) => theirs.has(name));
      expect(Object.fromEntries(shared)).toEqual(
        Object.fromEntries(shared.map(([name]) => [name, theirs.get(name)])),
      );
      const unknown = [...ours.keys()].filter((name) => !theirs.has(name) && !name.startsWith('flotilla_'));
      expect(unknown.sort()).toEqual(sinceEtcd34);
      const missing = [...theirs.keys()].filter((name) => name.startsWith('etcd_server_') && !ours.has(name));
      expect(missing.sort()).toEqual(withoutMeaning);
    } finally {
      await etcd.remove();
    }
  });
});

/** Of a cluster of several, of --metrics=extensive, or of etcd 3.5 to 3.7. */
const sinceEtcd34 = [
  'etcd_network_active_peers',
  'etcd_network_known_peers',
  'etcd_network_peer_received_bytes_total',
  'etcd_network_peer_sent_bytes_total',
  'etcd_server_healthcheck',
  'etcd_server_healthchecks_total',
  'grpc_server_handling_seconds',
];

/** Go's version, and numbers of parts that work in another way here. */
const withoutMeaning = [
  'etcd_server_go_version',
  'etcd_server_heartbeat_send_failures_total',
  'etcd_server_learner_promote_successes',
];

test('docs/metrics.md lists every metric, and no other', async () => {
  const endpoint = cluster.endpoints[0] as string;
  // Without an alarm there is no metric of alarms.
  await post(endpoint, '/v3/maintenance/alarm', { action: 'ACTIVATE', alarm: 'NOSPACE' });
  const text = `${await metricsOf(endpoint)}${new Registry(processFacts().metrics).render()}`;
  await post(endpoint, '/v3/maintenance/alarm', { action: 'DEACTIVATE', alarm: 'NOSPACE' });
  const published = [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm)].map(
    ([, name, help, type]) => `| \`${name}\` | ${type} | ${help} |`,
  );
  const path = join(fileURLToPath(new URL('../../../..', import.meta.url)), 'docs', 'metrics.md');
  const documented = readFileSync(path, 'utf8').match(/^\| `.*$/gm);
  expect(documented).toEqual(published.sort());
});
