import { type Metadata, RpcError, Status } from '@flotilla/wire';
import type { HttpHeaders } from '../http/exchange.ts';

/**
 * What a call would have carried as gRPC metadata: `Grpc-Metadata-NAME: value` is `name`, and `Authorization` the
 * token, with or without `Bearer` before it.
 */
export function metadataOf(headers: HttpHeaders): Metadata {
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && name.startsWith(PREFIX)) metadata[name.slice(PREFIX.length)] = value;
  }
  const { authorization } = headers;
  if (authorization !== undefined) {
    metadata['authorization'] = authorization;
    metadata['token'] ??= authorization.replace(/^bearer +/i, '');
  }
  return metadata;
}

/** `Grpc-Timeout: 500m`; null: none. Units are gRPC's: H, M, S, m, u and n. */
export function timeoutOf(headers: HttpHeaders): number | null {
  const text = headers['grpc-timeout'];
  if (text === undefined || text === '') return null;
  const match = /^([0-9]{1,18})([HMSmun])$/.exec(text);
  if (match === null) throw new RpcError(Status.INVALID_ARGUMENT, `invalid grpc-timeout: ${text}`);
  return Number(match[1]) * (unitsMs[match[2] as string] as number);
}

const PREFIX = 'grpc-metadata-';

const unitsMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};
