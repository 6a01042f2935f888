import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Etcd } from '../support/etcd.ts';
import { ask, StreamedRequest } from '../support/http.ts';
import { InProcessCluster } from '../support/in-process.ts';
import { requireProgram } from '../support/programs.ts';

let cluster: InProcessCluster;
let asked: number;
let endpoint: string;

beforeAll(async () => {
  cluster = await InProcessCluster.start(1, { 'max-request-bytes': '100000' });
  // Who leads answers as an etcd that is alone.
  asked = await cluster.leading();
  endpoint = cluster.endpoints[asked] as string;
});

afterAll(() => cluster.remove());

const text = (value: string): string => Buffer.from(value).toString('base64');

async function post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}) {
  const sent = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await ask('POST', `${endpoint}${path}`, sent, headers);
  return { ...answer, json: JSON.parse(answer.body) as Record<string, unknown> };
}

interface Step {
  readonly path: string;
  readonly body: string;
}

/** What etcd 3.4 and Flotilla are both asked, in this order. */
const script: readonly Step[] = [
  ['/v3/kv/put', { key: text('a'), value: text('1') }],
  ['/v3/kv/put', { key: text('b'), value: text('2'), prev_kv: true }],
  ['/v3/kv/put', { key: text('a'), value: text('3'), prevKv: true }],
  ['/v3beta/kv/range', { key: text('a') }],
  [
    '/v3/kv/range',
    { key: text('a'), range_end: text('\0'), limit: '1', sort_order: 'DESCEND', sort_target: 'KEY' },
  ],
  ['/v3/kv/range', { key: text('a'), range_end: text('c'), limit: 1, sortOrder: 2, sortTarget: 'MOD' }],
  ['/v3/kv/range', { key: text('a'), range_end: text('c'), count_only: true }],
  ['/v3/kv/range', { key: text('a'), range_end: text('c'), keys_only: true }],
  ['/v3/kv/range', { key: text('a'), serializable: true }],
  ['/v3/kv/range', { key: text('nothing') }],
  ['/v3/kv/range', { key: text('a'), revision: 99 }],
  ['/v3/kv/range', { key: text('a'), nope: { deep: [1, 2, { x: null }] } }],
  ['/v3/kv/range', { key: text('a'), limit: null, range_end: null }],
  [
    '/v3/kv/txn',
    {
      compare: [{ key: text('a'), target: 'VALUE', result: 'EQUAL', value: text('3') }],
      success: [{ request_put: { key: text('c'), value: text('4') } }, { request_range: { key: text('c') } }],
      failure: [{ request_delete_range: { key: text('a') } }],
    },
  ],
  [
    '/v3/kv/txn',
    {
      compare: [{ key: text('a'), target: 'CREATE', create_revision: '0' }],
      success: [{ requestPut: { key: text('c'), value: text('4') } }],
      failure: [
        { requestDeleteRange: { key: text('c'), prevKv: true } },
        { request_txn: { success: [{ request_range: { key: text('a') } }] } },
      ],
    },
  ],
  ['/v3/kv/txn', { compare: [{ key: text('a'), target: 1, createRevision: 2 }] }],
  ['/v3/kv/deleterange', { key: text('b'), prev_kv: true }],
  ['/v3/kv/deleterange', { key: text('b') }],
  ['/v3/kv/compaction', { revision: '4' }],
  ['/v3/kv/compaction', { revision: '4' }],
  ['/v3/kv/range', { key: text('a'), revision: '3' }],
  ['/v3/kv/put', {}],
  ['/v3/kv/put', ''],
  ['/v3/kv/put', '{"key":"YQ==","value":"x'],
  ['/v3/kv/put', 'nonsense'],
  ['/v3/kv/put', '{"key" "YQ=="}'],
  ['/v3/kv/put', '{"key":"YQ==",}'],
  ['/v3/kv/put', { key: text('a'), ignore_value: true, value: text('5') }],
  ['/v3/kv/put', { key: text('a'), lease: '12345' }],
  ['/v3/lease/grant', { ID: 77, TTL: '1000' }],
  ['/v3/lease/grant', { ID: '77', TTL: 1000 }],
  ['/v3/kv/put', { key: text('leased'), value: text('x'), lease: 77 }],
  ['/v3/lease/leases', {}],
  ['/v3/kv/lease/leases', '{}'],
  ['/v3/lease/keepalive', { ID: '77' }],
  ['/v3/lease/keepalive', '{"ID":77}{"ID":78}\n{"ID":"77"}'],
  ['/v3/kv/lease/revoke', { ID: 77 }],
  ['/v3/lease/revoke', { ID: 77 }],
  ['/v3/kv/range', { key: text('leased') }],
  ['/v3/auth/enable', {}],
  ['/v3/auth/user/add', { name: 'root', password: 'secret' }],
  ['/v3/auth/user/list', {}],
  ['/v3/auth/user/get', { name: 'root' }],
  ['/v3/auth/user/get', { name: 'nobody' }],
  ['/v3/auth/role/add', { name: 'reader' }],
  [
    '/v3/auth/role/grant',
    { name: 'reader', perm: { permType: 'READ', key: text('a'), range_end: text('b') } },
  ],
  ['/v3/auth/role/get', { role: 'reader' }],
  ['/v3/auth/user/grant', { user: 'root', role: 'reader' }],
  ['/v3/auth/role/list', {}],
  ['/v3/auth/authenticate', { name: 'root', password: 'secret' }],
  ['/v3/auth/user/delete', { name: 'root' }],
  ['/v3/auth/role/delete', { role: 'reader' }],
  ['/v3/maintenance/transfer-leadership', { targetID: '12' }],
  ['/v3/cluster/member/remove', { ID: '12' }],
  ['/v3/maintenance/defragment', {}],
  ['/v3/election/leader', { name: text('nobody') }],
  ['/v3/election/resign', {}],
].map(([path, body]) => ({
  path: path as string,
  body: typeof body === 'string' ? body : JSON.stringify(body),
}));

