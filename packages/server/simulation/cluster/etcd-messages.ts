import { binaryString } from '@flotilla/check';
import type {
  Compare as CheckedCompare,
  EtcdEvent,
  EtcdRequest,
  EtcdResponse,
  KeyValue as CheckedKeyValue,
  RangeRequest as CheckedRange,
  TxnOperation,
  TxnRequest as CheckedTxn,
  TxnResult,
} from '@flotilla/check';
import {
  CompactionRequest,
  Compare,
  CompareResult,
  CompareTarget,
  DeleteRangeRequest,
  EventType,
  PutRequest,
  RangeRequest,
  RequestOp,
  SortOrder,
  SortTarget,
  TxnRequest,
} from '@flotilla/wire';
import type {
  DeleteRangeResponse,
  Event,
  KeyValue,
  PutResponse,
  RangeResponse,
  ResponseHeader,
  ResponseOp,
  TxnResponse,
} from '@flotilla/wire';

/** Between what is sent and what the checkers read. Keys and values are binary strings on the checkers' side. */

export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return bytes;
}

export function rangeMessage(request: CheckedRange): RangeRequest {
  const orders = { none: SortOrder.NONE, ascend: SortOrder.ASCEND, descend: SortOrder.DESCEND };
  const targets = {
    key: SortTarget.KEY,
    version: SortTarget.VERSION,
    create: SortTarget.CREATE,
    mod: SortTarget.MOD,
    value: SortTarget.VALUE,
  };
  return RangeRequest.create({
    key: bytesOf(request.key),
    rangeEnd: bytesOf(request.rangeEnd),
    revision: request.revision,
    limit: request.limit,
    serializable: request.serializable,
    keysOnly: request.keysOnly,
    countOnly: request.countOnly,
    sortOrder: orders[request.sortOrder],
    sortTarget: targets[request.sortTarget],
    minModRevision: request.minModRevision,
    maxModRevision: request.maxModRevision,
    minCreateRevision: request.minCreateRevision,
    maxCreateRevision: request.maxCreateRevision,
  });
}

export function putMessage(request: Extract<EtcdRequest, { type: 'put' }>): PutRequest {
  const { lease, prevKv, ignoreValue, ignoreLease } = request;
  const [key, value] = [bytesOf(request.key), bytesOf(request.value)];
  return PutRequest.create({ key, value, lease, prevKv, ignoreValue, ignoreLease });
}

export function deleteMessage(request: Extract<EtcdRequest, { type: 'delete-range' }>): DeleteRangeRequest {
  const { prevKv } = request;
  return DeleteRangeRequest.create({
    key: bytesOf(request.key),
    rangeEnd: bytesOf(request.rangeEnd),
    prevKv,
  });
}

export function compactMessage(request: Extract<EtcdRequest, { type: 'compact' }>): CompactionRequest {
  return CompactionRequest.create({ revision: request.revision });
}

export function txnMessage(request: CheckedTxn): TxnRequest {
  return TxnRequest.create({
    compare: request.compare.map(compareMessage),
    success: request.success.map(operationMessage),
    failure: request.failure.map(operationMessage),
  });
}

function compareMessage(compare: CheckedCompare): Compare {
  const results = {
    equal: CompareResult.EQUAL,
    'not-equal': CompareResult.NOT_EQUAL,
    greater: CompareResult.GREATER,
    less: CompareResult.LESS,
  };
  const common = {
    key: bytesOf(compare.key),
    rangeEnd: bytesOf(compare.rangeEnd),
    result: results[compare.result],
  };
  const { target } = compare;
  switch (target.type) {
    case 'version':
      return Compare.create({
        ...common,
        target: CompareTarget.VERSION,
        targetUnion: { case: 'version', value: target.value },
      });
    case 'create':
      return Compare.create({
        ...common,
        target: CompareTarget.CREATE,
        targetUnion: { case: 'createRevision', value: target.value },
      });
    case 'mod':
      return Compare.create({
        ...common,
        target: CompareTarget.MOD,
        targetUnion: { case: 'modRevision', value: target.value },
      });
    case 'value':
      return Compare.create({
        ...common,
        target: CompareTarget.VALUE,
        targetUnion: { case: 'value', value: bytesOf(target.value) },
      });
    case 'lease':
      return Compare.create({
        ...common,
        target: CompareTarget.LEASE,
        targetUnion: { case: 'lease', value: target.value },
      });
  }
}

function operationMessage(operation: TxnOperation): RequestOp {
  switch (operation.type) {
    case 'range':
      return RequestOp.create({ request: { case: 'requestRange', value: rangeMessage(operation) } });
    case 'put':
      return RequestOp.create({ request: { case: 'requestPut', value: putMessage(operation) } });
    case 'delete-range':
      return RequestOp.create({ request: { case: 'requestDeleteRange', value: deleteMessage(operation) } });
    case 'txn':
      return RequestOp.create({ request: { case: 'requestTxn', value: txnMessage(operation) } });
  }
}

export function revisionOf(header: ResponseHeader | null): number {
  return header?.revision ?? 0;
}

export function rangeResult(response: RangeResponse): Extract<TxnResult, { type: 'range' }> {
  return { type: 'range', kvs: response.kvs.map(keyValue), count: response.count, more: response.more };
}

export function putResult(response: PutResponse): Extract<TxnResult, { type: 'put' }> {
  return { type: 'put', prevKv: response.prevKv === null ? null : keyValue(response.prevKv) };
}

export function deleteResult(response: DeleteRangeResponse): Extract<TxnResult, { type: 'delete-range' }> {
  return { type: 'delete-range', deleted: response.deleted, prevKvs: response.prevKvs.map(keyValue) };
}

export function txnResult(response: TxnResponse): Extract<TxnResult, { type: 'txn' }> {
  return { type: 'txn', succeeded: response.succeeded, responses: response.responses.map(operationResult) };
}

function operationResult({ response }: ResponseOp): TxnResult {
  switch (response?.case) {
    case 'responseRange':
      return rangeResult(response.value);
    case 'responsePut':
      return putResult(response.value);
    case 'responseDeleteRange':
      return deleteResult(response.value);
    case 'responseTxn':
      return txnResult(response.value);
    case undefined:
      throw new Error('a response of a transaction is empty');
  }
}

export function keyValue(kv: KeyValue): CheckedKeyValue {
  const { createRevision, modRevision, version, lease } = kv;
  return {
    key: binaryString(kv.key),
    value: binaryString(kv.value),
    createRevision,
    modRevision,
    version,
    lease,
  };
}

export function etcdEvent(event: Event): EtcdEvent {
  if (event.kv === null) throw new Error('an event has no key');
  if (event.type === EventType.PUT) return { type: 'put', kv: keyValue(event.kv) };
  return { type: 'delete', key: binaryString(event.kv.key), modRevision: event.kv.modRevision };
}

export type { EtcdRequest, EtcdResponse };
