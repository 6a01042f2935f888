import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Auth,
  AuthRoleGrantPermissionRequest,
  AuthUserAddRequest,
  callUnary,
  KV,
  type Metadata,
  type MethodDescriptor,
  PermissionType,
  PutRequest,
  type RpcError,
  type ServerCall,
} from '@flotilla/wire';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openJsonWebTokens } from '../src/node/auth/json-web-tokens.ts';
import { InProcessCluster } from './support/in-process.ts';

const old = { status: 3, message: 'etcdserver: revision of auth store is old' };
const badToken = { status: 16, message: 'etcdserver: invalid auth token' };

let directory: string;
let cluster: InProcessCluster;

/** Signed tokens, and clients' certificates as users. */
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'flotilla-test-auth-'));
  for (const name of ['own', 'other']) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(keyFile(name), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  }
  cluster = await InProcessCluster.start(1, {
    'bcrypt-cost': '4',
    'auth-token': `jwt,sign-method=ES256,priv-key=${keyFile('own')},ttl=1h`,
    'client-cert-auth': 'true',
  });
  for (const name of ['root', 'alice']) {
    await call(Auth.methods.UserAdd, AuthUserAddRequest.create({ name, password: name }));
  }
  await call(Auth.methods.RoleAdd, { name: 'writes' });
  const perm = { permType: PermissionType.WRITE, key: bytes('w'), rangeEnd: bytes('') };
  await call(
    Auth.methods.RoleGrantPermission,
    AuthRoleGrantPermissionRequest.create({ name: 'writes', perm }),
  );
  await call(Auth.methods.UserGrantRole, { user: 'alice', role: 'writes' });
  await call(Auth.methods.UserGrantRole, { user: 'root', role: 'root' });
  await call(Auth.methods.AuthEnable, {});
});

afterAll(async () => {
  await cluster.remove();
  rmSync(directory, { recursive: true, force: true });
});

test('a signed token is good until users or roles change, and its client is told to get another', async () => {
  const alice = await tokenOf('alice');
  const root = await tokenOf('root');
  expect(await refusal(KV.methods.Put, put('w'), alice)).toBeNull();
  await call(Auth.methods.RoleAdd, { name: 'another' }, root);
  expect(await refusal(KV.methods.Put, put('w'), alice)).toEqual(old);
  // As in etcd, what needs the role root goes by the roles of now.
  expect(await refusal(Auth.methods.RoleDelete, { role: 'another' }, root)).toBeNull();
  expect(await refusal(KV.methods.Put, put('w'), await tokenOf('alice'))).toBeNull();
});

test('a token that is signed by another key, or for what nobody is, opens nothing', async () => {
  const { authRevision } = await call(Auth.methods.AuthStatus, {});
  const claims = { user: 'root', authRevision: Number(authRevision) };
  const settings = { signMethod: 'ES256', publicKeyFile: '', lifetimeMs: 60_000 };
  const forged = await openJsonWebTokens({ ...settings, privateKeyFile: keyFile('other') }).sign(claims);
  expect(await refusal(KV.methods.Put, put('w'), { token: forged })).toEqual(badToken);
  const own = openJsonWebTokens({ ...settings, privateKeyFile: keyFile('own') });
  const expired = openJsonWebTokens({ ...settings, lifetimeMs: -1_000, privateKeyFile: keyFile('own') });
  expect(await refusal(KV.methods.Put, put('w'), { token: await expired.sign(claims) })).toEqual(badToken);
  const nobody = { token: await own.sign({ ...claims, user: 'nobody' }) };
  expect(await refusal(KV.methods.Put, put('w'), nobody)).toEqual({
    status: 7,
    message: 'etcdserver: permission denied',
  });
  const tomorrow = { token: await own.sign({ ...claims, authRevision: claims.authRevision + 1 }) };
  expect(await refusal(KV.methods.Put, put('w'), tomorrow)).toEqual(old);
  expect(await refusal(KV.methods.Put, put('w'), { token: await own.sign(claims) })).toBeNull();
});

test("a client without a token is the user that its certificate names, a token's user comes first", async () => {
  const { access } = cluster.running[0]!.backend;
  const { revision } = access.auth;
  const certified = callOf({}, 'alice');
  expect(access.identify(certified)).toEqual({ name: 'alice', authRevision: revision, token: null });
  expect(() => access.requireRoot(certified)).toThrow('etcdserver: permission denied');
  const { token } = await tokenOf('root');
  const both = callOf({ token }, 'alice');
  await access.prepare(both);
  expect(access.identify(both)).toEqual({ name: 'root', authRevision: revision, token });
  expect(access.identify(callOf({}, null))).toBeNull();
  // A gateway's certificate says who the gateway is, and not for whom it asks.
  expect(access.identify(callOf({ 'grpcgateway-accept': '*/*' }, 'alice'))).toBeNull();
  expect(() => access.identify(callOf({ token: 'x' }, 'alice'))).toThrow('etcdserver: invalid auth token');
});

test('whoever a certificate names is identified again when users change meanwhile; a signed token is not', async () => {
  const { access } = cluster.running[0]!.backend;
  const { token } = await tokenOf('alice');
  const byToken = callOf({ token }, null);
  await access.prepare(byToken);
  const certified = { user: access.identify(callOf({}, 'alice')), session: null };
  const signed = { user: access.identify(byToken), session: null };
  expect(access.renewed(certified)).toBeNull();
  await call(Auth.methods.RoleAdd, { name: 'one more' }, await tokenOf('root'));
  expect(access.renewed(certified)).toMatchObject({ user: { authRevision: access.auth.revision } });
  expect(access.renewed(signed)).toBeNull();
});

function callOf(metadata: Metadata, commonName: string | null): ServerCall {
  const identity =
    commonName === null ? null : { commonName, subjectAlternativeNames: [], serialNumbers: [] };
  return {
    path: '/etcdserverpb.KV/Put',
    metadata,
    peer: { remote: { host: '127.0.0.1', port: 1 }, identity },
    timeoutMs: null,
    cancelled: null,
    onCancelled: () => undefined,
  };
}

async function tokenOf(name: string): Promise<{ readonly token: string }> {
  const { token } = await call(Auth.methods.Authenticate, { name, password: name });
  return { token };
}

async function call<Request, Response>(
  method: MethodDescriptor<Request, Response, 'unary'>,
  request: Request,
  metadata: Metadata = {},
): Promise<Response> {
  return await callUnary(cluster.channel(0), method, request, { metadata, timeoutMs: 60_000 });
}

/** Null: it was not refused. */
async function refusal<Request, Response>(
  method: MethodDescriptor<Request, Response, 'unary'>,
  request: Request,
  metadata: Metadata,
): Promise<{ readonly status: number; readonly message: string } | null> {
  try {
    await call(method, request, metadata);
    return null;
  } catch (error) {
    const { status, message } = error as RpcError;
    return { status, message };
  }
}

function put(key: string): PutRequest {
  return PutRequest.create({ key: bytes(key) });
}

function keyFile(name: string): string {
  return join(directory, `${name}.pem`);
}

function bytes(content: string): Uint8Array {
  return new Uint8Array(Buffer.from(content));
}
