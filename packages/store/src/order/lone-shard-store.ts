import { assert } from '@flotilla/platform';
import type { LeaseRecords } from '../leases/lease-records.ts';
import type { MultiVersionState } from '../mvcc/state.ts';
import type { PinnedKeys, ShardStore } from '../shard/shard-store.ts';

/** Shard 0 of a database that has its storage to itself: it has every key, and there is no room for another shard. */
export class LoneShardStore implements ShardStore {
  readonly keys: MultiVersionState;
  readonly attachments: LeaseRecords;

  constructor(keys: MultiVersionState, attachments: LeaseRecords) {
    this.keys = keys;
    this.attachments = attachments;
  }

  fork(): ShardStore {
    return assert(false, 'shards share the store of a node') as never;
  }

  narrow(): void {
    assert(false, 'shards share the store of a node');
  }

  absorb(): void {
    assert(false, 'shards share the store of a node');
  }

  pin(): PinnedKeys {
    return assert(false, 'who reads while keys change has the store of a node') as never;
  }
}
