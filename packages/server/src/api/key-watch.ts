import type { WatchStream } from '@flotilla/store';
import {
  EMPTY_LIST,
  RpcError,
  type ServerCall,
  Status,
  WatchCreateRequest,
  type WatchResponse,
} from '@flotilla/wire';
import { CallerWatchGate } from '../auth/watch-gate.ts';
import type { Backend } from '../member/backend.ts';

/** What to watch, and from when on. */
export type Watched = Pick<WatchCreateRequest, 'key' | 'rangeEnd' | 'startRevision'>;

/** A watch that one call of this member makes for itself. What it has not looked at waits in the hub, which bounds it. */
export class KeyWatch {
  readonly #stream: WatchStream;
  #queue: WatchResponse[] = [];
  #waiting: { resolve: () => void; reject: (reason: RpcError) => void } | null = null;
  readonly #call: ServerCall;
  readonly #unsubscribe: () => void;

  constructor(backend: Backend, call: ServerCall, watched: readonly Watched[]) {
    this.#call = call;
    this.#stream = backend.watches.open({
      gate: new CallerWatchGate(backend.access, call),
      send: (response) => {
        this.#queue.push(response);
        this.#wake();
        return false;
      },
    });
    for (const one of watched) {
      this.#stream.create(WatchCreateRequest.create({ ...one, filters: EMPTY_LIST }));
    }
    this.#unsubscribe = onCancelled(call, (reason) => this.#waiting?.reject(reason));
  }

  /**
   * The next events. Null: what was to be watched is compacted, and must be looked at anew. Rejects when the call is
   * cancelled.
   */
  async next(): Promise<WatchResponse | null> {
    for (;;) {
      if (this.#call.cancelled !== null) throw this.#call.cancelled;
      const response = this.#queue.shift();
      if (response === undefined) {
        await new Promise<void>((resolve, reject) => {
          this.#waiting = { resolve, reject };
          this.#stream.drained();
        });
        continue;
      }
      if (response.canceled) {
        if (response.compactRevision > 0) return null;
        throw new RpcError(Status.UNKNOWN, response.cancelReason);
      }
      if (response.events.length > 0) return response;
    }
  }

  close(): void {
    this.#unsubscribe();
    this.#stream.close();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve();
  }
}

/** A call may make any number of watches, one after the other: it is listened to once. */
const listeners = new WeakMap<ServerCall, Set<(reason: RpcError) => void>>();

function onCancelled(call: ServerCall, listener: (reason: RpcError) => void): () => void {
  let all = listeners.get(call);
  if (all === undefined) {
    const started = new Set<(reason: RpcError) => void>();
    all = started;
    listeners.set(call, started);
    call.onCancelled((reason) => {
      for (const told of started) told(reason);
    });
  }
  all.add(listener);
  return () => all.delete(listener);
}
