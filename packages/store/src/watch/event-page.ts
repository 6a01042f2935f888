import { EventType } from '@flotilla/wire';
import type { Event, KeyValue } from '@flotilla/wire';
import type { KeySpan } from '../shard/key-span.ts';
import type { ShardId } from '../shard/shard-entry.ts';
import type { PastEvent } from './history.ts';

/** Everything before the revision is known, and of the revision itself so many events of the spans that are asked for. */
export interface EventPosition {
  readonly revision: number;
  readonly skip: number;
}

/** What is asked of a replica of a shard. */
export interface EventRequest {
  readonly shard: ShardId;
  /** The replica must have applied this fact, see `OrderMachine.lastFact`. */
  readonly lastFact: number;
  readonly spans: readonly KeySpan[];
  readonly from: EventPosition;
  /** A revision; it is included. */
  readonly through: number;
  readonly previous: boolean;
  /** See `HistoryRequest.live`. */
  readonly live: boolean;
  readonly maxEvents: number;
  readonly maxBytes: number;
}

export type EventAnswer =
  /** In order. `next`: where to go on; null: that is all of them. */
  | { readonly kind: 'page'; readonly events: readonly ShardEvent[]; readonly next: EventPosition | null }
  /** It has not applied what it must have. */
  | { readonly kind: 'behind' }
  /** The keys, or some of them, are another shard's by now. */
  | { readonly kind: 'elsewhere' }
  | { readonly kind: 'compacted'; readonly revision: number };

/** One event of a shard, as it travels. */
export class ShardEvent implements PastEvent {
  /** Of a deletion only key and `modRevision`. */
  readonly kv: KeyValue;
  readonly deleted: boolean;
  readonly previous: KeyValue | null;
  /** See `EventRecord.place`. */
  readonly place: number;

  constructor(kv: KeyValue, deleted: boolean, previous: KeyValue | null, place: number) {
    this.kv = kv;
    this.deleted = deleted;
    this.previous = previous;
    this.place = place;
  }

  get key(): Uint8Array {
    return this.kv.key;
  }

  get revision(): number {
    return this.kv.modRevision;
  }

  get(prevKv: boolean): Event {
    const type = this.deleted ? EventType.DELETE : EventType.PUT;
    return { type, kv: this.kv, prevKv: prevKv ? this.previous : null };
  }
}
