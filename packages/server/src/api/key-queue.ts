import { assert } from '@flotilla/platform';
import {
  Compare,
  CompareResult,
  CompareTarget,
  DeleteRangeRequest,
  EventType,
  type KeyValue,
  PutRequest,
  RangeRequest,
  type RangeResponse,
  type RequestOp,
  type ResponseHeader,
  RpcError,
  type ServerCall,
  SortOrder,
  SortTarget,
  Status,
  TxnRequest,
  type TxnResponse,
} from '@flotilla/wire';
import type { Backend } from '../member/backend.ts';
import { KeyWatch } from './key-watch.ts';
import { KvService } from './kv.ts';
import { LeaseService } from './lease.ts';
import { WithoutSession } from './without-session.ts';

/** What a client that leaves the lease of a lock open gets. Nobody renews it. Seconds; etcd's. */
const sessionTtlSeconds = 60;

/** A place in a queue: who has the lowest create revision is first. */
export interface Place {
  readonly key: Uint8Array;
  readonly createRevision: number;
  readonly lease: bigint;
}

export interface TakenPlace {
  readonly place: Place;
  /** When this call has stood in the queue: whoever enters with the same lease later has taken the place over. */
  readonly enteredRevision: number;
  /** Nobody is before it. */
  readonly isFirst: boolean;
  readonly header: ResponseHeader;
}

/**
 * What locks and elections are made of, by the recipe of etcd's clients, who may stand in the same queue: each who
 * waits has a key `<name>/<lease in hex>` that goes with its lease, and is first when no key of the queue is older.
 * Whoever waits watches only the one before it. All of it goes through the services that clients call, with the
 * permissions of the caller.
 */
export class KeyQueue {
  readonly #backend: Backend;
  readonly #kv: KvService;
  readonly #leases: LeaseService;

  constructor(backend: Backend) {
    this.#backend = backend;
    this.#kv = new KvService(backend);
    this.#leases = new LeaseService(backend);
  }

  /** With a session a second try gets the same lease, and so the same place. */
  async leaseOf(lease: bigint, call: ServerCall, bytes: Uint8Array): Promise<bigint> {
    if (lease !== 0n) return lease;
    const { id } = await this.#leases.grant({ id: 0n, ttl: sessionTtlSeconds }, call, bytes);
    return id;
  }

