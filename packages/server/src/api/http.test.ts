import { describe, expect, test } from 'vitest';
import { type HealthSource, HttpApi } from './http.ts';

const healthy: HealthSource = {
  hasLeader: true,
  requireState: () => undefined,
  readBarrier: () => Promise.resolve(),
};

/** A member that is cut off from the majority. */
const isolated: HealthSource = {
  ...healthy,
  hasLeader: false,
  readBarrier: () => Promise.reject(new Error('etcdserver: no leader')),
};

async function get(source: HealthSource, target: string, method = 'GET') {
  const { status, body } = await new HttpApi(source).handle({ method, target });
  return { status, body };
}

describe('/health', () => {
  test("is etcd's JSON, and 503 without a leader", async () => {
    expect(await get(healthy, '/health')).toEqual({ status: 200, body: '{"health":"true","reason":""}' });
    expect(await get(isolated, '/health')).toEqual({
      status: 503,
      body: '{"health":"false","reason":"RAFT NO LEADER"}',
    });
  });

  test('is 503 when the linearizable read fails', async () => {
    expect(await get({ ...isolated, hasLeader: true }, '/health')).toEqual({
      status: 503,
      body: '{"health":"false","reason":"QGET ERROR:etcdserver: no leader"}',
    });
  });

  test('asks only this member when serializable', async () => {
    expect((await get(isolated, '/health?serializable=true')).status).toBe(200);
  });
});

test('/version says which API is spoken', async () => {
  const { status, body } = await get(healthy, '/version');
  expect(status).toBe(200);
  expect(JSON.parse(body)).toEqual({ etcdserver: '3.7.0', etcdcluster: '3.7.0', storage: '3.7.0' });
});

describe('/livez and /readyz', () => {
  test('an isolated member lives and is not ready', async () => {
    expect(await get(isolated, '/livez')).toEqual({ status: 200, body: 'ok\n' });
    const { status, body } = await get(isolated, '/readyz');
    expect(status).toBe(503);
    expect(body).toContain('[-]linearizable_read failed: etcdserver: no leader\n');
  });

  test('checks can be listed, excluded and asked for one by one', async () => {
    expect((await get(healthy, '/livez?verbose')).body).toBe('[+]serializable_read ok\nok\n');
    expect((await get(isolated, '/readyz?exclude=linearizable_read')).status).toBe(200);
    expect((await get(isolated, '/readyz/serializable_read')).status).toBe(200);
    expect((await get(isolated, '/readyz/linearizable_read')).status).toBe(503);
    expect((await get(healthy, '/livez/linearizable_read')).status).toBe(404);
  });
});

test('other methods and paths are refused', async () => {
  expect((await get(healthy, '/health', 'POST')).status).toBe(405);
  expect((await get(healthy, '/metrics')).status).toBe(404);
  expect((await get(healthy, '/constructor')).status).toBe(404);
});
