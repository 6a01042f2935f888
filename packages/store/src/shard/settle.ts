import { unreachable } from '@flotilla/platform';
import type {
  DeleteRangeResponse,
  KeyValue,
  PutResponse,
  RangeResponse,
  ResponseHeader,
  ResponseOp,
  TxnResponse,
} from '@flotilla/wire';
import type { ApplyResult } from '../apply-result.ts';
import { beforeOwn, isPending, ownRevision, seqOf } from './pending.ts';

/** What the revisions are that an answer could not know when it was made. */
export interface Numbers {
  /** Of the request itself, or the one that it is answered at. */
  readonly own: number;
  /** Whether `own` is a revision that it took. */
  readonly effective: boolean;
  revisionOf(seq: number): number;
}

/** The answer with every revision known. */
export function settle(result: ApplyResult, numbers: Numbers): ApplyResult {
  const settler = new Settler(numbers);
  switch (result.kind) {
    case 'put':
      return { kind: 'put', response: settler.put(result.response) };
    case 'delete-range':
      return { kind: 'delete-range', response: settler.deleteRange(result.response) };
    case 'txn':
      return { kind: 'txn', response: settler.txn(result.response) };
    // Answers without versions of keys.
    case 'alarm':
    case 'auth':
    case 'authenticate':
    case 'cluster':
    case 'compact':
    case 'downgrade':
    case 'error':
    case 'lease-grant':
    case 'lease-renew':
    case 'lease-revoke':
    case 'none':
    case 'order':
      return result;
    default:
      return unreachable(result);
  }
}

class Settler {
  readonly #numbers: Numbers;

  constructor(numbers: Numbers) {
    this.#numbers = numbers;
  }

  put(response: PutResponse): PutResponse {
    return { header: this.#header(response.header), prevKv: this.#optional(response.prevKv) };
  }

  deleteRange({ header, deleted, prevKvs }: DeleteRangeResponse): DeleteRangeResponse {
    return { header: this.#header(header), deleted, prevKvs: this.#all(prevKvs) };
  }

  range(response: RangeResponse): RangeResponse {
    return { ...response, header: this.#header(response.header), kvs: this.#all(response.kvs) };
  }

  txn({ header, succeeded, responses }: TxnResponse): TxnResponse {
    return {
      header: this.#header(header),
      succeeded,
      responses: responses.map((one) => this.#operation(one)),
    };
  }

  #operation({ response }: ResponseOp): ResponseOp {
    switch (response?.case) {
      case 'responsePut':
        return { response: { case: 'responsePut', value: this.put(response.value) } };
      case 'responseDeleteRange':
        return { response: { case: 'responseDeleteRange', value: this.deleteRange(response.value) } };
      case 'responseRange':
        return { response: { case: 'responseRange', value: this.range(response.value) } };
      case 'responseTxn':
        return { response: { case: 'responseTxn', value: this.txn(response.value) } };
      case undefined:
        return { response: null };
      default:
        return unreachable(response);
    }
  }

  #header(header: ResponseHeader | null): ResponseHeader | null {
    return header === null ? null : { ...header, revision: this.#revision(header.revision) };
  }

  #all(kvs: readonly KeyValue[]): readonly KeyValue[] {
    return kvs.some((kv) => isPending(kv.modRevision)) ? kvs.map((kv) => this.#kv(kv)) : kvs;
  }

  #optional(kv: KeyValue | null): KeyValue | null {
    return kv === null ? null : this.#kv(kv);
  }

  #kv(kv: KeyValue): KeyValue {
    if (!isPending(kv.modRevision)) return kv;
    const modRevision = this.#revision(kv.modRevision);
    return { ...kv, modRevision, createRevision: this.#revision(kv.createRevision) };
  }

  #revision(revision: number): number {
    if (!isPending(revision)) return revision;
    const { own, effective } = this.#numbers;
    if (revision === ownRevision) return own;
    if (revision === beforeOwn) return effective ? own - 1 : own;
    return this.#numbers.revisionOf(seqOf(revision));
  }
}
