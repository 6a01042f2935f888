// Written by scripts/generate.ts from the schemas in proto/. Change those, not this.
import { Codec, EMPTY_BYTES, EMPTY_LIST } from '../protobuf/codec.ts';
import type { Reader } from '../protobuf/reader.ts';
import { method } from '../protobuf/service.ts';
import type { Writer } from '../protobuf/writer.ts';
import { Event, KeyValue } from './kv.ts';
import { Permission, UserAddOptions } from './auth.ts';

/** Open, as proto3's enums are: a value from a newer version is kept as its number. */
export type SortOrder = number;
export const SortOrder = {
  NONE: 0,
  ASCEND: 1,
  DESCEND: 2,
} as const;

/** Open, as proto3's enums are: a value from a newer version is kept as its number. */
export type SortTarget = number;
export const SortTarget = {
  KEY: 0,
  VERSION: 1,
  CREATE: 2,
  MOD: 3,
  VALUE: 4,
} as const;

/** Open, as proto3's enums are: a value from a newer version is kept as its number. */
export type CompareResult = number;
export const CompareResult = {
  EQUAL: 0,
  GREATER: 1,
  LESS: 2,
  NOT_EQUAL: 3,
} as const;

/** Open, as proto3's enums are: a value from a newer version is kept as its number. */
export type CompareTarget = number;
export const CompareTarget = {
  VERSION: 0,
  CREATE: 1,
  MOD: 2,
  VALUE: 3,
  LEASE: 4,
} as const;

/** Open, as proto3's enums are: a value from a newer version is kept as its number. */
export type FilterType = number;
export const FilterType = {
  NOPUT: 0,
  NODELETE: 1,
} as const;

/** Open, as proto3's enums are: a value from a newer version is kept as its number. */
export type AlarmType = number;
export const AlarmType = {
  NONE: 0,
  NOSPACE: 1,
  CORRUPT: 2,
} as const;

/** Open, as proto3's enums are: a value from a newer version is kept as its number. */
export type AlarmAction = number;
export const AlarmAction = {
  GET: 0,
  ACTIVATE: 1,
  DEACTIVATE: 2,
} as const;

/** Open, as proto3's enums are: a value from a newer version is kept as its number. */
export type DowngradeAction = number;
export const DowngradeAction = {
  VALIDATE: 0,
  ENABLE: 1,
  CANCEL: 2,
} as const;

export interface ResponseHeader {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly revision: number;
  readonly raftTerm: bigint;
}

export const ResponseHeader: Codec<ResponseHeader> = new Codec<ResponseHeader>(
  'etcdserverpb.ResponseHeader',
  createResponseHeader,
  writeResponseHeader,
  readResponseHeader,
);

function createResponseHeader(partial?: Partial<ResponseHeader>): ResponseHeader {
  return {
    clusterId: partial?.clusterId ?? 0n,
    memberId: partial?.memberId ?? 0n,
    revision: partial?.revision ?? 0,
    raftTerm: partial?.raftTerm ?? 0n,
  };
}

function writeResponseHeader(writer: Writer, message: ResponseHeader): void {
  if (message.raftTerm !== 0n) {
    writer.uint64(message.raftTerm);
    writer.varint32(32);
  }
  if (message.revision !== 0) {
    writer.int64(message.revision);
    writer.varint32(24);
  }
  if (message.memberId !== 0n) {
    writer.uint64(message.memberId);
    writer.varint32(16);
  }
  if (message.clusterId !== 0n) {
    writer.uint64(message.clusterId);
    writer.varint32(8);
  }
}

function readResponseHeader(reader: Reader, base: ResponseHeader): ResponseHeader {
  let clusterId = base.clusterId;
  let memberId = base.memberId;
  let revision = base.revision;
  let raftTerm = base.raftTerm;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        clusterId = reader.uint64();
        break;
      case 16:
        memberId = reader.uint64();
        break;
      case 24:
        revision = reader.int64();
        break;
      case 32:
        raftTerm = reader.uint64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    clusterId,
    memberId,
    revision,
    raftTerm,
  };
}

export interface RangeRequest {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
  readonly limit: number;
  readonly revision: number;
  readonly sortOrder: SortOrder;
  readonly sortTarget: SortTarget;
  readonly serializable: boolean;
  readonly keysOnly: boolean;
  readonly countOnly: boolean;
  readonly minModRevision: number;
  readonly maxModRevision: number;
  readonly minCreateRevision: number;
  readonly maxCreateRevision: number;
}

export const RangeRequest: Codec<RangeRequest> = new Codec<RangeRequest>(
  'etcdserverpb.RangeRequest',
  createRangeRequest,
  writeRangeRequest,
  readRangeRequest,
);

function createRangeRequest(partial?: Partial<RangeRequest>): RangeRequest {
  return {
    key: partial?.key ?? EMPTY_BYTES,
    rangeEnd: partial?.rangeEnd ?? EMPTY_BYTES,
    limit: partial?.limit ?? 0,
    revision: partial?.revision ?? 0,
    sortOrder: partial?.sortOrder ?? 0,
    sortTarget: partial?.sortTarget ?? 0,
    serializable: partial?.serializable ?? false,
    keysOnly: partial?.keysOnly ?? false,
    countOnly: partial?.countOnly ?? false,
    minModRevision: partial?.minModRevision ?? 0,
    maxModRevision: partial?.maxModRevision ?? 0,
    minCreateRevision: partial?.minCreateRevision ?? 0,
    maxCreateRevision: partial?.maxCreateRevision ?? 0,
  };
}

function writeRangeRequest(writer: Writer, message: RangeRequest): void {
  if (message.maxCreateRevision !== 0) {
    writer.int64(message.maxCreateRevision);
    writer.varint32(104);
  }
  if (message.minCreateRevision !== 0) {
    writer.int64(message.minCreateRevision);
    writer.varint32(96);
  }
  if (message.maxModRevision !== 0) {
    writer.int64(message.maxModRevision);
    writer.varint32(88);
  }
  if (message.minModRevision !== 0) {
    writer.int64(message.minModRevision);
    writer.varint32(80);
  }
  if (message.countOnly) {
    writer.bool(message.countOnly);
    writer.varint32(72);
  }
  if (message.keysOnly) {
    writer.bool(message.keysOnly);
    writer.varint32(64);
  }
  if (message.serializable) {
    writer.bool(message.serializable);
    writer.varint32(56);
  }
  if (message.sortTarget !== 0) {
    writer.int32(message.sortTarget);
    writer.varint32(48);
  }
  if (message.sortOrder !== 0) {
    writer.int32(message.sortOrder);
    writer.varint32(40);
  }
  if (message.revision !== 0) {
    writer.int64(message.revision);
    writer.varint32(32);
  }
  if (message.limit !== 0) {
    writer.int64(message.limit);
    writer.varint32(24);
  }
  if (message.rangeEnd.length > 0) {
    writer.bytes(message.rangeEnd);
    writer.varint32(18);
  }
  if (message.key.length > 0) {
    writer.bytes(message.key);
    writer.varint32(10);
  }
}

function readRangeRequest(reader: Reader, base: RangeRequest): RangeRequest {
  let key = base.key;
  let rangeEnd = base.rangeEnd;
  let limit = base.limit;
  let revision = base.revision;
  let sortOrder = base.sortOrder;
  let sortTarget = base.sortTarget;
  let serializable = base.serializable;
  let keysOnly = base.keysOnly;
  let countOnly = base.countOnly;
  let minModRevision = base.minModRevision;
  let maxModRevision = base.maxModRevision;
  let minCreateRevision = base.minCreateRevision;
  let maxCreateRevision = base.maxCreateRevision;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        key = reader.bytes();
        break;
      case 18:
        rangeEnd = reader.bytes();
        break;
      case 24:
        limit = reader.int64();
        break;
      case 32:
        revision = reader.int64();
        break;
      case 40:
        sortOrder = reader.int32();
        break;
      case 48:
        sortTarget = reader.int32();
        break;
      case 56:
        serializable = reader.bool();
        break;
      case 64:
        keysOnly = reader.bool();
        break;
      case 72:
        countOnly = reader.bool();
        break;
      case 80:
        minModRevision = reader.int64();
        break;
      case 88:
        maxModRevision = reader.int64();
        break;
      case 96:
        minCreateRevision = reader.int64();
        break;
      case 104:
        maxCreateRevision = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    key,
    rangeEnd,
    limit,
    revision,
    sortOrder,
    sortTarget,
    serializable,
    keysOnly,
    countOnly,
    minModRevision,
    maxModRevision,
    minCreateRevision,
    maxCreateRevision,
  };
}

export interface RangeResponse {
  readonly header: ResponseHeader | null;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
  readonly count: number;
}

export const RangeResponse: Codec<RangeResponse> = new Codec<RangeResponse>(
  'etcdserverpb.RangeResponse',
  createRangeResponse,
  writeRangeResponse,
  readRangeResponse,
);

function createRangeResponse(partial?: Partial<RangeResponse>): RangeResponse {
  return {
    header: partial?.header ?? null,
    kvs: partial?.kvs ?? EMPTY_LIST,
    more: partial?.more ?? false,
    count: partial?.count ?? 0,
  };
}

