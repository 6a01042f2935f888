// Written by scripts/generate.ts from the schemas in proto/. Change those, not this.
import { Codec, EMPTY_BYTES } from '../protobuf/codec.ts';
import type { Reader } from '../protobuf/reader.ts';
import { method } from '../protobuf/service.ts';
import type { Writer } from '../protobuf/writer.ts';
import { ResponseHeader } from './rpc.ts';
import { KeyValue } from './kv.ts';

export interface CampaignRequest {
  readonly name: Uint8Array;
  readonly lease: bigint;
  readonly value: Uint8Array;
}

export const CampaignRequest: Codec<CampaignRequest> = new Codec<CampaignRequest>(
  'v3electionpb.CampaignRequest',
  createCampaignRequest,
  writeCampaignRequest,
  readCampaignRequest,
);

function createCampaignRequest(partial?: Partial<CampaignRequest>): CampaignRequest {
  return {
    name: partial?.name ?? EMPTY_BYTES,
    lease: partial?.lease ?? 0n,
    value: partial?.value ?? EMPTY_BYTES,
  };
}

function writeCampaignRequest(writer: Writer, message: CampaignRequest): void {
  if (message.value.length > 0) {
    writer.bytes(message.value);
    writer.varint32(26);
  }
  if (message.lease !== 0n) {
    writer.int64Exact(message.lease);
    writer.varint32(16);
  }
  if (message.name.length > 0) {
    writer.bytes(message.name);
    writer.varint32(10);
  }
}

function readCampaignRequest(reader: Reader, base: CampaignRequest): CampaignRequest {
  let name = base.name;
  let lease = base.lease;
  let value = base.value;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        name = reader.bytes();
        break;
      case 16:
        lease = reader.int64Exact();
        break;
      case 26:
        value = reader.bytes();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    name,
    lease,
    value,
  };
}

export interface CampaignResponse {
  readonly header: ResponseHeader | null;
  readonly leader: LeaderKey | null;
}

export const CampaignResponse: Codec<CampaignResponse> = new Codec<CampaignResponse>(
  'v3electionpb.CampaignResponse',
  createCampaignResponse,
  writeCampaignResponse,
  readCampaignResponse,
);

function createCampaignResponse(partial?: Partial<CampaignResponse>): CampaignResponse {
  return {
    header: partial?.header ?? null,
    leader: partial?.leader ?? null,
  };
}

function writeCampaignResponse(writer: Writer, message: CampaignResponse): void {
  if (message.leader !== null) {
    const end = writer.size;
    LeaderKey.write(writer, message.leader);
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

function readCampaignResponse(reader: Reader, base: CampaignResponse): CampaignResponse {
  let header = base.header;
  let leader = base.leader;
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
        leader = LeaderKey.read(reader, leader ?? LeaderKey.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    leader,
  };
}

export interface LeaderKey {
  readonly name: Uint8Array;
  readonly key: Uint8Array;
  readonly rev: number;
  readonly lease: bigint;
}

export const LeaderKey: Codec<LeaderKey> = new Codec<LeaderKey>(
  'v3electionpb.LeaderKey',
  createLeaderKey,
  writeLeaderKey,
  readLeaderKey,
);

function createLeaderKey(partial?: Partial<LeaderKey>): LeaderKey {
  return {
    name: partial?.name ?? EMPTY_BYTES,
    key: partial?.key ?? EMPTY_BYTES,
    rev: partial?.rev ?? 0,
    lease: partial?.lease ?? 0n,
  };
}

function writeLeaderKey(writer: Writer, message: LeaderKey): void {
  if (message.lease !== 0n) {
    writer.int64Exact(message.lease);
    writer.varint32(32);
  }
  if (message.rev !== 0) {
    writer.int64(message.rev);
    writer.varint32(24);
  }
  if (message.key.length > 0) {
    writer.bytes(message.key);
    writer.varint32(18);
  }
  if (message.name.length > 0) {
    writer.bytes(message.name);
    writer.varint32(10);
  }
}

function readLeaderKey(reader: Reader, base: LeaderKey): LeaderKey {
  let name = base.name;
  let key = base.key;
  let rev = base.rev;
  let lease = base.lease;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        name = reader.bytes();
        break;
      case 18:
        key = reader.bytes();
        break;
      case 24:
        rev = reader.int64();
        break;
      case 32:
        lease = reader.int64Exact();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    name,
    key,
    rev,
    lease,
  };
}

export interface LeaderRequest {
  readonly name: Uint8Array;
}

export const LeaderRequest: Codec<LeaderRequest> = new Codec<LeaderRequest>(
  'v3electionpb.LeaderRequest',
  createLeaderRequest,
  writeLeaderRequest,
  readLeaderRequest,
);

function createLeaderRequest(partial?: Partial<LeaderRequest>): LeaderRequest {
  return {
    name: partial?.name ?? EMPTY_BYTES,
  };
}

function writeLeaderRequest(writer: Writer, message: LeaderRequest): void {
  if (message.name.length > 0) {
    writer.bytes(message.name);
    writer.varint32(10);
  }
}

function readLeaderRequest(reader: Reader, base: LeaderRequest): LeaderRequest {
  let name = base.name;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        name = reader.bytes();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    name,
  };
}

