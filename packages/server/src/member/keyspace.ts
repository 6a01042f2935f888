import type { RequestSession } from '@flotilla/store';
import type { RangeRequest, RangeResponse, TxnRequest, TxnResponse } from '@flotilla/wire';
import type { StateFigures } from '../metrics/member-metrics.ts';

/** All keys, in one group or in many shards: what reads and questions about requests are put to. */
export interface Keyspace {
  /** The newest that this member knows of. */
  readonly revision: number;
  /** Below it nothing can be read any more. */
  readonly compactRevision: number;
  readonly figures: StateFigures;
  /** A promise where they are elsewhere. */
  keysOfLease(id: bigint): readonly Uint8Array[] | Promise<readonly Uint8Array[]>;
  /** After a barrier: whether it was executed before, or will be refused. */
  isSettled(session: RequestSession): boolean | Promise<boolean>;
  readBarrier(): Promise<void>;
  range(request: RangeRequest): Promise<RangeResponse>;
  rangePieces(request: RangeRequest): AsyncIterable<RangeResponse>;
  readTxn(request: TxnRequest): TxnResponse | Promise<TxnResponse>;
  /** Resolves when nothing is left here that the compaction has to remove. */
  compacted(revision: number): Promise<void>;
}
