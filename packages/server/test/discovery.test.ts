import { nodePlatform } from '@flotilla/platform/node';
import { callUnary, KV, PutRequest } from '@flotilla/wire';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { InitialMember } from '../src/configuration/configuration.ts';
import { configure } from '../src/configuration/configuration.ts';
import type { DiscoverySettings } from '../src/configuration/discovery-settings.ts';
import { discoverCluster } from '../src/member/discovery.ts';
import { InProcessCluster } from './support/in-process.ts';

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const platform = nodePlatform({
  nodeName: 'test',
  logger: silent,
  onFatal: (error) => {
    throw error;
  },
});
let service: InProcessCluster;

beforeAll(async () => {
  service = await InProcessCluster.start(1);
});

afterAll(async () => {
  await service.remove();
});

async function put(key: string, value: string): Promise<void> {
  const [keyBytes, valueBytes] = [key, value].map((text) => new TextEncoder().encode(text));
  const request = PutRequest.create({ key: keyBytes as Uint8Array, value: valueBytes as Uint8Array });
  await callUnary(service.channel(0), KV.methods.Put, request);
}

function settings(token: string): DiscoverySettings {
  const flags = { 'discovery-endpoints': 'http://localhost:1', 'discovery-token': token };
  return configure(new Map(Object.entries(flags))).discovery as DiscoverySettings;
}

function discover(token: string, id: number): Promise<readonly InitialMember[]> {
  return discoverCluster(platform, service.channel(0), settings(token), {
    memberId: BigInt(id),
    name: `n${id}`,
    peerUrls: [`http://10.0.0.${id}:2380`, `http://10.0.1.${id}:2380`],
  });
}

test('members of a new cluster find each other by keys of another one, as those of etcd do', async () => {
  await put('/_etcd/registry/three/_config/size', '3');
  const found = await Promise.all([1, 10, 11].map((id) => discover('three', id)));
  expect(found[1]).toEqual(found[0]);
  expect(found[2]).toEqual(found[0]);
  const byName = [...(found[0] ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
  expect(byName).toEqual(
    [1, 10, 11].map((id) => ({
      name: `n${id}`,
      peerUrls: [`http://10.0.0.${id}:2380`, `http://10.0.1.${id}:2380`],
    })),
  );
  // One that comes back before it has data has its place still; there is none for another one.
  expect(await discover('three', 10)).toEqual(found[0]);
  await expect(discover('three', 12)).rejects.toMatchObject({
    code: 'FLOTILLA_DISCOVERY_FAILED',
    message: 'discovery: cluster is full',
  });
});

test('a size that is missing or none is said', async () => {
  await expect(discover('nobody', 1)).rejects.toThrow('discovery: size key not found');
  await put('/_etcd/registry/bad/_config/size', '0');
  await expect(discover('bad', 1)).rejects.toThrow('discovery: size key is bad');
});

test('the flags are those of etcd', () => {
  const from = (flags: Record<string, string>) => configure(new Map(Object.entries(flags)));
  const both = { 'discovery-endpoints': 'a:1,b:1', 'discovery-token': 't' };
  expect(from({}).discovery).toBeNull();
  expect(from(both)).toMatchObject({ discovery: { tls: null, user: null }, initialClusterToken: 't' });
  expect(from({ ...both, 'discovery-user': 'u:p:q' }).discovery?.user).toEqual({
    name: 'u',
    password: 'p:q',
  });
  expect(from({ ...both, 'discovery-insecure-transport': 'false' }).discovery?.tls?.verify).toBe(true);
  expect(() => from({ 'discovery-token': 't' })).toThrow(
    'both --discovery-token and --discovery-endpoints must be set',
  );
  expect(() => from({ ...both, 'initial-cluster': 'default=http://localhost:2380' })).toThrow(
    'multiple discovery or bootstrap flags are set',
  );
});
