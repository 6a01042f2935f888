import type { Call } from '../history.ts';

/**
 * etcd's requests and responses as plain data. Keys and values are *binary strings*: one UTF-16 code unit below 256
 * for each byte (see {@link binaryString}), so that comparing strings compares bytes and ASCII stays readable.
 */
export type EtcdRequest = RangeRequest | PutRequest | DeleteRangeRequest | TxnRequest | CompactRequest;

export interface RangeRequest {
  readonly type: 'range';
  readonly key: string;
  /** '' for one key, '\0' for all keys from `key` on, otherwise exclusive. */
  readonly rangeEnd: string;
  /** 0 or less: the latest. */
  readonly revision: number;
  /** 0: none. */
  readonly limit: number;
  readonly serializable: boolean;
  readonly keysOnly: boolean;
  readonly countOnly: boolean;
  readonly sortTarget: SortTarget;
  readonly sortOrder: 'none' | 'ascend' | 'descend';
  /** 0: no bound. */
  readonly minModRevision: number;
  readonly maxModRevision: number;
  readonly minCreateRevision: number;
  readonly maxCreateRevision: number;
}

export type SortTarget = 'key' | 'version' | 'create' | 'mod' | 'value';

export interface PutRequest {
  readonly type: 'put';
  readonly key: string;
  readonly value: string;
  /** 0: none. */
  readonly lease: bigint;
  readonly prevKv: boolean;
  readonly ignoreValue: boolean;
  readonly ignoreLease: boolean;
}

export interface DeleteRangeRequest {
  readonly type: 'delete-range';
  readonly key: string;
  readonly rangeEnd: string;
  readonly prevKv: boolean;
}

export interface TxnRequest {
  readonly type: 'txn';
  readonly compare: readonly Compare[];
  readonly success: readonly TxnOperation[];
  readonly failure: readonly TxnOperation[];
}

export type TxnOperation = RangeRequest | PutRequest | DeleteRangeRequest | TxnRequest;

export interface Compare {
  readonly key: string;
  readonly rangeEnd: string;
  readonly result: 'equal' | 'not-equal' | 'greater' | 'less';
  readonly target: CompareTarget;
}

export type CompareTarget =
  | { readonly type: 'version' | 'create' | 'mod'; readonly value: number }
  | { readonly type: 'value'; readonly value: string }
  | { readonly type: 'lease'; readonly value: bigint };

export interface CompactRequest {
  readonly type: 'compact';
  readonly revision: number;
}

export interface KeyValue {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  /** 1 for a key that was just created. */
  readonly version: number;
  /** 0: none. */
  readonly lease: bigint;
}

export type TxnResult = RangeResult | PutResult | DeleteRangeResult | TxnBranch;

export interface RangeResult {
  readonly type: 'range';
  readonly kvs: readonly KeyValue[];
  readonly count: number;
  readonly more: boolean;
}

export interface PutResult {
  readonly type: 'put';
  /** Null when it was not asked for, or there was none. */
  readonly prevKv: KeyValue | null;
}

export interface DeleteRangeResult {
  readonly type: 'delete-range';
  readonly deleted: number;
  readonly prevKvs: readonly KeyValue[];
}

export interface TxnBranch {
  readonly type: 'txn';
  readonly succeeded: boolean;
  readonly responses: readonly TxnResult[];
}

/**
 * An answer. `revision` is the header's: the one that the request made when it changed something, the store's latest
 * otherwise. For transactions only the outer header counts.
 */
export type EtcdResponse =
  | ((RangeResult | PutResult | DeleteRangeResult | TxnBranch | { readonly type: 'compact' }) & {
      readonly revision: number;
    })
  /** Errors that say something about the store. Others are recorded as outcome `failed` or `unknown`. */
  | { readonly type: 'error'; readonly error: 'compacted' | 'future-revision' };

export type EtcdCall = Call<EtcdRequest, EtcdResponse>;

/** What happened to one key at one revision. */
export type EtcdEvent =
  | { readonly type: 'put'; readonly kv: KeyValue }
  | { readonly type: 'delete'; readonly key: string; readonly modRevision: number };

/** Every event of one revision, in order. */
export interface RevisionEvents {
  readonly revision: number;
  readonly events: readonly EtcdEvent[];
}

const rangeDefaults: Omit<RangeRequest, 'key'> = {
  type: 'range',
  rangeEnd: '',
  revision: 0,
  limit: 0,
  serializable: false,
  keysOnly: false,
  countOnly: false,
  sortTarget: 'key',
  sortOrder: 'none',
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
};

/** A request with etcd's defaults for what is not given. */
export function range(key: string, options: Partial<RangeRequest> = {}): RangeRequest {
  return { ...rangeDefaults, ...options, type: 'range', key };
}

/** A request with etcd's defaults for what is not given. */
export function put(key: string, value: string, options: Partial<PutRequest> = {}): PutRequest {
  const defaults = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
  return { ...defaults, ...options, type: 'put', key, value };
}

/** A request with etcd's defaults for what is not given. */
export function deleteRange(key: string, options: Partial<DeleteRangeRequest> = {}): DeleteRangeRequest {
  return { rangeEnd: '', prevKv: false, ...options, type: 'delete-range', key };
}

/** Bytes as a string of code units below 256: the form in which this package takes keys and values. */
export function binaryString(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += codeUnitsAtOnce) {
    text += String.fromCharCode(...bytes.subarray(at, at + codeUnitsAtOnce));
  }
  return text;
}

/** Arguments of one call: far below what any engine takes. */
const codeUnitsAtOnce = 4_096;

/** The first key behind all keys with this prefix: etcd's `range_end` for a prefix. */
export function prefixEnd(prefix: string): string {
  for (let i = prefix.length - 1; i >= 0; i -= 1) {
    const unit = prefix.charCodeAt(i);
    if (unit < 0xff) return prefix.slice(0, i) + String.fromCharCode(unit + 1);
  }
  return '\0';
}

/** Whether `key` is in the range as etcd reads `key` and `range_end`. */
export function inRange(key: string, from: string, rangeEnd: string): boolean {
  if (rangeEnd === '') return key === from;
  return key >= from && (rangeEnd === '\0' || key < rangeEnd);
}

/** Whether the answer tells of a change: then its revision is its own, made by it. */
export function isEffective(result: TxnResult | { readonly type: 'compact' }): boolean {
  switch (result.type) {
    case 'put':
      return true;
    case 'delete-range':
      return result.deleted > 0;
    case 'txn':
      return result.responses.some(isEffective);
    case 'range':
    case 'compact':
      return false;
  }
}
