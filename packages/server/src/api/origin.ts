import { noOrigin, type Origin, type RequestUser } from '@flotilla/store';
import type { ServerCall } from '@flotilla/wire';
import type { Backend } from '../member/backend.ts';
import { sessionOf } from './session-metadata.ts';

/**
 * On whose behalf a call writes. Throws what etcd answers to a token that is not valid. `requestBytes`: the client's
 * own, where the proposal has more in it, as an id or a salted password that this member chose: a second try would
 * get another one, and must still be known for what it is.
 */
export function originOf(backend: Backend, call: ServerCall, requestBytes: Uint8Array | null = null): Origin {
  const user = userOf(backend, call);
  const session = sessionOf(call, requestBytes);
  const { timeoutMs } = call;
  if (timeoutMs !== null) return { user, session, timeoutMs };
  return user === null && session === null ? noOrigin : { user, session };
}

/** Who calls; null while auth is off. Throws what etcd answers to a token that is not valid. */
export function userOf(backend: Backend, call: ServerCall): RequestUser | null {
  return backend.access.identify(call);
}
