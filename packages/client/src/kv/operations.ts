import {
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  SortOrder,
  SortTarget,
} from '@flotilla/wire';
import type {
  DeleteRangeResponse,
  KeyValue,
  PutResponse,
  RangeResponse,
  ResponseHeader,
  ResponseOp,
} from '@flotilla/wire';
import { toBytes } from '../bytes.ts';
import type { Bytes } from '../bytes.ts';
import { Entry } from '../entry.ts';
import { clientError } from '../errors.ts';
import { keyRange } from '../span.ts';
import type { KeyOrSpan } from '../span.ts';

/** A lease, or its number. */
export type LeaseLike = bigint | { readonly id: bigint };

export interface GetOptions {
  /** As it was at this revision; absent: now. */
  readonly revision?: number;
  /** Answered by one server from what it has, which may be old; cheaper, and possible without a leader. */
  readonly serializable?: boolean;
}

export type SortBy = 'key' | 'version' | 'createRevision' | 'modRevision' | 'value';

export interface RangeOptions extends GetOptions {
  readonly limit?: number;
  readonly sortBy?: SortBy;
  readonly order?: 'ascending' | 'descending';
  /** Without values. */
  readonly keysOnly?: boolean;
  readonly minModRevision?: number;
  readonly maxModRevision?: number;
  readonly minCreateRevision?: number;
  readonly maxCreateRevision?: number;
}

export interface PutOptions {
  /** The key ends with this lease. */
  readonly lease?: LeaseLike;
  /** Whether to answer what was there before. */
  readonly previous?: boolean;
  /** Keeps the value, changes the lease alone; the value given must be empty. */
  readonly keepValue?: boolean;
  /** Keeps the lease that the key has. */
  readonly keepLease?: boolean;
}

export interface DeleteOptions {
  /** Whether to answer what was there before. */
  readonly previous?: boolean;
}

export interface RangeResult {
  readonly entries: readonly Entry[];
  /** Of all keys in the span, whatever the limit. */
  readonly count: number;
  /** The limit has left some out. */
  readonly more: boolean;
  /** Of the cluster when this was read. */
  readonly revision: number;
}

export interface PutResult {
  readonly revision: number;
  /** What was there before, when it was asked for and there was something. */
  readonly previous: Entry | null;
}

export interface DeleteResult {
  readonly revision: number;
  readonly deleted: number;
  readonly previous: readonly Entry[];
}

/** One operation of a transaction, and how to read its response as a `Result`. */
export interface Operation<Result = unknown> {
  readonly message: RequestOp;
  readonly read: (response: ResponseOp, revision: number) => Result;
}

/** The operations of a transaction. */
export const op = {
  get(key: Bytes, options: GetOptions = {}): Operation<Entry | null> {
    const value = rangeMessage(key, options);
    return {
      message: RequestOp.create({ request: { case: 'requestRange', value } }),
      read: (response, revision) => rangeResult(rangeOf(response), revision).entries[0] ?? null,
    };
  },

  range(keys: KeyOrSpan, options: RangeOptions = {}): Operation<RangeResult> {
    const value = rangeMessage(keys, options);
    return {
      message: RequestOp.create({ request: { case: 'requestRange', value } }),
      read: (response, revision) => rangeResult(rangeOf(response), revision),
    };
  },

  put(key: Bytes, value: Bytes, options: PutOptions = {}): Operation<PutResult> {
    const message = putMessage(key, value, options);
    return {
      message: RequestOp.create({ request: { case: 'requestPut', value: message } }),
      read: ({ response }, revision) => {
        if (response?.case !== 'responsePut') throw oddResponse();
        return putResult(response.value, revision);
      },
    };
  },

  delete(keys: KeyOrSpan, options: DeleteOptions = {}): Operation<DeleteResult> {
    const message = deleteMessage(keys, options);
    return {
      message: RequestOp.create({ request: { case: 'requestDeleteRange', value: message } }),
      read: ({ response }, revision) => {
        if (response?.case !== 'responseDeleteRange') throw oddResponse();
        return deleteResult(response.value, revision);
      },
    };
  },
} as const;

export function rangeMessage(keys: KeyOrSpan, options: RangeOptions & { countOnly?: boolean }): RangeRequest {
  const { sortBy, order } = options;
  return RangeRequest.create({
    ...keyRange(keys),
    limit: options.limit ?? 0,
    revision: options.revision ?? 0,
    serializable: options.serializable ?? false,
    keysOnly: options.keysOnly ?? false,
    countOnly: options.countOnly ?? false,
    sortOrder: sortOrder(order, sortBy),
    sortTarget: sortTargets[sortBy ?? 'key'],
    minModRevision: options.minModRevision ?? 0,
    maxModRevision: options.maxModRevision ?? 0,
    minCreateRevision: options.minCreateRevision ?? 0,
    maxCreateRevision: options.maxCreateRevision ?? 0,
  });
}

export function putMessage(key: Bytes, value: Bytes, options: PutOptions): PutRequest {
  return PutRequest.create({
    key: toBytes(key),
    value: toBytes(value),
    lease: options.lease === undefined ? 0n : leaseId(options.lease),
    prevKv: options.previous ?? false,
    ignoreValue: options.keepValue ?? false,
    ignoreLease: options.keepLease ?? false,
  });
}

export function deleteMessage(keys: KeyOrSpan, options: DeleteOptions): DeleteRangeRequest {
  return DeleteRangeRequest.create({ ...keyRange(keys), prevKv: options.previous ?? false });
}

export function leaseId(lease: LeaseLike): bigint {
  return typeof lease === 'bigint' ? lease : lease.id;
}

/** Responses inside a transaction have no revision of their own. */
export function rangeResult(response: RangeResponse, revision?: number): RangeResult {
  const { kvs, count, more } = response;
  return { entries: kvs.map(toEntry), count, more, revision: revision ?? revisionOf(response.header) };
}

export function putResult(response: PutResponse, revision?: number): PutResult {
  const { prevKv } = response;
  return {
    revision: revision ?? revisionOf(response.header),
    previous: prevKv === null ? null : toEntry(prevKv),
  };
}

export function deleteResult(response: DeleteRangeResponse, revision?: number): DeleteResult {
  const { deleted, prevKvs } = response;
  return { revision: revision ?? revisionOf(response.header), deleted, previous: prevKvs.map(toEntry) };
}

export function revisionOf(header: ResponseHeader | null): number {
  return header?.revision ?? 0;
}

export function toEntry(message: KeyValue): Entry {
  return new Entry(message);
}

export function oddResponse(): Error {
  return clientError('FLOTILLA_WIRE_MALFORMED', 'a response does not fit its operation');
}

function rangeOf({ response }: ResponseOp): RangeResponse {
  if (response?.case !== 'responseRange') throw oddResponse();
  return response.value;
}

function sortOrder(order: RangeOptions['order'], sortBy: SortBy | undefined): SortOrder {
  if (order === 'descending') return SortOrder.DESCEND;
  // Keys come in order anyway; saying so makes servers sort them again.
  return sortBy === undefined || sortBy === 'key' ? SortOrder.NONE : SortOrder.ASCEND;
}

const sortTargets: Readonly<Record<SortBy, SortTarget>> = {
  key: SortTarget.KEY,
  version: SortTarget.VERSION,
  createRevision: SortTarget.CREATE,
  modRevision: SortTarget.MOD,
  value: SortTarget.VALUE,
};