export interface LeaderResponse {
  readonly header: ResponseHeader | null;
  readonly kv: KeyValue | null;
}

export const LeaderResponse: Codec<LeaderResponse> = new Codec<LeaderResponse>(
  'v3electionpb.LeaderResponse',
  createLeaderResponse,
  writeLeaderResponse,
  readLeaderResponse,
);

function createLeaderResponse(partial?: Partial<LeaderResponse>): LeaderResponse {
  return {
    header: partial?.header ?? null,
    kv: partial?.kv ?? null,
  };
}

function writeLeaderResponse(writer: Writer, message: LeaderResponse): void {
  if (message.kv !== null) {
    const end = writer.size;
    KeyValue.write(writer, message.kv);
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

function readLeaderResponse(reader: Reader, base: LeaderResponse): LeaderResponse {
  let header = base.header;
  let kv = base.kv;
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
        kv = KeyValue.read(reader, kv ?? KeyValue.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    kv,
  };
}

export interface ResignRequest {
  readonly leader: LeaderKey | null;
}

export const ResignRequest: Codec<ResignRequest> = new Codec<ResignRequest>(
  'v3electionpb.ResignRequest',
  createResignRequest,
  writeResignRequest,
  readResignRequest,
);

function createResignRequest(partial?: Partial<ResignRequest>): ResignRequest {
  return {
    leader: partial?.leader ?? null,
  };
}

function writeResignRequest(writer: Writer, message: ResignRequest): void {
  if (message.leader !== null) {
    const end = writer.size;
    LeaderKey.write(writer, message.leader);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readResignRequest(reader: Reader, base: ResignRequest): ResignRequest {
  let leader = base.leader;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        leader = LeaderKey.read(reader, leader ?? LeaderKey.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    leader,
  };
}

export interface ResignResponse {
  readonly header: ResponseHeader | null;
}

export const ResignResponse: Codec<ResignResponse> = new Codec<ResignResponse>(
  'v3electionpb.ResignResponse',
  createResignResponse,
  writeResignResponse,
  readResignResponse,
);

function createResignResponse(partial?: Partial<ResignResponse>): ResignResponse {
  return {
    header: partial?.header ?? null,
  };
}

function writeResignResponse(writer: Writer, message: ResignResponse): void {
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readResignResponse(reader: Reader, base: ResignResponse): ResignResponse {
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

export interface ProclaimRequest {
  readonly leader: LeaderKey | null;
  readonly value: Uint8Array;
}

export const ProclaimRequest: Codec<ProclaimRequest> = new Codec<ProclaimRequest>(
  'v3electionpb.ProclaimRequest',
  createProclaimRequest,
  writeProclaimRequest,
  readProclaimRequest,
);

function createProclaimRequest(partial?: Partial<ProclaimRequest>): ProclaimRequest {
  return {
    leader: partial?.leader ?? null,
    value: partial?.value ?? EMPTY_BYTES,
  };
}

function writeProclaimRequest(writer: Writer, message: ProclaimRequest): void {
  if (message.value.length > 0) {
    writer.bytes(message.value);
    writer.varint32(18);
  }
  if (message.leader !== null) {
    const end = writer.size;
    LeaderKey.write(writer, message.leader);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readProclaimRequest(reader: Reader, base: ProclaimRequest): ProclaimRequest {
  let leader = base.leader;
  let value = base.value;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        leader = LeaderKey.read(reader, leader ?? LeaderKey.empty);
        reader.leave(outer);
        break;
      }
      case 18:
        value = reader.bytes();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    leader,
    value,
  };
}

export interface ProclaimResponse {
  readonly header: ResponseHeader | null;
}

export const ProclaimResponse: Codec<ProclaimResponse> = new Codec<ProclaimResponse>(
  'v3electionpb.ProclaimResponse',
  createProclaimResponse,
  writeProclaimResponse,
  readProclaimResponse,
);

function createProclaimResponse(partial?: Partial<ProclaimResponse>): ProclaimResponse {
  return {
    header: partial?.header ?? null,
  };
}

function writeProclaimResponse(writer: Writer, message: ProclaimResponse): void {
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readProclaimResponse(reader: Reader, base: ProclaimResponse): ProclaimResponse {
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

export const Election = {
  name: 'v3electionpb.Election',
  methods: {
    Campaign: method('/v3electionpb.Election/Campaign', CampaignRequest, CampaignResponse, 'unary'),
    Proclaim: method('/v3electionpb.Election/Proclaim', ProclaimRequest, ProclaimResponse, 'unary'),
    Leader: method('/v3electionpb.Election/Leader', LeaderRequest, LeaderResponse, 'unary'),
    Observe: method('/v3electionpb.Election/Observe', LeaderRequest, LeaderResponse, 'server-stream'),
    Resign: method('/v3electionpb.Election/Resign', ResignRequest, ResignResponse, 'unary'),
  },
} as const;
