import { CompareResult, CompareTarget, RpcError, SortOrder, SortTarget, etcdErrors } from '@flotilla/wire';
import type {
  Compare,
  DeleteRangeRequest,
  KeyValue,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from '@flotilla/wire';

export interface ModelVersion {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
}

export interface ModelEvent {
  readonly revision: number;
  readonly deleted: boolean;
  readonly key: string;
  readonly kv: ModelVersion | null;
}

/**
 * etcd in the plainest way: the whole map once for every revision. Keys and values are strings with one character a
 * byte. Written from etcd's rules, not from the store's code.
 */
export class Model {
  revision = 1;
  compactRevision = -1;
  readonly events: ModelEvent[] = [];
  /** States by revision; each a sorted list of keys to versions. */
  readonly #states: Map<string, ModelVersion>[] = [new Map(), new Map()];
  #draft: Map<string, ModelVersion> | null = null;
  #draftEvents: ModelEvent[] = [];

  apply(kind: string, request: unknown): unknown {
    try {
      if (kind === 'put') return this.#alone(() => this.#checkedPut(request as PutRequest));
      if (kind === 'delete-range') return this.#alone(() => this.#delete(request as DeleteRangeRequest));
      if (kind === 'txn') return this.#txn(request as TxnRequest);
      return this.#compact((request as { revision: number }).revision);
    } catch (error) {
      if (error instanceof RpcError) return { error: error.message };
      throw error;
    }
  }

  range(request: RangeRequest): unknown {
    try {
      return this.#range(request);
    } catch (error) {
      if (error instanceof RpcError) return { error: error.message };
      throw error;
    }
  }

  stateAt(revision: number): Map<string, ModelVersion> {
    return this.#states[revision]!;
  }

  #current(): Map<string, ModelVersion> {
    return this.#draft ?? this.#states[this.revision]!;
  }

  #writable(): Map<string, ModelVersion> {
    return (this.#draft ??= new Map(this.#states[this.revision]));
  }

  get #readRevision(): number {
    return this.#draft === null ? this.revision : this.revision + 1;
  }

  #alone(run: () => unknown): unknown {
    const response = run();
    this.#end();
    return response;
  }

  #end(): void {
    if (this.#draft === null) return;
    this.revision += 1;
    this.#states.push(this.#draft);
    this.events.push(...this.#draftEvents);
    this.#draft = null;
    this.#draftEvents = [];
  }

  /** In a transaction: the key before the lease. A put of its own: the lease before the key. */
  #checkPut(request: PutRequest): void {
    if ((request.ignoreValue || request.ignoreLease) && !this.#current().has(text(request.key))) {
      throw etcdErrors.keyNotFound;
    }
    if (request.lease !== 0n) throw etcdErrors.leaseNotFound;
  }

  #checkedPut(request: PutRequest): unknown {
    if (request.lease !== 0n) throw etcdErrors.leaseNotFound;
    this.#checkPut(request);
    return this.#put(request);
  }

  #put(request: PutRequest): unknown {
    const key = text(request.key);
    const previous = this.#current().get(key);
    const modRevision = this.revision + 1;
    const kv: ModelVersion = {
      key,
      value: request.ignoreValue ? previous!.value : text(request.value),
      createRevision: previous?.createRevision ?? modRevision,
      modRevision,
      version: (previous?.version ?? 0) + 1,
    };
    this.#writable().set(key, kv);
    this.#draftEvents.push({ revision: modRevision, deleted: false, key, kv });
    return { revision: modRevision, prevKv: request.prevKv ? (previous ?? null) : null };
  }

  #delete(request: DeleteRangeRequest): unknown {
    const victims = sorted(this.#current()).filter((kv) => inRange(kv.key, request));
    for (const { key } of victims) {
      this.#writable().delete(key);
      this.#draftEvents.push({ revision: this.revision + 1, deleted: true, key, kv: null });
    }
    return {
      revision: this.#readRevision,
      deleted: victims.length,
      prevKvs: request.prevKv ? victims : [],
    };
  }

  #range(request: RangeRequest): unknown {
    let state = this.#current();
    if (request.revision > 0) {
      if (request.revision > this.#readRevision) throw etcdErrors.futureRevision;
      if (request.revision < this.compactRevision) throw etcdErrors.compacted;
      if (request.revision < this.#readRevision || this.#draft === null)
        state = this.#states[request.revision]!;
    }
    let kvs = sorted(state).filter((kv) => inRange(kv.key, request));
    const count = kvs.length;
    if (request.countOnly) return { revision: this.#readRevision, kvs: [], count, more: false };
    const filtered =
      request.minModRevision !== 0 ||
      request.maxModRevision !== 0 ||
      request.minCreateRevision !== 0 ||
      request.maxCreateRevision !== 0;
    const plainOrder = request.sortOrder === SortOrder.NONE;
    if (request.limit > 0 && plainOrder && !filtered) kvs = kvs.slice(0, request.limit + 1);
    kvs = kvs.filter(
      (kv) =>
        (request.minModRevision === 0 || kv.modRevision >= request.minModRevision) &&
        (request.maxModRevision === 0 || kv.modRevision <= request.maxModRevision) &&
        (request.minCreateRevision === 0 || kv.createRevision >= request.minCreateRevision) &&
        (request.maxCreateRevision === 0 || kv.createRevision <= request.maxCreateRevision),
    );
    const sign = request.sortOrder === SortOrder.DESCEND ? -1 : 1;
    const field = sortField(request.sortTarget);
    kvs.sort((a, b) => (field(a) < field(b) ? -sign : field(a) > field(b) ? sign : 0));
    const more = request.limit > 0 && kvs.length > request.limit;
    if (more) kvs = kvs.slice(0, request.limit);
    if (request.keysOnly) kvs = kvs.map((kv) => ({ ...kv, value: '' }));
    return { revision: this.#readRevision, kvs, count, more };
  }

  #txn(request: TxnRequest): unknown {
    const path: boolean[] = [];
    this.#decide(request, path);
    this.#checkTxn(request, path.slice());
    const response = this.#run(request, path.slice()) as Record<string, unknown>;
    this.#end();
    return { ...response, revision: this.revision };
  }

  #decide(request: TxnRequest, path: boolean[]): void {
    const succeeded = request.compare.every((compare) => this.#holds(compare));
    path.push(succeeded);
    for (const { request: op } of succeeded ? request.success : request.failure) {
      if (op?.case === 'requestTxn') this.#decide(op.value, path);
    }
  }

  #checkTxn(request: TxnRequest, path: boolean[]): void {
    for (const { request: op } of path.shift()! ? request.success : request.failure) {
      if (op?.case === 'requestPut') this.#checkPut(op.value);
      if (op?.case === 'requestTxn') this.#checkTxn(op.value, path);
      if (op?.case !== 'requestRange' || op.value.revision === 0) continue;
      if (op.value.revision > this.revision) throw etcdErrors.futureRevision;
      if (op.value.revision < this.compactRevision) throw etcdErrors.compacted;
    }
  }

  #run(request: TxnRequest, path: boolean[]): unknown {
    const succeeded = path.shift()!;
    const responses = (succeeded ? request.success : request.failure).map((op) => this.#runOne(op, path));
    return { revision: 0, succeeded, responses };
  }

  #runOne({ request }: RequestOp, path: boolean[]): unknown {
    if (request?.case === 'requestRange') return this.#range(request.value);
    if (request?.case === 'requestPut') return this.#put(request.value);
    if (request?.case === 'requestDeleteRange') return this.#delete(request.value);
    return this.#run(request?.value as TxnRequest, path);
  }

  #holds(compare: Compare): boolean {
    const kvs = sorted(this.#current()).filter((kv) => inRange(kv.key, compare));
    if (kvs.length > 0) return kvs.every((kv) => matches(compare, kv));
    if (compare.target === CompareTarget.VALUE) return false;
    return matches(compare, { key: '', value: '', createRevision: 0, modRevision: 0, version: 0 });
  }

  #compact(revision: number): unknown {
    if (revision <= this.compactRevision) throw etcdErrors.compacted;
    if (revision > this.revision) throw etcdErrors.futureRevision;
    this.compactRevision = revision;
    return { revision: this.revision };
  }
}