  /**
   * Stands in the queue, where its lease stands already if it does. That key is written again, with `value` or, where
   * that is null, as it is: a second try may come before the first is known to have failed, and what the first gives up
   * then must not be the second's.
   */
  async enter(
    name: Uint8Array,
    lease: bigint,
    value: Uint8Array | null,
    call: ServerCall,
  ): Promise<TakenPlace> {
    const { key: prefix } = queueOf(name);
    const key = join(prefix, textBytes(lease.toString(16)));
    const first = operation('requestRange', RangeRequest.create({ ...queueOf(name), ...oldest }));
    const again = { ...(value === null ? { ignoreValue: true } : { value }), prevKv: true };
    const response = await this.#txn(
      {
        compare: [created(key, 0)],
        success: [operation('requestPut', PutRequest.create({ key, value: value ?? noBytes, lease })), first],
        failure: [operation('requestPut', PutRequest.create({ key, ...again, ignoreLease: true })), first],
      },
      new WithoutSession(call),
    );
    const header = response.header as ResponseHeader;
    const createRevision = response.succeeded ? header.revision : previousIn(response, 0).createRevision;
    const isFirst = rangeIn(response, 1).kvs[0]?.createRevision === createRevision;
    const place = { key, createRevision, lease };
    return { place, enteredRevision: header.revision, isFirst, header };
  }

  /**
   * Resolves when nobody is before `place` any more, with the header of a read that found it there; or with null when
   * it is lost, with its lease or because its key was deleted: etcd once answered a lock whose lease had expired while
   * it waited. Rejects when the call is cancelled.
   */
  async turn(name: Uint8Array, place: Place, call: ServerCall): Promise<ResponseHeader | null> {
    for (;;) {
      const before = await this.#range(name, call, {
        maxCreateRevision: place.createRevision - 1,
        sortOrder: SortOrder.DESCEND,
        sortTarget: SortTarget.CREATE,
        limit: 1,
      });
      // After that: who was first without a place is not first.
      const header = await this.#find(place, call);
      const [last] = before.kvs;
      if (last === undefined || header === null) return header;
      await this.#gone([last.key, place.key], (before.header as ResponseHeader).revision, call);
    }
  }

  /** Leaves the queue; a place that is lost is nothing to leave. */
  leave(place: Pick<Place, 'key' | 'createRevision'>, call: ServerCall): Promise<TxnResponse> {
    const { key, createRevision } = place;
    return this.#txn(
      {
        compare: [created(key, createRevision)],
        success: [operation('requestDeleteRange', DeleteRangeRequest.create({ key }))],
        failure: [],
      },
      call,
    );
  }

  /** As {@link KeyQueue.leave}, of a call that has failed, unless somebody has taken the place over. */
  giveUp({ key, createRevision }: Place, enteredRevision: number, call: ServerCall): Promise<TxnResponse> {
    return this.#txn(
      {
        compare: [created(key, createRevision), modified(key, enteredRevision)],
        success: [operation('requestDeleteRange', DeleteRangeRequest.create({ key }))],
        failure: [],
      },
      new WithoutSession(call),
    );
  }

  /** Gives the place another value. Not `succeeded`: it is lost. */
  rename(place: Place, value: Uint8Array, call: ServerCall): Promise<TxnResponse> {
    const { key, createRevision, lease } = place;
    // A client that has not kept its lease in mind must not take the key off it: it would stay for ever.
    const put = PutRequest.create({ key, value, lease, ignoreLease: lease === 0n });
    return this.#txn(
      {
        compare: [created(key, createRevision)],
        success: [operation('requestPut', put)],
        failure: [],
      },
      call,
    );
  }

  /** Who is first; no key: nobody is there. */
  first(name: Uint8Array, call: ServerCall): Promise<RangeResponse> {
    return this.#range(name, call, oldest);
  }

  #range(name: Uint8Array, call: ServerCall, options: Partial<RangeRequest>): Promise<RangeResponse> {
    const request = RangeRequest.create({ ...queueOf(name), ...options });
    return this.#kv.range(request, new WithoutSession(call));
  }

  async #find({ key, createRevision }: Place, call: ServerCall): Promise<ResponseHeader | null> {
    const { kvs, header } = await this.#kv.range(RangeRequest.create({ key }), new WithoutSession(call));
    return kvs[0]?.createRevision === createRevision ? header : null;
  }

  /** Resolves when one of the keys, all of which are there at `revision`, is deleted, or may have been. */
  async #gone(keys: readonly Uint8Array[], revision: number, call: ServerCall): Promise<void> {
    const watch = new KeyWatch(
      this.#backend,
      call,
      keys.map((key) => ({ key, rangeEnd: noBytes, startRevision: revision + 1 })),
    );
    try {
      for (let response = await watch.next(); response !== null; response = await watch.next()) {
        if (response.events.some(({ type }) => type === EventType.DELETE)) return;
      }
    } finally {
      watch.close();
    }
  }

  #txn(request: TxnRequest, call: ServerCall): Promise<TxnResponse> {
    return this.#kv.txn(request, call, TxnRequest.encode(request));
  }
}

/** The keys of a queue. */
export function queueOf(name: Uint8Array): { readonly key: Uint8Array; readonly rangeEnd: Uint8Array } {
  return { key: join(name, textBytes('/')), rangeEnd: join(name, textBytes('0')) };
}

/** etcd calls these services through a client of its own, whose errors lose their code on the way; not their text. */
export async function asClientOfItself<Response>(answer: Promise<Response>): Promise<Response> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    if (error.status === Status.CANCELLED || error.status === Status.DEADLINE_EXCEEDED) throw error;
    throw new RpcError(Status.UNKNOWN, error.message, { cause: error });
  }
}

const noBytes = new Uint8Array(0);

const oldest: Partial<RangeRequest> = {
  sortOrder: SortOrder.ASCEND,
  sortTarget: SortTarget.CREATE,
  limit: 1,
};

function operation<Case extends NonNullable<RequestOp['request']>['case']>(
  kind: Case,
  value: Extract<NonNullable<RequestOp['request']>, { case: Case }>['value'],
): RequestOp {
  return { request: { case: kind, value } as NonNullable<RequestOp['request']> };
}

function rangeIn(response: TxnResponse, at: number): RangeResponse {
  const answer = response.responses[at]?.response;
  assert(answer?.case === 'responseRange', 'a range in a transaction is answered as one');
  return answer.value;
}

function previousIn(response: TxnResponse, at: number): KeyValue {
  const answer = response.responses[at]?.response;
  assert(answer?.case === 'responsePut', 'a put in a transaction is answered as one');
  assert(answer.value.prevKv !== null, 'a key that is written again was there');
  return answer.value.prevKv;
}

function modified(key: Uint8Array, revision: number): Compare {
  return Compare.create({
    key,
    target: CompareTarget.MOD,
    result: CompareResult.EQUAL,
    targetUnion: { case: 'modRevision', value: revision },
  });
}

function created(key: Uint8Array, revision: number): Compare {
  return Compare.create({
    key,
    target: CompareTarget.CREATE,
    result: CompareResult.EQUAL,
    targetUnion: { case: 'createRevision', value: revision },
  });
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

function textBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
