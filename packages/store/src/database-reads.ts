import type { Platform } from '@flotilla/platform';
import { etcdErrors, RangeResponse } from '@flotilla/wire';
import type { RangeRequest, TxnRequest, TxnResponse } from '@flotilla/wire';
import { BoltWriter } from './etcd-file/bolt-writer.ts';
import type { ByteSink } from './etcd-file/bolt-writer.ts';
import { ContentsHash } from './etcd-file/contents-hash.ts';
import { writeEtcdContents, writeShardedContents } from './etcd-file/etcd-contents.ts';
import type { BucketSink, EtcdClusterFacts, ShardedContents } from './etcd-file/etcd-contents.ts';
import { hashKeyValues, hashRevisionOf } from './hash/hash-kv.ts';
import type { KeyValueHash } from './hash/hash-kv.ts';
import { KeptHashes } from './hash/kept-hashes.ts';
import type { LeaseReader } from './leases/lease-records.ts';
import { limits } from './limits.ts';
import { header } from './mvcc/header.ts';
import type { LogPosition } from './mvcc/meta.ts';
import { Pinned } from './mvcc/pinned.ts';
import { RangeChunks } from './mvcc/range-chunks.ts';
import { range, RangeScan } from './mvcc/range.ts';
import type { ReadPoint } from './mvcc/range.ts';
import type { MultiVersionState } from './mvcc/state.ts';
import { readTxn } from './mvcc/txn.ts';
import type { OperationCounts } from './operation-counts.ts';
import type { OrderedStorage } from './storage.ts';

/** What reads need to know of a database. */
export interface ReadSource {
  readonly keys: MultiVersionState;
  /** What reads see: the live state, or the one before an install that has not finished. */
  readonly readable: ReadPoint;
  readonly applied: LogPosition;
  readonly leases: LeaseReader;
  readonly isInstalling: boolean;
  readonly isClosed: boolean;
}

/** Reads of a database's state as this member has it; long ones in slices, on views that outlive the turn. */
export class DatabaseReads {
  readonly #platform: Platform;
  readonly #storage: OrderedStorage;
  readonly #counts: OperationCounts;
  readonly #source: ReadSource;
  readonly #keptHashes = new KeptHashes();
  /** Reads under way that each hold a view of the storage. */
  #pinned = 0;

  constructor(platform: Platform, storage: OrderedStorage, counts: OperationCounts, source: ReadSource) {
    this.#platform = platform;
    this.#storage = storage;
    this.#counts = counts;
    this.#source = source;
  }

  range(request: RangeRequest): RangeResponse {
    this.#counts.ranges += 1;
    return range(this.#source.readable, request);
  }

  async rangeInSlices(request: RangeRequest): Promise<RangeResponse> {
    // While a snapshot is being installed reads are served from a view that may go at any turn.
    if (this.#source.isInstalling) return this.range(request);
    this.#counts.ranges += 1;
    const first = new RangeScan(this.#source.readable, request);
    if (first.step(limits.rangeSliceKeys)) return first.response();
    first.close();
    // Too long for one turn: once more from the start, on a view that outlives the turn.
    const pinned = this.#pin();
    try {
      const scan = new RangeScan(pinned, request);
      while (!scan.step(limits.rangeSliceKeys)) await this.#nextTurn();
      return scan.response();
    } finally {
      pinned.release();
    }
  }

  async *rangePieces(request: RangeRequest, pieceBytes: number): AsyncGenerator<RangeResponse> {
    const point = this.#pin();
    try {
      const chunks = new RangeChunks(point, request);
      let pieceKeys: number = limits.firstPieceKeys;
      for (;;) {
        const kvs = chunks.next(pieceKeys, pieceBytes);
        if (chunks.ended) {
          yield RangeResponse.create({ header: header(point.revision), kvs, ...chunks.outcome() });
          return;
        }
        yield RangeResponse.create({ kvs });
        const bytes = kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
        if (bytes > pieceBytes) pieceKeys = Math.max(1, pieceKeys >> 1);
        else if (2 * bytes <= pieceBytes) pieceKeys = Math.min(limits.rangeSliceKeys, 2 * pieceKeys);
        await this.#nextTurn();
      }
    } finally {
      point.release();
    }
  }

  txn(request: TxnRequest): TxnResponse {
    const response = readTxn(this.#source.readable, request);
    this.#counts.ran(response);
    return response;
  }

  async hashKeyValues(revision: number): Promise<KeyValueHash> {
    const { readable } = this.#source;
    const at = hashRevisionOf(readable, revision);
    const kept = this.#keptHashes.before(revision, readable.compactRevision);
    if (kept !== null) return { ...kept, revision: readable.revision };
    const pinned = this.#pin();
    try {
      const hash = await this.#inSlices(hashKeyValues(pinned, at));
      this.#keptHashes.keep(hash);
      return hash;
    } finally {
      pinned.release();
    }
  }

  async writeEtcdFile(
    sink: ByteSink,
    facts: EtcdClusterFacts,
    sharded: ShardedContents | null,
  ): Promise<number> {
    const file = new BoltWriter(sink);
    await this.#writeEtcdContents(file, facts, sharded);
    return file.finish();
  }

  async hashEtcdContents(facts: EtcdClusterFacts, sharded: ShardedContents | null): Promise<number> {
    const hash = new ContentsHash();
    await this.#writeEtcdContents(hash, facts, sharded);
    return hash.value;
  }

  async #writeEtcdContents(
    sink: BucketSink,
    facts: EtcdClusterFacts,
    sharded: ShardedContents | null,
  ): Promise<void> {
    const { applied } = this.#source;
    const point = this.#pin();
    try {
      const { leases } = this.#source;
      const source = { point, applied, facts, leases: sharded === null ? null : leases };
      if (sharded === null) await this.#inSlices(writeEtcdContents(sink, source));
      else await writeShardedContents(sink, source, sharded);
    } finally {
      point.release();
    }
  }

  /** A member that is being given a state has none to pin. */
  #pin(): Pinned {
    if (this.#source.isInstalling) throw etcdErrors.unhealthy;
    if (this.#pinned >= limits.pinnedReads) throw etcdErrors.tooManyRequests;
    this.#pinned += 1;
    return new Pinned(this.#source.keys, this.#storage, () => (this.#pinned -= 1));
  }

  /** Runs what yields often, with other work in between. */
  async #inSlices<Result>(steps: Generator<void, Result>): Promise<Result> {
    for (;;) {
      const startMs = this.#platform.now();
      for (let left = limits.keptRecordsSlice; left > 0; left -= 1) {
        const step = steps.next();
        if (step.done === true) return step.value;
        if (this.#platform.now() - startMs >= limits.sliceMs) break;
      }
      await this.#nextTurn();
      if (this.#source.isClosed) throw etcdErrors.stopped;
    }
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => this.#platform.defer(resolve));
  }
}
