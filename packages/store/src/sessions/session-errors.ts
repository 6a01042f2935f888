import { RpcError, Status } from '@flotilla/wire';
import { limits } from '../limits.ts';

/**
 * What requests of sessions are refused with. Codes and texts are stable: docs/sessions.md says what a client may
 * conclude from each. None of them is one that clients try again by themselves.
 */
export const sessionErrors = {
  malformedSession: error(
    Status.INVALID_ARGUMENT,
    `flotilla-session must be 1 to ${limits.sessionNameCharacters} characters of A-Z a-z 0-9 . _ : -`,
  ),
  malformedRequest: error(
    Status.INVALID_ARGUMENT,
    'flotilla-request must be a decimal number from 1 to 9007199254740991',
  ),
  malformedDone: error(
    Status.INVALID_ARGUMENT,
    'flotilla-done must be a decimal number from 0, less than flotilla-request',
  ),
  /** Either of the other two without its session. */
  sessionMissing: error(
    Status.INVALID_ARGUMENT,
    'flotilla-request and flotilla-done need a flotilla-session',
  ),
  requestMissing: error(Status.INVALID_ARGUMENT, 'flotilla-session needs a flotilla-request'),
  /** The session is not known (any more). Whether the request was ever executed is not known either. */
  expired: error(Status.FAILED_PRECONDITION, 'session expired'),
  /** Its number is one that the client is done with, or too far behind. Whether it was executed is not known. */
  tooOld: error(Status.FAILED_PRECONDITION, 'request number is no longer kept'),
  /** It was executed, once. */
  replyDropped: error(Status.FAILED_PRECONDITION, 'request was executed, its reply is no longer kept'),
  /** The client's mistake. This request was not executed. */
  otherRequest: error(Status.FAILED_PRECONDITION, 'request number was used for another request'),
  /** This request was not executed. */
  otherUser: error(Status.PERMISSION_DENIED, 'session belongs to another user'),
} as const;

function error(status: Status, text: string): RpcError {
  return new RpcError(status, `flotilla: ${text}`);
}
