import { assert } from '@flotilla/platform';
import { CompactionResponse, EMPTY_LIST, etcdErrors } from '@flotilla/wire';
import type {
  CompactionRequest,
  DeleteRangeRequest,
  DeleteRangeResponse,
  KeyValue,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
} from '@flotilla/wire';
import type { StateSum } from '../hash/state-sum.ts';
import { limits } from '../limits.ts';
import { EventLog } from './event-log.ts';
import { header } from './header.ts';
import { KeyCounts } from './key-counts.ts';
import { isEmpty, keyRange } from './key-range.ts';
import { historyKey } from './keys.ts';
import type { Pending } from './layer-stack.ts';
import type { Layers } from './layers.ts';
import { range } from './range.ts';
import { PlacedVersion, versionBytes } from './records.ts';
import type { TxnState } from './txn.ts';

/** One change of one key, as watchers are told of it. */
export interface Change {
  readonly revision: number;
  /** The new version; of a deletion only key and `modRevision`. */
  readonly kv: KeyValue;
  readonly deleted: boolean;
  /** The version before it; null: the key was absent. */
  readonly previous: KeyValue | null;
}

export interface ChangeObserver {
  /** False: nobody wants to know, and nothing is allocated to tell. */
  readonly listening: boolean;
  changed(change: Change): void;
}

/** What keys need of leases. */
export interface LeaseBook {
  /** Throws what etcd answers to a put with a lease that is not there. */
  require(id: bigint): void;
  /** A key goes with the lease `to` from now on, and no longer with `from`. 0: with none. */
  moved(key: Uint8Array, from: bigint, to: bigint): void;
}

/** A record of another program's history, see {@link MultiVersionState.restore}. */
export interface RestoredChange {
  readonly revision: number;
  readonly sub: number;
  readonly deleted: boolean;
  readonly kv: KeyValue;
}

/** The numbers that stored state begins with. */
export interface StateSummary {
  readonly revision: number;
  readonly compactRevision: number;
  /** Compaction has removed what it must up to and including this revision. */
  readonly compactedThrough: number;
  /** Of all versions that are kept, see {@link versionBytes}. */
  readonly liveBytes: number;
}

/** An empty store is at revision 1, as etcd's; nothing was ever compacted. */
export const emptySummary: StateSummary = {
  revision: 1,
  compactRevision: -1,
  compactedThrough: 0,
  liveBytes: 0,
};

/**
 * The multi-version map of etcd: every effective write takes the next revision, and past versions stay readable until
 * they are compacted. Synchronous and deterministic; requests must have passed `validate.ts`.
 *
 * A write is `begin`, any number of changes, `end`: all of them carry one revision and are numbered by
 * sub-revisions. Nothing in between may fail, since there is no way back.
 */
export class MultiVersionState implements TxnState, Pending {
  readonly layers: Layers;
  revision: number;
  compactRevision: number;
  compactedThrough: number;
  /** What happened up to here, and what that replaced, may be gone already. Above it everything is there. */
  removedThrough: number;
  /**
   * What events up to and including this revision have replaced may have been removed already, at most once more than is
   * known: two shards were merged whose compaction had come differently far, or one was split in the middle of it.
   */
  unevenThrough = 0;
  /** Receives every change, in order, while it listens. */
  observer: ChangeObserver | null = null;
  /** Null: nobody sums. */
  sum: StateSum | null = null;
  /** Null: there are no leases, and nothing can be attached to one. */
  leases: LeaseBook | null = null;
  /** Of the next change within a transaction over several shards, see {@link EventRecord.place}. Null: there is none. */
  place: number | null = null;
  /** Null: none are cached. */
  #counts: KeyCounts | null = null;
  /** Null: no chunk is open. */
  #events: EventLog | null = null;
  #isSettled = true;
  #liveBytes: number;
  /** Changes in the write in progress. */
  #sub = 0;
  /** Where {@link restore} is. */
  #restored = { revision: 0, sub: 0, hasEvent: false };

  constructor(layers: Layers, summary: StateSummary) {
    this.layers = layers;
    this.revision = summary.revision;
    this.compactRevision = summary.compactRevision;
    this.compactedThrough = summary.compactedThrough;
    this.removedThrough = summary.compactRevision;
    this.#liveBytes = summary.liveBytes;
    layers.stack.liveBytes += summary.liveBytes;
    layers.pending = this;
  }

