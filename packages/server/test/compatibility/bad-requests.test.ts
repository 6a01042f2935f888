import { connect } from 'node:net';
import {
  type Codec,
  CompareResult,
  CompareTarget,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RangeResponse,
  TxnRequest,
} from '@flotilla/wire';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { DevCluster } from '../support/cluster.ts';
import { RawClient } from '../support/raw-grpc.ts';

const Put = '/etcdserverpb.KV/Put';
const Range = '/etcdserverpb.KV/Range';
const DeleteRange = '/etcdserverpb.KV/DeleteRange';
const Txn = '/etcdserverpb.KV/Txn';
const Compact = '/etcdserverpb.KV/Compact';

const OK = 0;
const INVALID_ARGUMENT = 3;
const RESOURCE_EXHAUSTED = 8;
const OUT_OF_RANGE = 11;
const UNIMPLEMENTED = 12;
const INTERNAL = 13;

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

const patience = { interval: 100, timeout: 60_000 };

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

let cluster: DevCluster;
let client: RawClient;

beforeAll(async () => {
  cluster = await DevCluster.start();
  client = new RawClient(cluster.endpoints[1] as string);
});

afterAll(async () => {
  client.close();
  await cluster.remove();
});

/** Whatever was sent: every member still runs and serves everybody. */
afterEach(async () => {
  expect(cluster.process.ended).toBe(false);
  for (const endpoint of cluster.endpoints) {
    const other = new RawClient(endpoint);
    // Who leads may be changing, where leaders change.
    const alive = PutRequest.encode(PutRequest.create({ key: text('alive') }));
    await expect.poll(() => other.call(Put, alive), patience).toMatchObject({ code: OK });
    other.close();
    const health = async (): Promise<unknown> => await (await fetch(`${endpoint}/health`)).json();
    await expect.poll(health, patience).toEqual({ health: 'true', reason: '' });
  }
  expect(cluster.process.stderr.filter((line) => line.includes('FLOTILLA_MEMBER_ENDED'))).toEqual([]);
});

function put(fields: Partial<PutRequest>) {
  return client.call(Put, PutRequest.encode(PutRequest.create(fields)));
}

function range(fields: Partial<RangeRequest>) {
  return client.call(Range, RangeRequest.encode(RangeRequest.create(fields)));
}

describe('sizes', () => {
  test("a request over the limit gets etcd's error, one just below it is written", async () => {
    const limit = 1_572_864;
    expect(await put({ key: text('large'), value: new Uint8Array(limit - 512) })).toMatchObject({ code: OK });
    expect(await put({ key: text('large'), value: new Uint8Array(limit) })).toMatchObject({
      code: INVALID_ARGUMENT,
      message: 'etcdserver: request is too large',
    });
  });

  test('a request that not even gRPC accepts is refused by the transport', async () => {
    expect(await put({ key: text('huge'), value: new Uint8Array(4 * 1024 * 1024) })).toMatchObject({
      code: RESOURCE_EXHAUSTED,
    });
  });

  test('a transaction with too many operations is refused', async () => {
    const operation = {
      request: { case: 'requestPut', value: PutRequest.create({ key: text('k') }) },
    } as const;
    const request = TxnRequest.create({ success: Array.from({ length: 129 }, () => operation) });
    expect(await client.call(Txn, TxnRequest.encode(request))).toMatchObject({
      code: INVALID_ARGUMENT,
      message: 'etcdserver: too many operations in txn request',
    });
  });
});

describe('empty keys', () => {
  const emptyKey = { code: INVALID_ARGUMENT, message: 'etcdserver: key is not provided' };

  test.each([
    ['put', Put, PutRequest.encode(PutRequest.create())],
    ['range', Range, RangeRequest.encode(RangeRequest.create())],
    ['range with an end', Range, RangeRequest.encode(RangeRequest.create({ rangeEnd: text('z') }))],
    ['delete', DeleteRange, DeleteRangeRequest.encode(DeleteRangeRequest.create())],
    [
      'put in a transaction',
      Txn,
      TxnRequest.encode(
        TxnRequest.create({ success: [{ request: { case: 'requestPut', value: PutRequest.create() } }] }),
      ),
    ],
    [
      'compare',
      Txn,
      TxnRequest.encode(
        TxnRequest.create({
          compare: [
            {
              result: CompareResult.EQUAL,
              target: CompareTarget.VERSION,
              key: new Uint8Array(0),
              targetUnion: { case: 'version', value: 0 },
              rangeEnd: new Uint8Array(0),
            },
          ],
        }),
      ),
    ],
  ])('%s without a key', async (_, path, bytes) => {
    expect(await client.call(path, bytes)).toMatchObject(emptyKey);
  });
});