describe.skipIf(!requireProgram('etcd', "the gateway's answers beside those of a real etcd"))(
  'answers',
  () => {
    let etcd: Etcd;

    beforeAll(async () => {
      etcd = await Etcd.start();
    });

    afterAll(() => etcd.remove());

    test('are those of etcd 3.4, ids aside', async () => {
      for (const { path, body } of script) {
        const theirs = await ask('POST', `${etcd.endpoint}${path}`, body);
        const ours = await ask('POST', `${endpoint}${path}`, body);
        expect({ path, body, ...comparable(ours.status, ours.body) }).toEqual({
          path,
          body,
          ...comparable(theirs.status, theirs.body),
        });
      }
    });

    test('of a watch are those of etcd', async () => {
      const body = { create_request: { key: text('w'), range_end: text('x'), prev_kv: true, watch_id: 7 } };
      const put = { key: text('w1'), value: text('seen') };
      const seen = [];
      for (const base of [etcd.endpoint, endpoint]) {
        const watch = new StreamedRequest('POST', `${base}/v3/watch`);
        watch.request.end(JSON.stringify(body));
        const lines = [await watch.line()];
        await ask('POST', `${base}/v3/kv/put`, JSON.stringify(put));
        await ask('POST', `${base}/v3/kv/deleterange`, JSON.stringify({ key: put.key }));
        lines.push(await watch.line(), await watch.line());
        const { statusCode, headers } = await watch.response;
        seen.push({
          statusCode,
          type: headers['content-type'],
          lines: lines.map((line) => withoutIds(line, true)),
        });
        watch.destroy();
      }
      expect(seen[1]).toEqual(seen[0]);
    });

    test('of other pages have its methods and types', async () => {
      for (const path of ['/health', '/version', '/debug/vars', '/nothing']) {
        for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS', 'DELETE']) {
          const theirs = await ask(method, `${etcd.endpoint}${path}`);
          const ours = await ask(method, `${endpoint}${path}`);
          const page = ({ status, headers }: typeof ours) => ({
            path,
            method,
            status,
            type: headers['content-type'],
            allow: headers['allow'],
            sniff: headers['x-content-type-options'],
            origin: headers['access-control-allow-origin'],
          });
          expect(page(ours)).toEqual(page(theirs));
        }
      }
    });
  },
);

/**
 * Known differences, each with its reason. grpc-gateway 2, which etcd has used since 3.6, answers 400 where 1 answered
 * 412 (FAILED_PRECONDITION), and has `details`; what is wrong with the JSON of a message is said in other words.
 */
function comparable(status: number, body: string): { readonly status: number; readonly lines: unknown } {
  const lines = body
    .trim()
    .split('\n')
    .map((line) => withoutIds(JSON.parse(line) as unknown, false));
  return { status: status === 412 ? 400 : status, lines };
}