  /** Of all versions that are kept, see {@link versionBytes}. Of a shard that was split it is an estimate, and may be less than 0. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  set liveBytes(bytes: number) {
    this.layers.stack.liveBytes += bytes - this.#liveBytes;
    this.#liveBytes = bytes;
  }

  get counts(): KeyCounts {
    this.#counts ??= new KeyCounts(this.layers);
    return this.#counts;
  }

  get #log(): EventLog {
    this.#events ??= new EventLog(this.layers);
    return this.#events;
  }

  get summary(): StateSummary {
    const { revision, compactRevision, compactedThrough, liveBytes } = this;
    return { revision, compactRevision, compactedThrough, liveBytes };
  }

  settle(): void {
    if (this.#isSettled) return;
    this.#counts?.flush();
    this.#events?.seal();
    this.layers.stack.unsettled.delete(this);
    this.#isSettled = true;
  }

  /** Lets go of what is only there to be fast. */
  forgetCaches(): void {
    this.settle();
    this.#counts = null;
    this.#events = null;
  }

  /** Bucket descriptors that it keeps on the heap. */
  get cachedBuckets(): number {
    return this.#counts === null ? 0 : this.#counts.cachedBuckets;
  }

  #touch(): void {
    if (!this.#isSettled) return;
    this.#isSettled = false;
    this.layers.stack.unsettled.add(this);
  }

  // Requests that are one write each.

  put(request: PutRequest): PutResponse {
    // As in etcd: the lease first here, the key first in a transaction.
    this.#requireLease(request);
    this.#requirePrevious(request);
    const response = this.executePut(request);
    this.end();
    return response;
  }

  deleteRange(request: DeleteRangeRequest): DeleteRangeResponse {
    const response = this.executeDelete(request);
    this.end();
    return response;
  }

  /** Only sets the boundary: removing what lies below it is `compaction.ts`'s, in its own time. */
  compact(request: CompactionRequest): CompactionResponse {
    if (request.revision <= this.compactRevision) throw etcdErrors.compacted;
    if (request.revision > this.revision) throw etcdErrors.futureRevision;
    this.compactRevision = request.revision;
    return CompactionResponse.create({ header: header(this.revision) });
  }

  // Parts of a write. Checks come before the first change.

  /** Throws what etcd answers to a put of a transaction that the state does not allow. */
  checkPut(request: PutRequest): void {
    this.#requirePrevious(request);
    this.#requireLease(request);
  }

