import { assert, unreachable } from '@flotilla/platform';
import { DeleteRangeRequest, EMPTY_LIST, etcdErrors, PutRequest } from '@flotilla/wire';
import type { DeleteRangeResponse, KeyValue, PutResponse, RangeRequest, RangeResponse } from '@flotilla/wire';
import type { ApplyResult } from '../apply-result.ts';
import { bytesToString } from '../bytes.ts';
import { limits } from '../limits.ts';
import { header } from '../mvcc/header.ts';
import { isEmpty, type KeyRange, keyRange } from '../mvcc/key-range.ts';
import { LayerStack } from '../mvcc/layer-stack.ts';
import { Layers } from '../mvcc/layers.ts';
import { range } from '../mvcc/range.ts';
import type { MultiVersionState } from '../mvcc/state.ts';
import { executeTxn, type TxnState } from '../mvcc/txn.ts';
import { WriteBuffer } from '../mvcc/write-buffer.ts';
import type { KeySpan } from './key-span.ts';
import { holdsKey } from './key-span.ts';
import { beforeOwn, ownRevision, pendingRevision } from './pending.ts';
import type { RequestOrigin } from './request-memory.ts';
import type { WriteRequest } from './write-request.ts';

/** What one write does to one key; value null: it deletes it. */
export interface KeyWrite {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
  readonly lease: bigint;
}

/** A write that was applied and has no revision yet. */
export interface PendingWrite {
  readonly seq: number;
  readonly origin: RequestOrigin;
  /** In the order in which they were made: that of the events. */
  readonly writes: readonly KeyWrite[];
  readonly bytes: number;
}

export interface Evaluation {
  /** Its revisions may be pending ones. */
  readonly result: ApplyResult;
  readonly effective: boolean;
}

/**
 * The writes of a shard that no cut has numbered, over the state that is numbered. Requests are evaluated against
 * both as one; a cut moves the oldest writes down. Bounded by `limits.overlayBytes`.
 */
export class Overlay implements TxnState {
  /** Null: nothing is pending, and nothing is looked at. */
  #layers: OverlaidLayers | null = null;
  readonly #numbered: MultiVersionState;
  readonly #leases: (id: bigint) => boolean;
  readonly #pending: PendingWrite[] = [];
  /** By key: the last seq that wrote it. */
  readonly #writers = new Map<string, number>();
  /** The last seq that was taken. */
  seq: number;
  /** The frontier that the shard's log knows. */
  known = 0;
  compactRevision = -1;
  bytes = 0;
  /** Of the request in evaluation. */
  #writes: KeyWrite[] = [];

  /** `hasLease`: whether a lease is registered here. */
  constructor(numbered: MultiVersionState, hasLease: (id: bigint) => boolean, seq = 0) {
    this.#numbered = numbered;
    this.#leases = hasLease;
    this.seq = seq;
  }

  /** Not to be kept, see {@link Overlay.rest}. */
  get layers(): OverlaidLayers {
    this.#layers ??= new OverlaidLayers(this.#numbered);
    return this.#layers;
  }

