import type { Platform } from '@flotilla/platform';
import {
  checkDeleteRangeRequest,
  checkPutRequest,
  checkRangeRequest,
  checkTxnRequest,
  isReadOnly,
  type Origin,
} from '@flotilla/store';
import {
  type CompactionRequest,
  type CompactionResponse,
  type DeleteRangeRequest,
  type DeleteRangeResponse,
  etcdErrors,
  KV,
  type Method,
  type PutRequest,
  type PutResponse,
  type RangeRequest,
  type RangeResponse,
  type ServerCall,
  type TxnRequest,
  type TxnResponse,
  unary,
} from '@flotilla/wire';
import { limits } from '../limits.ts';
import type { Backend } from '../member/backend.ts';
import { requireLeaderIfAsked } from './leader.ts';
import { originOf } from './origin.ts';
import { rangeStreamMethod } from './range-stream.ts';
import { hasSession } from './session-metadata.ts';

/** `etcdserverpb.KV`: every answer is linearizable unless the client asked for a serializable one. */
export function kvMethods(backend: Backend, platform: Platform): Method[] {
  const kv = new KvService(backend);
  return [
    unary(KV.methods.Range, (request, call) => kv.range(request, call)),
    rangeStreamMethod(backend, platform),
    unary(KV.methods.Put, (request, call, bytes) => kv.put(request, call, bytes)),
    unary(KV.methods.DeleteRange, (request, call, bytes) => kv.deleteRange(request, call, bytes)),
    unary(KV.methods.Txn, (request, call, bytes) => kv.txn(request, call, bytes)),
    unary(KV.methods.Compact, (request, call, bytes) => kv.compact(request, call, bytes)),
  ];
}

export class KvService {
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  async range(request: RangeRequest, call: ServerCall): Promise<RangeResponse> {
    requireLeaderIfAsked(this.#backend, call);
    checkRangeRequest(request);
    if (!request.serializable) await this.#backend.readBarrier();
    this.#backend.requireState();
    this.#backend.access.requireRange(call, request);
    const response = await this.#backend.range(request);
    return { ...response, header: this.#backend.stamp(response.header) };
  }

  async put(request: PutRequest, call: ServerCall, bytes: Uint8Array): Promise<PutResponse> {
    requireLeaderIfAsked(this.#backend, call);
    checkPutRequest(request);
    this.#checkSize(bytes);
    const origin = originOf(this.#backend, call);
    if (this.#backend.overQuota(putCost(request))) await this.#refuseForSpace(origin);
    const response = await this.#backend.write('put', bytes, origin);
    return { ...response, header: this.#backend.stamp(response.header) };
  }

  async deleteRange(
    request: DeleteRangeRequest,
    call: ServerCall,
    bytes: Uint8Array,
  ): Promise<DeleteRangeResponse> {
    requireLeaderIfAsked(this.#backend, call);
    checkDeleteRangeRequest(request);
    this.#checkSize(bytes);
    const response = await this.#backend.write('delete-range', bytes, originOf(this.#backend, call));
    return { ...response, header: this.#backend.stamp(response.header) };
  }

  async txn(request: TxnRequest, call: ServerCall, bytes: Uint8Array): Promise<TxnResponse> {
    requireLeaderIfAsked(this.#backend, call);
    checkTxnRequest(request, this.#backend.settings.maxTransactionOperations);
    // With a session even one that only reads is repeated word for word, which only the log can promise.
    const response =
      isReadOnly(request) && !hasSession(call)
        ? await this.#readTxn(request, call)
        : await this.#writeTxn(request, bytes, originOf(this.#backend, call));
    return { ...response, header: this.#backend.stamp(response.header) };
  }

  async compact(
    request: CompactionRequest,
    call: ServerCall,
    bytes: Uint8Array,
  ): Promise<CompactionResponse> {
    requireLeaderIfAsked(this.#backend, call);
    this.#backend.access.requireRoot(call);
    this.#checkSize(bytes);
    const response = await this.#backend.write('compact', bytes, originOf(this.#backend, call));
    if (request.physical) await this.#backend.compacted(request.revision);
    return { ...response, header: this.#backend.stamp(response.header) };
  }

  /** etcd lets compares alone be stale; here only ranges that were all asked to be serializable are. */
  async #readTxn(request: TxnRequest, call: ServerCall): Promise<TxnResponse> {
    if (!isSerializable(request)) await this.#backend.readBarrier();
    this.#backend.requireState();
    this.#backend.access.requireTxn(call, request);
    return await this.#backend.readTxn(request);
  }

  async #writeTxn(request: TxnRequest, bytes: Uint8Array, origin: Origin): Promise<TxnResponse> {
    this.#checkSize(bytes);
    const cost = txnCost(request);
    if (cost > 0 && this.#backend.overQuota(cost)) await this.#refuseForSpace(origin);
    return await this.#backend.write('txn', bytes, origin);
  }

  #checkSize(bytes: Uint8Array): void {
    if (bytes.length > this.#backend.settings.maxRequestBytes) throw etcdErrors.requestTooLarge;
  }

  /**
   * Only what adds is refused: deletions, compactions and reads are the way out. Other members are to refuse it, too,
   * before the client can ask them. A retry of what was executed adds nothing, and has an answer.
   */
  async #refuseForSpace(origin: Origin): Promise<void> {
    if (await this.#backend.isSettled(origin)) return;
    await this.#backend.operations.raiseSpaceAlarm();
    throw etcdErrors.noSpace;
  }
}

/** etcd's estimate (`costPut`): index and record keeping beside key and value. */
function putCost(request: PutRequest): number {
  return limits.putOverheadBytes + request.key.length + request.value.length;
}

/** What the dearer branch would add. 0: nothing is put. */
function txnCost(request: TxnRequest): number {
  return Math.max(operationsCost(request.success), operationsCost(request.failure));
}

function operationsCost(operations: TxnRequest['success']): number {
  let cost = 0;
  for (const { request } of operations) {
    if (request?.case === 'requestPut') cost += putCost(request.value);
    else if (request?.case === 'requestTxn') cost += txnCost(request.value);
  }
  return cost;
}

function isSerializable(request: TxnRequest): boolean {
  const operations = [...request.success, ...request.failure];
  return (
    operations.length > 0 &&
    operations.every(
      ({ request: operation }) => operation?.case === 'requestRange' && operation.value.serializable,
    )
  );
}