function matches(compare: Compare, kv: ModelVersion): boolean {
  const union = compare.targetUnion;
  const fits = union?.case === ['version', 'createRevision', 'modRevision', 'value'][compare.target];
  const operand = fits ? union!.value : 0;
  let left: string | number = 0;
  let right: string | number = typeof operand === 'number' ? operand : 0;
  if (compare.target === CompareTarget.VALUE) {
    left = kv.value;
    right = operand instanceof Uint8Array ? text(operand) : '';
  } else if (compare.target === CompareTarget.CREATE) left = kv.createRevision;
  else if (compare.target === CompareTarget.MOD) left = kv.modRevision;
  else if (compare.target === CompareTarget.VERSION) left = kv.version;
  switch (compare.result) {
    case CompareResult.EQUAL:
      return left === right;
    case CompareResult.NOT_EQUAL:
      return left !== right;
    case CompareResult.GREATER:
      return left > right;
    default:
      return left < right;
  }
}

function sortField(target: number): (kv: ModelVersion) => string | number {
  if (target === SortTarget.VERSION) return (kv) => kv.version;
  if (target === SortTarget.CREATE) return (kv) => kv.createRevision;
  if (target === SortTarget.MOD) return (kv) => kv.modRevision;
  if (target === SortTarget.VALUE) return (kv) => kv.value;
  return (kv) => kv.key;
}

export function inRange(
  key: string,
  { key: from, rangeEnd }: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array },
): boolean {
  const end = text(rangeEnd);
  if (end === '') return key === text(from);
  return key >= text(from) && (end === '\0' || key < end);
}

function sorted(state: Map<string, ModelVersion>): ModelVersion[] {
  return [...state.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

export function toBytes(value: string): Uint8Array {
  return Uint8Array.from(Buffer.from(value, 'latin1'));
}

export function toModelVersion(kv: KeyValue): ModelVersion {
  return {
    key: text(kv.key),
    value: text(kv.value),
    createRevision: kv.createRevision,
    modRevision: kv.modRevision,
    version: kv.version,
  };
}
