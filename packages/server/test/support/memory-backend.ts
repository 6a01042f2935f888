import { ShardedBackend, type ShardedBackendParts } from '../../src/shards/sharded-backend.ts';
import type { MemoryNode, MemoryShards } from './memory-shards.ts';

/** The API of one node of shards in memory. Nobody is asked who it is, unless the test says who may do what. */
export function backendOf(
  { platform }: Pick<MemoryShards, 'platform'>,
  node: MemoryNode,
  parts: Partial<Omit<ShardedBackendParts, 'node' | 'platform'>> = {},
): ShardedBackend {
  return new ShardedBackend({
    platform,
    node,
    timeoutMs: 5_000,
    pieceBytes: 1_000,
    isCurrent: () => false,
    renewed: () => null,
    mayEverything: () => false,
    requireKeys: () => undefined,
    ...parts,
  });
}
