import {
  AlarmAction,
  AlarmType,
  Auth,
  AuthEnableRequest,
  callUnary,
  Cluster,
  CompactionRequest,
  DeleteRangeRequest,
  DowngradeAction,
  Election,
  KV,
  Lease,
  Lock,
  Maintenance,
  type MethodDescriptor,
  PermissionType,
  PutRequest,
  TxnRequest,
} from '@flotilla/wire';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InProcessCluster } from './support/in-process.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const none = bytes('');

let cluster: InProcessCluster;
let request = 0;
let memberId: bigint;
let leader: {
  readonly name: Uint8Array;
  readonly key: Uint8Array;
  readonly rev: number;
  readonly lease: bigint;
};

beforeAll(async () => {
  cluster = await InProcessCluster.start(1, { 'max-learners': '3' });
  await ask(KV.methods.Txn, TxnRequest.create({}), ++request);
  await call(Lease.methods.LeaseGrant, { id: 7n, ttl: 600 });
  ({ leader } = (await call(Election.methods.Campaign, {
    name: bytes('race'),
    lease: 7n,
    value: bytes('one'),
  })) as unknown as { leader: typeof leader });
});

afterAll(async () => {
  await cluster.remove();
});

type Unary<Request, Response> = MethodDescriptor<Request, Response, 'unary'>;

function call<Request, Response>(method: Unary<Request, Response>, message: Request): Promise<Response> {
  return callUnary(cluster.channel(0), method, message, { timeoutMs: 60_000 });
}

function ask<Request, Response>(
  method: Unary<Request, Response>,
  message: Request,
  number: number,
): Promise<Response> {
  const metadata = { 'flotilla-session': 'every-rpc', 'flotilla-request': String(number) };
  return callUnary(cluster.channel(0), method, message, { metadata, timeoutMs: 60_000 });
}

/** A request that does something, and whose second execution would do or answer something else. */
type Entry = [string, () => Promise<unknown>];

function entry<Request, Response>(method: Unary<Request, Response>, message: () => Request): Entry {
  return [
    method.path,
    async () => {
      request += 1;
      const first = await ask(method, message(), request);
      const again = await ask(method, message(), request);
      expect(again).toEqual(first);
      return first;
    },
  ];
}

const put = (key: string) => PutRequest.create({ key: bytes(key), value: bytes('1'), prevKv: true });
const perm = { permType: PermissionType.READ, key: bytes('a'), rangeEnd: none };
const user = { name: 'u', password: 'p', options: null, hashedPassword: '' };
const root = { name: 'root', password: 'p', options: null, hashedPassword: '' };

const entries: readonly Entry[] = [
  entry(KV.methods.Put, () => put('a')),
  entry(KV.methods.Txn, () =>
    TxnRequest.create({ success: [{ request: { case: 'requestPut', value: put('a') } }] }),
  ),
  entry(KV.methods.DeleteRange, () => DeleteRangeRequest.create({ key: bytes('a') })),
  entry(KV.methods.Compact, () => CompactionRequest.create({ revision: 3 })),
  entry(Lease.methods.LeaseGrant, () => ({ id: 0n, ttl: 600 })),
  entry(Lease.methods.LeaseGrant, () => ({ id: 9n, ttl: 600 })),
  entry(Lease.methods.LeaseRevoke, () => ({ id: 9n })),
  entry(Election.methods.Proclaim, () => ({ leader, value: bytes('two') })),
  entry(Election.methods.Resign, () => ({ leader })),
  entry(Lock.methods.Unlock, () => ({ key: leader.key })),
  entry(Maintenance.methods.Alarm, () => ({
    action: AlarmAction.ACTIVATE,
    memberId: 5n,
    alarm: AlarmType.CORRUPT,
  })),
  entry(Maintenance.methods.Alarm, () => ({
    action: AlarmAction.DEACTIVATE,
    memberId: 5n,
    alarm: AlarmType.CORRUPT,
  })),
  entry(Maintenance.methods.Downgrade, () => ({ action: DowngradeAction.ENABLE, version: '3.6' })),
  entry(Maintenance.methods.Downgrade, () => ({ action: DowngradeAction.CANCEL, version: '' })),
  [
    Cluster.methods.MemberAdd.path,
    async () => {
      const added = { peerUrls: ['http://127.0.0.1:1'], isLearner: true };
      const [, add] = entry(Cluster.methods.MemberAdd, () => added);
      ({ id: memberId } = ((await add()) as { member: { id: bigint } }).member);
    },
  ],
  entry(Cluster.methods.MemberUpdate, () => ({ id: memberId, peerUrls: ['http://127.0.0.1:2'] })),
  entry(Cluster.methods.MemberRemove, () => ({ id: memberId })),
  entry(Auth.methods.UserAdd, () => user),
  entry(Auth.methods.UserChangePassword, () => ({ name: 'u', password: 'q', hashedPassword: '' })),
  entry(Auth.methods.RoleAdd, () => ({ name: 'r' })),
  entry(Auth.methods.RoleGrantPermission, () => ({ name: 'r', perm })),
  entry(Auth.methods.UserGrantRole, () => ({ user: 'u', role: 'r' })),
  entry(Auth.methods.UserRevokeRole, () => ({ name: 'u', role: 'r' })),
  entry(Auth.methods.RoleRevokePermission, () => ({ role: 'r', key: bytes('a'), rangeEnd: none })),
  entry(Auth.methods.RoleDelete, () => ({ role: 'r' })),
  entry(Auth.methods.UserDelete, () => ({ name: 'u' })),
];

describe('with a session, a request that is sent again is answered as the first time, by', () => {
  test.each(entries)('%s', async (_path, run) => {
    await run();
  });

  test('a number stands for one request, whatever its kind', async () => {
    const used = 'flotilla: request number was used for another request';
    await expect(ask(Cluster.methods.MemberRemove, { id: memberId }, 2)).rejects.toThrow(used);
    await expect(ask(KV.methods.Put, put('b'), 2)).rejects.toThrow(used);
  });

  test('turning authentication on, by whom it is turned on', async () => {
    await call(Auth.methods.UserAdd, root);
    await call(Auth.methods.UserGrantRole, { user: 'root', role: 'root' });
    const [, enable] = entry(Auth.methods.AuthEnable, () => AuthEnableRequest.create({}));
    // The second try comes from nobody, who may not ask any more.
    await expect(enable()).rejects.toThrow('etcdserver: user name is empty');
  });
});