  /** The turn is over. An overlay with nothing in it lets go of the buffers that it lay over: a shard may rest for long. */
  rest(): void {
    if (this.#pending.length === 0) this.#layers = null;
  }

  get pending(): readonly PendingWrite[] {
    return this.#pending;
  }

  /** Evaluates a request and takes in what it writes. What is refused throws, and has changed nothing. */
  evaluate(origin: RequestOrigin, write: WriteRequest): Evaluation {
    this.layers.refresh();
    this.#writes = [];
    const result = this.#execute(write);
    const effective = this.#writes.length > 0;
    if (effective) this.#take(origin);
    return { result, effective };
  }

  /** The oldest pending write gets this revision. */
  number(revision: number): PendingWrite {
    const oldest = this.#pending.shift();
    assert(oldest !== undefined, 'a cut numbers writes that were applied');
    this.bytes -= oldest.bytes;
    const { seq, writes } = oldest;
    this.#numbered.skipTo(revision - 1);
    writeKeys(this.#numbered, writes);
    this.#numbered.end();
    for (const { key } of writes) this.#settle(key, seq, revision);
    return oldest;
  }

  /** Whether a key of the span has a version, or is absent, since a pending write. */
  touches(spans: readonly KeySpan[]): boolean {
    if (this.#pending.length === 0) return false;
    return spans.some(({ from, to }) => {
      const cursor = this.layers.active.latest.scan({ from, to, reverse: false });
      return cursor.key !== null;
    });
  }

  /** Takes in again what {@link pending} was when the state was written down. */
  restore(pending: readonly PendingWrite[]): void {
    const last = this.seq;
    for (const { seq, origin, writes } of pending) {
      this.seq = seq - 1;
      this.layers.refresh();
      this.#writes = [];
      for (const { key, value, lease } of writes) {
        if (value === null) this.executeDelete(DeleteRangeRequest.create({ key }));
        else this.executePut(PutRequest.create({ key, value, lease }));
      }
      this.#take(origin);
    }
    assert(this.seq === last || pending.length === 0, 'the last pending write has the last seq');
    this.seq = last;
  }

  // What a transaction is executed on.

  get revision(): number {
    return this.known;
  }

  checkPut(request: PutRequest): void {
    this.#requirePrevious(request);
    this.#requireLease(request);
  }

  executePut(request: PutRequest): PutResponse {
    const previous = this.layers.latest(request.key);
    const revision = pendingRevision(this.seq + 1);
    const kv: KeyValue = {
      key: request.key,
      createRevision: previous === null ? revision : previous.createRevision,
      modRevision: revision,
      version: previous === null ? 1 : previous.version + 1,
      value: request.ignoreValue ? (previous as KeyValue).value : request.value,
      lease: request.ignoreLease ? (previous as KeyValue).lease : request.lease,
    };
    this.#set(kv.key, kv);
    return { header: header(ownRevision), prevKv: request.prevKv ? previous : null };
  }

  executeDelete(request: DeleteRangeRequest): DeleteRangeResponse {
    const victims = this.#inRange(request);
    for (const { key } of victims) this.#set(key, null);
    return {
      header: header(this.#readRevision),
      deleted: victims.length,
      prevKvs: request.prevKv ? victims : EMPTY_LIST,
    };
  }

  executeRange(request: RangeRequest): RangeResponse {
    const { known, compactRevision } = this;
    // What an explicit revision can name is numbered.
    const layers = request.revision === 0 ? this.layers : this.#numbered.layers;
    const response = range({ layers, compactRevision, revision: known }, request);
    return { ...response, header: header(this.#readRevision) };
  }

  end(): void {
    // Its seq is taken when the response is there.
  }

  get #readRevision(): number {
    return this.#writes.length > 0 ? ownRevision : beforeOwn;
  }

  #execute(write: WriteRequest): ApplyResult {
    switch (write.kind) {
      case 'put':
        this.#requireLease(write.request);
        this.#requirePrevious(write.request);
        return { kind: 'put', response: this.executePut(write.request) };
      case 'delete-range':
        return { kind: 'delete-range', response: this.executeDelete(write.request) };
      case 'txn': {
        const response = executeTxn(this, write.request);
        return { kind: 'txn', response: { ...response, header: header(ownRevision) } };
      }
      default:
        return unreachable(write);
    }
  }

  #requirePrevious({ key, ignoreValue, ignoreLease }: PutRequest): void {
    if ((ignoreValue || ignoreLease) && this.layers.latest(key) === null) throw etcdErrors.keyNotFound;
  }

  #requireLease({ lease }: PutRequest): void {
    if (lease !== 0n && !this.#leases(lease)) throw etcdErrors.leaseNotFound;
  }

  #inRange(request: DeleteRangeRequest): KeyValue[] {
    const bounds = keyRange(request.key, request.rangeEnd);
    if (bounds.single) {
      const kv = this.layers.latest(bounds.from);
      return kv === null ? [] : [kv];
    }
    const kvs: KeyValue[] = [];
    if (isEmpty(bounds)) return kvs;
    const cursor = this.layers.scanLatest({ from: bounds.from, to: bounds.to, reverse: false });
    for (; cursor.key !== null; cursor.advance()) kvs.push(cursor.value);
    return kvs;
  }

  #set(key: Uint8Array, kv: KeyValue | null): void {
    this.layers.active.latest.set(key, kv);
    this.#writes.push({ key, value: kv === null ? null : kv.value, lease: kv === null ? 0n : kv.lease });
  }

  #take(origin: RequestOrigin): void {
    const seq = this.seq + 1;
    const writes = this.#writes;
    let bytes = 0;
    for (const { key, value } of writes) {
      bytes += key.length + (value === null ? 0 : value.length) + limits.bufferedRecordBytes;
      this.#writers.set(bytesToString(key), seq);
    }
    this.seq = seq;
    this.bytes += bytes;
    this.#pending.push({ seq, origin, writes, bytes });
    this.#writes = [];
  }

