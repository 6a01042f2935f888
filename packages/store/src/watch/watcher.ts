import { FilterType } from '@flotilla/wire';
import type { Event, WatchCreateRequest } from '@flotilla/wire';
import { copyBytes } from '../bytes.ts';
import { keyRange } from '../mvcc/key-range.ts';
import type { KeyRange } from '../mvcc/key-range.ts';
import type { WatchedRange, WatchStream } from './stream.ts';

/**
 * Where a watcher stands:
 * - `synced`: it has been told everything up to the current revision and is fed as entries are applied;
 * - `behind`: it reads history from `nextRevision` on, in slices, as fast as its stream takes it;
 * - `gone`: cancelled.
 */
export type WatcherState = 'synced' | 'behind' | 'gone';

export class Watcher {
  readonly stream: WatchStream;
  readonly id: number;
  readonly range: KeyRange;
  readonly asked: WatchedRange;
  /** As it was asked for; 0: from now on. */
  readonly startRevision: number;
  readonly prevKv: boolean;
  readonly progressNotify: boolean;
  readonly fragment: boolean;
  readonly #puts: boolean;
  readonly #deletes: boolean;
  /** Nothing before it is of any interest to this watcher. */
  readonly firstRevision: number;
  state: WatcherState = 'behind';
  /** The least revision that it has not been told of. While synced, of use only when it is beyond the current one. */
  nextRevision: number;
  /** It was sent events since the last progress tick, which it can do without then. */
  recentlySent = false;
  /** Its part of history is being read elsewhere. */
  reading = false;
  /** It has more to read than those who are synced should wait for. */
  far = false;
  /** Nobody could be asked about its keys: not to be read before. */
  retryAtMs = 0;
  /** Events of the batch that is being matched. */
  batch: Event[] | null = null;
  batchBytes = 0;

  constructor(stream: WatchStream, id: number, request: WatchCreateRequest, nextRevision: number) {
    this.stream = stream;
    this.id = id;
    this.startRevision = request.startRevision;
    this.nextRevision = nextRevision;
    this.firstRevision = nextRevision;
    this.prevKv = request.prevKv;
    this.progressNotify = request.progressNotify;
    this.fragment = request.fragment;
    this.#puts = !request.filters.includes(FilterType.NOPUT);
    this.#deletes = !request.filters.includes(FilterType.NODELETE);
    this.range = watchRange(request);
    this.asked = watchedRange({ key: copyBytes(request.key), rangeEnd: copyBytes(request.rangeEnd) });
  }

  wants(deleted: boolean): boolean {
    return deleted ? this.#deletes : this.#puts;
  }
}

/** With a key, in a client's convention for ranges: who may watch is judged by what was asked for. */
export function watchedRange({ key, rangeEnd }: WatchedRange): WatchedRange {
  return { key: key.length === 0 ? smallestKey : key, rangeEnd };
}

const smallestKey = new Uint8Array(1);

/** No key means the smallest one. The watcher outlives the request, so it keeps copies. */
export function watchRange(request: WatchCreateRequest): KeyRange {
  const key = request.key.length === 0 ? new Uint8Array(1) : copyBytes(request.key);
  return keyRange(key, copyBytes(request.rangeEnd));
}
