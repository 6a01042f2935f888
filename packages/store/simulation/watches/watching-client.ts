import type { WatchEvent, WatchRecord, WatchRequest, WatchResponse } from '@flotilla/check';
import { EventType, type KeyValue, WatchCreateRequest, type WatchResponse as Response } from '@flotilla/wire';
import { bytesToString } from '../../src/bytes.ts';
import type { WatchStream } from '../../src/watch/stream.ts';
import type { OrderingWorld } from '../ordering/world.ts';
import type { NodeHub } from './node-hub.ts';

/** How a client watches: the range, and what of it. */
export type WatchShape = Pick<
  WatchCreateRequest,
  'key' | 'rangeEnd' | 'prevKv' | 'filters' | 'fragment' | 'progressNotify'
>;

interface OpenRecord {
  readonly request: WatchRequest;
  createdRevision: number;
  readonly responses: WatchResponse[];
  completeThrough: number;
}

/** One watch of one client, that goes on elsewhere, from the revision that it has reached, when its node is gone. */
export class WatchingClient {
  readonly records: OpenRecord[] = [];
  readonly #world: OrderingWorld;
  readonly #shape: WatchShape;
  readonly #name: string;
  #from: number;
  /** Everything up to here has come, and this is how it is known. */
  #last = 0;
  #stream: WatchStream | null = null;
  #hub: NodeHub | null = null;
  #slow = false;
  compacted = 0;
  progress = 0;

  constructor(world: OrderingWorld, shape: WatchShape, startRevision: number, name: string) {
    this.#world = world;
    this.#shape = shape;
    this.#from = startRevision;
    this.#name = name;
  }

  /** Whether everything up to a revision has come, as far as its node can tell. */
  hasAll(revision: number): boolean {
    return this.#last >= revision || this.#from > revision;
  }

  toString(): string {
    const watchers = [...(this.#stream?.watchers.values() ?? [])];
    return `${this.#name} has ${this.#last}, ${watchers.map(({ state, nextRevision }) => `${state} at ${nextRevision}`).join()}`;
  }

  get isConnected(): boolean {
    return this.#hub?.isUp === true;
  }

  ask(): void {
    this.#stream?.requestProgress();
  }

  be(slow: boolean): void {
    this.#slow = slow;
    if (!slow) this.#stream?.drained();
  }

  /** At a hub, from where it was. */
  connect(hub: NodeHub): void {
    if (this.isConnected) this.#stream?.close();
    this.#hub = hub;
    const { key, rangeEnd, prevKv, filters } = this.#shape;
    const record: OpenRecord = {
      request: {
        key: bytesToString(key),
        rangeEnd: bytesToString(rangeEnd),
        startRevision: this.#from,
        prevKv,
        noPut: filters.includes(0),
        noDelete: filters.includes(1),
      },
      createdRevision: 0,
      responses: [],
      completeThrough: 0,
    };
    this.records.push(record);
    const stream = hub.hub.open({
      send: (response) => {
        if (stream === this.#stream && hub.isUp) this.#take(hub, record, response);
        return !this.#slow;
      },
    });
    this.#stream = stream;
    stream.create(WatchCreateRequest.create({ ...this.#shape, startRevision: this.#from }));
  }

  #take(hub: NodeHub, record: OpenRecord, response: Response): void {
    const revision = response.header?.revision ?? 0;
    if (response.created) {
      record.createdRevision = revision;
      if (this.#from === 0) this.#reach(revision);
      return;
    }
    if (response.canceled) {
      this.compacted += 1;
      this.#world.coverage.count('watch cancelled by a compaction');
      this.#from = response.compactRevision;
      this.connect(hub);
      return;
    }
    record.responses.push({ revision, fragment: response.fragment, events: response.events.map(eventOf) });
    const last = response.events.at(-1)?.kv?.modRevision ?? revision;
    if (response.events.length === 0) this.progress += 1;
    if (!response.fragment) {
      record.completeThrough = last;
      this.#reach(last);
    }
  }

  #reach(revision: number): void {
    this.#last = revision;
    this.#from = revision + 1;
  }

  toRecords(): WatchRecord[] {
    return this.records.map((record, i) => ({ ...record, name: `${this.#name}.${i}` }));
  }
}

function eventOf({ type, kv, prevKv }: Response['events'][number]): WatchEvent {
  const { key, modRevision } = kv as KeyValue;
  const previous = prevKv === null ? null : plain(prevKv);
  if (type === EventType.DELETE) {
    return { type: 'delete', key: bytesToString(key), modRevision, prevKv: previous };
  }
  return { type: 'put', kv: plain(kv as KeyValue), prevKv: previous };
}

export function plain(kv: KeyValue): NonNullable<WatchEvent['prevKv']> {
  return { ...kv, key: bytesToString(kv.key), value: bytesToString(kv.value), lease: kv.lease };
}
