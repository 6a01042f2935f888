import { unreachable } from '@flotilla/platform';
import { Compare, SortOrder, SortTarget } from '@flotilla/wire';
import type { RangeRequest, RequestOp, TxnRequest } from '@flotilla/wire';
import { scanLimit } from '../mvcc/range.ts';
import { intersection, type KeySpan, rangeEndOf, spanOf } from './key-span.ts';

/**
 * What of a transaction concerns the keys of one shard. It has the shape of the whole: what is elsewhere keeps its
 * place, so that votes and answers of the participants fit together.
 */
export function fragmentOf(request: TxnRequest, span: KeySpan): TxnRequest {
  return {
    compare: request.compare.map((compare) => clippedCompare(compare, span)),
    success: request.success.map((operation) => clippedOperation(operation, span)),
    failure: request.failure.map((operation) => clippedOperation(operation, span)),
  };
}

/** A key is never empty: this one says that the compare is another shard's. */
const elsewhereCompare: Compare = Compare.create({});
const elsewhere: RequestOp = { request: null };

function clippedCompare(compare: Compare, span: KeySpan): Compare {
  const bounds = clip(compare, span);
  // An empty range has no shard: whoever votes says the same of it.
  if (bounds === null) return spanOf(compare.key, compare.rangeEnd) === null ? compare : elsewhereCompare;
  return { ...compare, ...bounds };
}

function clippedOperation(operation: RequestOp, span: KeySpan): RequestOp {
  const { request } = operation;
  switch (request?.case) {
    case undefined:
      return elsewhere;
    case 'requestTxn':
      return { request: { case: 'requestTxn', value: fragmentOf(request.value, span) } };
    case 'requestPut':
      return clip({ key: request.value.key, rangeEnd: noEnd }, span) === null ? elsewhere : operation;
    case 'requestDeleteRange': {
      const bounds = clip(request.value, span);
      return bounds === null
        ? elsewhere
        : { request: { case: 'requestDeleteRange', value: { ...request.value, ...bounds } } };
    }
    case 'requestRange': {
      const bounds = clip(request.value, span);
      // That nothing is in an empty range any shard can say, and whether its revision can be read.
      if (bounds === null)
        return spanOf(request.value.key, request.value.rangeEnd) === null ? operation : elsewhere;
      return { request: { case: 'requestRange', value: partOfRange({ ...request.value, ...bounds }) } };
    }
    default:
      return unreachable(request);
  }
}

/** Sorting and limits are the whole answer's: a part has what either could let through. */
function partOfRange(request: RangeRequest): RangeRequest {
  const byKey = request.sortTarget === SortTarget.KEY;
  const limit = scanLimit(request);
  return {
    ...request,
    limit: limit === Number.MAX_SAFE_INTEGER ? 0 : limit,
    sortOrder: byKey ? request.sortOrder : SortOrder.NONE,
    sortTarget: SortTarget.KEY,
    // A sort by value needs the values.
    keysOnly: request.keysOnly && request.sortTarget !== SortTarget.VALUE,
  };
}

interface Bounds {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

function clip({ key, rangeEnd }: Bounds, span: KeySpan): Bounds | null {
  const whole = spanOf(key, rangeEnd);
  if (whole === null) return null;
  const part = intersection(whole, span);
  if (part === null) return null;
  return rangeEnd.length === 0 ? { key, rangeEnd } : { key: part.from, rangeEnd: rangeEndOf(part) };
}

const noEnd = new Uint8Array(0);