  #requirePrevious({ key, ignoreValue, ignoreLease }: PutRequest): void {
    if ((ignoreValue || ignoreLease) && this.layers.latest(key) === null) throw etcdErrors.keyNotFound;
  }

  #requireLease({ lease }: PutRequest): void {
    if (lease === 0n) return;
    if (this.leases === null) throw etcdErrors.leaseNotFound;
    this.leases.require(lease);
  }

  executePut(request: PutRequest): PutResponse {
    const previous = this.layers.latest(request.key);
    const revision = this.revision + 1;
    const kv: KeyValue = {
      key: request.key,
      createRevision: previous === null ? revision : previous.createRevision,
      modRevision: revision,
      version: previous === null ? 1 : previous.version + 1,
      value: request.ignoreValue ? (previous as KeyValue).value : request.value,
      lease: request.ignoreLease ? (previous as KeyValue).lease : request.lease,
    };
    this.#record(kv, false, previous);
    return { header: header(revision), prevKv: request.prevKv ? previous : null };
  }

  executeDelete(request: DeleteRangeRequest): DeleteRangeResponse {
    const victims = this.#inRange(request);
    for (const previous of victims) {
      const tombstone: KeyValue = {
        key: previous.key,
        createRevision: 0,
        modRevision: this.revision + 1,
        version: 0,
        value: noValue,
        lease: 0n,
      };
      this.#record(tombstone, true, previous);
    }
    return {
      header: header(this.readRevision),
      deleted: victims.length,
      prevKvs: request.prevKv ? victims : EMPTY_LIST,
    };
  }

  /**
   * Takes over what another program's history has at a place; places come in order. Nothing is numbered anew, and what
   * the compaction has made unreadable is not kept. An empty key stands for nothing but its revision.
   */
  restore({ revision, sub, deleted, kv }: RestoredChange): void {
    const last = this.#restored;
    const inOrder = revision === last.revision ? sub > last.sub : revision > last.revision;
    assert(inOrder, 'places come in order');
    const follows =
      revision === last.revision ? sub === last.sub + 1 : sub === 0 && revision === last.revision + 1;
    // Events of one chunk are numbered one by one.
    if (!follows || !last.hasEvent) this.#events?.seal();
    // A restore of etcd's that has raised the revision has left a record without a key, which no storage may be asked for.
    const previous = kv.key.length === 0 ? null : this.layers.latest(kv.key);
    const isChange = kv.key.length > 0 && !(deleted && previous === null);
    this.revision = revision - 1;
    this.#sub = sub;
    const version = deleted ? { ...kv, modRevision: revision } : kv;
    if (isChange && revision > this.compactRevision) this.#record(version, deleted, previous);
    else if (isChange) this.#recordCompacted(version, deleted, previous);
    // A watch may start there.
    const isBoundary = revision === this.compactRevision && kv.key.length > 0;
    if (isBoundary) this.#appendEvent(revision, sub, kv, deleted, null);
    this.#restored = { revision, sub, hasEvent: isBoundary || (isChange && revision > this.compactRevision) };
    this.revision = revision;
    this.#sub = 0;
  }

  /** Of a key whose older versions nobody can read. */
  #recordCompacted(kv: KeyValue, deleted: boolean, previous: KeyValue | null): void {
    const { active } = this.layers;
    active.latest.set(kv.key, deleted ? null : this.#placed(kv));
    active.bytes += kv.key.length + kv.value.length + limits.bufferedRecordBytes;
    if (previous !== null) this.liveBytes -= versionBytes(previous);
    if (!deleted) this.liveBytes += versionBytes(kv);
    const lease = previous === null ? 0n : previous.lease;
    if (lease !== kv.lease) this.leases?.moved(kv.key, lease, kv.lease);
    this.#touch();
    if (previous === null) this.counts.add(kv.key);
    else if (deleted) this.counts.remove(kv.key);
  }

  /** As the write in progress sees it: earlier changes of it included. */
  executeRange(request: RangeRequest): RangeResponse {
    const { layers, compactRevision } = this;
    return range({ layers, compactRevision, revision: this.readRevision }, request);
  }

  /** The newest revision that is readable: the write in progress's own, once it has changed something. */
  get readRevision(): number {
    return this.#sub > 0 ? this.revision + 1 : this.revision;
  }

  /** Revisions up to this one are taken, by writes of other shards. */
  skipTo(revision: number): void {
    assert(
      this.#sub === 0 && revision >= this.revision,
      'revisions are passed over between writes, forwards',
    );
    this.revision = revision;
  }

  /** Ends a write. One that changed nothing takes no revision. */
  end(): void {
    if (this.#sub === 0) return;
    this.revision += 1;
    this.#sub = 0;
  }

  /** Compaction's part: the place in the history of a version that nobody can read any more. It counts as live still. */
  forget(place: Uint8Array): void {
    const { active } = this.layers;
    active.history.set(place, null);
    active.bytes += place.length + limits.bufferedRecordBytes;
  }

  #inRange(request: DeleteRangeRequest): KeyValue[] {
    const { from, to, single } = keyRange(request.key, request.rangeEnd);
    if (single) {
      const kv = this.layers.latest(from);
      return kv === null ? [] : [kv];
    }
    const kvs: KeyValue[] = [];
    if (isEmpty({ from, to, single })) return kvs;
    const cursor = this.layers.scanLatest({ from, to, reverse: false });
    for (; cursor.key !== null; cursor.advance()) kvs.push(cursor.value);
    return kvs;
  }

  #appendEvent(
    revision: number,
    sub: number,
    { key }: KeyValue,
    deleted: boolean,
    previous: KeyValue | null,
  ): void {
    this.#touch();
    this.#log.append({
      revision,
      sub,
      deleted,
      created: previous === null,
      key,
      previousRevision: previous === null ? 0 : previous.modRevision,
      previousBytes: previous === null ? 0 : versionBytes(previous),
      place: this.place ?? sub,
    });
  }

  #placed(kv: KeyValue): KeyValue {
    const place = this.place ?? this.#sub;
    return place === 0 ? kv : new PlacedVersion(kv, place);
  }

  #record(kv: KeyValue, deleted: boolean, previous: KeyValue | null): void {
    const { key, modRevision } = kv;
    const { active } = this.layers;
    active.latest.set(key, deleted ? null : this.#placed(kv));
    this.sum?.replaced(previous, deleted ? null : kv);
    active.bytes += key.length + kv.value.length + limits.bufferedRecordBytes;
    if (!deleted) this.liveBytes += versionBytes(kv);
    if (previous !== null) {
      active.history.set(historyKey(key, previous.modRevision), { kv: previous, end: modRevision });
      active.bytes += key.length + previous.value.length + limits.bufferedRecordBytes;
    }
    const before = previous === null ? 0n : previous.lease;
    if (before !== kv.lease) this.leases?.moved(key, before, kv.lease);
    if (previous === null) this.counts.add(key);
    else if (deleted) this.counts.remove(key);
    this.#appendEvent(modRevision, this.#sub, kv, deleted, previous);
    this.#sub += 1;
    if (this.place !== null) this.place += 1;
    if (this.observer !== null && this.observer.listening) {
      this.observer.changed({ revision: modRevision, kv, deleted, previous });
    }
  }
}

const noValue = new Uint8Array(0);
