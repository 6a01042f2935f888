import { describe, expect, test } from 'vitest';
import { HealthEndpoints, type HealthSource } from './health.ts';

const healthy: HealthSource = {
  hasLeader: true,
  isLearner: false,
  alarms: () => [],
  requireState: () => undefined,
  readBarrier: () => Promise.resolve(),
};

/** A member that is cut off from the majority. */
const isolated: HealthSource = {
  ...healthy,
  hasLeader: false,
  readBarrier: () => Promise.reject(new Error('etcdserver: no leader')),
};

const full: HealthSource = { ...healthy, alarms: () => ['NOSPACE'] };
const corrupt: HealthSource = { ...healthy, alarms: () => ['CORRUPT'] };

async function get(source: HealthSource, target: string, method = 'GET') {
  const [path = '', query] = target.split('?');
  const response = await new HealthEndpoints(source).handle({ method }, path, new URLSearchParams(query));
  return response === null ? null : { status: response.status, body: response.body };
}

describe('/health', () => {
  test("is etcd's JSON, and 503 without a leader", async () => {
    expect(await get(healthy, '/health')).toEqual({ status: 200, body: '{"health":"true","reason":""}' });
    expect(await get(isolated, '/health')).toEqual({
      status: 503,
      body: '{"health":"false","reason":"RAFT NO LEADER"}\n',
    });
  });

  test('is 503 when the linearizable read fails', async () => {
    expect(await get({ ...isolated, hasLeader: true }, '/health')).toEqual({
      status: 503,
      body: '{"health":"false","reason":"RANGE ERROR:etcdserver: no leader"}\n',
    });
  });

  test('asks only this member when serializable', async () => {
    expect((await get(isolated, '/health?serializable=true'))?.status).toBe(200);
  });

  test('names an alarm, unless it is excluded', async () => {
    expect(await get(full, '/health')).toEqual({
      status: 503,
      body: '{"health":"false","reason":"ALARM NOSPACE"}\n',
    });
    expect((await get(full, '/health?exclude=NOSPACE'))?.status).toBe(200);
    expect((await get(corrupt, '/health?exclude=NOSPACE'))?.status).toBe(503);
    expect((await get(corrupt, '/health?exclude=NOSPACE&exclude=CORRUPT'))?.status).toBe(200);
  });
});

describe('/livez and /readyz', () => {
  test('say ok, and every check when asked', async () => {
    expect(await get(healthy, '/livez')).toEqual({ status: 200, body: 'ok\n' });
    expect(await get(healthy, '/livez?verbose')).toEqual({
      status: 200,
      body: '[+]serializable_read ok\nok\n',
    });
    expect(await get(healthy, '/readyz?verbose=true')).toEqual({
      status: 200,
      body: '[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n',
    });
  });

  test('say which check fails without being asked', async () => {
    expect(await get(isolated, '/livez')).toEqual({ status: 200, body: 'ok\n' });
    expect(await get(isolated, '/readyz')).toEqual({
      status: 503,
      body:
        '[+]data_corruption ok\n[+]serializable_read ok\n' +
        '[-]linearizable_read failed: etcdserver: no leader\n[+]non_learner ok\n\n',
    });
    expect((await get(corrupt, '/readyz'))?.body).toContain(
      '[-]data_corruption failed: alarm activated: CORRUPT\n',
    );
    expect((await get({ ...healthy, isLearner: true }, '/readyz'))?.body).toContain(
      '[-]non_learner failed: not supported for learner\n',
    );
  });

  test('leave out excluded checks', async () => {
    expect(await get(isolated, '/readyz?exclude=linearizable_read')).toEqual({ status: 200, body: 'ok\n' });
    expect(await get(healthy, '/livez?verbose&exclude=serializable_read')).toEqual({
      status: 200,
      body: 'ok\n',
    });
  });

  test('answer a single check below a path of its own', async () => {
    expect(await get(isolated, '/readyz/data_corruption?verbose')).toEqual({
      status: 200,
      body: '[+]data_corruption ok\nok\n',
    });
    expect((await get(isolated, '/readyz/linearizable_read?exclude=linearizable_read'))?.status).toBe(503);
    expect(await get(isolated, '/livez/linearizable_read')).toBeNull();
    expect(await get(isolated, '/readyz/data_corruption/more')).toBeNull();
  });

  test('count their checks', async () => {
    const endpoints = new HealthEndpoints(isolated);
    await endpoints.handle({ method: 'GET' }, '/readyz', new URLSearchParams());
    await endpoints.handle({ method: 'GET' }, '/health', new URLSearchParams());
    expect(endpoints.counts).toMatchObject({ healthy: 0, unhealthy: 1 });
    expect(endpoints.counts.checks.get('readyz/linearizable_read')).toMatchObject({ success: 0, error: 1 });
    expect(endpoints.counts.checks.get('readyz/serializable_read')).toMatchObject({
      success: 1,
      error: 0,
      succeededLast: true,
    });
  });
});

test.each(['/health', '/livez', '/readyz/non_learner'])('%s takes GET alone', async (path) => {
  for (const method of ['POST', 'HEAD', 'DELETE']) {
    expect(await get(healthy, path, method)).toEqual({ status: 405, body: 'Method Not Allowed\n' });
  }
});
