import {
  DeleteRangeRequest,
  Lock,
  type LockRequest,
  type LockResponse,
  type Method,
  RpcError,
  type ServerCall,
  Status,
  unary,
  type UnlockRequest,
  type UnlockResponse,
} from '@flotilla/wire';
import type { Backend } from '../member/backend.ts';
import { asClientOfItself, KeyQueue, type Place } from './key-queue.ts';
import { KvService } from './kv.ts';
import { requireLeaderIfAsked } from './leader.ts';

/**
 * `v3lockpb.Lock`. The key that a lock answers is there, and the oldest of its queue, at the revision of the answer's
 * header; its create revision is a fencing token. A client that does not keep its lease alive loses the lock, and is
 * not told.
 */
export function lockMethods(backend: Backend): Method[] {
  const locks = new LockService(backend);
  return [
    unary(Lock.methods.Lock, (request, call, bytes) => locks.lock(request, call, bytes)),
    unary(Lock.methods.Unlock, (request, call) => locks.unlock(request, call)),
  ];
}

/** etcd's text. */
const sessionExpired = new RpcError(Status.UNKNOWN, 'mutex: session is expired');

class LockService {
  readonly #backend: Backend;
  readonly #queue: KeyQueue;
  readonly #kv: KvService;

  constructor(backend: Backend) {
    this.#backend = backend;
    this.#queue = new KeyQueue(backend);
    this.#kv = new KvService(backend);
  }

  lock(request: LockRequest, call: ServerCall, bytes: Uint8Array): Promise<LockResponse> {
    requireLeaderIfAsked(this.#backend, call);
    return asClientOfItself(this.#lock(request, call, bytes));
  }

  unlock({ key }: UnlockRequest, call: ServerCall): Promise<UnlockResponse> {
    requireLeaderIfAsked(this.#backend, call);
    return asClientOfItself(this.#unlock(DeleteRangeRequest.create({ key }), call));
  }

  async #lock({ name, lease }: LockRequest, call: ServerCall, bytes: Uint8Array): Promise<LockResponse> {
    const session = await this.#queue.leaseOf(lease, call, bytes);
    const { place, enteredRevision, isFirst, header } = await this.#queue.enter(name, session, null, call);
    try {
      const held = isFirst ? header : await this.#queue.turn(name, place, call);
      if (held === null) throw sessionExpired;
      if (call.cancelled !== null) throw call.cancelled;
      return { header: held, key: place.key };
    } catch (error) {
      if (error !== sessionExpired) this.#giveUp(place, enteredRevision, call);
      throw error;
    }
  }

  /** Nobody waits for the lock any more, so nobody else shall wait for who does not. If it fails, the lease will end it. */
  #giveUp(place: Place, enteredRevision: number, call: ServerCall): void {
    this.#queue.giveUp(place, enteredRevision, call).catch(() => undefined);
  }

  async #unlock(request: DeleteRangeRequest, call: ServerCall): Promise<UnlockResponse> {
    const { header } = await this.#kv.deleteRange(request, call, DeleteRangeRequest.encode(request));
    return { header };
  }
}
