// Written by scripts/generate.ts from the schemas in proto/. Change those, not this.
import { Codec, EMPTY_BYTES } from '../protobuf/codec.ts';
import type { Reader } from '../protobuf/reader.ts';
import { method } from '../protobuf/service.ts';
import type { Writer } from '../protobuf/writer.ts';
import { ResponseHeader } from './rpc.ts';

export interface LockRequest {
  readonly name: Uint8Array;
  readonly lease: bigint;
}

export const LockRequest: Codec<LockRequest> = new Codec<LockRequest>(
  'v3lockpb.LockRequest',
  createLockRequest,
  writeLockRequest,
  readLockRequest,
);

function createLockRequest(partial?: Partial<LockRequest>): LockRequest {
  return {
    name: partial?.name ?? EMPTY_BYTES,
    lease: partial?.lease ?? 0n,
  };
}

function writeLockRequest(writer: Writer, message: LockRequest): void {
  if (message.lease !== 0n) {
    writer.int64Exact(message.lease);
    writer.varint32(16);
  }
  if (message.name.length > 0) {
    writer.bytes(message.name);
    writer.varint32(10);
  }
}

function readLockRequest(reader: Reader, base: LockRequest): LockRequest {
  let name = base.name;
  let lease = base.lease;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        name = reader.bytes();
        break;
      case 16:
        lease = reader.int64Exact();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    name,
    lease,
  };
}

export interface LockResponse {
  readonly header: ResponseHeader | null;
  readonly key: Uint8Array;
}

export const LockResponse: Codec<LockResponse> = new Codec<LockResponse>(
  'v3lockpb.LockResponse',
  createLockResponse,
  writeLockResponse,
  readLockResponse,
);

function createLockResponse(partial?: Partial<LockResponse>): LockResponse {
  return {
    header: partial?.header ?? null,
    key: partial?.key ?? EMPTY_BYTES,
  };
}

function writeLockResponse(writer: Writer, message: LockResponse): void {
  if (message.key.length > 0) {
    writer.bytes(message.key);
    writer.varint32(18);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readLockResponse(reader: Reader, base: LockResponse): LockResponse {
  let header = base.header;
  let key = base.key;
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
        key = reader.bytes();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    key,
  };
}

export interface UnlockRequest {
  readonly key: Uint8Array;
}

export const UnlockRequest: Codec<UnlockRequest> = new Codec<UnlockRequest>(
  'v3lockpb.UnlockRequest',
  createUnlockRequest,
  writeUnlockRequest,
  readUnlockRequest,
);

function createUnlockRequest(partial?: Partial<UnlockRequest>): UnlockRequest {
  return {
    key: partial?.key ?? EMPTY_BYTES,
  };
}

function writeUnlockRequest(writer: Writer, message: UnlockRequest): void {
  if (message.key.length > 0) {
    writer.bytes(message.key);
    writer.varint32(10);
  }
}

function readUnlockRequest(reader: Reader, base: UnlockRequest): UnlockRequest {
  let key = base.key;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        key = reader.bytes();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    key,
  };
}

export interface UnlockResponse {
  readonly header: ResponseHeader | null;
}

export const UnlockResponse: Codec<UnlockResponse> = new Codec<UnlockResponse>(
  'v3lockpb.UnlockResponse',
  createUnlockResponse,
  writeUnlockResponse,
  readUnlockResponse,
);

function createUnlockResponse(partial?: Partial<UnlockResponse>): UnlockResponse {
  return {
    header: partial?.header ?? null,
  };
}

function writeUnlockResponse(writer: Writer, message: UnlockResponse): void {
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readUnlockResponse(reader: Reader, base: UnlockResponse): UnlockResponse {
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

export const Lock = {
  name: 'v3lockpb.Lock',
  methods: {
    Lock: method('/v3lockpb.Lock/Lock', LockRequest, LockResponse, 'unary'),
    Unlock: method('/v3lockpb.Lock/Unlock', UnlockRequest, UnlockResponse, 'unary'),
  },
} as const;
