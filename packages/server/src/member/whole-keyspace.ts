import type { Group } from '@flotilla/raft';
import type { ApplyResult, Database, RequestSession } from '@flotilla/store';
import type { RangeRequest, RangeResponse, TxnRequest, TxnResponse } from '@flotilla/wire';
import type { StateFigures } from '../metrics/member-metrics.ts';
import type { Keyspace } from './keyspace.ts';

export interface WholeKeyspaceParts {
  readonly database: Database;
  readonly group: Pick<Group<ApplyResult>, 'readBarrier'>;
  readonly timeout: { readonly timeoutMs: number };
  /** Of a streamed range. */
  readonly pieceBytes: number;
}

/** That of a cluster that was never sharded: group 0 has every key. */
export class WholeKeyspace implements Keyspace {
  readonly #parts: WholeKeyspaceParts;
  readonly #database: Database;

  constructor(parts: WholeKeyspaceParts) {
    this.#parts = parts;
    this.#database = parts.database;
  }

  get revision(): number {
    return this.#database.revision;
  }

  get compactRevision(): number {
    return this.#database.compactRevision;
  }

  get figures(): StateFigures {
    const database = this.#database;
    const { revision, compactRevision } = database;
    return {
      revision,
      compactRevision,
      get keyCount() {
        return database.keyCount;
      },
      get sessions() {
        return database.stats.sessions;
      },
    };
  }

  keysOfLease(id: bigint): readonly Uint8Array[] {
    return this.#database.leases.keysOf(id);
  }

  isSettled(session: RequestSession): boolean {
    return this.#database.settles(session);
  }

  async readBarrier(): Promise<void> {
    await this.#parts.group.readBarrier(this.#parts.timeout);
  }

  range(request: RangeRequest): Promise<RangeResponse> {
    return this.#database.rangeInSlices(request);
  }

  rangePieces(request: RangeRequest): AsyncIterable<RangeResponse> {
    return this.#database.rangePieces(request, this.#parts.pieceBytes);
  }

  readTxn(request: TxnRequest): TxnResponse {
    return this.#database.txn(request);
  }

  compacted(revision: number): Promise<void> {
    return this.#database.compacted(revision);
  }
}
