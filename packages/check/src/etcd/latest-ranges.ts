import type { RangeRequest, RangeResult, TxnOperation, TxnResult } from './requests.ts';

/** A range that was read, whole and with its values, as of the transaction that it is in. */
export interface LatestRange {
  readonly request: RangeRequest;
  readonly result: RangeResult;
}

/** All of them that an answer has, those of nested transactions too, in the order in which they were read. */
export function latestRanges(request: TxnOperation, result: TxnResult): readonly LatestRange[] {
  if (request.type === 'range') {
    return result.type === 'range' && isWhole(request) ? [{ request, result }] : [];
  }
  if (request.type !== 'txn' || result.type !== 'txn') return [];
  const branch = result.succeeded ? request.success : request.failure;
  return branch.flatMap((operation, at) => {
    const nested = result.responses[at];
    return nested === undefined ? [] : latestRanges(operation, nested);
  });
}

function isWhole(request: RangeRequest): boolean {
  const { revision, limit, serializable, keysOnly, countOnly } = request;
  if (revision > 0 || limit > 0 || serializable || keysOnly || countOnly) return false;
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  return minModRevision + maxModRevision + minCreateRevision + maxCreateRevision === 0;
}