describe('numbers', () => {
  test.each([
    ['revision', 4, INT64_MAX, OUT_OF_RANGE],
    ['revision', 4, INT64_MIN, OK],
    ['revision', 4, 2n ** 53n + 1n, OUT_OF_RANGE],
    ['limit', 3, INT64_MAX, OK],
    ['limit', 3, INT64_MIN, OK],
    ['min_mod_revision', 10, INT64_MAX, OK],
    ['max_mod_revision', 11, INT64_MIN, OK],
    ['min_create_revision', 12, INT64_MAX, OK],
    ['max_create_revision', 13, INT64_MIN, OK],
  ])('range with %s (field %i) = %s', async (_, field, value, code) => {
    const bytes = concat(
      RangeRequest.encode(RangeRequest.create({ key: text('alive') })),
      varintField(field, value),
    );
    expect(await client.call(Range, bytes)).toMatchObject({ code });
  });

  test.each([
    [INT64_MAX, 'etcdserver: mvcc: required revision is a future revision'],
    [INT64_MIN, 'etcdserver: mvcc: required revision has been compacted'],
  ])('compaction at %s', async (revision, message) => {
    const answer = await client.call(Compact, varintField(1, revision));
    expect(answer).toMatchObject({ code: OUT_OF_RANGE, message });
  });

  test('unknown enum values are refused as etcd refuses them', async () => {
    expect(await range({ key: text('a'), rangeEnd: text('z'), sortOrder: 99 })).toMatchObject({
      code: INVALID_ARGUMENT,
      message: 'etcdserver: invalid sort option',
    });
    expect(await range({ key: text('a'), rangeEnd: text('z'), sortTarget: 99 })).toMatchObject({
      code: INVALID_ARGUMENT,
      message: 'etcdserver: invalid sort option',
    });
  });
});

describe('bytes', () => {
  test('unknown fields are ignored', async () => {
    const unknown = concat(varintField(999, 7n), Uint8Array.of(0xfa, 0x3f, 2, 1, 2));
    const bytes = concat(PutRequest.encode(PutRequest.create({ key: text('u'), value: text('v') })), unknown);
    expect(await client.call(Put, bytes)).toMatchObject({ code: OK });
    const answer = await range({ key: text('u') });
    expect(decode(RangeResponse, answer.bytes).kvs[0]?.value).toEqual(text('v'));
  });

  test.each([
    ['a length beyond the end', Uint8Array.of(0x0a, 0x7f, 0x61)],
    ['a varint that never ends', new Uint8Array(32).fill(0xff)],
    ['a group that never ends', Uint8Array.of(0x0b)],
    ['field number 0', Uint8Array.of(0x00, 0x01)],
  ])('%s is no request', async (_, bytes) => {
    for (const path of [Put, Range, DeleteRange, Txn, Compact]) {
      expect(await client.call(path, bytes)).toMatchObject({ code: INTERNAL });
    }
  });

  test('an unknown method is unimplemented', async () => {
    expect(await client.call('/etcdserverpb.KV/Nonsense', new Uint8Array(0))).toMatchObject({
      code: UNIMPLEMENTED,
    });
    expect(await client.call('/nonsense.Service/Method', new Uint8Array(0))).toMatchObject({
      code: UNIMPLEMENTED,
    });
  });

  const http2 = text('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  const garbage: readonly (readonly [string, Uint8Array])[] = [
    ['random bytes', pseudoRandom(64 * 1024)],
    ['zeros', new Uint8Array(64 * 1024)],
    ['one byte', Uint8Array.of(0x50)],
    ['an HTTP/1 request that never ends', text('GET /health HTTP/1.1\r\nX: ' + 'a'.repeat(100_000))],
    ["HTTP/2's preface and random bytes", concat(http2, pseudoRandom(64 * 1024))],
    [
      "HTTP/2's preface and an endless frame",
      concat(http2, Uint8Array.of(0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1)),
    ],
    ["the peer protocol's preface and random bytes", concat(text('FLOTPEER'), pseudoRandom(64 * 1024))],
    [
      "the peer protocol's preface and an endless frame",
      concat(text('FLOTPEER'), new Uint8Array(16).fill(0xff)),
    ],
    ['a TLS hello', concat(Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01), pseudoRandom(512))],
  ];

  test.each(garbage)('%s on both ports of each member', async (_, bytes) => {
    for (let port = cluster.basePort; port < cluster.basePort + 2 * cluster.nodes; port += 1) {
      await sendGarbage(port, bytes);
    }
  });
});

/** Sends, waits a little for whatever comes back, and hangs up the hard way. */
async function sendGarbage(port: number, bytes: Uint8Array): Promise<void> {
  await new Promise<void>((resolve) => {
    const socket = connect({ host: '127.0.0.1', port }, () => {
      socket.write(bytes);
      setTimeout(() => socket.resetAndDestroy(), 50);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
    socket.resume();
  });
}

/** A field of wire type varint, with all 64 bits. */
function varintField(field: number, value: bigint): Uint8Array {
  return concat(varint(BigInt(field) << 3n), varint(BigInt.asUintN(64, value)));
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** The same bytes in every run. */
function pseudoRandom(length: number): Uint8Array {
  let state = 0x2545f491;
  return Uint8Array.from({ length }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 0xff;
  });
}

function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  return codec.decode(bytes);
}
