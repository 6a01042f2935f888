import { limits, requestDigest, type RequestSession, sessionErrors } from '@flotilla/store';
import type { ServerCall } from '@flotilla/wire';

/**
 * What a call's metadata says of its session; null: the client does not want to be able to ask again. docs/sessions.md
 * describes it for clients.
 *
 * `requestBytes`: the client's own, where a member adds to them what a second try would not have.
 */
export function sessionOf(call: ServerCall, requestBytes: Uint8Array | null = null): RequestSession | null {
  const { metadata } = call;
  const id = metadata['flotilla-session'];
  const request = metadata['flotilla-request'];
  const done = metadata['flotilla-done'];
  if (id === undefined) {
    if (request === undefined && done === undefined) return null;
    throw sessionErrors.sessionMissing;
  }
  if (!namePattern.test(id)) throw sessionErrors.malformedSession;
  if (request === undefined) throw sessionErrors.requestMissing;
  const number = numberOf(request);
  if (number === null || number < 1) throw sessionErrors.malformedRequest;
  const doneNumber = done === undefined ? 0 : numberOf(done);
  if (doneNumber === null || doneNumber >= number) throw sessionErrors.malformedDone;
  const digest = requestBytes === null ? noDigest : requestDigest(call.path, requestBytes);
  return { id, request: number, done: doneNumber, digest };
}

export function hasSession(call: ServerCall): boolean {
  return call.metadata['flotilla-session'] !== undefined;
}

const namePattern = new RegExp(`^[A-Za-z0-9._:-]{1,${limits.sessionNameCharacters}}$`);
const noDigest = new Uint8Array(0);

function numberOf(text: string): number | null {
  if (!/^[0-9]{1,16}$/.test(text)) return null;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : null;
}