function writeRangeResponse(writer: Writer, message: RangeResponse): void {
  if (message.count !== 0) {
    writer.int64(message.count);
    writer.varint32(32);
  }
  if (message.more) {
    writer.bool(message.more);
    writer.varint32(24);
  }
  for (let index = message.kvs.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    KeyValue.write(writer, message.kvs[index] as KeyValue);
    writer.varint32(writer.size - end);
    writer.varint32(18);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readRangeResponse(reader: Reader, base: RangeResponse): RangeResponse {
  let header = base.header;
  let kvs: KeyValue[] | null = null;
  let more = base.more;
  let count = base.count;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 18: {
        const outer = reader.enter();
        (kvs ??= [...base.kvs]).push(KeyValue.read(reader, KeyValue.empty));
        reader.leave(outer);
        break;
      }
      case 24:
        more = reader.bool();
        break;
      case 32:
        count = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    kvs: kvs ?? base.kvs,
    more,
    count,
  };
}

export interface RangeStreamResponse {
  readonly rangeResponse: RangeResponse | null;
}

export const RangeStreamResponse: Codec<RangeStreamResponse> = new Codec<RangeStreamResponse>(
  'etcdserverpb.RangeStreamResponse',
  createRangeStreamResponse,
  writeRangeStreamResponse,
  readRangeStreamResponse,
);

function createRangeStreamResponse(partial?: Partial<RangeStreamResponse>): RangeStreamResponse {
  return {
    rangeResponse: partial?.rangeResponse ?? null,
  };
}

function writeRangeStreamResponse(writer: Writer, message: RangeStreamResponse): void {
  if (message.rangeResponse !== null) {
    const end = writer.size;
    RangeResponse.write(writer, message.rangeResponse);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readRangeStreamResponse(reader: Reader, base: RangeStreamResponse): RangeStreamResponse {
  let rangeResponse = base.rangeResponse;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        rangeResponse = RangeResponse.read(reader, rangeResponse ?? RangeResponse.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    rangeResponse,
  };
}

export interface PutRequest {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly lease: bigint;
  readonly prevKv: boolean;
  readonly ignoreValue: boolean;
  readonly ignoreLease: boolean;
}

export const PutRequest: Codec<PutRequest> = new Codec<PutRequest>(
  'etcdserverpb.PutRequest',
  createPutRequest,
  writePutRequest,
  readPutRequest,
);

function createPutRequest(partial?: Partial<PutRequest>): PutRequest {
  return {
    key: partial?.key ?? EMPTY_BYTES,
    value: partial?.value ?? EMPTY_BYTES,
    lease: partial?.lease ?? 0n,
    prevKv: partial?.prevKv ?? false,
    ignoreValue: partial?.ignoreValue ?? false,
    ignoreLease: partial?.ignoreLease ?? false,
  };
}

function writePutRequest(writer: Writer, message: PutRequest): void {
  if (message.ignoreLease) {
    writer.bool(message.ignoreLease);
    writer.varint32(48);
  }
  if (message.ignoreValue) {
    writer.bool(message.ignoreValue);
    writer.varint32(40);
  }
  if (message.prevKv) {
    writer.bool(message.prevKv);
    writer.varint32(32);
  }
  if (message.lease !== 0n) {
    writer.int64Exact(message.lease);
    writer.varint32(24);
  }
  if (message.value.length > 0) {
    writer.bytes(message.value);
    writer.varint32(18);
  }
  if (message.key.length > 0) {
    writer.bytes(message.key);
    writer.varint32(10);
  }
}

function readPutRequest(reader: Reader, base: PutRequest): PutRequest {
  let key = base.key;
  let value = base.value;
  let lease = base.lease;
  let prevKv = base.prevKv;
  let ignoreValue = base.ignoreValue;
  let ignoreLease = base.ignoreLease;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        key = reader.bytes();
        break;
      case 18:
        value = reader.bytes();
        break;
      case 24:
        lease = reader.int64Exact();
        break;
      case 32:
        prevKv = reader.bool();
        break;
      case 40:
        ignoreValue = reader.bool();
        break;
      case 48:
        ignoreLease = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    key,
    value,
    lease,
    prevKv,
    ignoreValue,
    ignoreLease,
  };
}

export interface PutResponse {
  readonly header: ResponseHeader | null;
  readonly prevKv: KeyValue | null;
}

export const PutResponse: Codec<PutResponse> = new Codec<PutResponse>(
  'etcdserverpb.PutResponse',
  createPutResponse,
  writePutResponse,
  readPutResponse,
);

function createPutResponse(partial?: Partial<PutResponse>): PutResponse {
  return {
    header: partial?.header ?? null,
    prevKv: partial?.prevKv ?? null,
  };
}

function writePutResponse(writer: Writer, message: PutResponse): void {
  if (message.prevKv !== null) {
    const end = writer.size;
    KeyValue.write(writer, message.prevKv);
    writer.varint32(writer.size - end);
    writer.varint32(18);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readPutResponse(reader: Reader, base: PutResponse): PutResponse {
  let header = base.header;
  let prevKv = base.prevKv;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 18: {
        const outer = reader.enter();
        prevKv = KeyValue.read(reader, prevKv ?? KeyValue.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    prevKv,
  };
}

export interface DeleteRangeRequest {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
  readonly prevKv: boolean;
}

export const DeleteRangeRequest: Codec<DeleteRangeRequest> = new Codec<DeleteRangeRequest>(
  'etcdserverpb.DeleteRangeRequest',
  createDeleteRangeRequest,
  writeDeleteRangeRequest,
  readDeleteRangeRequest,
);

function createDeleteRangeRequest(partial?: Partial<DeleteRangeRequest>): DeleteRangeRequest {
  return {
    key: partial?.key ?? EMPTY_BYTES,
    rangeEnd: partial?.rangeEnd ?? EMPTY_BYTES,
    prevKv: partial?.prevKv ?? false,
  };
}

function writeDeleteRangeRequest(writer: Writer, message: DeleteRangeRequest): void {
  if (message.prevKv) {
    writer.bool(message.prevKv);
    writer.varint32(24);
  }
  if (message.rangeEnd.length > 0) {
    writer.bytes(message.rangeEnd);
    writer.varint32(18);
  }
  if (message.key.length > 0) {
    writer.bytes(message.key);
    writer.varint32(10);
  }
}

function readDeleteRangeRequest(reader: Reader, base: DeleteRangeRequest): DeleteRangeRequest {
  let key = base.key;
  let rangeEnd = base.rangeEnd;
  let prevKv = base.prevKv;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        key = reader.bytes();
        break;
      case 18:
        rangeEnd = reader.bytes();
        break;
      case 24:
        prevKv = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    key,
    rangeEnd,
    prevKv,
  };
}

export interface DeleteRangeResponse {
  readonly header: ResponseHeader | null;
  readonly deleted: number;
  readonly prevKvs: readonly KeyValue[];
}

export const DeleteRangeResponse: Codec<DeleteRangeResponse> = new Codec<DeleteRangeResponse>(
  'etcdserverpb.DeleteRangeResponse',
  createDeleteRangeResponse,
  writeDeleteRangeResponse,
  readDeleteRangeResponse,
);

function createDeleteRangeResponse(partial?: Partial<DeleteRangeResponse>): DeleteRangeResponse {
  return {
    header: partial?.header ?? null,
    deleted: partial?.deleted ?? 0,
    prevKvs: partial?.prevKvs ?? EMPTY_LIST,
  };
}

function writeDeleteRangeResponse(writer: Writer, message: DeleteRangeResponse): void {
  for (let index = message.prevKvs.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    KeyValue.write(writer, message.prevKvs[index] as KeyValue);
    writer.varint32(writer.size - end);
    writer.varint32(26);
  }
  if (message.deleted !== 0) {
    writer.int64(message.deleted);
    writer.varint32(16);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readDeleteRangeResponse(reader: Reader, base: DeleteRangeResponse): DeleteRangeResponse {
  let header = base.header;
  let deleted = base.deleted;
  let prevKvs: KeyValue[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 16:
        deleted = reader.int64();
        break;
      case 26: {
        const outer = reader.enter();
        (prevKvs ??= [...base.prevKvs]).push(KeyValue.read(reader, KeyValue.empty));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    deleted,
    prevKvs: prevKvs ?? base.prevKvs,
  };
}

export interface RequestOp {
  readonly request: { readonly case: 'requestRange'; readonly value: RangeRequest } | { readonly case: 'requestPut'; readonly value: PutRequest } | { readonly case: 'requestDeleteRange'; readonly value: DeleteRangeRequest } | { readonly case: 'requestTxn'; readonly value: TxnRequest } | null;
}

export const RequestOp: Codec<RequestOp> = new Codec<RequestOp>(
  'etcdserverpb.RequestOp',
  createRequestOp,
  writeRequestOp,
  readRequestOp,
);

function createRequestOp(partial?: Partial<RequestOp>): RequestOp {
  return {
    request: partial?.request ?? null,
  };
}

function writeRequestOp(writer: Writer, message: RequestOp): void {
  const { request } = message;
  switch (request?.case) {
    case 'requestRange': {
      const end = writer.size;
      RangeRequest.write(writer, request.value);
      writer.varint32(writer.size - end);
      writer.varint32(10);
      break;
    }
    case 'requestPut': {
      const end = writer.size;
      PutRequest.write(writer, request.value);
      writer.varint32(writer.size - end);
      writer.varint32(18);
      break;
    }
    case 'requestDeleteRange': {
      const end = writer.size;
      DeleteRangeRequest.write(writer, request.value);
      writer.varint32(writer.size - end);
      writer.varint32(26);
      break;
    }
    case 'requestTxn': {
      const end = writer.size;
      TxnRequest.write(writer, request.value);
      writer.varint32(writer.size - end);
      writer.varint32(34);
      break;
    }
    case undefined:
      break;
  }
}

function readRequestOp(reader: Reader, base: RequestOp): RequestOp {
  let request = base.request;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        const first: RangeRequest = request?.case === 'requestRange' ? request.value : RangeRequest.empty;
        request = { case: 'requestRange', value: RangeRequest.read(reader, first) };
        reader.leave(outer);
        break;
      }
      case 18: {
        const outer = reader.enter();
        const first: PutRequest = request?.case === 'requestPut' ? request.value : PutRequest.empty;
        request = { case: 'requestPut', value: PutRequest.read(reader, first) };
        reader.leave(outer);
        break;
      }
      case 26: {
        const outer = reader.enter();
        const first: DeleteRangeRequest = request?.case === 'requestDeleteRange' ? request.value : DeleteRangeRequest.empty;
        request = { case: 'requestDeleteRange', value: DeleteRangeRequest.read(reader, first) };
        reader.leave(outer);
        break;
      }
      case 34: {
        const outer = reader.enter();
        const first: TxnRequest = request?.case === 'requestTxn' ? request.value : TxnRequest.empty;
        request = { case: 'requestTxn', value: TxnRequest.read(reader, first) };
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    request,
  };
}

export interface ResponseOp {
  readonly response: { readonly case: 'responseRange'; readonly value: RangeResponse } | { readonly case: 'responsePut'; readonly value: PutResponse } | { readonly case: 'responseDeleteRange'; readonly value: DeleteRangeResponse } | { readonly case: 'responseTxn'; readonly value: TxnResponse } | null;
}

export const ResponseOp: Codec<ResponseOp> = new Codec<ResponseOp>(
  'etcdserverpb.ResponseOp',
  createResponseOp,
  writeResponseOp,
  readResponseOp,
);

function createResponseOp(partial?: Partial<ResponseOp>): ResponseOp {
  return {
    response: partial?.response ?? null,
  };
}

function writeResponseOp(writer: Writer, message: ResponseOp): void {
  const { response } = message;
  switch (response?.case) {
    case 'responseRange': {
      const end = writer.size;
      RangeResponse.write(writer, response.value);
      writer.varint32(writer.size - end);
      writer.varint32(10);
      break;
    }
    case 'responsePut': {
      const end = writer.size;
      PutResponse.write(writer, response.value);
      writer.varint32(writer.size - end);
      writer.varint32(18);
      break;
    }
    case 'responseDeleteRange': {
      const end = writer.size;
      DeleteRangeResponse.write(writer, response.value);
      writer.varint32(writer.size - end);
      writer.varint32(26);
      break;
    }
    case 'responseTxn': {
      const end = writer.size;
      TxnResponse.write(writer, response.value);
      writer.varint32(writer.size - end);
      writer.varint32(34);
      break;
    }
    case undefined:
      break;
  }
}

function readResponseOp(reader: Reader, base: ResponseOp): ResponseOp {
  let response = base.response;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        const first: RangeResponse = response?.case === 'responseRange' ? response.value : RangeResponse.empty;
        response = { case: 'responseRange', value: RangeResponse.read(reader, first) };
        reader.leave(outer);
        break;
      }
      case 18: {
        const outer = reader.enter();
        const first: PutResponse = response?.case === 'responsePut' ? response.value : PutResponse.empty;
        response = { case: 'responsePut', value: PutResponse.read(reader, first) };
        reader.leave(outer);
        break;
      }
      case 26: {
        const outer = reader.enter();
        const first: DeleteRangeResponse = response?.case === 'responseDeleteRange' ? response.value : DeleteRangeResponse.empty;
        response = { case: 'responseDeleteRange', value: DeleteRangeResponse.read(reader, first) };
        reader.leave(outer);
        break;
      }
      case 34: {
        const outer = reader.enter();
        const first: TxnResponse = response?.case === 'responseTxn' ? response.value : TxnResponse.empty;
        response = { case: 'responseTxn', value: TxnResponse.read(reader, first) };
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    response,
  };
}

export interface Compare {
  readonly result: CompareResult;
  readonly target: CompareTarget;
  readonly key: Uint8Array;
  readonly targetUnion: { readonly case: 'version'; readonly value: number } | { readonly case: 'createRevision'; readonly value: number } | { readonly case: 'modRevision'; readonly value: number } | { readonly case: 'value'; readonly value: Uint8Array } | { readonly case: 'lease'; readonly value: bigint } | null;
  readonly rangeEnd: Uint8Array;
}

export const Compare: Codec<Compare> = new Codec<Compare>(
  'etcdserverpb.Compare',
  createCompare,
  writeCompare,
  readCompare,
);

function createCompare(partial?: Partial<Compare>): Compare {
  return {
    result: partial?.result ?? 0,
    target: partial?.target ?? 0,
    key: partial?.key ?? EMPTY_BYTES,
    targetUnion: partial?.targetUnion ?? null,
    rangeEnd: partial?.rangeEnd ?? EMPTY_BYTES,
  };
}

function writeCompare(writer: Writer, message: Compare): void {
  if (message.rangeEnd.length > 0) {
    writer.bytes(message.rangeEnd);
    writer.varint32(514);
  }
  const { targetUnion } = message;
  switch (targetUnion?.case) {
    case 'version': {
      writer.int64(targetUnion.value);
      writer.varint32(32);
      break;
    }
    case 'createRevision': {
      writer.int64(targetUnion.value);
      writer.varint32(40);
      break;
    }
    case 'modRevision': {
      writer.int64(targetUnion.value);
      writer.varint32(48);
      break;
    }
    case 'value': {
      writer.bytes(targetUnion.value);
      writer.varint32(58);
      break;
    }
    case 'lease': {
      writer.int64Exact(targetUnion.value);
      writer.varint32(64);
      break;
    }
    case undefined:
      break;
  }
  if (message.key.length > 0) {
    writer.bytes(message.key);
    writer.varint32(26);
  }
  if (message.target !== 0) {
    writer.int32(message.target);
    writer.varint32(16);
  }
  if (message.result !== 0) {
    writer.int32(message.result);
    writer.varint32(8);
  }
}

function readCompare(reader: Reader, base: Compare): Compare {
  let result = base.result;
  let target = base.target;
  let key = base.key;
  let targetUnion = base.targetUnion;
  let rangeEnd = base.rangeEnd;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        result = reader.int32();
        break;
      case 16:
        target = reader.int32();
        break;
      case 26:
        key = reader.bytes();
        break;
      case 32:
        targetUnion = { case: 'version', value: reader.int64() };
        break;
      case 40:
        targetUnion = { case: 'createRevision', value: reader.int64() };
        break;
      case 48:
        targetUnion = { case: 'modRevision', value: reader.int64() };
        break;
      case 58:
        targetUnion = { case: 'value', value: reader.bytes() };
        break;
      case 64:
        targetUnion = { case: 'lease', value: reader.int64Exact() };
        break;
      case 514:
        rangeEnd = reader.bytes();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    result,
    target,
    key,
    targetUnion,
    rangeEnd,
  };
}

export interface TxnRequest {
  readonly compare: readonly Compare[];
  readonly success: readonly RequestOp[];
  readonly failure: readonly RequestOp[];
}

export const TxnRequest: Codec<TxnRequest> = new Codec<TxnRequest>(
  'etcdserverpb.TxnRequest',
  createTxnRequest,
  writeTxnRequest,
  readTxnRequest,
);

function createTxnRequest(partial?: Partial<TxnRequest>): TxnRequest {
  return {
    compare: partial?.compare ?? EMPTY_LIST,
    success: partial?.success ?? EMPTY_LIST,
    failure: partial?.failure ?? EMPTY_LIST,
  };
}

function writeTxnRequest(writer: Writer, message: TxnRequest): void {
  for (let index = message.failure.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    RequestOp.write(writer, message.failure[index] as RequestOp);
    writer.varint32(writer.size - end);
    writer.varint32(26);
  }
  for (let index = message.success.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    RequestOp.write(writer, message.success[index] as RequestOp);
    writer.varint32(writer.size - end);
    writer.varint32(18);
  }
  for (let index = message.compare.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    Compare.write(writer, message.compare[index] as Compare);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readTxnRequest(reader: Reader, base: TxnRequest): TxnRequest {
  let compare: Compare[] | null = null;
  let success: RequestOp[] | null = null;
  let failure: RequestOp[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        (compare ??= [...base.compare]).push(Compare.read(reader, Compare.empty));
        reader.leave(outer);
        break;
      }
      case 18: {
        const outer = reader.enter();
        (success ??= [...base.success]).push(RequestOp.read(reader, RequestOp.empty));
        reader.leave(outer);
        break;
      }
      case 26: {
        const outer = reader.enter();
        (failure ??= [...base.failure]).push(RequestOp.read(reader, RequestOp.empty));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    compare: compare ?? base.compare,
    success: success ?? base.success,
    failure: failure ?? base.failure,
  };
}

export interface TxnResponse {
  readonly header: ResponseHeader | null;
  readonly succeeded: boolean;
  readonly responses: readonly ResponseOp[];
}

export const TxnResponse: Codec<TxnResponse> = new Codec<TxnResponse>(
  'etcdserverpb.TxnResponse',
  createTxnResponse,
  writeTxnResponse,
  readTxnResponse,
);

function createTxnResponse(partial?: Partial<TxnResponse>): TxnResponse {
  return {
    header: partial?.header ?? null,
    succeeded: partial?.succeeded ?? false,
    responses: partial?.responses ?? EMPTY_LIST,
  };
}

function writeTxnResponse(writer: Writer, message: TxnResponse): void {
  for (let index = message.responses.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    ResponseOp.write(writer, message.responses[index] as ResponseOp);
    writer.varint32(writer.size - end);
    writer.varint32(26);
  }
  if (message.succeeded) {
    writer.bool(message.succeeded);
    writer.varint32(16);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readTxnResponse(reader: Reader, base: TxnResponse): TxnResponse {
  let header = base.header;
  let succeeded = base.succeeded;
  let responses: ResponseOp[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 16:
        succeeded = reader.bool();
        break;
      case 26: {
        const outer = reader.enter();
        (responses ??= [...base.responses]).push(ResponseOp.read(reader, ResponseOp.empty));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    succeeded,
    responses: responses ?? base.responses,
  };
}

export interface CompactionRequest {
  readonly revision: number;
  readonly physical: boolean;
}

export const CompactionRequest: Codec<CompactionRequest> = new Codec<CompactionRequest>(
  'etcdserverpb.CompactionRequest',
  createCompactionRequest,
  writeCompactionRequest,
  readCompactionRequest,
);

function createCompactionRequest(partial?: Partial<CompactionRequest>): CompactionRequest {
  return {
    revision: partial?.revision ?? 0,
    physical: partial?.physical ?? false,
  };
}

function writeCompactionRequest(writer: Writer, message: CompactionRequest): void {
  if (message.physical) {
    writer.bool(message.physical);
    writer.varint32(16);
  }
  if (message.revision !== 0) {
    writer.int64(message.revision);
    writer.varint32(8);
  }
}

function readCompactionRequest(reader: Reader, base: CompactionRequest): CompactionRequest {
  let revision = base.revision;
  let physical = base.physical;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        revision = reader.int64();
        break;
      case 16:
        physical = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    revision,
    physical,
  };
}

export interface CompactionResponse {
  readonly header: ResponseHeader | null;
}

export const CompactionResponse: Codec<CompactionResponse> = new Codec<CompactionResponse>(
  'etcdserverpb.CompactionResponse',
  createCompactionResponse,
  writeCompactionResponse,
  readCompactionResponse,
);

function createCompactionResponse(partial?: Partial<CompactionResponse>): CompactionResponse {
  return {
    header: partial?.header ?? null,
  };
}

function writeCompactionResponse(writer: Writer, message: CompactionResponse): void {
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readCompactionResponse(reader: Reader, base: CompactionResponse): CompactionResponse {
  let header = base.header;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
  };
}

export type HashRequest = Readonly<Record<string, never>>;

export const HashRequest: Codec<HashRequest> = new Codec<HashRequest>(
  'etcdserverpb.HashRequest',
  createHashRequest,
  writeHashRequest,
  readHashRequest,
);

function createHashRequest(): HashRequest {
  return {};
}

function writeHashRequest(): void {}

function readHashRequest(reader: Reader, base: HashRequest): HashRequest {
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      default:
        reader.skip(tag);
    }
  }
  return base;
}

export interface HashKVRequest {
  readonly revision: number;
}

export const HashKVRequest: Codec<HashKVRequest> = new Codec<HashKVRequest>(
  'etcdserverpb.HashKVRequest',
  createHashKVRequest,
  writeHashKVRequest,
  readHashKVRequest,
);

function createHashKVRequest(partial?: Partial<HashKVRequest>): HashKVRequest {
  return {
    revision: partial?.revision ?? 0,
  };
}

function writeHashKVRequest(writer: Writer, message: HashKVRequest): void {
  if (message.revision !== 0) {
    writer.int64(message.revision);
    writer.varint32(8);
  }
}

function readHashKVRequest(reader: Reader, base: HashKVRequest): HashKVRequest {
  let revision = base.revision;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        revision = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    revision,
  };
}

export interface HashKVResponse {
  readonly header: ResponseHeader | null;
  readonly hash: number;
  readonly compactRevision: number;
  readonly hashRevision: number;
}

export const HashKVResponse: Codec<HashKVResponse> = new Codec<HashKVResponse>(
  'etcdserverpb.HashKVResponse',
  createHashKVResponse,
  writeHashKVResponse,
  readHashKVResponse,
);

function createHashKVResponse(partial?: Partial<HashKVResponse>): HashKVResponse {
  return {
    header: partial?.header ?? null,
    hash: partial?.hash ?? 0,
    compactRevision: partial?.compactRevision ?? 0,
    hashRevision: partial?.hashRevision ?? 0,
  };
}

function writeHashKVResponse(writer: Writer, message: HashKVResponse): void {
  if (message.hashRevision !== 0) {
    writer.int64(message.hashRevision);
    writer.varint32(32);
  }
  if (message.compactRevision !== 0) {
    writer.int64(message.compactRevision);
    writer.varint32(24);
  }
  if (message.hash !== 0) {
    writer.uint32(message.hash);
    writer.varint32(16);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readHashKVResponse(reader: Reader, base: HashKVResponse): HashKVResponse {
  let header = base.header;
  let hash = base.hash;
  let compactRevision = base.compactRevision;
  let hashRevision = base.hashRevision;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 16:
        hash = reader.uint32();
        break;
      case 24:
        compactRevision = reader.int64();
        break;
      case 32:
        hashRevision = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    hash,
    compactRevision,
    hashRevision,
  };
}

export interface HashResponse {
  readonly header: ResponseHeader | null;
  readonly hash: number;
}

export const HashResponse: Codec<HashResponse> = new Codec<HashResponse>(
  'etcdserverpb.HashResponse',
  createHashResponse,
  writeHashResponse,
  readHashResponse,
);

function createHashResponse(partial?: Partial<HashResponse>): HashResponse {
  return {
    header: partial?.header ?? null,
    hash: partial?.hash ?? 0,
  };
}

function writeHashResponse(writer: Writer, message: HashResponse): void {
  if (message.hash !== 0) {
    writer.uint32(message.hash);
    writer.varint32(16);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readHashResponse(reader: Reader, base: HashResponse): HashResponse {
  let header = base.header;
  let hash = base.hash;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 16:
        hash = reader.uint32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    hash,
  };
}

export type SnapshotRequest = Readonly<Record<string, never>>;

export const SnapshotRequest: Codec<SnapshotRequest> = new Codec<SnapshotRequest>(
  'etcdserverpb.SnapshotRequest',
  createSnapshotRequest,
  writeSnapshotRequest,
  readSnapshotRequest,
);

function createSnapshotRequest(): SnapshotRequest {
  return {};
}

function writeSnapshotRequest(): void {}

function readSnapshotRequest(reader: Reader, base: SnapshotRequest): SnapshotRequest {
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      default:
        reader.skip(tag);
    }
  }
  return base;
}

export interface SnapshotResponse {
  readonly header: ResponseHeader | null;
  readonly remainingBytes: bigint;
  readonly blob: Uint8Array;
  readonly version: string;
}

export const SnapshotResponse: Codec<SnapshotResponse> = new Codec<SnapshotResponse>(
  'etcdserverpb.SnapshotResponse',
  createSnapshotResponse,
  writeSnapshotResponse,
  readSnapshotResponse,
);

function createSnapshotResponse(partial?: Partial<SnapshotResponse>): SnapshotResponse {
  return {
    header: partial?.header ?? null,
    remainingBytes: partial?.remainingBytes ?? 0n,
    blob: partial?.blob ?? EMPTY_BYTES,
    version: partial?.version ?? '',
  };
}

function writeSnapshotResponse(writer: Writer, message: SnapshotResponse): void {
  if (message.version.length > 0) {
    writer.string(message.version);
    writer.varint32(34);
  }
  if (message.blob.length > 0) {
    writer.bytes(message.blob);
    writer.varint32(26);
  }
  if (message.remainingBytes !== 0n) {
    writer.uint64(message.remainingBytes);
    writer.varint32(16);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readSnapshotResponse(reader: Reader, base: SnapshotResponse): SnapshotResponse {
  let header = base.header;
  let remainingBytes = base.remainingBytes;
  let blob = base.blob;
  let version = base.version;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 16:
        remainingBytes = reader.uint64();
        break;
      case 26:
        blob = reader.bytes();
        break;
      case 34:
        version = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    remainingBytes,
    blob,
    version,
  };
}

export interface WatchRequest {
  readonly requestUnion: { readonly case: 'createRequest'; readonly value: WatchCreateRequest } | { readonly case: 'cancelRequest'; readonly value: WatchCancelRequest } | { readonly case: 'progressRequest'; readonly value: WatchProgressRequest } | null;
}

export const WatchRequest: Codec<WatchRequest> = new Codec<WatchRequest>(
  'etcdserverpb.WatchRequest',
  createWatchRequest,
  writeWatchRequest,
  readWatchRequest,
);

function createWatchRequest(partial?: Partial<WatchRequest>): WatchRequest {
  return {
    requestUnion: partial?.requestUnion ?? null,
  };
}

function writeWatchRequest(writer: Writer, message: WatchRequest): void {
  const { requestUnion } = message;
  switch (requestUnion?.case) {
    case 'createRequest': {
      const end = writer.size;
      WatchCreateRequest.write(writer, requestUnion.value);
      writer.varint32(writer.size - end);
      writer.varint32(10);
      break;
    }
    case 'cancelRequest': {
      const end = writer.size;
      WatchCancelRequest.write(writer, requestUnion.value);
      writer.varint32(writer.size - end);
      writer.varint32(18);
      break;
    }
    case 'progressRequest': {
      const end = writer.size;
      WatchProgressRequest.write(writer, requestUnion.value);
      writer.varint32(writer.size - end);
      writer.varint32(26);
      break;
    }
    case undefined:
      break;
  }
}

function readWatchRequest(reader: Reader, base: WatchRequest): WatchRequest {
  let requestUnion = base.requestUnion;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        const first: WatchCreateRequest = requestUnion?.case === 'createRequest' ? requestUnion.value : WatchCreateRequest.empty;
        requestUnion = { case: 'createRequest', value: WatchCreateRequest.read(reader, first) };
        reader.leave(outer);
        break;
      }
      case 18: {
        const outer = reader.enter();
        const first: WatchCancelRequest = requestUnion?.case === 'cancelRequest' ? requestUnion.value : WatchCancelRequest.empty;
        requestUnion = { case: 'cancelRequest', value: WatchCancelRequest.read(reader, first) };
        reader.leave(outer);
        break;
      }
      case 26: {
        const outer = reader.enter();
        const first: WatchProgressRequest = requestUnion?.case === 'progressRequest' ? requestUnion.value : WatchProgressRequest.empty;
        requestUnion = { case: 'progressRequest', value: WatchProgressRequest.read(reader, first) };
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    requestUnion,
  };
}

export interface WatchCreateRequest {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
  readonly startRevision: number;
  readonly progressNotify: boolean;
  readonly filters: readonly FilterType[];
  readonly prevKv: boolean;
  readonly watchId: number;
  readonly fragment: boolean;
}

export const WatchCreateRequest: Codec<WatchCreateRequest> = new Codec<WatchCreateRequest>(
  'etcdserverpb.WatchCreateRequest',
  createWatchCreateRequest,
  writeWatchCreateRequest,
  readWatchCreateRequest,
);

function createWatchCreateRequest(partial?: Partial<WatchCreateRequest>): WatchCreateRequest {
  return {
    key: partial?.key ?? EMPTY_BYTES,
    rangeEnd: partial?.rangeEnd ?? EMPTY_BYTES,
    startRevision: partial?.startRevision ?? 0,
    progressNotify: partial?.progressNotify ?? false,
    filters: partial?.filters ?? EMPTY_LIST,
    prevKv: partial?.prevKv ?? false,
    watchId: partial?.watchId ?? 0,
    fragment: partial?.fragment ?? false,
  };
}

function writeWatchCreateRequest(writer: Writer, message: WatchCreateRequest): void {
  if (message.fragment) {
    writer.bool(message.fragment);
    writer.varint32(64);
  }
  if (message.watchId !== 0) {
    writer.int64(message.watchId);
    writer.varint32(56);
  }
  if (message.prevKv) {
    writer.bool(message.prevKv);
    writer.varint32(48);
  }
  if (message.filters.length > 0) {
    const end = writer.size;
    for (let index = message.filters.length - 1; index >= 0; index -= 1) {
      writer.int32(message.filters[index] as FilterType);
    }
    writer.varint32(writer.size - end);
    writer.varint32(42);
  }
  if (message.progressNotify) {
    writer.bool(message.progressNotify);
    writer.varint32(32);
  }
  if (message.startRevision !== 0) {
    writer.int64(message.startRevision);
    writer.varint32(24);
  }
  if (message.rangeEnd.length > 0) {
    writer.bytes(message.rangeEnd);
    writer.varint32(18);
  }
  if (message.key.length > 0) {
    writer.bytes(message.key);
    writer.varint32(10);
  }
}

function readWatchCreateRequest(reader: Reader, base: WatchCreateRequest): WatchCreateRequest {
  let key = base.key;
  let rangeEnd = base.rangeEnd;
  let startRevision = base.startRevision;
  let progressNotify = base.progressNotify;
  let filters: FilterType[] | null = null;
  let prevKv = base.prevKv;
  let watchId = base.watchId;
  let fragment = base.fragment;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        key = reader.bytes();
        break;
      case 18:
        rangeEnd = reader.bytes();
        break;
      case 24:
        startRevision = reader.int64();
        break;
      case 32:
        progressNotify = reader.bool();
        break;
      case 40:
        (filters ??= [...base.filters]).push(reader.int32());
        break;
      case 42: {
        const outer = reader.beginPacked();
        while (reader.more()) (filters ??= [...base.filters]).push(reader.int32());
        reader.endPacked(outer);
        break;
      }
      case 48:
        prevKv = reader.bool();
        break;
      case 56:
        watchId = reader.int64();
        break;
      case 64:
        fragment = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    key,
    rangeEnd,
    startRevision,
    progressNotify,
    filters: filters ?? base.filters,
    prevKv,
    watchId,
    fragment,
  };
}

export interface WatchCancelRequest {
  readonly watchId: number;
}

export const WatchCancelRequest: Codec<WatchCancelRequest> = new Codec<WatchCancelRequest>(
  'etcdserverpb.WatchCancelRequest',
  createWatchCancelRequest,
  writeWatchCancelRequest,
  readWatchCancelRequest,
);

function createWatchCancelRequest(partial?: Partial<WatchCancelRequest>): WatchCancelRequest {
  return {
    watchId: partial?.watchId ?? 0,
  };
}

function writeWatchCancelRequest(writer: Writer, message: WatchCancelRequest): void {
  if (message.watchId !== 0) {
    writer.int64(message.watchId);
    writer.varint32(8);
  }
}

function readWatchCancelRequest(reader: Reader, base: WatchCancelRequest): WatchCancelRequest {
  let watchId = base.watchId;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        watchId = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    watchId,
  };
}

export type WatchProgressRequest = Readonly<Record<string, never>>;

export const WatchProgressRequest: Codec<WatchProgressRequest> = new Codec<WatchProgressRequest>(
  'etcdserverpb.WatchProgressRequest',
  createWatchProgressRequest,
  writeWatchProgressRequest,
  readWatchProgressRequest,
);

function createWatchProgressRequest(): WatchProgressRequest {
  return {};
}

function writeWatchProgressRequest(): void {}

function readWatchProgressRequest(reader: Reader, base: WatchProgressRequest): WatchProgressRequest {
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      default:
        reader.skip(tag);
    }
  }
  return base;
}

export interface WatchResponse {
  readonly header: ResponseHeader | null;
  readonly watchId: number;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: number;
  readonly cancelReason: string;
  readonly fragment: boolean;
  readonly events: readonly Event[];
}

export const WatchResponse: Codec<WatchResponse> = new Codec<WatchResponse>(
  'etcdserverpb.WatchResponse',
  createWatchResponse,
  writeWatchResponse,
  readWatchResponse,
);

function createWatchResponse(partial?: Partial<WatchResponse>): WatchResponse {
  return {
    header: partial?.header ?? null,
    watchId: partial?.watchId ?? 0,
    created: partial?.created ?? false,
    canceled: partial?.canceled ?? false,
    compactRevision: partial?.compactRevision ?? 0,
    cancelReason: partial?.cancelReason ?? '',
    fragment: partial?.fragment ?? false,
    events: partial?.events ?? EMPTY_LIST,
  };
}

function writeWatchResponse(writer: Writer, message: WatchResponse): void {
  for (let index = message.events.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    Event.write(writer, message.events[index] as Event);
    writer.varint32(writer.size - end);
    writer.varint32(90);
  }
  if (message.fragment) {
    writer.bool(message.fragment);
    writer.varint32(56);
  }
  if (message.cancelReason.length > 0) {
    writer.string(message.cancelReason);
    writer.varint32(50);
  }
  if (message.compactRevision !== 0) {
    writer.int64(message.compactRevision);
    writer.varint32(40);
  }
  if (message.canceled) {
    writer.bool(message.canceled);
    writer.varint32(32);
  }
  if (message.created) {
    writer.bool(message.created);
    writer.varint32(24);
  }
  if (message.watchId !== 0) {
    writer.int64(message.watchId);
    writer.varint32(16);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readWatchResponse(reader: Reader, base: WatchResponse): WatchResponse {
  let header = base.header;
  let watchId = base.watchId;
  let created = base.created;
  let canceled = base.canceled;
  let compactRevision = base.compactRevision;
  let cancelReason = base.cancelReason;
  let fragment = base.fragment;
  let events: Event[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 16:
        watchId = reader.int64();
        break;
      case 24:
        created = reader.bool();
        break;
      case 32:
        canceled = reader.bool();
        break;
      case 40:
        compactRevision = reader.int64();
        break;
      case 50:
        cancelReason = reader.string();
        break;
      case 56:
        fragment = reader.bool();
        break;
      case 90: {
        const outer = reader.enter();
        (events ??= [...base.events]).push(Event.read(reader, Event.empty));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    watchId,
    created,
    canceled,
    compactRevision,
    cancelReason,
    fragment,
    events: events ?? base.events,
  };
}

export interface LeaseGrantRequest {
  readonly ttl: number;
  readonly id: bigint;
}

export const LeaseGrantRequest: Codec<LeaseGrantRequest> = new Codec<LeaseGrantRequest>(
  'etcdserverpb.LeaseGrantRequest',
  createLeaseGrantRequest,
  writeLeaseGrantRequest,
  readLeaseGrantRequest,
);

function createLeaseGrantRequest(partial?: Partial<LeaseGrantRequest>): LeaseGrantRequest {
  return {
    ttl: partial?.ttl ?? 0,
    id: partial?.id ?? 0n,
  };
}

function writeLeaseGrantRequest(writer: Writer, message: LeaseGrantRequest): void {
  if (message.id !== 0n) {
    writer.int64Exact(message.id);
    writer.varint32(16);
  }
  if (message.ttl !== 0) {
    writer.int64(message.ttl);
    writer.varint32(8);
  }
}

function readLeaseGrantRequest(reader: Reader, base: LeaseGrantRequest): LeaseGrantRequest {
  let ttl = base.ttl;
  let id = base.id;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        ttl = reader.int64();
        break;
      case 16:
        id = reader.int64Exact();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    ttl,
    id,
  };
}

export interface LeaseGrantResponse {
  readonly header: ResponseHeader | null;
  readonly id: bigint;
  readonly ttl: number;
  readonly error: string;
}

export const LeaseGrantResponse: Codec<LeaseGrantResponse> = new Codec<LeaseGrantResponse>(
  'etcdserverpb.LeaseGrantResponse',
  createLeaseGrantResponse,
  writeLeaseGrantResponse,
  readLeaseGrantResponse,
);

function createLeaseGrantResponse(partial?: Partial<LeaseGrantResponse>): LeaseGrantResponse {
  return {
    header: partial?.header ?? null,
    id: partial?.id ?? 0n,
    ttl: partial?.ttl ?? 0,
    error: partial?.error ?? '',
  };
}

function writeLeaseGrantResponse(writer: Writer, message: LeaseGrantResponse): void {
  if (message.error.length > 0) {
    writer.string(message.error);
    writer.varint32(34);
  }
  if (message.ttl !== 0) {
    writer.int64(message.ttl);
    writer.varint32(24);
  }
  if (message.id !== 0n) {
    writer.int64Exact(message.id);
    writer.varint32(16);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readLeaseGrantResponse(reader: Reader, base: LeaseGrantResponse): LeaseGrantResponse {
  let header = base.header;
  let id = base.id;
  let ttl = base.ttl;
  let error = base.error;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 16:
        id = reader.int64Exact();
        break;
      case 24:
        ttl = reader.int64();
        break;
      case 34:
        error = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    id,
    ttl,
    error,
  };
}

export interface LeaseRevokeRequest {
  readonly id: bigint;
}

export const LeaseRevokeRequest: Codec<LeaseRevokeRequest> = new Codec<LeaseRevokeRequest>(
  'etcdserverpb.LeaseRevokeRequest',
  createLeaseRevokeRequest,
  writeLeaseRevokeRequest,
  readLeaseRevokeRequest,
);

function createLeaseRevokeRequest(partial?: Partial<LeaseRevokeRequest>): LeaseRevokeRequest {
  return {
    id: partial?.id ?? 0n,
  };
}

function writeLeaseRevokeRequest(writer: Writer, message: LeaseRevokeRequest): void {
  if (message.id !== 0n) {
    writer.int64Exact(message.id);
    writer.varint32(8);
  }
}

function readLeaseRevokeRequest(reader: Reader, base: LeaseRevokeRequest): LeaseRevokeRequest {
  let id = base.id;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        id = reader.int64Exact();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    id,
  };
}

export interface LeaseRevokeResponse {
  readonly header: ResponseHeader | null;
}

export const LeaseRevokeResponse: Codec<LeaseRevokeResponse> = new Codec<LeaseRevokeResponse>(
  'etcdserverpb.LeaseRevokeResponse',
  createLeaseRevokeResponse,
  writeLeaseRevokeResponse,
  readLeaseRevokeResponse,
);

function createLeaseRevokeResponse(partial?: Partial<LeaseRevokeResponse>): LeaseRevokeResponse {
  return {
    header: partial?.header ?? null,
  };
}

function writeLeaseRevokeResponse(writer: Writer, message: LeaseRevokeResponse): void {
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readLeaseRevokeResponse(reader: Reader, base: LeaseRevokeResponse): LeaseRevokeResponse {
  let header = base.header;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
  };
}

export interface LeaseCheckpoint {
  readonly id: bigint;
  readonly remainingTtl: number;
}

export const LeaseCheckpoint: Codec<LeaseCheckpoint> = new Codec<LeaseCheckpoint>(
  'etcdserverpb.LeaseCheckpoint',
  createLeaseCheckpoint,
  writeLeaseCheckpoint,
  readLeaseCheckpoint,
);

function createLeaseCheckpoint(partial?: Partial<LeaseCheckpoint>): LeaseCheckpoint {
  return {
    id: partial?.id ?? 0n,
    remainingTtl: partial?.remainingTtl ?? 0,
  };
}

function writeLeaseCheckpoint(writer: Writer, message: LeaseCheckpoint): void {
  if (message.remainingTtl !== 0) {
    writer.int64(message.remainingTtl);
    writer.varint32(16);
  }
  if (message.id !== 0n) {
    writer.int64Exact(message.id);
    writer.varint32(8);
  }
}

function readLeaseCheckpoint(reader: Reader, base: LeaseCheckpoint): LeaseCheckpoint {
  let id = base.id;
  let remainingTtl = base.remainingTtl;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        id = reader.int64Exact();
        break;
      case 16:
        remainingTtl = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    id,
    remainingTtl,
  };
}

export interface LeaseCheckpointRequest {
  readonly checkpoints: readonly LeaseCheckpoint[];
}

export const LeaseCheckpointRequest: Codec<LeaseCheckpointRequest> = new Codec<LeaseCheckpointRequest>(
  'etcdserverpb.LeaseCheckpointRequest',
  createLeaseCheckpointRequest,
  writeLeaseCheckpointRequest,
  readLeaseCheckpointRequest,
);

function createLeaseCheckpointRequest(partial?: Partial<LeaseCheckpointRequest>): LeaseCheckpointRequest {
  return {
    checkpoints: partial?.checkpoints ?? EMPTY_LIST,
  };
}

function writeLeaseCheckpointRequest(writer: Writer, message: LeaseCheckpointRequest): void {
  for (let index = message.checkpoints.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    LeaseCheckpoint.write(writer, message.checkpoints[index] as LeaseCheckpoint);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readLeaseCheckpointRequest(reader: Reader, base: LeaseCheckpointRequest): LeaseCheckpointRequest {
  let checkpoints: LeaseCheckpoint[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        (checkpoints ??= [...base.checkpoints]).push(LeaseCheckpoint.read(reader, LeaseCheckpoint.empty));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    checkpoints: checkpoints ?? base.checkpoints,
  };
}

export interface LeaseCheckpointResponse {
  readonly header: ResponseHeader | null;
}

export const LeaseCheckpointResponse: Codec<LeaseCheckpointResponse> = new Codec<LeaseCheckpointResponse>(
  'etcdserverpb.LeaseCheckpointResponse',
  createLeaseCheckpointResponse,
  writeLeaseCheckpointResponse,
  readLeaseCheckpointResponse,
);

function createLeaseCheckpointResponse(partial?: Partial<LeaseCheckpointResponse>): LeaseCheckpointResponse {
  return {
    header: partial?.header ?? null,
  };
}

function writeLeaseCheckpointResponse(writer: Writer, message: LeaseCheckpointResponse): void {
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readLeaseCheckpointResponse(reader: Reader, base: LeaseCheckpointResponse): LeaseCheckpointResponse {
  let header = base.header;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
  };
}

export interface LeaseKeepAliveRequest {
  readonly id: bigint;
}

export const LeaseKeepAliveRequest: Codec<LeaseKeepAliveRequest> = new Codec<LeaseKeepAliveRequest>(
  'etcdserverpb.LeaseKeepAliveRequest',
  createLeaseKeepAliveRequest,
  writeLeaseKeepAliveRequest,
  readLeaseKeepAliveRequest,
);

function createLeaseKeepAliveRequest(partial?: Partial<LeaseKeepAliveRequest>): LeaseKeepAliveRequest {
  return {
    id: partial?.id ?? 0n,
  };
}

function writeLeaseKeepAliveRequest(writer: Writer, message: LeaseKeepAliveRequest): void {
  if (message.id !== 0n) {
    writer.int64Exact(message.id);
    writer.varint32(8);
  }
}

function readLeaseKeepAliveRequest(reader: Reader, base: LeaseKeepAliveRequest): LeaseKeepAliveRequest {
  let id = base.id;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        id = reader.int64Exact();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    id,
  };
}

export interface LeaseKeepAliveResponse {
  readonly header: ResponseHeader | null;
  readonly id: bigint;
  readonly ttl: number;
}

export const LeaseKeepAliveResponse: Codec<LeaseKeepAliveResponse> = new Codec<LeaseKeepAliveResponse>(
  'etcdserverpb.LeaseKeepAliveResponse',
  createLeaseKeepAliveResponse,
  writeLeaseKeepAliveResponse,
  readLeaseKeepAliveResponse,
);

function createLeaseKeepAliveResponse(partial?: Partial<LeaseKeepAliveResponse>): LeaseKeepAliveResponse {
  return {
    header: partial?.header ?? null,
    id: partial?.id ?? 0n,
    ttl: partial?.ttl ?? 0,
  };
}

function writeLeaseKeepAliveResponse(writer: Writer, message: LeaseKeepAliveResponse): void {
  if (message.ttl !== 0) {
    writer.int64(message.ttl);
    writer.varint32(24);
  }
  if (message.id !== 0n) {
    writer.int64Exact(message.id);
    writer.varint32(16);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readLeaseKeepAliveResponse(reader: Reader, base: LeaseKeepAliveResponse): LeaseKeepAliveResponse {
  let header = base.header;
  let id = base.id;
  let ttl = base.ttl;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 16:
        id = reader.int64Exact();
        break;
      case 24:
        ttl = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    id,
    ttl,
  };
}

export interface LeaseTimeToLiveRequest {
  readonly id: bigint;
  readonly keys: boolean;
}

export const LeaseTimeToLiveRequest: Codec<LeaseTimeToLiveRequest> = new Codec<LeaseTimeToLiveRequest>(
  'etcdserverpb.LeaseTimeToLiveRequest',
  createLeaseTimeToLiveRequest,
  writeLeaseTimeToLiveRequest,
  readLeaseTimeToLiveRequest,
);

function createLeaseTimeToLiveRequest(partial?: Partial<LeaseTimeToLiveRequest>): LeaseTimeToLiveRequest {
  return {
    id: partial?.id ?? 0n,
    keys: partial?.keys ?? false,
  };
}

function writeLeaseTimeToLiveRequest(writer: Writer, message: LeaseTimeToLiveRequest): void {
  if (message.keys) {
    writer.bool(message.keys);
    writer.varint32(16);
  }
  if (message.id !== 0n) {
    writer.int64Exact(message.id);
    writer.varint32(8);
  }
}

function readLeaseTimeToLiveRequest(reader: Reader, base: LeaseTimeToLiveRequest): LeaseTimeToLiveRequest {
  let id = base.id;
  let keys = base.keys;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        id = reader.int64Exact();
        break;
      case 16:
        keys = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    id,
    keys,
  };
}

export interface LeaseTimeToLiveResponse {
  readonly header: ResponseHeader | null;
  readonly id: bigint;
  readonly ttl: number;
  readonly grantedTtl: number;
  readonly keys: readonly Uint8Array[];
}

export const LeaseTimeToLiveResponse: Codec<LeaseTimeToLiveResponse> = new Codec<LeaseTimeToLiveResponse>(
  'etcdserverpb.LeaseTimeToLiveResponse',
  createLeaseTimeToLiveResponse,
  writeLeaseTimeToLiveResponse,
  readLeaseTimeToLiveResponse,
);

function createLeaseTimeToLiveResponse(partial?: Partial<LeaseTimeToLiveResponse>): LeaseTimeToLiveResponse {
  return {
    header: partial?.header ?? null,
    id: partial?.id ?? 0n,
    ttl: partial?.ttl ?? 0,
    grantedTtl: partial?.grantedTtl ?? 0,
    keys: partial?.keys ?? EMPTY_LIST,
  };
}

function writeLeaseTimeToLiveResponse(writer: Writer, message: LeaseTimeToLiveResponse): void {
  for (let index = message.keys.length - 1; index >= 0; index -= 1) {
    writer.bytes(message.keys[index] as Uint8Array);
    writer.varint32(42);
  }
  if (message.grantedTtl !== 0) {
    writer.int64(message.grantedTtl);
    writer.varint32(32);
  }
  if (message.ttl !== 0) {
    writer.int64(message.ttl);
    writer.varint32(24);
  }
  if (message.id !== 0n) {
    writer.int64Exact(message.id);
    writer.varint32(16);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readLeaseTimeToLiveResponse(reader: Reader, base: LeaseTimeToLiveResponse): LeaseTimeToLiveResponse {
  let header = base.header;
  let id = base.id;
  let ttl = base.ttl;
  let grantedTtl = base.grantedTtl;
  let keys: Uint8Array[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 16:
        id = reader.int64Exact();
        break;
      case 24:
        ttl = reader.int64();
        break;
      case 32:
        grantedTtl = reader.int64();
        break;
      case 42:
        (keys ??= [...base.keys]).push(reader.bytes());
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    id,
    ttl,
    grantedTtl,
    keys: keys ?? base.keys,
  };
}

export type LeaseLeasesRequest = Readonly<Record<string, never>>;

export const LeaseLeasesRequest: Codec<LeaseLeasesRequest> = new Codec<LeaseLeasesRequest>(
  'etcdserverpb.LeaseLeasesRequest',
  createLeaseLeasesRequest,
  writeLeaseLeasesRequest,
  readLeaseLeasesRequest,
);

function createLeaseLeasesRequest(): LeaseLeasesRequest {
  return {};
}

function writeLeaseLeasesRequest(): void {}

function readLeaseLeasesRequest(reader: Reader, base: LeaseLeasesRequest): LeaseLeasesRequest {
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      default:
        reader.skip(tag);
    }
  }
  return base;
}

export interface LeaseStatus {
  readonly id: bigint;
}

export const LeaseStatus: Codec<LeaseStatus> = new Codec<LeaseStatus>(
  'etcdserverpb.LeaseStatus',
  createLeaseStatus,
  writeLeaseStatus,
  readLeaseStatus,
);

function createLeaseStatus(partial?: Partial<LeaseStatus>): LeaseStatus {
  return {
    id: partial?.id ?? 0n,
  };
}

function writeLeaseStatus(writer: Writer, message: LeaseStatus): void {
  if (message.id !== 0n) {
    writer.int64Exact(message.id);
    writer.varint32(8);
  }
}

function readLeaseStatus(reader: Reader, base: LeaseStatus): LeaseStatus {
  let id = base.id;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        id = reader.int64Exact();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    id,
  };
}

export interface LeaseLeasesResponse {
  readonly header: ResponseHeader | null;
  readonly leases: readonly LeaseStatus[];
}

export const LeaseLeasesResponse: Codec<LeaseLeasesResponse> = new Codec<LeaseLeasesResponse>(
  'etcdserverpb.LeaseLeasesResponse',
  createLeaseLeasesResponse,
  writeLeaseLeasesResponse,
  readLeaseLeasesResponse,
);

function createLeaseLeasesResponse(partial?: Partial<LeaseLeasesResponse>): LeaseLeasesResponse {
  return {
    header: partial?.header ?? null,
    leases: partial?.leases ?? EMPTY_LIST,
  };
}

function writeLeaseLeasesResponse(writer: Writer, message: LeaseLeasesResponse): void {
  for (let index = message.leases.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    LeaseStatus.write(writer, message.leases[index] as LeaseStatus);
    writer.varint32(writer.size - end);
    writer.varint32(18);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readLeaseLeasesResponse(reader: Reader, base: LeaseLeasesResponse): LeaseLeasesResponse {
  let header = base.header;
  let leases: LeaseStatus[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 18: {
        const outer = reader.enter();
        (leases ??= [...base.leases]).push(LeaseStatus.read(reader, LeaseStatus.empty));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    leases: leases ?? base.leases,
  };
}

export interface Member {
  readonly id: bigint;
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

export const Member: Codec<Member> = new Codec<Member>(
  'etcdserverpb.Member',
  createMember,
  writeMember,
  readMember,
);

function createMember(partial?: Partial<Member>): Member {
  return {
    id: partial?.id ?? 0n,
    name: partial?.name ?? '',
    peerUrls: partial?.peerUrls ?? EMPTY_LIST,
    clientUrls: partial?.clientUrls ?? EMPTY_LIST,
    isLearner: partial?.isLearner ?? false,
  };
}

function writeMember(writer: Writer, message: Member): void {
  if (message.isLearner) {
    writer.bool(message.isLearner);
    writer.varint32(40);
  }
  for (let index = message.clientUrls.length - 1; index >= 0; index -= 1) {
    writer.string(message.clientUrls[index] as string);
    writer.varint32(34);
  }
  for (let index = message.peerUrls.length - 1; index >= 0; index -= 1) {
    writer.string(message.peerUrls[index] as string);
    writer.varint32(26);
  }
  if (message.name.length > 0) {
    writer.string(message.name);
    writer.varint32(18);
  }
  if (message.id !== 0n) {
    writer.uint64(message.id);
    writer.varint32(8);
  }
}

function readMember(reader: Reader, base: Member): Member {
  let id = base.id;
  let name = base.name;
  let peerUrls: string[] | null = null;
  let clientUrls: string[] | null = null;
  let isLearner = base.isLearner;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        id = reader.uint64();
        break;
      case 18:
        name = reader.string();
        break;
      case 26:
        (peerUrls ??= [...base.peerUrls]).push(reader.string());
        break;
      case 34:
        (clientUrls ??= [...base.clientUrls]).push(reader.string());
        break;
      case 40:
        isLearner = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    id,
    name,
    peerUrls: peerUrls ?? base.peerUrls,
    clientUrls: clientUrls ?? base.clientUrls,
    isLearner,
  };
}

export interface MemberAddRequest {
  readonly peerUrls: readonly string[];
  readonly isLearner: boolean;
}

export const MemberAddRequest: Codec<MemberAddRequest> = new Codec<MemberAddRequest>(
  'etcdserverpb.MemberAddRequest',
  createMemberAddRequest,
  writeMemberAddRequest,
  readMemberAddRequest,
);

function createMemberAddRequest(partial?: Partial<MemberAddRequest>): MemberAddRequest {
  return {
    peerUrls: partial?.peerUrls ?? EMPTY_LIST,
    isLearner: partial?.isLearner ?? false,
  };
}

function writeMemberAddRequest(writer: Writer, message: MemberAddRequest): void {
  if (message.isLearner) {
    writer.bool(message.isLearner);
    writer.varint32(16);
  }
  for (let index = message.peerUrls.length - 1; index >= 0; index -= 1) {
    writer.string(message.peerUrls[index] as string);
    writer.varint32(10);
  }
}

function readMemberAddRequest(reader: Reader, base: MemberAddRequest): MemberAddRequest {
  let peerUrls: string[] | null = null;
  let isLearner = base.isLearner;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        (peerUrls ??= [...base.peerUrls]).push(reader.string());
        break;
      case 16:
        isLearner = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    peerUrls: peerUrls ?? base.peerUrls,
    isLearner,
  };
}

export interface MemberAddResponse {
  readonly header: ResponseHeader | null;
  readonly member: Member | null;
  readonly members: readonly Member[];
}

export const MemberAddResponse: Codec<MemberAddResponse> = new Codec<MemberAddResponse>(
  'etcdserverpb.MemberAddResponse',
  createMemberAddResponse,
  writeMemberAddResponse,
  readMemberAddResponse,
);

function createMemberAddResponse(partial?: Partial<MemberAddResponse>): MemberAddResponse {
  return {
    header: partial?.header ?? null,
    member: partial?.member ?? null,
    members: partial?.members ?? EMPTY_LIST,
  };
}

function writeMemberAddResponse(writer: Writer, message: MemberAddResponse): void {
  for (let index = message.members.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    Member.write(writer, message.members[index] as Member);
    writer.varint32(writer.size - end);
    writer.varint32(26);
  }
  if (message.member !== null) {
    const end = writer.size;
    Member.write(writer, message.member);
    writer.varint32(writer.size - end);
    writer.varint32(18);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readMemberAddResponse(reader: Reader, base: MemberAddResponse): MemberAddResponse {
  let header = base.header;
  let member = base.member;
  let members: Member[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 18: {
        const outer = reader.enter();
        member = Member.read(reader, member ?? Member.empty);
        reader.leave(outer);
        break;
      }
      case 26: {
        const outer = reader.enter();
        (members ??= [...base.members]).push(Member.read(reader, Member.empty));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    member,
    members: members ?? base.members,
  };
}

export interface MemberRemoveRequest {
  readonly id: bigint;
}

export const MemberRemoveRequest: Codec<MemberRemoveRequest> = new Codec<MemberRemoveRequest>(
  'etcdserverpb.MemberRemoveRequest',
  createMemberRemoveRequest,
  writeMemberRemoveRequest,
  readMemberRemoveRequest,
);

function createMemberRemoveRequest(partial?: Partial<MemberRemoveRequest>): MemberRemoveRequest {
  return {
    id: partial?.id ?? 0n,
  };
}

function writeMemberRemoveRequest(writer: Writer, message: MemberRemoveRequest): void {
  if (message.id !== 0n) {
    writer.uint64(message.id);
    writer.varint32(8);
  }
}

function readMemberRemoveRequest(reader: Reader, base: MemberRemoveRequest): MemberRemoveRequest {
  let id = base.id;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        id = reader.uint64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    id,
  };
}

export interface MemberRemoveResponse {
  readonly header: ResponseHeader | null;
  readonly members: readonly Member[];
}

export const MemberRemoveResponse: Codec<MemberRemoveResponse> = new Codec<MemberRemoveResponse>(
  'etcdserverpb.MemberRemoveResponse',
  createMemberRemoveResponse,
  writeMemberRemoveResponse,
  readMemberRemoveResponse,
);

function createMemberRemoveResponse(partial?: Partial<MemberRemoveResponse>): MemberRemoveResponse {
  return {
    header: partial?.header ?? null,
    members: partial?.members ?? EMPTY_LIST,
  };
}

function writeMemberRemoveResponse(writer: Writer, message: MemberRemoveResponse): void {
  for (let index = message.members.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    Member.write(writer, message.members[index] as Member);
    writer.varint32(writer.size - end);
    writer.varint32(18);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readMemberRemoveResponse(reader: Reader, base: MemberRemoveResponse): MemberRemoveResponse {
  let header = base.header;
  let members: Member[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 18: {
        const outer = reader.enter();
        (members ??= [...base.members]).push(Member.read(reader, Member.empty));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    members: members ?? base.members,
  };
}

export interface MemberUpdateRequest {
  readonly id: bigint;
  readonly peerUrls: readonly string[];
}

export const MemberUpdateRequest: Codec<MemberUpdateRequest> = new Codec<MemberUpdateRequest>(
  'etcdserverpb.MemberUpdateRequest',
  createMemberUpdateRequest,
  writeMemberUpdateRequest,
  readMemberUpdateRequest,
);

function createMemberUpdateRequest(partial?: Partial<MemberUpdateRequest>): MemberUpdateRequest {
  return {
    id: partial?.id ?? 0n,
    peerUrls: partial?.peerUrls ?? EMPTY_LIST,
  };
}

function writeMemberUpdateRequest(writer: Writer, message: MemberUpdateRequest): void {
  for (let index = message.peerUrls.length - 1; index >= 0; index -= 1) {
    writer.string(message.peerUrls[index] as string);
    writer.varint32(18);
  }
  if (message.id !== 0n) {
    writer.uint64(message.id);
    writer.varint32(8);
  }
}

function readMemberUpdateRequest(reader: Reader, base: MemberUpdateRequest): MemberUpdateRequest {
  let id = base.id;
  let peerUrls: string[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        id = reader.uint64();
        break;
      case 18:
        (peerUrls ??= [...base.peerUrls]).push(reader.string());
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    id,
    peerUrls: peerUrls ?? base.peerUrls,
  };
}

export interface MemberUpdateResponse {
  readonly header: ResponseHeader | null;
  readonly members: readonly Member[];
}

export const MemberUpdateResponse: Codec<MemberUpdateResponse> = new Codec<MemberUpdateResponse>(
  'etcdserverpb.MemberUpdateResponse',
  createMemberUpdateResponse,
  writeMemberUpdateResponse,
  readMemberUpdateResponse,
);

function createMemberUpdateResponse(partial?: Partial<MemberUpdateResponse>): MemberUpdateResponse {
  return {
    header: partial?.header ?? null,
    members: partial?.members ?? EMPTY_LIST,
  };
}

function writeMemberUpdateResponse(writer: Writer, message: MemberUpdateResponse): void {
  for (let index = message.members.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    Member.write(writer, message.members[index] as Member);
    writer.varint32(writer.size - end);
    writer.varint32(18);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readMemberUpdateResponse(reader: Reader, base: MemberUpdateResponse): MemberUpdateResponse {
  let header = base.header;
  let members: Member[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 18: {
        const outer = reader.enter();
        (members ??= [...base.members]).push(Member.read(reader, Member.empty));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    members: members ?? base.members,
  };
}

export interface MemberListRequest {
  readonly linearizable: boolean;
}

export const MemberListRequest: Codec<MemberListRequest> = new Codec<MemberListRequest>(
  'etcdserverpb.MemberListRequest',
  createMemberListRequest,
  writeMemberListRequest,
  readMemberListRequest,
);

function createMemberListRequest(partial?: Partial<MemberListRequest>): MemberListRequest {
  return {
    linearizable: partial?.linearizable ?? false,
  };
}

function writeMemberListRequest(writer: Writer, message: MemberListRequest): void {
  if (message.linearizable) {
    writer.bool(message.linearizable);
    writer.varint32(8);
  }
}

function readMemberListRequest(reader: Reader, base: MemberListRequest): MemberListRequest {
  let linearizable = base.linearizable;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        linearizable = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    linearizable,
  };
}

export interface MemberListResponse {
  readonly header: ResponseHeader | null;
  readonly members: readonly Member[];
}

export const MemberListResponse: Codec<MemberListResponse> = new Codec<MemberListResponse>(
  'etcdserverpb.MemberListResponse',
  createMemberListResponse,
  writeMemberListResponse,
  readMemberListResponse,
);

function createMemberListResponse(partial?: Partial<MemberListResponse>): MemberListResponse {
  return {
    header: partial?.header ?? null,
    members: partial?.members ?? EMPTY_LIST,
  };
}

function writeMemberListResponse(writer: Writer, message: MemberListResponse): void {
  for (let index = message.members.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    Member.write(writer, message.members[index] as Member);
    writer.varint32(writer.size - end);
    writer.varint32(18);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readMemberListResponse(reader: Reader, base: MemberListResponse): MemberListResponse {
  let header = base.header;
  let members: Member[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 18: {
        const outer = reader.enter();
        (members ??= [...base.members]).push(Member.read(reader, Member.empty));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    members: members ?? base.members,
  };
}

export interface MemberPromoteRequest {
  readonly id: bigint;
}

export const MemberPromoteRequest: Codec<MemberPromoteRequest> = new Codec<MemberPromoteRequest>(
  'etcdserverpb.MemberPromoteRequest',
  createMemberPromoteRequest,
  writeMemberPromoteRequest,
  readMemberPromoteRequest,
);

function createMemberPromoteRequest(partial?: Partial<MemberPromoteRequest>): MemberPromoteRequest {
  return {
    id: partial?.id ?? 0n,
  };
}

function writeMemberPromoteRequest(writer: Writer, message: MemberPromoteRequest): void {
  if (message.id !== 0n) {
    writer.uint64(message.id);
    writer.varint32(8);
  }
}

function readMemberPromoteRequest(reader: Reader, base: MemberPromoteRequest): MemberPromoteRequest {
  let id = base.id;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        id = reader.uint64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    id,
  };
}

export interface MemberPromoteResponse {
  readonly header: ResponseHeader | null;
  readonly members: readonly Member[];
}

export const MemberPromoteResponse: Codec<MemberPromoteResponse> = new Codec<MemberPromoteResponse>(
  'etcdserverpb.MemberPromoteResponse',
  createMemberPromoteResponse,
  writeMemberPromoteResponse,
  readMemberPromoteResponse,
);

function createMemberPromoteResponse(partial?: Partial<MemberPromoteResponse>): MemberPromoteResponse {
  return {
    header: partial?.header ?? null,
    members: partial?.members ?? EMPTY_LIST,
  };
}

function writeMemberPromoteResponse(writer: Writer, message: MemberPromoteResponse): void {
  for (let index = message.members.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    Member.write(writer, message.members[index] as Member);
    writer.varint32(writer.size - end);
    writer.varint32(18);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readMemberPromoteResponse(reader: Reader, base: MemberPromoteResponse): MemberPromoteResponse {
  let header = base.header;
  let members: Member[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 18: {
        const outer = reader.enter();
        (members ??= [...base.members]).push(Member.read(reader, Member.empty));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    members: members ?? base.members,
  };
}

export type DefragmentRequest = Readonly<Record<string, never>>;

export const DefragmentRequest: Codec<DefragmentRequest> = new Codec<DefragmentRequest>(
  'etcdserverpb.DefragmentRequest',
  createDefragmentRequest,
  writeDefragmentRequest,
  readDefragmentRequest,
);

function createDefragmentRequest(): DefragmentRequest {
  return {};
}

function writeDefragmentRequest(): void {}

function readDefragmentRequest(reader: Reader, base: DefragmentRequest): DefragmentRequest {
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      default:
        reader.skip(tag);
    }
  }
  return base;
}

export interface DefragmentResponse {
  readonly header: ResponseHeader | null;
}

export const DefragmentResponse: Codec<DefragmentResponse> = new Codec<DefragmentResponse>(
  'etcdserverpb.DefragmentResponse',
  createDefragmentResponse,
  writeDefragmentResponse,
  readDefragmentResponse,
);

function createDefragmentResponse(partial?: Partial<DefragmentResponse>): DefragmentResponse {
  return {
    header: partial?.header ?? null,
  };
}

function writeDefragmentResponse(writer: Writer, message: DefragmentResponse): void {
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readDefragmentResponse(reader: Reader, base: DefragmentResponse): DefragmentResponse {
  let header = base.header;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
  };
}

export interface MoveLeaderRequest {
  readonly targetId: bigint;
}

export const MoveLeaderRequest: Codec<MoveLeaderRequest> = new Codec<MoveLeaderRequest>(
  'etcdserverpb.MoveLeaderRequest',
  createMoveLeaderRequest,
  writeMoveLeaderRequest,
  readMoveLeaderRequest,
);

function createMoveLeaderRequest(partial?: Partial<MoveLeaderRequest>): MoveLeaderRequest {
  return {
    targetId: partial?.targetId ?? 0n,
  };
}

function writeMoveLeaderRequest(writer: Writer, message: MoveLeaderRequest): void {
  if (message.targetId !== 0n) {
    writer.uint64(message.targetId);
    writer.varint32(8);
  }
}

function readMoveLeaderRequest(reader: Reader, base: MoveLeaderRequest): MoveLeaderRequest {
  let targetId = base.targetId;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        targetId = reader.uint64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    targetId,
  };
}

export interface MoveLeaderResponse {
  readonly header: ResponseHeader | null;
}

export const MoveLeaderResponse: Codec<MoveLeaderResponse> = new Codec<MoveLeaderResponse>(
  'etcdserverpb.MoveLeaderResponse',
  createMoveLeaderResponse,
  writeMoveLeaderResponse,
  readMoveLeaderResponse,
);

function createMoveLeaderResponse(partial?: Partial<MoveLeaderResponse>): MoveLeaderResponse {
  return {
    header: partial?.header ?? null,
  };
}

function writeMoveLeaderResponse(writer: Writer, message: MoveLeaderResponse): void {
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readMoveLeaderResponse(reader: Reader, base: MoveLeaderResponse): MoveLeaderResponse {
  let header = base.header;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
  };
}

export interface AlarmRequest {
  readonly action: AlarmAction;
  readonly memberId: bigint;
  readonly alarm: AlarmType;
}

export const AlarmRequest: Codec<AlarmRequest> = new Codec<AlarmRequest>(
  'etcdserverpb.AlarmRequest',
  createAlarmRequest,
  writeAlarmRequest,
  readAlarmRequest,
);

function createAlarmRequest(partial?: Partial<AlarmRequest>): AlarmRequest {
  return {
    action: partial?.action ?? 0,
    memberId: partial?.memberId ?? 0n,
    alarm: partial?.alarm ?? 0,
  };
}

function writeAlarmRequest(writer: Writer, message: AlarmRequest): void {
  if (message.alarm !== 0) {
    writer.int32(message.alarm);
    writer.varint32(24);
  }
  if (message.memberId !== 0n) {
    writer.uint64(message.memberId);
    writer.varint32(16);
  }
  if (message.action !== 0) {
    writer.int32(message.action);
    writer.varint32(8);
  }
}

function readAlarmRequest(reader: Reader, base: AlarmRequest): AlarmRequest {
  let action = base.action;
  let memberId = base.memberId;
  let alarm = base.alarm;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        action = reader.int32();
        break;
      case 16:
        memberId = reader.uint64();
        break;
      case 24:
        alarm = reader.int32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    action,
    memberId,
    alarm,
  };
}

export interface AlarmMember {
  readonly memberId: bigint;
  readonly alarm: AlarmType;
}

export const AlarmMember: Codec<AlarmMember> = new Codec<AlarmMember>(
  'etcdserverpb.AlarmMember',
  createAlarmMember,
  writeAlarmMember,
  readAlarmMember,
);

function createAlarmMember(partial?: Partial<AlarmMember>): AlarmMember {
  return {
    memberId: partial?.memberId ?? 0n,
    alarm: partial?.alarm ?? 0,
  };
}

function writeAlarmMember(writer: Writer, message: AlarmMember): void {
  if (message.alarm !== 0) {
    writer.int32(message.alarm);
    writer.varint32(16);
  }
  if (message.memberId !== 0n) {
    writer.uint64(message.memberId);
    writer.varint32(8);
  }
}

function readAlarmMember(reader: Reader, base: AlarmMember): AlarmMember {
  let memberId = base.memberId;
  let alarm = base.alarm;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        memberId = reader.uint64();
        break;
      case 16:
        alarm = reader.int32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    memberId,
    alarm,
  };
}

export interface AlarmResponse {
  readonly header: ResponseHeader | null;
  readonly alarms: readonly AlarmMember[];
}

export const AlarmResponse: Codec<AlarmResponse> = new Codec<AlarmResponse>(
  'etcdserverpb.AlarmResponse',
  createAlarmResponse,
  writeAlarmResponse,
  readAlarmResponse,
);

function createAlarmResponse(partial?: Partial<AlarmResponse>): AlarmResponse {
  return {
    header: partial?.header ?? null,
    alarms: partial?.alarms ?? EMPTY_LIST,
  };
}

function writeAlarmResponse(writer: Writer, message: AlarmResponse): void {
  for (let index = message.alarms.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    AlarmMember.write(writer, message.alarms[index] as AlarmMember);
    writer.varint32(writer.size - end);
    writer.varint32(18);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readAlarmResponse(reader: Reader, base: AlarmResponse): AlarmResponse {
  let header = base.header;
  let alarms: AlarmMember[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 18: {
        const outer = reader.enter();
        (alarms ??= [...base.alarms]).push(AlarmMember.read(reader, AlarmMember.empty));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    alarms: alarms ?? base.alarms,
  };
}

export interface DowngradeRequest {
  readonly action: DowngradeAction;
  readonly version: string;
}

export const DowngradeRequest: Codec<DowngradeRequest> = new Codec<DowngradeRequest>(
  'etcdserverpb.DowngradeRequest',
  createDowngradeRequest,
  writeDowngradeRequest,
  readDowngradeRequest,
);

function createDowngradeRequest(partial?: Partial<DowngradeRequest>): DowngradeRequest {
  return {
    action: partial?.action ?? 0,
    version: partial?.version ?? '',
  };
}

function writeDowngradeRequest(writer: Writer, message: DowngradeRequest): void {
  if (message.version.length > 0) {
    writer.string(message.version);
    writer.varint32(18);
  }
  if (message.action !== 0) {
    writer.int32(message.action);
    writer.varint32(8);
  }
}

function readDowngradeRequest(reader: Reader, base: DowngradeRequest): DowngradeRequest {
  let action = base.action;
  let version = base.version;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        action = reader.int32();
        break;
      case 18:
        version = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    action,
    version,
  };
}

export interface DowngradeResponse {
  readonly header: ResponseHeader | null;
  readonly version: string;
}

export const DowngradeResponse: Codec<DowngradeResponse> = new Codec<DowngradeResponse>(
  'etcdserverpb.DowngradeResponse',
  createDowngradeResponse,
  writeDowngradeResponse,
  readDowngradeResponse,
);

function createDowngradeResponse(partial?: Partial<DowngradeResponse>): DowngradeResponse {
  return {
    header: partial?.header ?? null,
    version: partial?.version ?? '',
  };
}

function writeDowngradeResponse(writer: Writer, message: DowngradeResponse): void {
  if (message.version.length > 0) {
    writer.string(message.version);
    writer.varint32(18);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readDowngradeResponse(reader: Reader, base: DowngradeResponse): DowngradeResponse {
  let header = base.header;
  let version = base.version;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 18:
        version = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    version,
  };
}

export interface DowngradeVersionTestRequest {
  readonly ver: string;
}

export const DowngradeVersionTestRequest: Codec<DowngradeVersionTestRequest> = new Codec<DowngradeVersionTestRequest>(
  'etcdserverpb.DowngradeVersionTestRequest',
  createDowngradeVersionTestRequest,
  writeDowngradeVersionTestRequest,
  readDowngradeVersionTestRequest,
);

function createDowngradeVersionTestRequest(partial?: Partial<DowngradeVersionTestRequest>): DowngradeVersionTestRequest {
  return {
    ver: partial?.ver ?? '',
  };
}

function writeDowngradeVersionTestRequest(writer: Writer, message: DowngradeVersionTestRequest): void {
  if (message.ver.length > 0) {
    writer.string(message.ver);
    writer.varint32(10);
  }
}

function readDowngradeVersionTestRequest(reader: Reader, base: DowngradeVersionTestRequest): DowngradeVersionTestRequest {
  let ver = base.ver;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        ver = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    ver,
  };
}

export type StatusRequest = Readonly<Record<string, never>>;

export const StatusRequest: Codec<StatusRequest> = new Codec<StatusRequest>(
  'etcdserverpb.StatusRequest',
  createStatusRequest,
  writeStatusRequest,
  readStatusRequest,
);

function createStatusRequest(): StatusRequest {
  return {};
}

function writeStatusRequest(): void {}

function readStatusRequest(reader: Reader, base: StatusRequest): StatusRequest {
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      default:
        reader.skip(tag);
    }
  }
  return base;
}

export interface StatusResponse {
  readonly header: ResponseHeader | null;
  readonly version: string;
  readonly dbSize: number;
  readonly leader: bigint;
  readonly raftIndex: bigint;
  readonly raftTerm: bigint;
  readonly raftAppliedIndex: bigint;
  readonly errors: readonly string[];
  readonly dbSizeInUse: number;
  readonly isLearner: boolean;
  readonly storageVersion: string;
  readonly dbSizeQuota: number;
  readonly downgradeInfo: DowngradeInfo | null;
}

export const StatusResponse: Codec<StatusResponse> = new Codec<StatusResponse>(
  'etcdserverpb.StatusResponse',
  createStatusResponse,
  writeStatusResponse,
  readStatusResponse,
);

function createStatusResponse(partial?: Partial<StatusResponse>): StatusResponse {
  return {
    header: partial?.header ?? null,
    version: partial?.version ?? '',
    dbSize: partial?.dbSize ?? 0,
    leader: partial?.leader ?? 0n,
    raftIndex: partial?.raftIndex ?? 0n,
    raftTerm: partial?.raftTerm ?? 0n,
    raftAppliedIndex: partial?.raftAppliedIndex ?? 0n,
    errors: partial?.errors ?? EMPTY_LIST,
    dbSizeInUse: partial?.dbSizeInUse ?? 0,
    isLearner: partial?.isLearner ?? false,
    storageVersion: partial?.storageVersion ?? '',
    dbSizeQuota: partial?.dbSizeQuota ?? 0,
    downgradeInfo: partial?.downgradeInfo ?? null,
  };
}

function writeStatusResponse(writer: Writer, message: StatusResponse): void {
  if (message.downgradeInfo !== null) {
    const end = writer.size;
    DowngradeInfo.write(writer, message.downgradeInfo);
    writer.varint32(writer.size - end);
    writer.varint32(106);
  }
  if (message.dbSizeQuota !== 0) {
    writer.int64(message.dbSizeQuota);
    writer.varint32(96);
  }
  if (message.storageVersion.length > 0) {
    writer.string(message.storageVersion);
    writer.varint32(90);
  }
  if (message.isLearner) {
    writer.bool(message.isLearner);
    writer.varint32(80);
  }
  if (message.dbSizeInUse !== 0) {
    writer.int64(message.dbSizeInUse);
    writer.varint32(72);
  }
  for (let index = message.errors.length - 1; index >= 0; index -= 1) {
    writer.string(message.errors[index] as string);
    writer.varint32(66);
  }
  if (message.raftAppliedIndex !== 0n) {
    writer.uint64(message.raftAppliedIndex);
    writer.varint32(56);
  }
  if (message.raftTerm !== 0n) {
    writer.uint64(message.raftTerm);
    writer.varint32(48);
  }
  if (message.raftIndex !== 0n) {
    writer.uint64(message.raftIndex);
    writer.varint32(40);
  }
  if (message.leader !== 0n) {
    writer.uint64(message.leader);
    writer.varint32(32);
  }
  if (message.dbSize !== 0) {
    writer.int64(message.dbSize);
    writer.varint32(24);
  }
  if (message.version.length > 0) {
    writer.string(message.version);
    writer.varint32(18);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readStatusResponse(reader: Reader, base: StatusResponse): StatusResponse {
  let header = base.header;
  let version = base.version;
  let dbSize = base.dbSize;
  let leader = base.leader;
  let raftIndex = base.raftIndex;
  let raftTerm = base.raftTerm;
  let raftAppliedIndex = base.raftAppliedIndex;
  let errors: string[] | null = null;
  let dbSizeInUse = base.dbSizeInUse;
  let isLearner = base.isLearner;
  let storageVersion = base.storageVersion;
  let dbSizeQuota = base.dbSizeQuota;
  let downgradeInfo = base.downgradeInfo;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 18:
        version = reader.string();
        break;
      case 24:
        dbSize = reader.int64();
        break;
      case 32:
        leader = reader.uint64();
        break;
      case 40:
        raftIndex = reader.uint64();
        break;
      case 48:
        raftTerm = reader.uint64();
        break;
      case 56:
        raftAppliedIndex = reader.uint64();
        break;
      case 66:
        (errors ??= [...base.errors]).push(reader.string());
        break;
      case 72:
        dbSizeInUse = reader.int64();
        break;
      case 80:
        isLearner = reader.bool();
        break;
      case 90:
        storageVersion = reader.string();
        break;
      case 96:
        dbSizeQuota = reader.int64();
        break;
      case 106: {
        const outer = reader.enter();
        downgradeInfo = DowngradeInfo.read(reader, downgradeInfo ?? DowngradeInfo.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    version,
    dbSize,
    leader,
    raftIndex,
    raftTerm,
    raftAppliedIndex,
    errors: errors ?? base.errors,
    dbSizeInUse,
    isLearner,
    storageVersion,
    dbSizeQuota,
    downgradeInfo,
  };
}

export interface DowngradeInfo {
  readonly enabled: boolean;
  readonly targetVersion: string;
}

export const DowngradeInfo: Codec<DowngradeInfo> = new Codec<DowngradeInfo>(
  'etcdserverpb.DowngradeInfo',
  createDowngradeInfo,
  writeDowngradeInfo,
  readDowngradeInfo,
);

function createDowngradeInfo(partial?: Partial<DowngradeInfo>): DowngradeInfo {
  return {
    enabled: partial?.enabled ?? false,
    targetVersion: partial?.targetVersion ?? '',
  };
}

function writeDowngradeInfo(writer: Writer, message: DowngradeInfo): void {
  if (message.targetVersion.length > 0) {
    writer.string(message.targetVersion);
    writer.varint32(18);
  }
  if (message.enabled) {
    writer.bool(message.enabled);
    writer.varint32(8);
  }
}

function readDowngradeInfo(reader: Reader, base: DowngradeInfo): DowngradeInfo {
  let enabled = base.enabled;
  let targetVersion = base.targetVersion;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        enabled = reader.bool();
        break;
      case 18:
        targetVersion = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    enabled,
    targetVersion,
  };
}

export type AuthEnableRequest = Readonly<Record<string, never>>;

export const AuthEnableRequest: Codec<AuthEnableRequest> = new Codec<AuthEnableRequest>(
  'etcdserverpb.AuthEnableRequest',
  createAuthEnableRequest,
  writeAuthEnableRequest,
  readAuthEnableRequest,
);

function createAuthEnableRequest(): AuthEnableRequest {
  return {};
}

function writeAuthEnableRequest(): void {}

function readAuthEnableRequest(reader: Reader, base: AuthEnableRequest): AuthEnableRequest {
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      default:
        reader.skip(tag);
    }
  }
  return base;
}

export type AuthDisableRequest = Readonly<Record<string, never>>;

export const AuthDisableRequest: Codec<AuthDisableRequest> = new Codec<AuthDisableRequest>(
  'etcdserverpb.AuthDisableRequest',
  createAuthDisableRequest,
  writeAuthDisableRequest,
  readAuthDisableRequest,
);

function createAuthDisableRequest(): AuthDisableRequest {
  return {};
}

function writeAuthDisableRequest(): void {}

function readAuthDisableRequest(reader: Reader, base: AuthDisableRequest): AuthDisableRequest {
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      default:
        reader.skip(tag);
    }
  }
  return base;
}

export type AuthStatusRequest = Readonly<Record<string, never>>;

export const AuthStatusRequest: Codec<AuthStatusRequest> = new Codec<AuthStatusRequest>(
  'etcdserverpb.AuthStatusRequest',
  createAuthStatusRequest,
  writeAuthStatusRequest,
  readAuthStatusRequest,
);

function createAuthStatusRequest(): AuthStatusRequest {
  return {};
}

function writeAuthStatusRequest(): void {}

function readAuthStatusRequest(reader: Reader, base: AuthStatusRequest): AuthStatusRequest {
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      default:
        reader.skip(tag);
    }
  }
  return base;
}

export interface AuthenticateRequest {
  readonly name: string;
  readonly password: string;
}

export const AuthenticateRequest: Codec<AuthenticateRequest> = new Codec<AuthenticateRequest>(
  'etcdserverpb.AuthenticateRequest',
  createAuthenticateRequest,
  writeAuthenticateRequest,
  readAuthenticateRequest,
);

function createAuthenticateRequest(partial?: Partial<AuthenticateRequest>): AuthenticateRequest {
  return {
    name: partial?.name ?? '',
    password: partial?.password ?? '',
  };
}

function writeAuthenticateRequest(writer: Writer, message: AuthenticateRequest): void {
  if (message.password.length > 0) {
    writer.string(message.password);
    writer.varint32(18);
  }
  if (message.name.length > 0) {
    writer.string(message.name);
    writer.varint32(10);
  }
}

function readAuthenticateRequest(reader: Reader, base: AuthenticateRequest): AuthenticateRequest {
  let name = base.name;
  let password = base.password;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        name = reader.string();
        break;
      case 18:
        password = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    name,
    password,
  };
}

export interface AuthUserAddRequest {
  readonly name: string;
  readonly password: string;
  readonly options: UserAddOptions | null;
  readonly hashedPassword: string;
}

export const AuthUserAddRequest: Codec<AuthUserAddRequest> = new Codec<AuthUserAddRequest>(
  'etcdserverpb.AuthUserAddRequest',
  createAuthUserAddRequest,
  writeAuthUserAddRequest,
  readAuthUserAddRequest,
);

function createAuthUserAddRequest(partial?: Partial<AuthUserAddRequest>): AuthUserAddRequest {
  return {
    name: partial?.name ?? '',
    password: partial?.password ?? '',
    options: partial?.options ?? null,
    hashedPassword: partial?.hashedPassword ?? '',
  };
}

function writeAuthUserAddRequest(writer: Writer, message: AuthUserAddRequest): void {
  if (message.hashedPassword.length > 0) {
    writer.string(message.hashedPassword);
    writer.varint32(34);
  }
  if (message.options !== null) {
    const end = writer.size;
    UserAddOptions.write(writer, message.options);
    writer.varint32(writer.size - end);
    writer.varint32(26);
  }
  if (message.password.length > 0) {
    writer.string(message.password);
    writer.varint32(18);
  }
  if (message.name.length > 0) {
    writer.string(message.name);
    writer.varint32(10);
  }
}

function readAuthUserAddRequest(reader: Reader, base: AuthUserAddRequest): AuthUserAddRequest {
  let name = base.name;
  let password = base.password;
  let options = base.options;
  let hashedPassword = base.hashedPassword;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        name = reader.string();
        break;
      case 18:
        password = reader.string();
        break;
      case 26: {
        const outer = reader.enter();
        options = UserAddOptions.read(reader, options ?? UserAddOptions.empty);
        reader.leave(outer);
        break;
      }
      case 34:
        hashedPassword = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    name,
    password,
    options,
    hashedPassword,
  };
}

export interface AuthUserGetRequest {
  readonly name: string;
}

export const AuthUserGetRequest: Codec<AuthUserGetRequest> = new Codec<AuthUserGetRequest>(
  'etcdserverpb.AuthUserGetRequest',
  createAuthUserGetRequest,
  writeAuthUserGetRequest,
  readAuthUserGetRequest,
);

function createAuthUserGetRequest(partial?: Partial<AuthUserGetRequest>): AuthUserGetRequest {
  return {
    name: partial?.name ?? '',
  };
}

function writeAuthUserGetRequest(writer: Writer, message: AuthUserGetRequest): void {
  if (message.name.length > 0) {
    writer.string(message.name);
    writer.varint32(10);
  }
}

function readAuthUserGetRequest(reader: Reader, base: AuthUserGetRequest): AuthUserGetRequest {
  let name = base.name;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        name = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    name,
  };
}

export interface AuthUserDeleteRequest {
  readonly name: string;
}

export const AuthUserDeleteRequest: Codec<AuthUserDeleteRequest> = new Codec<AuthUserDeleteRequest>(
  'etcdserverpb.AuthUserDeleteRequest',
  createAuthUserDeleteRequest,
  writeAuthUserDeleteRequest,
  readAuthUserDeleteRequest,
);

function createAuthUserDeleteRequest(partial?: Partial<AuthUserDeleteRequest>): AuthUserDeleteRequest {
  return {
    name: partial?.name ?? '',
  };
}

function writeAuthUserDeleteRequest(writer: Writer, message: AuthUserDeleteRequest): void {
  if (message.name.length > 0) {
    writer.string(message.name);
    writer.varint32(10);
  }
}

function readAuthUserDeleteRequest(reader: Reader, base: AuthUserDeleteRequest): AuthUserDeleteRequest {
  let name = base.name;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        name = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    name,
  };
}

export interface AuthUserChangePasswordRequest {
  readonly name: string;
  readonly password: string;
  readonly hashedPassword: string;
}

export const AuthUserChangePasswordRequest: Codec<AuthUserChangePasswordRequest> = new Codec<AuthUserChangePasswordRequest>(
  'etcdserverpb.AuthUserChangePasswordRequest',
  createAuthUserChangePasswordRequest,
  writeAuthUserChangePasswordRequest,
  readAuthUserChangePasswordRequest,
);

function createAuthUserChangePasswordRequest(partial?: Partial<AuthUserChangePasswordRequest>): AuthUserChangePasswordRequest {
  return {
    name: partial?.name ?? '',
    password: partial?.password ?? '',
    hashedPassword: partial?.hashedPassword ?? '',
  };
}

function writeAuthUserChangePasswordRequest(writer: Writer, message: AuthUserChangePasswordRequest): void {
  if (message.hashedPassword.length > 0) {
    writer.string(message.hashedPassword);
    writer.varint32(26);
  }
  if (message.password.length > 0) {
    writer.string(message.password);
    writer.varint32(18);
  }
  if (message.name.length > 0) {
    writer.string(message.name);
    writer.varint32(10);
  }
}

function readAuthUserChangePasswordRequest(reader: Reader, base: AuthUserChangePasswordRequest): AuthUserChangePasswordRequest {
  let name = base.name;
  let password = base.password;
  let hashedPassword = base.hashedPassword;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        name = reader.string();
        break;
      case 18:
        password = reader.string();
        break;
      case 26:
        hashedPassword = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    name,
    password,
    hashedPassword,
  };
}

export interface AuthUserGrantRoleRequest {
  readonly user: string;
  readonly role: string;
}

export const AuthUserGrantRoleRequest: Codec<AuthUserGrantRoleRequest> = new Codec<AuthUserGrantRoleRequest>(
  'etcdserverpb.AuthUserGrantRoleRequest',
  createAuthUserGrantRoleRequest,
  writeAuthUserGrantRoleRequest,
  readAuthUserGrantRoleRequest,
);

function createAuthUserGrantRoleRequest(partial?: Partial<AuthUserGrantRoleRequest>): AuthUserGrantRoleRequest {
  return {
    user: partial?.user ?? '',
    role: partial?.role ?? '',
  };
}

function writeAuthUserGrantRoleRequest(writer: Writer, message: AuthUserGrantRoleRequest): void {
  if (message.role.length > 0) {
    writer.string(message.role);
    writer.varint32(18);
  }
  if (message.user.length > 0) {
    writer.string(message.user);
    writer.varint32(10);
  }
}

function readAuthUserGrantRoleRequest(reader: Reader, base: AuthUserGrantRoleRequest): AuthUserGrantRoleRequest {
  let user = base.user;
  let role = base.role;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        user = reader.string();
        break;
      case 18:
        role = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    user,
    role,
  };
}

export interface AuthUserRevokeRoleRequest {
  readonly name: string;
  readonly role: string;
}

export const AuthUserRevokeRoleRequest: Codec<AuthUserRevokeRoleRequest> = new Codec<AuthUserRevokeRoleRequest>(
  'etcdserverpb.AuthUserRevokeRoleRequest',
  createAuthUserRevokeRoleRequest,
  writeAuthUserRevokeRoleRequest,
  readAuthUserRevokeRoleRequest,
);

function createAuthUserRevokeRoleRequest(partial?: Partial<AuthUserRevokeRoleRequest>): AuthUserRevokeRoleRequest {
  return {
    name: partial?.name ?? '',
    role: partial?.role ?? '',
  };
}

function writeAuthUserRevokeRoleRequest(writer: Writer, message: AuthUserRevokeRoleRequest): void {
  if (message.role.length > 0) {
    writer.string(message.role);
    writer.varint32(18);
  }
  if (message.name.length > 0) {
    writer.string(message.name);
    writer.varint32(10);
  }
}

function readAuthUserRevokeRoleRequest(reader: Reader, base: AuthUserRevokeRoleRequest): AuthUserRevokeRoleRequest {
  let name = base.name;
  let role = base.role;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        name = reader.string();
        break;
      case 18:
        role = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    name,
    role,
  };
}

