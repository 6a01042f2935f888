import { noOrigin, type Origin, type RequestSession, type RequestUser } from '@flotilla/store';
import type { ServerCall } from '@flotilla/wire';
import type { Backend } from '../member/backend.ts';

/** On whose behalf a call writes. Throws what etcd answers to a token that is not valid. */
export function originOf(backend: Backend, call: ServerCall): Origin {
  const user = userOf(backend, call);
  const session = sessionOf(call);
  return user === null && session === null ? noOrigin : { user, session };
}

/** Who calls; null while auth is off. */
export function userOf(_backend: Backend, _call: ServerCall): RequestUser | null {
  return null;
}

/** Of the call's metadata; null: the client does not want to be able to ask again. */
export function sessionOf(_call: ServerCall): RequestSession | null {
  return null;
}