function withoutIds(value: unknown, withoutRevisions: boolean): unknown {
  return JSON.parse(JSON.stringify(value), (key, item: unknown) => {
    const isId = ['cluster_id', 'member_id', 'raft_term', 'details', 'token', 'http_status'].includes(key);
    const isRevision = withoutRevisions && key.endsWith('revision');
    return isId || isRevision ? undefined : item;
  }) as unknown;
}

describe('a request', () => {
  test('is refused with its status and in both shapes', async () => {
    const { status, json, headers } = await post('/v3/kv/put', { value: text('x') });
    expect(status).toBe(400);
    expect(headers['content-type']).toBe('application/json');
    const message = 'etcdserver: key is not provided';
    expect(json).toEqual({ error: message, code: 3, message, details: [] });
  });

  test('with bytes that are no base64, or a word for a number, names the field', async () => {
    expect((await post('/v3/kv/put', { key: '!!!' })).json['message']).toBe(
      'proto: (line 1:8): invalid value for bytes field key: "!!!"',
    );
    expect((await post('/v3/kv/range', { key: text('a'), limit: 'ten' })).json['message']).toBe(
      'proto: (line 1:23): invalid value for int64 field limit: "ten"',
    );
  });

  test('to nowhere is 404, and by another method 501, as of grpc-gateway 2', async () => {
    expect(await post('/v3/kv/nothing', {})).toMatchObject({
      status: 404,
      json: { code: 5, message: 'Not Found' },
    });
    expect(await post('/v3/toString', {})).toMatchObject({ status: 404 });
    const { status, body } = await ask('GET', `${endpoint}/v3/kv/range`);
    expect(status).toBe(501);
    expect(JSON.parse(body)).toMatchObject({ code: 12, message: 'Method Not Allowed' });
  });

  test('may name the prefix of an older etcd', async () => {
    await post('/v3/kv/put', { key: text('prefix'), value: text('1') });
    for (const prefix of ['/v3', '/v3beta', '/v3alpha']) {
      expect((await post(`${prefix}/kv/range`, { key: text('prefix') })).json['count']).toBe('1');
    }
  });

  test('that is too large is refused before all of it has come', async () => {
    const limit = 100_000 + 512 * 1024;
    const large = new StreamedRequest('POST', `${endpoint}/v3/kv/put`);
    large.request.write(`{"key":"${text('large')}","value":"`);
    large.request.write('A'.repeat(3 * limit));
    const response = await large.response;
    expect(response.statusCode).toBe(429);
    large.destroy();
    const { status, json } = await post('/v3/kv/put', {
      key: text('large'),
      value: Buffer.alloc(limit).toString('base64'),
    });
    expect(status).toBe(429);
    expect(json['message']).toMatch(/^grpc: received message larger than max \(\d+ vs\. \d+\)$/);
  });

  test('that is larger than a request may be is refused as by gRPC', async () => {
    const { status, json } = await post('/v3/kv/put', {
      key: text('large'),
      value: Buffer.alloc(150_000).toString('base64'),
    });
    expect(status).toBe(400);
    expect(json['message']).toBe('etcdserver: request is too large');
  });

  test('passes metadata on, and its time-out', async () => {
    const isolated = await post('/v3/kv/range', { key: text('a') }, { 'Grpc-Timeout': 'never' });
    expect(isolated).toMatchObject({ status: 400, json: { message: 'invalid grpc-timeout: never' } });
    const lock = { name: text('gateway-lock') };
    expect((await post('/v3/lock/lock', lock)).status).toBe(200);
    const waiting = await post('/v3/lock/lock', lock, { 'Grpc-Timeout': '50m' });
    expect(waiting).toMatchObject({ status: 504, json: { code: 4, message: 'context deadline exceeded' } });
    const named = await post(
      '/v3/kv/put',
      { key: text('s') },
      { 'Grpc-Metadata-Flotilla-Session': 'not hex' },
    );
    expect(named.status).toBe(400);
  });

  test('may come in pieces, over a connection that serves the next one', async () => {
    const answers = await raw(
      [
        'POST /v3/kv/range HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n',
        '5\r\n{"key\r\na\r\n":"cHJl"}\n\r\n0\r\n\r\n',
        'POST /v3/kv/range HTTP/1.1\r\nHost: x\r\nContent-Length: 22\r\nConnection: close\r\n\r\n{"key":"cHJl"}and more',
      ],
      /400 Bad|HTTP\/1\.1 200[^]*HTTP\/1\.1 200[^]*\}$/,
    );
    expect(answers.match(/HTTP\/1\.1 (\d+)/g)).toEqual(['HTTP/1.1 100', 'HTTP/1.1 200', 'HTTP/1.1 200']);
  });
});