  /** A write of `key` is numbered now: the pending version is the numbered one, or younger than it. */
  #settle(key: Uint8Array, seq: number, revision: number): void {
    const name = bytesToString(key);
    const { latest } = this.layers.active;
    if (this.#writers.get(name) === seq) {
      this.#writers.delete(name);
      latest.delete(key);
      return;
    }
    const younger = latest.get(key);
    if (younger === undefined || younger === null || younger.createRevision !== pendingRevision(seq)) return;
    latest.set(key, { ...younger, createRevision: revision });
  }
}

/** Writes that were decided upon, as changes of one revision. */
export function writeKeys(state: MultiVersionState, writes: readonly KeyWrite[]): void {
  for (const { key, value, lease } of writes) {
    if (value === null) state.executeDelete(DeleteRangeRequest.create({ key }));
    else state.executePut(PutRequest.create({ key, value, lease }));
  }
}

/** The pending writes over whatever the numbered state is made of at the moment. */
export class OverlaidLayers extends Layers {
  readonly #numbered: MultiVersionState;

  constructor(numbered: MultiVersionState) {
    const { storage, scope } = numbered.layers;
    super(new LayerStack(new WriteBuffer(), [], storage), scope);
    this.#numbered = numbered;
    this.refresh();
  }

  /** The numbered state may have frozen its buffers since, or begun a new one. */
  refresh(): void {
    const { active, frozen } = this.#numbered.layers;
    if (this.frozen[0] === active && this.frozen.length === frozen.length + 1) return;
    this.stack.frozen = [active, ...frozen];
  }

  override get counted(): Layers {
    return this.#numbered.layers;
  }

  override uncounted({ from, to }: KeyRange): number {
    let count = 0;
    const cursor = this.active.latest.scan({ from, to, reverse: false });
    for (; cursor.key !== null; cursor.advance()) {
      if (cursor.value !== null) count += 1;
      if (this.#numbered.layers.latest(cursor.key) !== null) count -= 1;
    }
    return count;
  }
}

/** Keys of the span that go with a lease, pending writes included, in their order. */
export function leasedKeys(
  overlay: Overlay | null,
  attached: readonly Uint8Array[],
  lease: bigint,
  span: KeySpan,
): Uint8Array[] {
  const keys = attached.filter((key) => holdsKey(span, key));
  if (overlay === null) return keys;
  const { layers } = overlay;
  layers.refresh();
  const kept = keys.filter((key) => layers.latest(key)?.lease === lease);
  for (const { writes } of overlay.pending) {
    for (const { key } of writes) {
      if (layers.latest(key)?.lease !== lease) continue;
      if (!kept.some((known) => bytesToString(known) === bytesToString(key))) kept.push(key);
    }
  }
  return kept.sort((a, b) => (bytesToString(a) < bytesToString(b) ? -1 : 1));
}
