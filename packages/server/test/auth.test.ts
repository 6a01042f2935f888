import {
  Auth,
  AuthenticateRequest,
  AuthRoleGrantPermissionRequest,
  AuthUserAddRequest,
  callUnary,
  CompactionRequest,
  DeleteRangeRequest,
  Election,
  KV,
  Lease,
  LeaseGrantRequest,
  Lock,
  Cluster,
  Maintenance,
  type Metadata,
  type MethodDescriptor,
  openStream,
  PermissionType,
  PutRequest,
  RangeRequest,
  type RpcError,
  TxnRequest,
  Watch,
  WatchCreateRequest,
  type WatchRequest,
  type WatchResponse,
} from '@flotilla/wire';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { InProcessCluster } from './support/in-process.ts';

const { READ, WRITE, READWRITE } = PermissionType;
const denied = { status: 7, message: 'etcdserver: permission denied' };
const badToken = { status: 16, message: 'etcdserver: invalid auth token' };
const nobody = { status: 3, message: 'etcdserver: user name is empty' };

let cluster: InProcessCluster;
let root: Metadata;

beforeAll(async () => {
  cluster = await InProcessCluster.start(3, { 'bcrypt-cost': '4' });
});

afterAll(async () => {
  await cluster.remove();
});

/** Auth is off and there are no users when a test begins. */
beforeEach(async () => {
  await enable();
  return async () => {
    await call(Auth.methods.AuthDisable, {}, root);
    for (const name of (await call(Auth.methods.UserList, {})).users)
      await call(Auth.methods.UserDelete, { name });
    for (const role of (await call(Auth.methods.RoleList, {})).roles)
      await call(Auth.methods.RoleDelete, { role });
  };
});

describe('a token', () => {
  test("has etcd's form, is good on every member, and for nobody else", async () => {
    await addUser('alice', [READWRITE, 'a', 'b']);
    for (let member = 0; member < 3; member += 1) {
      const { token } = await authenticate('alice', 'alice', member);
      expect(token).toMatch(/^[a-zA-Z]{16}\.[0-9]+$/);
      for (let other = 0; other < 3; other += 1) {
        await call(KV.methods.Put, put('a', String(other)), { token }, other);
        // As curl sends it to the JSON gateway.
        const { kvs } = await call(KV.methods.Range, get('a'), { authorization: `Bearer ${token}` }, other);
        expect(text(kvs[0]!.value)).toBe(String(other));
      }
    }
  });

  test('that is not one is refused, whatever is asked, before anything happens', async () => {
    const { token } = await authenticate('root', 'root');
    const [secret, index] = token.split('.') as [string, string];
    const wrong = [
      '',
      '.',
      'x',
      token.toUpperCase(),
      `${secret}.`,
      `${secret}.${Number(index) + 1}`,
      `${secret}.99999999`,
    ];
    for (const guess of [...wrong, `${token}.1`, `${secret}.-1`, 'a.b.c', 'x'.repeat(5_000)]) {
      expect(await refusal(KV.methods.Range, get('a'), { token: guess })).toEqual(badToken);
    }
    expect(await refusal(KV.methods.Put, put('a'), { token: 'stolen.1' })).toEqual(badToken);
    expect(
      await refusal(Lease.methods.LeaseGrant, LeaseGrantRequest.create({ ttl: 10 }), { token: 'x' }),
    ).toEqual(badToken);
    expect(await refusal(Maintenance.methods.Status, {}, { token: 'x' })).toEqual(badToken);
  });

  test('is void once its user is deleted, or has another password, on every member', async () => {
    await addUser('alice', [READ, 'a']);
    const first = await tokenOf('alice');
    await call(
      Auth.methods.UserChangePassword,
      { name: 'alice', password: 'other', hashedPassword: '' },
      root,
    );
    for (let member = 0; member < 3; member += 1) {
      await call(KV.methods.Range, get('a'), root, member);
      expect(await refusal(KV.methods.Range, get('a'), first, member)).toEqual(badToken);
    }
    const failed = { status: 3, message: 'etcdserver: authentication failed, invalid user ID or password' };
    expect(await refusal(Auth.methods.Authenticate, { name: 'alice', password: 'alice' })).toEqual(failed);
    const second = { token: (await authenticate('alice', 'other')).token };
    await call(KV.methods.Range, get('a'), second);
    await call(Auth.methods.UserDelete, { name: 'alice' }, root);
    expect(await refusal(KV.methods.Range, get('a'), second)).toEqual(badToken);
    expect(await refusal(Auth.methods.Authenticate, { name: 'alice', password: 'other' })).toEqual(failed);
  });

  test('stays good while other users and roles come and go', async () => {
    await addUser('alice', [READWRITE, 'a']);
    const alice = await tokenOf('alice');
    const writing = (async () => {
      for (let i = 0; i < 40; i += 1) await call(KV.methods.Put, put('a', String(i)), alice, i % 3);
    })();
    for (let i = 0; i < 10; i += 1) await call(Auth.methods.RoleAdd, { name: `role ${i}` }, root, i % 3);
    await writing;
    const { kvs } = await call(KV.methods.Range, get('a'), alice);
    expect(text(kvs[0]!.value)).toBe('39');
  });
});