describe('a stream', () => {
  test('takes several requests, and ends with the body where the method does', async () => {
    await post('/v3/lease/grant', { ID: 4242, TTL: 1000 });
    const keepAlive = new StreamedRequest('POST', `${endpoint}/v3/lease/keepalive`);
    keepAlive.request.write('{"ID":4242}');
    expect(await keepAlive.line()).toMatchObject({ result: { ID: '4242', TTL: '1000' } });
    keepAlive.request.write('{"ID":');
    keepAlive.request.write('"4242"} ');
    expect(await keepAlive.line()).toMatchObject({ result: { ID: '4242' } });
    keepAlive.request.end();
    expect(await keepAlive.line()).toBeNull();
  });

  test('of watches takes more of them, and a cancellation, while it runs', async () => {
    const watch = new StreamedRequest('POST', `${endpoint}/v3/watch`);
    watch.request.write(JSON.stringify({ create_request: { key: text('m') } }));
    expect(await watch.line()).toMatchObject({ result: { created: true } });
    watch.request.write(JSON.stringify({ createRequest: { key: text('n'), watchId: '9' } }));
    expect(await watch.line()).toMatchObject({ result: { created: true, watch_id: '9' } });
    await post('/v3/kv/put', { key: text('n'), value: text('1') });
    expect(await watch.line()).toMatchObject({
      result: { watch_id: '9', events: [{ kv: { key: text('n') } }] },
    });
    watch.request.write('{"cancel_request":{"watch_id":9}}');
    expect(await watch.line()).toMatchObject({ result: { watch_id: '9', canceled: true } });
    watch.request.write('{"progress_request":{}}');
    expect(await watch.line()).toMatchObject({ result: { watch_id: '-1' } });
    watch.destroy();
  });

  test('is told what is wrong with its first request by the status, with a later one by a line', async () => {
    const first = new StreamedRequest('POST', `${endpoint}/v3/watch`);
    first.request.end('{"create_request":');
    expect((await first.response).statusCode).toBe(400);
    expect(await first.line()).toMatchObject({
      error: { grpc_code: 3, http_code: 400, message: 'unexpected EOF', code: 3 },
    });
    const later = new StreamedRequest('POST', `${endpoint}/v3/watch`);
    later.request.write(JSON.stringify({ create_request: { key: text('m') } }));
    expect(await later.line()).toMatchObject({ result: { created: true } });
    later.request.write('nonsense ');
    expect(await later.line()).toMatchObject({
      error: { message: "invalid character 'o' in literal null (expecting 'u')" },
    });
    expect(await later.line()).toBeNull();
    later.destroy();
  });

  test('ends on the server when its client goes', async () => {
    const { watches } = cluster.members[asked]?.database ?? expect.unreachable();
    const before = watches.streamCount;
    const watch = new StreamedRequest('POST', `${endpoint}/v3/watch`);
    watch.request.end(JSON.stringify({ create_request: { key: text('gone') } }));
    await watch.line();
    expect(watches.streamCount).toBe(before + 1);
    watch.destroy();
    await expect.poll(() => watches.streamCount).toBe(before);
  });

  test('of a client that does not read is held back, and the member goes on', async () => {
    const { watches } = cluster.members[asked]?.database ?? expect.unreachable();
    const before = watches.streamCount;
    const watch = new StreamedRequest('POST', `${endpoint}/v3/watch`);
    const create = JSON.stringify({ create_request: { key: text('slow') } });
    watch.request.end(create.repeat(20));
    for (let i = 0; i < 20; i += 1) await watch.line();
    const value = Buffer.alloc(60_000).toString('base64');
    for (let i = 0; i < 20; i += 1) await post('/v3/kv/put', { key: text('slow'), value });
    // 32 MB wait to be read; what a connection takes is small beside it.
    await expect.poll(() => watches.behindCount).toBeGreaterThan(0);
    expect((await post('/v3/kv/range', { key: text('slow') })).status).toBe(200);
    watch.destroy();
    await expect.poll(() => watches.streamCount).toBe(before);
  });
});

/** Sends bytes as they are; answers what came until it matches. */
async function raw(pieces: readonly string[], until: RegExp): Promise<string> {
  const { hostname, port } = new URL(endpoint);
  const socket = connect(Number(port), hostname);
  let answer = '';
  const matched = new Promise<void>((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString();
      if (until.test(answer)) resolve();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve());
  });
  for (const piece of pieces) socket.write(piece);
  await matched;
  socket.destroy();
  return answer;
}
