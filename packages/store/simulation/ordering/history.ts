import type { RangeRequest, RangeResponse } from '@flotilla/wire';
import type { ApplyResult } from '../../src/apply-result.ts';
import type { WriteRequest } from '../../src/shard/write-request.ts';

/** What clients did and were told. Times are those of the client. */
export interface WriteOperation {
  readonly kind: 'write';
  /** Session and request. */
  readonly name: string;
  readonly user: string | null;
  readonly write: WriteRequest;
  readonly startMs: number;
  endMs: number;
  answer: { readonly result: ApplyResult; readonly revision: number; readonly effective: boolean } | null;
}

export interface ReadOperation {
  readonly kind: 'read' | 'historic' | 'serializable';
  readonly request: RangeRequest;
  readonly startMs: number;
  readonly endMs: number;
  /** At which it was read. */
  readonly revision: number;
  /** Null: it was compacted. */
  readonly response: RangeResponse | null;
}

/** Of the order group. */
export interface AdminOperation {
  readonly kind: 'compact' | 'auth';
  readonly startMs: number;
  endMs: number;
  readonly revision: number;
  readonly user: string;
  readonly denied: boolean;
}

export interface OrderingHistory {
  readonly writes: Map<string, WriteOperation>;
  readonly reads: ReadOperation[];
  readonly admin: AdminOperation[];
}
