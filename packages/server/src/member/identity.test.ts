import { expect, test } from 'vitest';
import { clusterIdentity } from './identity.ts';

test("the ids of a lone member on default settings are etcd's", () => {
  const identity = clusterIdentity(
    [{ name: 'default', peerUrls: ['http://localhost:2380'] }],
    'etcd-cluster',
  );
  expect(identity.clusterId).toBe(0xcdf818194e3a8c32n);
  expect(identity.members).toEqual([
    { nodeId: 1, memberId: 0x8e9e05c52164694dn, name: 'default', peerUrls: ['http://localhost:2380'] },
  ]);
});

test('the order in which members are named does not matter', () => {
  const a = { name: 'a', peerUrls: ['http://127.0.0.1:1', 'http://127.0.0.1:2'] };
  const b = { name: 'b', peerUrls: ['http://127.0.0.1:3'] };
  const reversed = { name: 'a', peerUrls: ['http://127.0.0.1:2', 'http://127.0.0.1:1'] };
  expect(clusterIdentity([b, a], 't')).toEqual(clusterIdentity([reversed, b], 't'));
  expect(clusterIdentity([a, b], 't').clusterId).not.toBe(clusterIdentity([a, b], 'u').clusterId);
});
