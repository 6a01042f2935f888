import type { Metadata, Peer, RpcError, ServerCall } from '@flotilla/wire';

/**
 * A call as the services that it is served by see it. A request number stands for one request: what is done for a call
 * in several steps can have it in one of them only.
 */
export class WithoutSession implements ServerCall {
  readonly path: string;
  readonly metadata: Metadata;
  readonly peer: Peer;
  readonly timeoutMs: number | null;
  readonly #call: ServerCall;

  constructor(call: ServerCall) {
    const {
      'flotilla-session': _session,
      'flotilla-request': _request,
      'flotilla-done': _done,
      ...metadata
    } = call.metadata;
    this.path = call.path;
    this.metadata = metadata;
    this.peer = call.peer;
    this.timeoutMs = call.timeoutMs;
    this.#call = call;
  }

  get cancelled(): RpcError | null {
    return this.#call.cancelled;
  }

  onCancelled(listener: (reason: RpcError) => void): void {
    this.#call.onCancelled(listener);
  }
}