describe('authenticating', () => {
  test('needs auth, a user with a password, and that password', async () => {
    const options = { noPassword: true };
    await call(Auth.methods.UserAdd, AuthUserAddRequest.create({ name: 'nopass', options }), root);
    await call(Auth.methods.UserAdd, AuthUserAddRequest.create({ name: 'empty' }), root);
    const failed = { status: 3, message: 'etcdserver: authentication failed, invalid user ID or password' };
    const attempt = (name: string, password: string) =>
      refusal(Auth.methods.Authenticate, AuthenticateRequest.create({ name, password }));
    expect(await attempt('root', 'wrong')).toEqual(failed);
    expect(await attempt('', '')).toEqual(failed);
    expect(await attempt('nobody', 'x')).toEqual(failed);
    expect(await attempt('empty', 'x')).toEqual(failed);
    expect(await attempt('empty', '')).toBeNull();
    expect(await attempt('nopass', '')).toEqual({
      status: 2,
      message: 'auth: authentication failed, password was given for no password user',
    });
    await call(Auth.methods.AuthDisable, {}, root);
    expect(await attempt('root', 'root')).toEqual({
      status: 9,
      message: 'etcdserver: authentication is not enabled',
    });
    await call(Auth.methods.AuthEnable, {});
    root = await tokenOf('root');
  });

  test('takes passwords of up to 72 bytes, whatever is in them', async () => {
    for (const password of ['x'.repeat(72), 'ü'.repeat(36), 'zero\0byte', ' ']) {
      await call(Auth.methods.UserAdd, AuthUserAddRequest.create({ name: 'alice', password }), root);
      expect((await authenticate('alice', password)).token).not.toBe('');
      expect(
        await refusal(Auth.methods.Authenticate, { name: 'alice', password: `y${password}` }),
      ).not.toBeNull();
      await call(Auth.methods.UserDelete, { name: 'alice' }, root);
    }
    const password = 'x'.repeat(73);
    expect(
      await refusal(Auth.methods.UserAdd, AuthUserAddRequest.create({ name: 'alice', password }), root),
    ).toEqual({
      status: 2,
      message: 'bcrypt: password length exceeds 72 bytes',
    });
  });
});

