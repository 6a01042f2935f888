import type { Database } from '@flotilla/store';
import type { World } from '@flotilla/sim';
import { EventType, WatchRequest, type WatchResponse } from '@flotilla/wire';
import { bytesOf } from '../cluster/etcd-messages.ts';
import { WrittenHistory } from '../cluster/written-history.ts';

/** Keys of leases begin with this. */
export const leasePrefix = 'L/';

export interface Deletion {
  readonly revision: number;
  /** Of the world, which no clock of a member knows: when the first member told it. */
  readonly timeMs: number;
}

/** When each key of a lease was deleted. Members are watched from inside, in each of their lives. */
export class LeaseHistory extends WrittenHistory {
  /** By key. */
  readonly deletions = new Map<string, Deletion>();
  readonly #world: World;

  constructor(world: World) {
    super(world);
    this.#world = world;
  }

  override follow(name: string, database: Database): void {
    super.follow(name, database);
    const stream = database.watches.open({
      send: (response) => {
        this.#take(response);
        return true;
      },
    });
    const value = {
      key: bytesOf(leasePrefix),
      rangeEnd: bytesOf('L0'),
      startRevision: 1,
      progressNotify: false,
      filters: [],
      prevKv: false,
      watchId: 0,
      fragment: false,
    };
    stream.request(WatchRequest.create({ requestUnion: { case: 'createRequest', value } }));
  }

  #take({ events }: WatchResponse): void {
    for (const { type, kv } of events) {
      if (type !== EventType.DELETE || kv === null) continue;
      const key = new TextDecoder().decode(kv.key);
      if (this.deletions.has(key)) continue;
      this.deletions.set(key, { revision: kv.modRevision, timeMs: this.#world.now });
    }
  }
}