export interface AuthRoleAddRequest {
  readonly name: string;
}

export const AuthRoleAddRequest: Codec<AuthRoleAddRequest> = new Codec<AuthRoleAddRequest>(
  'etcdserverpb.AuthRoleAddRequest',
  createAuthRoleAddRequest,
  writeAuthRoleAddRequest,
  readAuthRoleAddRequest,
);

function createAuthRoleAddRequest(partial?: Partial<AuthRoleAddRequest>): AuthRoleAddRequest {
  return {
    name: partial?.name ?? '',
  };
}

function writeAuthRoleAddRequest(writer: Writer, message: AuthRoleAddRequest): void {
  if (message.name.length > 0) {
    writer.string(message.name);
    writer.varint32(10);
  }
}

function readAuthRoleAddRequest(reader: Reader, base: AuthRoleAddRequest): AuthRoleAddRequest {
  let name = base.name;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        name = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    name,
  };
}

export interface AuthRoleGetRequest {
  readonly role: string;
}

export const AuthRoleGetRequest: Codec<AuthRoleGetRequest> = new Codec<AuthRoleGetRequest>(
  'etcdserverpb.AuthRoleGetRequest',
  createAuthRoleGetRequest,
  writeAuthRoleGetRequest,
  readAuthRoleGetRequest,
);

