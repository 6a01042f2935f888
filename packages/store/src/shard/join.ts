import { unreachable } from '@flotilla/platform';
import { SortOrder, SortTarget } from '@flotilla/wire';
import type {
  DeleteRangeResponse,
  RangeRequest,
  RangeResponse,
  RequestOp,
  ResponseHeader,
  ResponseOp,
  TxnRequest,
  TxnResponse,
} from '@flotilla/wire';
import { compareBytes } from '../bytes.ts';
import { header } from '../mvcc/header.ts';
import { sortAndCut } from '../mvcc/range.ts';

/** At which revision a transaction took place, and whether that is its own. */
export interface TakenPlace {
  readonly revision: number;
  readonly effective: boolean;
}

/**
 * The answer of a transaction from those of its participants. Each has the shape of the request; at the place of an
 * operation that did not concern a participant there is nothing in its part.
 */
export function joinParts(
  request: TxnRequest,
  parts: readonly TxnResponse[],
  place: TakenPlace,
): TxnResponse {
  const response = new Joiner(place).txn(request, parts);
  return { ...response, header: header(place.revision) };
}

type Present = NonNullable<ResponseOp['response']>;

class Joiner {
  readonly #place: TakenPlace;
  /** Whether an operation so far has changed something, in whatever shard: later ones are answered at the new revision. */
  #changed = false;

  constructor(place: TakenPlace) {
    this.#place = place;
  }

  txn(request: TxnRequest, parts: readonly TxnResponse[]): TxnResponse {
    const succeeded = parts[0]?.succeeded === true;
    const operations = succeeded ? request.success : request.failure;
    const responses = operations.map((operation, place): ResponseOp => {
      const answers = parts.flatMap(({ responses: ofPart }) => {
        const response = ofPart[place]?.response ?? null;
        return response === null ? [] : [response];
      });
      return { response: this.#operation(operation, answers) };
    });
    return { header: header(0), succeeded, responses };
  }

  #operation({ request }: RequestOp, parts: readonly Present[]): ResponseOp['response'] {
    switch (request?.case) {
      case undefined:
        return null;
      case 'requestPut': {
        this.#changed = true;
        const [part] = parts;
        const prevKv = part?.case === 'responsePut' ? part.value.prevKv : null;
        return { case: 'responsePut', value: { header: this.#header(), prevKv } };
      }
      case 'requestTxn': {
        const answers = parts.flatMap((one) => (one.case === 'responseTxn' ? [one.value] : []));
        return { case: 'responseTxn', value: this.txn(request.value, answers) };
      }
      case 'requestDeleteRange': {
        const answers = parts.flatMap((one) => (one.case === 'responseDeleteRange' ? [one.value] : []));
        return { case: 'responseDeleteRange', value: this.#deletions(answers) };
      }
      case 'requestRange': {
        const answers = parts.flatMap((one) => (one.case === 'responseRange' ? [one.value] : []));
        return { case: 'responseRange', value: this.#ranges(request.value, answers) };
      }
      default:
        return unreachable(request);
    }
  }

  #deletions(parts: readonly DeleteRangeResponse[]): DeleteRangeResponse {
    const deleted = sum(parts.map((part) => part.deleted));
    if (deleted > 0) this.#changed = true;
    const prevKvs = parts.flatMap((part) => [...part.prevKvs]).sort((a, b) => compareBytes(a.key, b.key));
    return { header: this.#header(), deleted, prevKvs };
  }

  /** Parts in the order of their keys, then as one shard would have gone on: see `fragment.ts`. */
  #ranges(request: RangeRequest, parts: readonly RangeResponse[]): RangeResponse {
    const kvs = parts.flatMap((part) => [...part.kvs]).sort((a, b) => compareBytes(a.key, b.key));
    const descends = request.sortTarget === SortTarget.KEY && request.sortOrder === SortOrder.DESCEND;
    if (descends) kvs.reverse();
    const more = sortAndCut(kvs, request);
    return { header: this.#header(), kvs, more, count: sum(parts.map(({ count }) => count)) };
  }

  #header(): ResponseHeader {
    const { revision, effective } = this.#place;
    return header(effective && !this.#changed ? revision - 1 : revision);
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
