import { assert } from '@flotilla/platform';
import type { RequestUser, WatchedRange, WatchGate } from '@flotilla/store';
import { RpcError, type ServerCall, Status } from '@flotilla/wire';
import type { Access } from './access.ts';

/**
 * What the client of a watch stream may watch. A watch is judged when it is made, as in etcd, and again whenever users
 * or roles change: etcd goes on telling a client that has lost its permission.
 *
 * A watch that is open does not end with its token, which may expire while its client has nothing to ask for.
 */
export class CallerWatchGate implements WatchGate {
  readonly #access: Access;
  readonly #call: ServerCall;
  /** Whose the stream is; null: no watch was made with auth on. */
  #name: string | null = null;

  constructor(access: Access, call: ServerCall) {
    this.#access = access;
    this.#call = call;
  }

  admit(range: WatchedRange): string | null {
    return reasonOf(() => {
      const user = this.#access.identify(this.#call);
      this.#name = user?.name ?? null;
      this.#require(user, range);
    });
  }

  review(range: WatchedRange): string | null {
    if (this.#name === null) return this.admit(range);
    const { revision } = this.#access.auth;
    return reasonOf(() => this.#require({ name: this.#name as string, authRevision: revision }, range));
  }

  #require(user: RequestUser | null, { key, rangeEnd }: WatchedRange): void {
    this.#access.auth.requireAccess(user, 'read', key, rangeEnd);
  }
}

/** Clients match on the text that Go's gRPC makes of an error, code and all. */
function reasonOf(check: () => void): string | null {
  try {
    check();
    return null;
  } catch (error) {
    assert(error instanceof RpcError, 'a permission is refused with an answer');
    return `rpc error: code = ${codeNames[error.status] ?? 'Unknown'} desc = ${error.message}`;
  }
}

const codeNames: Readonly<Record<number, string>> = {
  [Status.INVALID_ARGUMENT]: 'InvalidArgument',
  [Status.PERMISSION_DENIED]: 'PermissionDenied',
  [Status.UNAUTHENTICATED]: 'Unauthenticated',
};