function createAuthRoleGetRequest(partial?: Partial<AuthRoleGetRequest>): AuthRoleGetRequest {
  return {
    role: partial?.role ?? '',
  };
}

function writeAuthRoleGetRequest(writer: Writer, message: AuthRoleGetRequest): void {
  if (message.role.length > 0) {
    writer.string(message.role);
    writer.varint32(10);
  }
}

function readAuthRoleGetRequest(reader: Reader, base: AuthRoleGetRequest): AuthRoleGetRequest {
  let role = base.role;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        role = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    role,
  };
}

export type AuthUserListRequest = Readonly<Record<string, never>>;

export const AuthUserListRequest: Codec<AuthUserListRequest> = new Codec<AuthUserListRequest>(
  'etcdserverpb.AuthUserListRequest',
  createAuthUserListRequest,
  writeAuthUserListRequest,
  readAuthUserListRequest,
);

function createAuthUserListRequest(): AuthUserListRequest {
  return {};
}

function writeAuthUserListRequest(): void {}

function readAuthUserListRequest(reader: Reader, base: AuthUserListRequest): AuthUserListRequest {
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      default:
        reader.skip(tag);
    }
  }
  return base;
}

export type AuthRoleListRequest = Readonly<Record<string, never>>;

export const AuthRoleListRequest: Codec<AuthRoleListRequest> = new Codec<AuthRoleListRequest>(
  'etcdserverpb.AuthRoleListRequest',
  createAuthRoleListRequest,
  writeAuthRoleListRequest,
  readAuthRoleListRequest,
);

