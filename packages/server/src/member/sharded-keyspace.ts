import type { Database, KeyValueHash, RequestSession, ShardedContents } from '@flotilla/store';
import type { RangeRequest, RangeResponse, TxnRequest, TxnResponse } from '@flotilla/wire';
import type { StateFigures } from '../metrics/member-metrics.ts';
import type { ShardedBackend } from '../shards/sharded-backend.ts';
import type { Keyspace } from './keyspace.ts';
import type { ShardContents } from './member-operations.ts';

export interface ShardedKeyspaceParts {
  readonly database: Database;
  readonly shards: ShardedBackend;
  /** What a failure is to clients. `startMs`: since when it was waited for. */
  readonly inWords: (error: unknown, startMs: number) => unknown;
  readonly now: () => number;
}

/** That of many shards. What they fail with is told to clients as etcd says it. */
export class ShardedKeyspace implements Keyspace, ShardContents {
  readonly #parts: ShardedKeyspaceParts;
  readonly shards: ShardedBackend;

  constructor(parts: ShardedKeyspaceParts) {
    this.#parts = parts;
    this.shards = parts.shards;
  }

  get revision(): number {
    return this.shards.revision;
  }

  get compactRevision(): number {
    return this.shards.services.place.compactRevision;
  }

  get figures(): StateFigures {
    const { revision, compactRevision } = this;
    const { shards } = this;
    const { database } = this.#parts;
    return {
      revision,
      compactRevision,
      get keyCount() {
        return shards.keyCount;
      },
      get sessions() {
        return { ...database.stats.sessions, count: shards.sessionCount };
      },
    };
  }

  keysOfLease(id: bigint): Promise<readonly Uint8Array[]> {
    return this.#ask(() => this.shards.keysOfLease(id));
  }

  isSettled(session: RequestSession): Promise<boolean> {
    return this.#ask(() => this.shards.isSettled(session));
  }

  readBarrier(): Promise<void> {
    return this.shards.readBarrier();
  }

  range(request: RangeRequest): Promise<RangeResponse> {
    this.#parts.database.counts.ranges += 1;
    return this.#ask(() => this.shards.range(request));
  }

  async *rangePieces(request: RangeRequest): AsyncGenerator<RangeResponse> {
    const startMs = this.#parts.now();
    try {
      yield* this.shards.rangePieces(request);
    } catch (error) {
      throw this.#parts.inWords(error, startMs);
    }
  }

  async readTxn(request: TxnRequest): Promise<TxnResponse> {
    const response = await this.#ask(() => this.shards.readTxn(request));
    this.#parts.database.counts.ran(response);
    return response;
  }

  async compacted(revision: number): Promise<void> {
    await this.shards.compacted(revision);
    await this.#parts.database.compacted(revision);
  }

  hashKeyValues(revision: number): Promise<KeyValueHash> {
    return this.#ask(() => this.shards.hashKeyValues(revision));
  }

  withContents<Result>(use: (contents: ShardedContents) => Promise<Result>): Promise<Result> {
    return this.#ask(() => this.shards.withContents(use));
  }

  async #ask<Result>(question: () => Promise<Result>): Promise<Result> {
    const startMs = this.#parts.now();
    try {
      return await question();
    } catch (error) {
      throw this.#parts.inWords(error, startMs);
    }
  }
}