describe('without a token', () => {
  test('nothing is read or written, and it is said that nobody has been named', async () => {
    const anonymous: [MethodDescriptor<never, unknown, 'unary'>, unknown][] = [
      [KV.methods.Range as never, get('a')],
      [KV.methods.Range as never, { ...get('a'), serializable: true }],
      [KV.methods.Put as never, put('a')],
      [KV.methods.DeleteRange as never, DeleteRangeRequest.create({ key: bytes('a') })],
      [KV.methods.Txn as never, readTxn('a')],
      [KV.methods.Txn as never, TxnRequest.create({ success: [putOperation('a')] })],
      [KV.methods.Compact as never, CompactionRequest.create({ revision: 1 })],
      [Lease.methods.LeaseGrant as never, LeaseGrantRequest.create({ ttl: 10 })],
      [Lease.methods.LeaseRevoke as never, { id: 5n }],
      [Lease.methods.LeaseTimeToLive as never, { id: 5n, keys: false }],
      [Lease.methods.LeaseTimeToLive as never, { id: 5n, keys: true }],
      [Lease.methods.LeaseLeases as never, {}],
      [Cluster.methods.MemberList as never, { linearizable: true }],
      [Maintenance.methods.Status as never, {}],
      [Maintenance.methods.Defragment as never, {}],
      [Maintenance.methods.Alarm as never, { action: 0, memberId: 0n, alarm: 0 }],
      [Maintenance.methods.Alarm as never, { action: 2, memberId: 0n, alarm: 1 }],
      [Maintenance.methods.Hash as never, {}],
      [Maintenance.methods.HashKV as never, { revision: 0 }],
      [Auth.methods.UserAdd as never, AuthUserAddRequest.create({ name: 'x' })],
      [Auth.methods.UserGet as never, { name: 'root' }],
      [Auth.methods.UserList as never, {}],
      [Auth.methods.RoleGet as never, { role: 'root' }],
      [Auth.methods.RoleList as never, {}],
      [Auth.methods.AuthDisable as never, {}],
      [Auth.methods.AuthEnable as never, {}],
    ];
    for (const [method, request] of anonymous) {
      expect([method.path, await refusal(method, request as never)]).toEqual([method.path, nobody]);
    }
    expect(await call(Auth.methods.AuthStatus, {})).toMatchObject({ enabled: true });
  });
});

describe('a user', () => {
  test('reads and writes what its roles allow, and nothing else', async () => {
    await addUser('alice', [READ, 'r', 's'], [WRITE, 'w']);
    const alice = await tokenOf('alice');
    await call(KV.methods.Put, put('r/1', 'seen'), root);
    expect((await call(KV.methods.Range, get('r', 's'), alice)).count).toBe(1);
    expect(await refusal(KV.methods.Range, get('r', 's\0'), alice)).toEqual(denied);
    expect(await refusal(KV.methods.Range, { ...get('w'), serializable: true }, alice)).toEqual(denied);
    expect(await refusal(KV.methods.Txn, readTxn('w'), alice)).toEqual(denied);
    expect((await call(KV.methods.Txn, readTxn('r'), alice)).succeeded).toBe(true);
    await call(KV.methods.Put, put('w'), alice);
    expect(await refusal(KV.methods.Put, { ...put('w'), prevKv: true }, alice)).toEqual(denied);
    expect(await refusal(KV.methods.Put, put('r'), alice)).toEqual(denied);
    expect(await refusal(KV.methods.Compact, CompactionRequest.create({ revision: 1 }), alice)).toEqual(
      denied,
    );
    expect(await refusal(Maintenance.methods.Defragment, {}, alice)).toEqual(denied);
    expect(await refusal(Maintenance.methods.Status, {}, alice)).toBeNull();
    expect(await refusal(Cluster.methods.MemberList, { linearizable: true }, alice)).toBeNull();
  });

  test('sees itself and its own roles, and no others', async () => {
    await addUser('alice', [READ, 'r']);
    const alice = await tokenOf('alice');
    expect((await call(Auth.methods.UserGet, { name: 'alice' }, alice)).roles).toEqual(['role of alice']);
    expect((await call(Auth.methods.RoleGet, { role: 'role of alice' }, alice)).perm).toHaveLength(1);
    expect(await refusal(Auth.methods.UserGet, { name: 'root' }, alice)).toEqual(denied);
    expect(await refusal(Auth.methods.RoleGet, { role: 'root' }, alice)).toEqual(denied);
    expect(await refusal(Auth.methods.UserList, {}, alice)).toEqual(denied);
    expect(
      await refusal(
        Auth.methods.UserChangePassword,
        { name: 'alice', password: 'x', hashedPassword: '' },
        alice,
      ),
    ).toEqual(denied);
  });

  test('needs every key of a lease to renew it, to revoke it, or to see its keys', async () => {
    await addUser('alice', [READWRITE, 'a']);
    const alice = await tokenOf('alice');
    const { id } = await call(Lease.methods.LeaseGrant, LeaseGrantRequest.create({ ttl: 60 }), alice);
    await call(KV.methods.Put, { ...put('a'), lease: id }, alice);
    expect((await call(Lease.methods.LeaseTimeToLive, { id, keys: true }, alice)).keys.map(text)).toEqual([
      'a',
    ]);
    expect(await keepAlive(id, alice)).toBe(60);
    await call(KV.methods.Put, { ...put('other'), lease: id }, root);
    expect(await refusal(Lease.methods.LeaseTimeToLive, { id, keys: true }, alice)).toEqual(denied);
    expect(await refusal(Lease.methods.LeaseTimeToLive, { id, keys: false }, alice)).toBeNull();
    expect(await refusal(Lease.methods.LeaseLeases, {}, alice)).toEqual(denied);
    expect(await refusal(Lease.methods.LeaseRevoke, { id }, alice)).toEqual(denied);
    expect(await refusal(KV.methods.Put, { ...put('a'), lease: id }, alice)).toEqual(denied);
    await expect(keepAlive(id, alice)).rejects.toMatchObject(denied);
    expect(await refusal(Lease.methods.LeaseRevoke, { id }, root)).toBeNull();
  });
});