function createAuthRoleListRequest(): AuthRoleListRequest {
  return {};
}

function writeAuthRoleListRequest(): void {}

function readAuthRoleListRequest(reader: Reader, base: AuthRoleListRequest): AuthRoleListRequest {
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      default:
        reader.skip(tag);
    }
  }
  return base;
}

export interface AuthRoleDeleteRequest {
  readonly role: string;
}

export const AuthRoleDeleteRequest: Codec<AuthRoleDeleteRequest> = new Codec<AuthRoleDeleteRequest>(
  'etcdserverpb.AuthRoleDeleteRequest',
  createAuthRoleDeleteRequest,
  writeAuthRoleDeleteRequest,
  readAuthRoleDeleteRequest,
);

function createAuthRoleDeleteRequest(partial?: Partial<AuthRoleDeleteRequest>): AuthRoleDeleteRequest {
  return {
    role: partial?.role ?? '',
  };
}

function writeAuthRoleDeleteRequest(writer: Writer, message: AuthRoleDeleteRequest): void {
  if (message.role.length > 0) {
    writer.string(message.role);
    writer.varint32(10);
  }
}

function readAuthRoleDeleteRequest(reader: Reader, base: AuthRoleDeleteRequest): AuthRoleDeleteRequest {
  let role = base.role;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        role = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    role,
  };
}

