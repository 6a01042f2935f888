import type { Call } from '../history.ts';
import type { EtcdKeyOperation, EtcdKeyResult, FoundKey } from '../models/etcd-key.ts';
import type { EtcdCall, EtcdRequest, EtcdResponse, RangeResult, TxnOperation } from './requests.ts';

/**
 * The calls that are about one key each, for `checkLinearizability(etcdKeyModel, …)`: a second opinion that trusts no
 * revision order. Keys that a wider request may write (a range delete, another transaction than «put if the key was
 * last modified at») are left out with all their calls.
 */
export function perKeyCalls(calls: readonly EtcdCall[]): Call<EtcdKeyOperation, EtcdKeyResult>[] {
  const shared = new SharedKeys(calls);
  const found: Call<EtcdKeyOperation, EtcdKeyResult>[] = [];
  for (const call of calls) {
    const operation = keyOperation(call.operation);
    if (operation === null || shared.has(operation.key)) continue;
    const { outcome } = call;
    if (outcome.type !== 'returned') {
      found.push({ ...call, operation, outcome });
      continue;
    }
    const result = keyResult(operation, outcome.result);
    if (result !== null) found.push({ ...call, operation, outcome: { ...outcome, result } });
  }
  return found;
}

/** Keys that requests write which are not about one key. */
class SharedKeys {
  readonly #keys = new Set<string>();
  readonly #ranges: { readonly from: string; readonly to: string }[] = [];

  constructor(calls: readonly EtcdCall[]) {
    for (const { operation } of calls) {
      if (operation.type !== 'compact' && keyOperation(operation) === null) this.#add(operation);
    }
  }

  has(key: string): boolean {
    if (this.#keys.has(key)) return true;
    return this.#ranges.some(({ from, to }) => key >= from && (to === '\0' || key < to));
  }

  #add(operation: TxnOperation): void {
    if (operation.type === 'put') this.#keys.add(operation.key);
    if (operation.type === 'delete-range') {
      const { key, rangeEnd } = operation;
      if (rangeEnd === '') this.#keys.add(key);
      else if (!this.#ranges.some(({ from, to }) => from === key && to === rangeEnd)) {
        this.#ranges.push({ from: key, to: rangeEnd });
      }
    }
    if (operation.type !== 'txn') return;
    for (const nested of [...operation.success, ...operation.failure]) this.#add(nested);
  }
}

function keyOperation(request: EtcdRequest): EtcdKeyOperation | null {
  switch (request.type) {
    case 'range':
      return isPlainGet(request) ? { type: 'get', key: request.key } : null;
    case 'put':
      if (request.ignoreValue || request.ignoreLease) return null;
      return { type: 'put', key: request.key, value: request.value };
    case 'delete-range':
      return request.rangeEnd === '' ? { type: 'delete', key: request.key } : null;
    case 'txn':
      return guardedPut(request.compare, request.success, request.failure);
    case 'compact':
      return null;
  }
}

function isPlainGet(request: TxnOperation): boolean {
  if (request.type !== 'range') return false;
  const { rangeEnd, revision, serializable, keysOnly, countOnly } = request;
  const filtered =
    request.minModRevision + request.maxModRevision + request.minCreateRevision + request.maxCreateRevision;
  return rangeEnd === '' && revision <= 0 && !serializable && !keysOnly && !countOnly && filtered === 0;
}

function guardedPut(
  compares: (EtcdRequest & { readonly type: 'txn' })['compare'],
  success: readonly TxnOperation[],
  failure: readonly TxnOperation[],
): EtcdKeyOperation | null {
  const [compare] = compares;
  const [put] = success;
  const [get] = failure;
  if (compares.length !== 1 || success.length !== 1 || failure.length !== 1) return null;
  if (compare?.target.type !== 'mod' || compare.result !== 'equal' || compare.rangeEnd !== '') return null;
  if (put?.type !== 'put' || put.key !== compare.key || put.ignoreValue || put.ignoreLease) return null;
  if (get?.type !== 'range' || get.key !== compare.key || !isPlainGet(get)) return null;
  return { type: 'guarded-put', key: put.key, value: put.value, modRevision: compare.target.value };
}

function keyResult(operation: EtcdKeyOperation, response: EtcdResponse): EtcdKeyResult | null {
  if (response.type === 'error' || response.type === 'compact') return null;
  const { revision } = response;
  switch (response.type) {
    case 'range':
      return { type: 'get', revision, found: foundKey(response) };
    case 'put':
      return { type: 'put', revision };
    case 'delete-range':
      return { type: 'delete', revision, deleted: response.deleted > 0 };
    case 'txn': {
      if (operation.type !== 'guarded-put') return null;
      if (response.succeeded) return { type: 'guarded-put', revision, succeeded: true };
      const [get] = response.responses;
      return {
        type: 'guarded-put',
        revision,
        succeeded: false,
        found: get?.type === 'range' ? foundKey(get) : null,
      };
    }
  }
}

function foundKey({ kvs }: RangeResult): FoundKey | null {
  const [kv] = kvs;
  return kv === undefined ? null : { value: kv.value, version: kv.version, modRevision: kv.modRevision };
}
