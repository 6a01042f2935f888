import { unreachable } from '@flotilla/platform';
import { CompareTarget, TxnRequest } from '@flotilla/wire';
import type { Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp } from '@flotilla/wire';
import { type KeySpan, spanOf } from './key-span.ts';

/** What a client wants written, as `validate.ts` has let it pass. */
export type WriteRequest =
  | { readonly kind: 'put'; readonly request: PutRequest }
  | { readonly kind: 'delete-range'; readonly request: DeleteRangeRequest }
  | { readonly kind: 'txn'; readonly request: TxnRequest };

/** What a request could touch, whatever branches it takes. */
export interface Footprint {
  readonly spans: readonly KeySpan[];
  /** That its puts name. */
  readonly leases: readonly bigint[];
  /** The greatest revision that a compare or a filter of a range names; 0: none does. */
  readonly horizon: number;
  /** The greatest and the least revision that a range wants to be read at; 0: all read the latest. */
  readonly newestRead: number;
  readonly oldestRead: number;
  /**
   * Whether it puts keys and leaves keys out of its ranges by their revisions. Which revision its own keys have must be
   * known for that: in a shard that does not count revisions itself it is only where it is decided upon.
   */
  readonly filtersOwn: boolean;
  /** What its keys and values take. */
  readonly bytes: number;
}

export function footprintOf(write: WriteRequest): Footprint {
  const collector = new Collector();
  switch (write.kind) {
    case 'put':
      collector.put(write.request);
      break;
    case 'delete-range':
      collector.span(write.request.key, write.request.rangeEnd);
      break;
    case 'txn':
      collector.txn(write.request);
      break;
    default:
      unreachable(write);
  }
  return collector;
}

/** The same request as a transaction, for those that several shards take part in. */
export function asTxn(write: WriteRequest): TxnRequest {
  switch (write.kind) {
    case 'txn':
      return write.request;
    case 'put':
      return TxnRequest.create({ success: [{ request: { case: 'requestPut', value: write.request } }] });
    case 'delete-range':
      return TxnRequest.create({
        success: [{ request: { case: 'requestDeleteRange', value: write.request } }],
      });
    default:
      return unreachable(write);
  }
}

class Collector implements Footprint {
  readonly spans: KeySpan[] = [];
  readonly leases: bigint[] = [];
  horizon = 0;
  newestRead = 0;
  oldestRead = 0;
  bytes = 0;
  #puts = false;
  #filters = false;

  get filtersOwn(): boolean {
    return this.#puts && this.#filters;
  }

  txn({ compare, success, failure }: TxnRequest): void {
    for (const one of compare) this.#compare(one);
    for (const operation of success) this.#operation(operation);
    for (const operation of failure) this.#operation(operation);
  }

  put({ key, value, lease }: PutRequest): void {
    this.#puts = true;
    this.bytes += value.length;
    this.span(key, noEnd);
    if (lease !== 0n && !this.leases.includes(lease)) this.leases.push(lease);
  }

  span(key: Uint8Array, rangeEnd: Uint8Array): void {
    const span = spanOf(key, rangeEnd);
    this.bytes += key.length + rangeEnd.length;
    if (span !== null) this.spans.push(span);
  }

  #compare({ key, rangeEnd, target, targetUnion }: Compare): void {
    // In a fragment: a compare that other shards make.
    if (key.length === 0) return;
    this.span(key, rangeEnd);
    const isOfRevision = target === CompareTarget.MOD || target === CompareTarget.CREATE;
    if (!isOfRevision || targetUnion === null) return;
    if (targetUnion.case === 'modRevision' || targetUnion.case === 'createRevision') {
      this.horizon = Math.max(this.horizon, targetUnion.value);
    }
  }

  #operation({ request }: RequestOp): void {
    switch (request?.case) {
      case 'requestPut':
        return this.put(request.value);
      case 'requestDeleteRange':
        return this.span(request.value.key, request.value.rangeEnd);
      case 'requestRange':
        return this.#range(request.value);
      case 'requestTxn':
        return this.txn(request.value);
      case undefined:
        return;
      default:
        return unreachable(request);
    }
  }

  #range(request: RangeRequest): void {
    this.span(request.key, request.rangeEnd);
    const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision, revision } = request;
    const filter = Math.max(minModRevision, maxModRevision, minCreateRevision, maxCreateRevision);
    this.horizon = Math.max(this.horizon, filter);
    this.#filters ||= filter > 0;
    // Below 0 it is the latest, too, unless it is refused.
    if (revision <= 0) return;
    this.newestRead = Math.max(this.newestRead, revision);
    this.oldestRead = this.oldestRead === 0 ? revision : Math.min(this.oldestRead, revision);
  }
}

const noEnd = new Uint8Array(0);