test('locks and elections are of whoever calls, and kept within what it may do', async () => {
  await addUser('alice', [READWRITE, 'l/', 'l0']);
  const alice = await tokenOf('alice');
  const own = await call(Lock.methods.Lock, { name: bytes('l/own'), lease: 0n }, alice);
  expect(text(own.key)).toMatch(/^l\/own\//);
  expect(await refusal(Lock.methods.Unlock, { key: own.key })).toMatchObject({ message: nobody.message });
  expect(await refusal(Lock.methods.Unlock, { key: own.key }, alice)).toBeNull();
  const foreign = { name: bytes('other'), lease: 0n };
  expect(await refusal(Lock.methods.Lock, foreign, alice)).toMatchObject({ message: denied.message });
  expect(await refusal(Lock.methods.Lock, foreign)).toMatchObject({ message: nobody.message });
  const campaign = { ...foreign, value: bytes('alice') };
  expect(await refusal(Election.methods.Campaign, campaign, alice)).toMatchObject({
    message: denied.message,
  });
  expect(await refusal(Election.methods.Leader, foreign, alice)).toMatchObject({ message: denied.message });
});

describe('a watch', () => {
  test('is made only by who may read all of its range', async () => {
    await addUser('alice', [READ, 'k']);
    const alice = await tokenOf('alice');
    const permissionDenied = 'rpc error: code = PermissionDenied desc = etcdserver: permission denied';
    const outcome = async (who: Metadata, key: string, rangeEnd = ''): Promise<string> => {
      const watch = new TestWatch(who);
      const { created, canceled, cancelReason, watchId } = await watch.create(key, rangeEnd);
      watch.close();
      expect(created).toBe(true);
      expect(watchId).toBe(canceled ? -1 : 0);
      return cancelReason;
    };
    expect(await outcome(alice, 'k')).toBe('');
    expect(await outcome(alice, 'k', 'l')).toBe(permissionDenied);
    expect(await outcome(alice, '', '\0')).toBe(permissionDenied);
    expect(await outcome({}, 'k')).toBe(
      'rpc error: code = InvalidArgument desc = etcdserver: user name is empty',
    );
    expect(await outcome({ token: 'x' }, 'k')).toBe(
      'rpc error: code = Unauthenticated desc = etcdserver: invalid auth token',
    );
  });

  test('of everything from a key on is not open to a reader of that key alone (GHSA-xg4h-6gfc-h4m8)', async () => {
    await addUser('alice', [READ, 'k']);
    const alice = await tokenOf('alice');
    const watch = new TestWatch(alice);
    expect(await watch.create('k', '\0')).toMatchObject({
      canceled: true,
      cancelReason: 'rpc error: code = PermissionDenied desc = etcdserver: permission denied',
    });
    await call(KV.methods.Put, put('z', 'secret'), root);
    expect(await watch.create('k')).toMatchObject({ canceled: false });
    await call(KV.methods.Put, put('k', 'known'), root);
    expect((await watch.next()).events.map(({ kv }) => text(kv!.value))).toEqual(['known']);
    watch.close();
  });

  test('ends on every member when its user loses the permission, and sees nothing that comes after', async () => {
    await addUser('alice', [READ, 'k']);
    const alice = await tokenOf('alice');
    const watches = [0, 1, 2].map((member) => new TestWatch(alice, member));
    for (const watch of watches) await watch.create('k');
    await call(KV.methods.Put, put('k', 'before'), root);
    await call(
      Auth.methods.RoleRevokePermission,
      { role: 'role of alice', key: bytes('k'), rangeEnd: bytes('') },
      root,
    );
    await call(KV.methods.Put, put('k', 'after'), root);
    for (const watch of watches) {
      expect((await watch.next()).events.map(({ kv }) => text(kv!.value))).toEqual(['before']);
      expect(await watch.next()).toMatchObject({
        canceled: true,
        watchId: 0,
        cancelReason: 'rpc error: code = PermissionDenied desc = etcdserver: permission denied',
      });
      watch.close();
    }
  });

  test('ends when its user is deleted, and goes on when other users change', async () => {
    await addUser('alice', [READ, 'k']);
    const watch = new TestWatch(await tokenOf('alice'));
    await watch.create('k');
    await addUser('bob', [READ, 'k']);
    await call(Auth.methods.UserDelete, { name: 'bob' }, root);
    await call(KV.methods.Put, put('k', 'still'), root);
    expect((await watch.next()).events).toHaveLength(1);
    await call(Auth.methods.UserDelete, { name: 'alice' }, root);
    expect(await watch.next()).toMatchObject({ canceled: true });
    watch.close();
  });

  test('that nobody was named for ends when auth is turned on', async () => {
    await call(Auth.methods.AuthDisable, {}, root);
    const watch = new TestWatch({});
    await watch.create('k');
    await call(Auth.methods.AuthEnable, {});
    root = await tokenOf('root');
    expect(await watch.next()).toMatchObject({
      canceled: true,
      cancelReason: 'rpc error: code = InvalidArgument desc = etcdserver: user name is empty',
    });
    watch.close();
  });
});

test('a password is in the log and in the state as a hash only (CVE-2021-28235)', async () => {
  await call(
    Auth.methods.UserAdd,
    AuthUserAddRequest.create({ name: 'alice', password: 'secret word' }),
    root,
  );
  for (const member of cluster.running) {
    await member.backend.readBarrier();
    expect(text(member.database.auth.user('alice')!.password)).toMatch(/^\$2[aby]\$04\$.{53}$/);
  }
});

test('users, roles and whether they count outlast a restart; tokens do not', async () => {
  await addUser('alice', [READ, 'a']);
  const before = await tokenOf('alice', 1);
  const { authRevision } = await call(Auth.methods.AuthStatus, {}, root, 1);
  await cluster.stopMember(1);
  await cluster.startMember(1);
  await cluster.running[1]!.whenReady();
  expect(await call(Auth.methods.AuthStatus, {}, {}, 1)).toMatchObject({ enabled: true, authRevision });
  expect(await refusal(KV.methods.Range, get('a'), { token: 'x.1' }, 1)).toEqual(badToken);
  await call(KV.methods.Range, get('a'), before, 0);
  await call(KV.methods.Range, get('a'), await tokenOf('alice', 1), 1);
});

// How the tests speak.

async function enable(): Promise<void> {
  await call(Auth.methods.UserAdd, AuthUserAddRequest.create({ name: 'root', password: 'root' }));
  await call(Auth.methods.RoleAdd, { name: 'root' });
  await call(Auth.methods.UserGrantRole, { user: 'root', role: 'root' });
  await call(Auth.methods.AuthEnable, {});
  root = await tokenOf('root');
}

/** Its password is its name. */
async function addUser(name: string, ...permissions: [PermissionType, string, string?][]): Promise<void> {
  const role = `role of ${name}`;
  await call(Auth.methods.UserAdd, AuthUserAddRequest.create({ name, password: name }), root);
  await call(Auth.methods.RoleAdd, { name: role }, root);
  for (const [permType, key, rangeEnd = ''] of permissions) {
    const perm = { permType, key: bytes(key), rangeEnd: bytes(rangeEnd) };
    await call(
      Auth.methods.RoleGrantPermission,
      AuthRoleGrantPermissionRequest.create({ name: role, perm }),
      root,
    );
  }
  await call(Auth.methods.UserGrantRole, { user: name, role }, root);
}

async function authenticate(name: string, password: string, member = 0) {
  return await call(Auth.methods.Authenticate, { name, password }, {}, member);
}

async function tokenOf(name: string, member = 0): Promise<Metadata> {
  return { token: (await authenticate(name, name, member)).token };
}

async function call<Request, Response>(
  method: MethodDescriptor<Request, Response, 'unary'>,
  request: Request,
  metadata: Metadata = {},
  member = 0,
): Promise<Response> {
  return await callUnary(cluster.channel(member), method, request, { metadata, timeoutMs: 60_000 });
}

/** Null: it was not refused. */
async function refusal<Request, Response>(
  method: MethodDescriptor<Request, Response, 'unary'>,
  request: Request,
  metadata: Metadata = {},
  member = 0,
): Promise<{ readonly status: number; readonly message: string } | null> {
  try {
    await call(method, request, metadata, member);
    return null;
  } catch (error) {
    const { status, message } = error as RpcError;
    return { status, message };
  }
}

async function keepAlive(id: bigint, metadata: Metadata): Promise<number> {
  const stream = openStream(cluster.channel(0), Lease.methods.LeaseKeepAlive, { metadata });
  stream.write({ id });
  const response = await stream.read();
  stream.cancel();
  return response!.ttl;
}

class TestWatch {
  readonly #stream;

  constructor(metadata: Metadata, member = 0) {
    this.#stream = openStream<WatchRequest, WatchResponse>(cluster.channel(member), Watch.methods.Watch, {
      metadata,
    });
  }

  async create(key: string, rangeEnd = ''): Promise<WatchResponse> {
    const value = WatchCreateRequest.create({ key: bytes(key), rangeEnd: bytes(rangeEnd) });
    this.#stream.write({ requestUnion: { case: 'createRequest', value } });
    return await this.next();
  }

  async next(): Promise<WatchResponse> {
    return (await this.#stream.read()) as WatchResponse;
  }

  close(): void {
    this.#stream.cancel();
  }
}

function put(key: string, value = ''): PutRequest {
  return PutRequest.create({ key: bytes(key), value: bytes(value) });
}

function putOperation(key: string) {
  return { request: { case: 'requestPut' as const, value: put(key) } };
}

function get(key: string, rangeEnd = ''): RangeRequest {
  return RangeRequest.create({ key: bytes(key), rangeEnd: bytes(rangeEnd) });
}

function readTxn(key: string): TxnRequest {
  return TxnRequest.create({ success: [{ request: { case: 'requestRange', value: get(key) } }] });
}

function bytes(content: string): Uint8Array {
  return new Uint8Array(Buffer.from(content));
}

function text(content: Uint8Array): string {
  return Buffer.from(content).toString();
}