export interface AuthRoleGrantPermissionRequest {
  readonly name: string;
  readonly perm: Permission | null;
}

export const AuthRoleGrantPermissionRequest: Codec<AuthRoleGrantPermissionRequest> = new Codec<AuthRoleGrantPermissionRequest>(
  'etcdserverpb.AuthRoleGrantPermissionRequest',
  createAuthRoleGrantPermissionRequest,
  writeAuthRoleGrantPermissionRequest,
  readAuthRoleGrantPermissionRequest,
);

function createAuthRoleGrantPermissionRequest(partial?: Partial<AuthRoleGrantPermissionRequest>): AuthRoleGrantPermissionRequest {
  return {
    name: partial?.name ?? '',
    perm: partial?.perm ?? null,
  };
}

function writeAuthRoleGrantPermissionRequest(writer: Writer, message: AuthRoleGrantPermissionRequest): void {
  if (message.perm !== null) {
    const end = writer.size;
    Permission.write(writer, message.perm);
    writer.varint32(writer.size - end);
    writer.varint32(18);
  }
  if (message.name.length > 0) {
    writer.string(message.name);
    writer.varint32(10);
  }
}

function readAuthRoleGrantPermissionRequest(reader: Reader, base: AuthRoleGrantPermissionRequest): AuthRoleGrantPermissionRequest {
  let name = base.name;
  let perm = base.perm;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        name = reader.string();
        break;
      case 18: {
        const outer = reader.enter();
        perm = Permission.read(reader, perm ?? Permission.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    name,
    perm,
  };
}

export interface AuthRoleRevokePermissionRequest {
  readonly role: string;
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

export const AuthRoleRevokePermissionRequest: Codec<AuthRoleRevokePermissionRequest> = new Codec<AuthRoleRevokePermissionRequest>(
  'etcdserverpb.AuthRoleRevokePermissionRequest',
  createAuthRoleRevokePermissionRequest,
  writeAuthRoleRevokePermissionRequest,
  readAuthRoleRevokePermissionRequest,
);

function createAuthRoleRevokePermissionRequest(partial?: Partial<AuthRoleRevokePermissionRequest>): AuthRoleRevokePermissionRequest {
  return {
    role: partial?.role ?? '',
    key: partial?.key ?? EMPTY_BYTES,
    rangeEnd: partial?.rangeEnd ?? EMPTY_BYTES,
  };
}

function writeAuthRoleRevokePermissionRequest(writer: Writer, message: AuthRoleRevokePermissionRequest): void {
  if (message.rangeEnd.length > 0) {
    writer.bytes(message.rangeEnd);
    writer.varint32(26);
  }
  if (message.key.length > 0) {
    writer.bytes(message.key);
    writer.varint32(18);
  }
  if (message.role.length > 0) {
    writer.string(message.role);
    writer.varint32(10);
  }
}

function readAuthRoleRevokePermissionRequest(reader: Reader, base: AuthRoleRevokePermissionRequest): AuthRoleRevokePermissionRequest {
  let role = base.role;
  let key = base.key;
  let rangeEnd = base.rangeEnd;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        role = reader.string();
        break;
      case 18:
        key = reader.bytes();
        break;
      case 26:
        rangeEnd = reader.bytes();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    role,
    key,
    rangeEnd,
  };
}

export interface AuthEnableResponse {
  readonly header: ResponseHeader | null;
}

export const AuthEnableResponse: Codec<AuthEnableResponse> = new Codec<AuthEnableResponse>(
  'etcdserverpb.AuthEnableResponse',
  createAuthEnableResponse,
  writeAuthEnableResponse,
  readAuthEnableResponse,
);

function createAuthEnableResponse(partial?: Partial<AuthEnableResponse>): AuthEnableResponse {
  return {
    header: partial?.header ?? null,
  };
}

function writeAuthEnableResponse(writer: Writer, message: AuthEnableResponse): void {
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readAuthEnableResponse(reader: Reader, base: AuthEnableResponse): AuthEnableResponse {
  let header = base.header;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
  };
}

export interface AuthDisableResponse {
  readonly header: ResponseHeader | null;
}

export const AuthDisableResponse: Codec<AuthDisableResponse> = new Codec<AuthDisableResponse>(
  'etcdserverpb.AuthDisableResponse',
  createAuthDisableResponse,
  writeAuthDisableResponse,
  readAuthDisableResponse,
);

function createAuthDisableResponse(partial?: Partial<AuthDisableResponse>): AuthDisableResponse {
  return {
    header: partial?.header ?? null,
  };
}

function writeAuthDisableResponse(writer: Writer, message: AuthDisableResponse): void {
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readAuthDisableResponse(reader: Reader, base: AuthDisableResponse): AuthDisableResponse {
  let header = base.header;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
  };
}

export interface AuthStatusResponse {
  readonly header: ResponseHeader | null;
  readonly enabled: boolean;
  readonly authRevision: bigint;
}

export const AuthStatusResponse: Codec<AuthStatusResponse> = new Codec<AuthStatusResponse>(
  'etcdserverpb.AuthStatusResponse',
  createAuthStatusResponse,
  writeAuthStatusResponse,
  readAuthStatusResponse,
);

function createAuthStatusResponse(partial?: Partial<AuthStatusResponse>): AuthStatusResponse {
  return {
    header: partial?.header ?? null,
    enabled: partial?.enabled ?? false,
    authRevision: partial?.authRevision ?? 0n,
  };
}

function writeAuthStatusResponse(writer: Writer, message: AuthStatusResponse): void {
  if (message.authRevision !== 0n) {
    writer.uint64(message.authRevision);
    writer.varint32(24);
  }
  if (message.enabled) {
    writer.bool(message.enabled);
    writer.varint32(16);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readAuthStatusResponse(reader: Reader, base: AuthStatusResponse): AuthStatusResponse {
  let header = base.header;
  let enabled = base.enabled;
  let authRevision = base.authRevision;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 16:
        enabled = reader.bool();
        break;
      case 24:
        authRevision = reader.uint64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    enabled,
    authRevision,
  };
}

export interface AuthenticateResponse {
  readonly header: ResponseHeader | null;
  readonly token: string;
}

export const AuthenticateResponse: Codec<AuthenticateResponse> = new Codec<AuthenticateResponse>(
  'etcdserverpb.AuthenticateResponse',
  createAuthenticateResponse,
  writeAuthenticateResponse,
  readAuthenticateResponse,
);

function createAuthenticateResponse(partial?: Partial<AuthenticateResponse>): AuthenticateResponse {
  return {
    header: partial?.header ?? null,
    token: partial?.token ?? '',
  };
}

function writeAuthenticateResponse(writer: Writer, message: AuthenticateResponse): void {
  if (message.token.length > 0) {
    writer.string(message.token);
    writer.varint32(18);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readAuthenticateResponse(reader: Reader, base: AuthenticateResponse): AuthenticateResponse {
  let header = base.header;
  let token = base.token;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 18:
        token = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    token,
  };
}

export interface AuthUserAddResponse {
  readonly header: ResponseHeader | null;
}

export const AuthUserAddResponse: Codec<AuthUserAddResponse> = new Codec<AuthUserAddResponse>(
  'etcdserverpb.AuthUserAddResponse',
  createAuthUserAddResponse,
  writeAuthUserAddResponse,
  readAuthUserAddResponse,
);

function createAuthUserAddResponse(partial?: Partial<AuthUserAddResponse>): AuthUserAddResponse {
  return {
    header: partial?.header ?? null,
  };
}

function writeAuthUserAddResponse(writer: Writer, message: AuthUserAddResponse): void {
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readAuthUserAddResponse(reader: Reader, base: AuthUserAddResponse): AuthUserAddResponse {
  let header = base.header;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
  };
}

export interface AuthUserGetResponse {
  readonly header: ResponseHeader | null;
  readonly roles: readonly string[];
}

export const AuthUserGetResponse: Codec<AuthUserGetResponse> = new Codec<AuthUserGetResponse>(
  'etcdserverpb.AuthUserGetResponse',
  createAuthUserGetResponse,
  writeAuthUserGetResponse,
  readAuthUserGetResponse,
);

function createAuthUserGetResponse(partial?: Partial<AuthUserGetResponse>): AuthUserGetResponse {
  return {
    header: partial?.header ?? null,
    roles: partial?.roles ?? EMPTY_LIST,
  };
}

function writeAuthUserGetResponse(writer: Writer, message: AuthUserGetResponse): void {
  for (let index = message.roles.length - 1; index >= 0; index -= 1) {
    writer.string(message.roles[index] as string);
    writer.varint32(18);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readAuthUserGetResponse(reader: Reader, base: AuthUserGetResponse): AuthUserGetResponse {
  let header = base.header;
  let roles: string[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 18:
        (roles ??= [...base.roles]).push(reader.string());
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    roles: roles ?? base.roles,
  };
}

export interface AuthUserDeleteResponse {
  readonly header: ResponseHeader | null;
}

export const AuthUserDeleteResponse: Codec<AuthUserDeleteResponse> = new Codec<AuthUserDeleteResponse>(
  'etcdserverpb.AuthUserDeleteResponse',
  createAuthUserDeleteResponse,
  writeAuthUserDeleteResponse,
  readAuthUserDeleteResponse,
);

function createAuthUserDeleteResponse(partial?: Partial<AuthUserDeleteResponse>): AuthUserDeleteResponse {
  return {
    header: partial?.header ?? null,
  };
}

function writeAuthUserDeleteResponse(writer: Writer, message: AuthUserDeleteResponse): void {
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readAuthUserDeleteResponse(reader: Reader, base: AuthUserDeleteResponse): AuthUserDeleteResponse {
  let header = base.header;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
  };
}

export interface AuthUserChangePasswordResponse {
  readonly header: ResponseHeader | null;
}

export const AuthUserChangePasswordResponse: Codec<AuthUserChangePasswordResponse> = new Codec<AuthUserChangePasswordResponse>(
  'etcdserverpb.AuthUserChangePasswordResponse',
  createAuthUserChangePasswordResponse,
  writeAuthUserChangePasswordResponse,
  readAuthUserChangePasswordResponse,
);

function createAuthUserChangePasswordResponse(partial?: Partial<AuthUserChangePasswordResponse>): AuthUserChangePasswordResponse {
  return {
    header: partial?.header ?? null,
  };
}

function writeAuthUserChangePasswordResponse(writer: Writer, message: AuthUserChangePasswordResponse): void {
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readAuthUserChangePasswordResponse(reader: Reader, base: AuthUserChangePasswordResponse): AuthUserChangePasswordResponse {
  let header = base.header;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
  };
}

export interface AuthUserGrantRoleResponse {
  readonly header: ResponseHeader | null;
}

export const AuthUserGrantRoleResponse: Codec<AuthUserGrantRoleResponse> = new Codec<AuthUserGrantRoleResponse>(
  'etcdserverpb.AuthUserGrantRoleResponse',
  createAuthUserGrantRoleResponse,
  writeAuthUserGrantRoleResponse,
  readAuthUserGrantRoleResponse,
);

function createAuthUserGrantRoleResponse(partial?: Partial<AuthUserGrantRoleResponse>): AuthUserGrantRoleResponse {
  return {
    header: partial?.header ?? null,
  };
}

function writeAuthUserGrantRoleResponse(writer: Writer, message: AuthUserGrantRoleResponse): void {
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readAuthUserGrantRoleResponse(reader: Reader, base: AuthUserGrantRoleResponse): AuthUserGrantRoleResponse {
  let header = base.header;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
  };
}

export interface AuthUserRevokeRoleResponse {
  readonly header: ResponseHeader | null;
}

export const AuthUserRevokeRoleResponse: Codec<AuthUserRevokeRoleResponse> = new Codec<AuthUserRevokeRoleResponse>(
  'etcdserverpb.AuthUserRevokeRoleResponse',
  createAuthUserRevokeRoleResponse,
  writeAuthUserRevokeRoleResponse,
  readAuthUserRevokeRoleResponse,
);

function createAuthUserRevokeRoleResponse(partial?: Partial<AuthUserRevokeRoleResponse>): AuthUserRevokeRoleResponse {
  return {
    header: partial?.header ?? null,
  };
}

function writeAuthUserRevokeRoleResponse(writer: Writer, message: AuthUserRevokeRoleResponse): void {
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readAuthUserRevokeRoleResponse(reader: Reader, base: AuthUserRevokeRoleResponse): AuthUserRevokeRoleResponse {
  let header = base.header;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
  };
}

export interface AuthRoleAddResponse {
  readonly header: ResponseHeader | null;
}

export const AuthRoleAddResponse: Codec<AuthRoleAddResponse> = new Codec<AuthRoleAddResponse>(
  'etcdserverpb.AuthRoleAddResponse',
  createAuthRoleAddResponse,
  writeAuthRoleAddResponse,
  readAuthRoleAddResponse,
);

function createAuthRoleAddResponse(partial?: Partial<AuthRoleAddResponse>): AuthRoleAddResponse {
  return {
    header: partial?.header ?? null,
  };
}

function writeAuthRoleAddResponse(writer: Writer, message: AuthRoleAddResponse): void {
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readAuthRoleAddResponse(reader: Reader, base: AuthRoleAddResponse): AuthRoleAddResponse {
  let header = base.header;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
  };
}

export interface AuthRoleGetResponse {
  readonly header: ResponseHeader | null;
  readonly perm: readonly Permission[];
}

export const AuthRoleGetResponse: Codec<AuthRoleGetResponse> = new Codec<AuthRoleGetResponse>(
  'etcdserverpb.AuthRoleGetResponse',
  createAuthRoleGetResponse,
  writeAuthRoleGetResponse,
  readAuthRoleGetResponse,
);

function createAuthRoleGetResponse(partial?: Partial<AuthRoleGetResponse>): AuthRoleGetResponse {
  return {
    header: partial?.header ?? null,
    perm: partial?.perm ?? EMPTY_LIST,
  };
}

function writeAuthRoleGetResponse(writer: Writer, message: AuthRoleGetResponse): void {
  for (let index = message.perm.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    Permission.write(writer, message.perm[index] as Permission);
    writer.varint32(writer.size - end);
    writer.varint32(18);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readAuthRoleGetResponse(reader: Reader, base: AuthRoleGetResponse): AuthRoleGetResponse {
  let header = base.header;
  let perm: Permission[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 18: {
        const outer = reader.enter();
        (perm ??= [...base.perm]).push(Permission.read(reader, Permission.empty));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    perm: perm ?? base.perm,
  };
}

export interface AuthRoleListResponse {
  readonly header: ResponseHeader | null;
  readonly roles: readonly string[];
}

export const AuthRoleListResponse: Codec<AuthRoleListResponse> = new Codec<AuthRoleListResponse>(
  'etcdserverpb.AuthRoleListResponse',
  createAuthRoleListResponse,
  writeAuthRoleListResponse,
  readAuthRoleListResponse,
);

function createAuthRoleListResponse(partial?: Partial<AuthRoleListResponse>): AuthRoleListResponse {
  return {
    header: partial?.header ?? null,
    roles: partial?.roles ?? EMPTY_LIST,
  };
}

function writeAuthRoleListResponse(writer: Writer, message: AuthRoleListResponse): void {
  for (let index = message.roles.length - 1; index >= 0; index -= 1) {
    writer.string(message.roles[index] as string);
    writer.varint32(18);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readAuthRoleListResponse(reader: Reader, base: AuthRoleListResponse): AuthRoleListResponse {
  let header = base.header;
  let roles: string[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 18:
        (roles ??= [...base.roles]).push(reader.string());
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    roles: roles ?? base.roles,
  };
}

export interface AuthUserListResponse {
  readonly header: ResponseHeader | null;
  readonly users: readonly string[];
}

export const AuthUserListResponse: Codec<AuthUserListResponse> = new Codec<AuthUserListResponse>(
  'etcdserverpb.AuthUserListResponse',
  createAuthUserListResponse,
  writeAuthUserListResponse,
  readAuthUserListResponse,
);

function createAuthUserListResponse(partial?: Partial<AuthUserListResponse>): AuthUserListResponse {
  return {
    header: partial?.header ?? null,
    users: partial?.users ?? EMPTY_LIST,
  };
}

function writeAuthUserListResponse(writer: Writer, message: AuthUserListResponse): void {
  for (let index = message.users.length - 1; index >= 0; index -= 1) {
    writer.string(message.users[index] as string);
    writer.varint32(18);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readAuthUserListResponse(reader: Reader, base: AuthUserListResponse): AuthUserListResponse {
  let header = base.header;
  let users: string[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 18:
        (users ??= [...base.users]).push(reader.string());
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    users: users ?? base.users,
  };
}

export interface AuthRoleDeleteResponse {
  readonly header: ResponseHeader | null;
}

export const AuthRoleDeleteResponse: Codec<AuthRoleDeleteResponse> = new Codec<AuthRoleDeleteResponse>(
  'etcdserverpb.AuthRoleDeleteResponse',
  createAuthRoleDeleteResponse,
  writeAuthRoleDeleteResponse,
  readAuthRoleDeleteResponse,
);

function createAuthRoleDeleteResponse(partial?: Partial<AuthRoleDeleteResponse>): AuthRoleDeleteResponse {
  return {
    header: partial?.header ?? null,
  };
}

function writeAuthRoleDeleteResponse(writer: Writer, message: AuthRoleDeleteResponse): void {
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readAuthRoleDeleteResponse(reader: Reader, base: AuthRoleDeleteResponse): AuthRoleDeleteResponse {
  let header = base.header;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
  };
}

export interface AuthRoleGrantPermissionResponse {
  readonly header: ResponseHeader | null;
}

export const AuthRoleGrantPermissionResponse: Codec<AuthRoleGrantPermissionResponse> = new Codec<AuthRoleGrantPermissionResponse>(
  'etcdserverpb.AuthRoleGrantPermissionResponse',
  createAuthRoleGrantPermissionResponse,
  writeAuthRoleGrantPermissionResponse,
  readAuthRoleGrantPermissionResponse,
);

function createAuthRoleGrantPermissionResponse(partial?: Partial<AuthRoleGrantPermissionResponse>): AuthRoleGrantPermissionResponse {
  return {
    header: partial?.header ?? null,
  };
}

function writeAuthRoleGrantPermissionResponse(writer: Writer, message: AuthRoleGrantPermissionResponse): void {
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readAuthRoleGrantPermissionResponse(reader: Reader, base: AuthRoleGrantPermissionResponse): AuthRoleGrantPermissionResponse {
  let header = base.header;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
  };
}

export interface AuthRoleRevokePermissionResponse {
  readonly header: ResponseHeader | null;
}

export const AuthRoleRevokePermissionResponse: Codec<AuthRoleRevokePermissionResponse> = new Codec<AuthRoleRevokePermissionResponse>(
  'etcdserverpb.AuthRoleRevokePermissionResponse',
  createAuthRoleRevokePermissionResponse,
  writeAuthRoleRevokePermissionResponse,
  readAuthRoleRevokePermissionResponse,
);

function createAuthRoleRevokePermissionResponse(partial?: Partial<AuthRoleRevokePermissionResponse>): AuthRoleRevokePermissionResponse {
  return {
    header: partial?.header ?? null,
  };
}

function writeAuthRoleRevokePermissionResponse(writer: Writer, message: AuthRoleRevokePermissionResponse): void {
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readAuthRoleRevokePermissionResponse(reader: Reader, base: AuthRoleRevokePermissionResponse): AuthRoleRevokePermissionResponse {
  let header = base.header;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
  };
}

export const KV = {
  name: 'etcdserverpb.KV',
  methods: {
    Range: method('/etcdserverpb.KV/Range', RangeRequest, RangeResponse, 'unary'),
    RangeStream: method('/etcdserverpb.KV/RangeStream', RangeRequest, RangeStreamResponse, 'server-stream'),
    Put: method('/etcdserverpb.KV/Put', PutRequest, PutResponse, 'unary'),
    DeleteRange: method('/etcdserverpb.KV/DeleteRange', DeleteRangeRequest, DeleteRangeResponse, 'unary'),
    Txn: method('/etcdserverpb.KV/Txn', TxnRequest, TxnResponse, 'unary'),
    Compact: method('/etcdserverpb.KV/Compact', CompactionRequest, CompactionResponse, 'unary'),
  },
} as const;

export const Watch = {
  name: 'etcdserverpb.Watch',
  methods: {
    Watch: method('/etcdserverpb.Watch/Watch', WatchRequest, WatchResponse, 'bidi'),
  },
} as const;

export const Lease = {
  name: 'etcdserverpb.Lease',
  methods: {
    LeaseGrant: method('/etcdserverpb.Lease/LeaseGrant', LeaseGrantRequest, LeaseGrantResponse, 'unary'),
    LeaseRevoke: method('/etcdserverpb.Lease/LeaseRevoke', LeaseRevokeRequest, LeaseRevokeResponse, 'unary'),
    LeaseKeepAlive: method('/etcdserverpb.Lease/LeaseKeepAlive', LeaseKeepAliveRequest, LeaseKeepAliveResponse, 'bidi'),
    LeaseTimeToLive: method('/etcdserverpb.Lease/LeaseTimeToLive', LeaseTimeToLiveRequest, LeaseTimeToLiveResponse, 'unary'),
    LeaseLeases: method('/etcdserverpb.Lease/LeaseLeases', LeaseLeasesRequest, LeaseLeasesResponse, 'unary'),
  },
} as const;

export const Cluster = {
  name: 'etcdserverpb.Cluster',
  methods: {
    MemberAdd: method('/etcdserverpb.Cluster/MemberAdd', MemberAddRequest, MemberAddResponse, 'unary'),
    MemberRemove: method('/etcdserverpb.Cluster/MemberRemove', MemberRemoveRequest, MemberRemoveResponse, 'unary'),
    MemberUpdate: method('/etcdserverpb.Cluster/MemberUpdate', MemberUpdateRequest, MemberUpdateResponse, 'unary'),
    MemberList: method('/etcdserverpb.Cluster/MemberList', MemberListRequest, MemberListResponse, 'unary'),
    MemberPromote: method('/etcdserverpb.Cluster/MemberPromote', MemberPromoteRequest, MemberPromoteResponse, 'unary'),
  },
} as const;

export const Maintenance = {
  name: 'etcdserverpb.Maintenance',
  methods: {
    Alarm: method('/etcdserverpb.Maintenance/Alarm', AlarmRequest, AlarmResponse, 'unary'),
    Status: method('/etcdserverpb.Maintenance/Status', StatusRequest, StatusResponse, 'unary'),
    Defragment: method('/etcdserverpb.Maintenance/Defragment', DefragmentRequest, DefragmentResponse, 'unary'),
    Hash: method('/etcdserverpb.Maintenance/Hash', HashRequest, HashResponse, 'unary'),
    HashKV: method('/etcdserverpb.Maintenance/HashKV', HashKVRequest, HashKVResponse, 'unary'),
    Snapshot: method('/etcdserverpb.Maintenance/Snapshot', SnapshotRequest, SnapshotResponse, 'server-stream'),
    MoveLeader: method('/etcdserverpb.Maintenance/MoveLeader', MoveLeaderRequest, MoveLeaderResponse, 'unary'),
    Downgrade: method('/etcdserverpb.Maintenance/Downgrade', DowngradeRequest, DowngradeResponse, 'unary'),
  },
} as const;

export const Auth = {
  name: 'etcdserverpb.Auth',
  methods: {
    AuthEnable: method('/etcdserverpb.Auth/AuthEnable', AuthEnableRequest, AuthEnableResponse, 'unary'),
    AuthDisable: method('/etcdserverpb.Auth/AuthDisable', AuthDisableRequest, AuthDisableResponse, 'unary'),
    AuthStatus: method('/etcdserverpb.Auth/AuthStatus', AuthStatusRequest, AuthStatusResponse, 'unary'),
    Authenticate: method('/etcdserverpb.Auth/Authenticate', AuthenticateRequest, AuthenticateResponse, 'unary'),
    UserAdd: method('/etcdserverpb.Auth/UserAdd', AuthUserAddRequest, AuthUserAddResponse, 'unary'),
    UserGet: method('/etcdserverpb.Auth/UserGet', AuthUserGetRequest, AuthUserGetResponse, 'unary'),
    UserList: method('/etcdserverpb.Auth/UserList', AuthUserListRequest, AuthUserListResponse, 'unary'),
    UserDelete: method('/etcdserverpb.Auth/UserDelete', AuthUserDeleteRequest, AuthUserDeleteResponse, 'unary'),
    UserChangePassword: method('/etcdserverpb.Auth/UserChangePassword', AuthUserChangePasswordRequest, AuthUserChangePasswordResponse, 'unary'),
    UserGrantRole: method('/etcdserverpb.Auth/UserGrantRole', AuthUserGrantRoleRequest, AuthUserGrantRoleResponse, 'unary'),
    UserRevokeRole: method('/etcdserverpb.Auth/UserRevokeRole', AuthUserRevokeRoleRequest, AuthUserRevokeRoleResponse, 'unary'),
    RoleAdd: method('/etcdserverpb.Auth/RoleAdd', AuthRoleAddRequest, AuthRoleAddResponse, 'unary'),
    RoleGet: method('/etcdserverpb.Auth/RoleGet', AuthRoleGetRequest, AuthRoleGetResponse, 'unary'),
    RoleList: method('/etcdserverpb.Auth/RoleList', AuthRoleListRequest, AuthRoleListResponse, 'unary'),
    RoleDelete: method('/etcdserverpb.Auth/RoleDelete', AuthRoleDeleteRequest, AuthRoleDeleteResponse, 'unary'),
    RoleGrantPermission: method('/etcdserverpb.Auth/RoleGrantPermission', AuthRoleGrantPermissionRequest, AuthRoleGrantPermissionResponse, 'unary'),
    RoleRevokePermission: method('/etcdserverpb.Auth/RoleRevokePermission', AuthRoleRevokePermissionRequest, AuthRoleRevokePermissionResponse, 'unary'),
  },
} as const;
