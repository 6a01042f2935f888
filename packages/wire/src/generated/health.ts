// Written by scripts/generate.ts from the schemas in proto/. Change those, not this.
import { Codec } from '../protobuf/codec.ts';
import type { Reader } from '../protobuf/reader.ts';
import { method } from '../protobuf/service.ts';
import type { Writer } from '../protobuf/writer.ts';

/** Open, as proto3's enums are: a value from a newer version is kept as its number. */
export type ServingStatus = number;
export const ServingStatus = {
  UNKNOWN: 0,
  SERVING: 1,
  NOT_SERVING: 2,
  SERVICE_UNKNOWN: 3,
} as const;

export interface HealthCheckRequest {
  readonly service: string;
}

export const HealthCheckRequest: Codec<HealthCheckRequest> = new Codec<HealthCheckRequest>(
  'grpc.health.v1.HealthCheckRequest',
  createHealthCheckRequest,
  writeHealthCheckRequest,
  readHealthCheckRequest,
);

function createHealthCheckRequest(partial?: Partial<HealthCheckRequest>): HealthCheckRequest {
  return {
    service: partial?.service ?? '',
  };
}

function writeHealthCheckRequest(writer: Writer, message: HealthCheckRequest): void {
  if (message.service.length > 0) {
    writer.string(message.service);
    writer.varint32(10);
  }
}

function readHealthCheckRequest(reader: Reader, base: HealthCheckRequest): HealthCheckRequest {
  let service = base.service;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        service = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    service,
  };
}

export interface HealthCheckResponse {
  readonly status: ServingStatus;
}

export const HealthCheckResponse: Codec<HealthCheckResponse> = new Codec<HealthCheckResponse>(
  'grpc.health.v1.HealthCheckResponse',
  createHealthCheckResponse,
  writeHealthCheckResponse,
  readHealthCheckResponse,
);

function createHealthCheckResponse(partial?: Partial<HealthCheckResponse>): HealthCheckResponse {
  return {
    status: partial?.status ?? 0,
  };
}

function writeHealthCheckResponse(writer: Writer, message: HealthCheckResponse): void {
  if (message.status !== 0) {
    writer.int32(message.status);
    writer.varint32(8);
  }
}

function readHealthCheckResponse(reader: Reader, base: HealthCheckResponse): HealthCheckResponse {
  let status = base.status;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        status = reader.int32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    status,
  };
}

export const Health = {
  name: 'grpc.health.v1.Health',
  methods: {
    Check: method('/grpc.health.v1.Health/Check', HealthCheckRequest, HealthCheckResponse, 'unary'),
    Watch: method('/grpc.health.v1.Health/Watch', HealthCheckRequest, HealthCheckResponse, 'server-stream'),
  },
} as const;
