import { unreachable } from '@flotilla/platform';
import { type OrderEffect, type OrderEntry, orderShard, type ShardId } from '@flotilla/store';

/** The shards that an entry of the order may have said something to; null: any. */
export function shardsTold(
  entry: OrderEntry | null,
  effects: readonly OrderEffect[],
): readonly ShardId[] | null {
  switch (entry?.kind) {
    case 'own':
      return [orderShard];
    case 'cut': {
      const told = entry.counts.map(({ shard }) => shard);
      for (const effect of effects) {
        if (effect.kind === 'decided') told.push(...effect.decision.participants);
      }
      return told;
    }
    case 'range': {
      const { change } = entry;
      return change.kind === 'merge' ? [change.shard, change.into] : [change.shard];
    }
    case 'members':
    case 'register':
    case 'assign':
      return [entry.shard];
    case 'grant':
    case 'renew':
    case 'checkpoint':
    case 'begin':
    case 'node':
    case 'wish':
    case 'presplit':
      return nobody;
    // Users, compaction, sessions, and what becomes of leases.
    case 'revoke':
    case 'expire':
    case 'open-session':
    case 'expire-sessions':
    case 'compact':
    case undefined:
      return null;
    default:
      return unreachable(entry);
  }
}

const nobody: readonly ShardId[] = [];
