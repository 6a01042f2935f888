import { noOrigin } from '@flotilla/store';
import { PutRequest } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { type MemoryNode, MemoryShards } from '../../test/support/memory-shards.ts';
import { limits } from '../limits.ts';
import { SessionUses } from './session-uses.ts';
import { ShardedBackend } from './sharded-backend.ts';

const idleMs = 50;
const aWhileMs = limits.shardReadCallMs;

test('sessions that no member has seen used end, and no others', async () => {
  const shards = new MemoryShards(1, 3, ['m'], 2);
  const uses = shards.nodes.map((node) => new SessionUses({ platform: shards.platform, node, idleMs }));
  const [first] = shards.nodes as [MemoryNode];
  const idle: number = await shards.run(first.openSession('idle'));
  const busy: number = await shards.run(first.openSession('busy'));
  for (let i = 0; i < aWhileMs; i += 10) {
    uses[2]?.used(busy);
    await shards.platform.advance(10);
  }
  expect([...first.order.sessionNumbers]).toEqual([busy]);
  expect(idle).not.toBe(busy);
  for (const one of uses) one.stop();
});

test('while a member has not looked for long enough all of them live', async () => {
  const shards = new MemoryShards(1, 2, ['m'], 2);
  const { platform } = shards;
  const [first, second] = shards.nodes as [MemoryNode, MemoryNode];
  const one = new SessionUses({ platform, node: first, idleMs });
  await shards.run(first.openSession('idle'));
  await platform.advance(aWhileMs);
  // Nobody answers for the second member, and then it has only begun.
  expect([...first.order.sessionNumbers]).toHaveLength(1);
  const other = new SessionUses({ platform, node: second, idleMs });
  await platform.advance(idleMs - 10);
  expect([...first.order.sessionNumbers]).toHaveLength(1);
  await platform.advance(aWhileMs);
  expect([...first.order.sessionNumbers]).toHaveLength(0);
  one.stop();
  other.stop();
});

test('sessions that are used at a member without shards live', async () => {
  const shards = new MemoryShards(1, 3, [], 1);
  const uses = shards.nodes.map((node) => new SessionUses({ platform: shards.platform, node, idleMs }));
  const [first] = shards.nodes as [MemoryNode];
  const used = await shards.run(first.openSession('used'));
  for (const state of ['draining', 'left'] as const) {
    const { number: configuration } = first.order.configuration;
    await shards.run(first.propose({ kind: 'node', node: 3, state, zone: '', labels: [], configuration }));
  }
  expect(first.order.map.row(0)?.nodes).toEqual([1, 2]);
  for (let i = 0; i < aWhileMs; i += 10) {
    uses[2]?.used(used);
    await shards.platform.advance(10);
  }
  expect([...first.order.sessionNumbers]).toEqual([used]);
  for (const one of uses) one.stop();
});

test('a member whose session has ended goes on with another', async () => {
  const shards = new MemoryShards(1, 1, ['m'], 1);
  const [node] = shards.nodes as [MemoryNode];
  const parts = { platform: shards.platform, timeoutMs: 5_000, pieceBytes: 1_000 };
  const backend = new ShardedBackend({
    ...parts,
    node,
    isCurrent: () => false,
    renewed: () => null,
    mayEverything: () => false,
    requireKeys: () => undefined,
  });
  const request = PutRequest.encode(PutRequest.create({ key: Buffer.from('a') }));
  await shards.run(backend.execute('put', request, noOrigin));
  const sessions = [...node.order.sessionNumbers];
  await shards.run(node.propose({ kind: 'expire-sessions', sessions }));
  const result = await shards.run(backend.execute('put', request, noOrigin));
  expect(result).toMatchObject({ kind: 'put', response: { header: { revision: 3 } } });
  expect([...node.order.sessionNumbers]).not.toEqual(sessions);
});
