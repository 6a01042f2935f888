import {
  Auth,
  AuthRoleGrantPermissionRequest,
  AuthUserAddRequest,
  callUnary,
  type CallOptions,
  KV,
  openStream,
  PermissionType,
  PutRequest,
  Shards,
} from '@flotilla/wire';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { InProcessCluster } from './support/in-process.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const call: CallOptions = { timeoutMs: 60_000 };
const users = 8;
let cluster: InProcessCluster;

beforeAll(async () => {
  cluster = await InProcessCluster.start(1, { 'max-request-bytes': '4096' }, null);
  const begun = openStream(cluster.channel(0), Shards.methods.Begin, call);
  begun.write({ shards: 0, keys: [bytes('m')], replicas: 0 });
  begun.end();
  while ((await begun.read()) !== null);
});

afterAll(() => cluster.remove());

function grantPermission(name: string, key: string): Promise<unknown> {
  const perm = { permType: PermissionType.READWRITE, key: bytes(key), rangeEnd: new Uint8Array(0) };
  const request = AuthRoleGrantPermissionRequest.create({ name, perm });
  return callUnary(cluster.channel(0), Auth.methods.RoleGrantPermission, request, call);
}

it('a role of so many that a shard could not be told of its change is refused it, and all shards go on', async () => {
  const channel = cluster.channel(0);
  await callUnary(channel, Auth.methods.RoleAdd, { name: 'many' }, call);
  for (let i = 0; i < users; i += 1) {
    const user = AuthUserAddRequest.create({ name: `user ${i}`, options: { noPassword: true } });
    await callUnary(channel, Auth.methods.UserAdd, user, call);
    await callUnary(channel, Auth.methods.UserGrantRole, { user: user.name, role: 'many' }, call);
  }
  const granted = async (): Promise<number> => {
    for (let i = 0; ; i += 1) {
      try {
        await grantPermission('many', `${i} ${'k'.repeat(100)}`);
      } catch (error) {
        expect(error).toMatchObject({ status: 3, message: 'etcdserver: request is too large' });
        return i;
      }
    }
  };
  // Each permission is told eight times.
  expect(await granted()).toBe(4);
  for (const key of ['a', 'z']) {
    await callUnary(channel, KV.methods.Put, PutRequest.create({ key: bytes(key) }), call);
  }
  await callUnary(channel, Auth.methods.RoleDelete, { role: 'many' }, call);
  for (const key of ['a', 'z']) {
    await callUnary(channel, KV.methods.Put, PutRequest.create({ key: bytes(key) }), call);
  }
});
