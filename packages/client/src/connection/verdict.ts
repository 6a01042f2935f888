import { RpcError, Status } from '@flotilla/wire';
import { reasonOf } from '../errors.ts';
import type { EtcdReason } from '../errors.ts';

/**
 * What a failed try means for its request.
 *
 * - `unsent`: the server has not seen it.
 * - `refused`: it will not be done here or now; another try, as a new request, may fare better.
 * - `token`, `session`, `incapable`: refused for the sake of what the call carried.
 * - `unknown`: it may have been done.
 * - `final`: answered, and done with.
 */
export type Verdict = 'unsent' | 'refused' | 'token' | 'session' | 'incapable' | 'unknown' | 'final';

export function verdictOf(error: unknown): Verdict {
  if (!(error instanceof RpcError)) return 'unknown';
  if (error.isUnsent) return 'unsent';
  const reason = reasonOf(error.message);
  if (reason !== null) return byReason[reason] ?? (isTransient(error) ? 'unknown' : 'final');
  if (sessionTexts.has(error.message)) return 'session';
  if (error.message.startsWith(FORGOTTEN)) return 'unknown';
  return unknownStatuses.has(error.status) ? 'unknown' : 'final';
}

/**
 * Errors that a server answers before it looks whether it has executed the request already: under a session, every
 * other one is the request's own.
 */
export function isSaidBeforeExecution(error: unknown): boolean {
  const reason = error instanceof RpcError ? reasonOf(error.message) : null;
  return reason === 'permissionDenied' || reason === 'noSpace' || reason === 'corrupt';
}

/** Failures that another try may not meet, as far as gRPC's status tells. */
export function isTransient(error: unknown): boolean {
  return error instanceof RpcError && transientStatuses.has(error.status);
}

const byReason: Readonly<Partial<Record<EtcdReason, Verdict>>> = {
  invalidAuthToken: 'token',
  authOldRevision: 'token',
  // What a call without a token hears since users count.
  userEmpty: 'token',
  notCapable: 'incapable',
  // Said before the request is proposed.
  tooManyRequests: 'refused',
  noLeader: 'refused',
  notSupportedForLearner: 'refused',
  // What waited too long, or in a member that stops, or under a leader that falls, may be in the log.
  timeout: 'unknown',
  timeoutLeaderFailed: 'unknown',
  timeoutConnectionLost: 'unknown',
  timeoutWaitAppliedIndex: 'unknown',
  leaderChanged: 'unknown',
  stopped: 'unknown',
  unhealthy: 'unknown',
  canceled: 'unknown',
  deadlineExceeded: 'unknown',
};

/** docs/sessions.md: the request was not executed under this name, but the name is of no use any more. */
const sessionTexts: ReadonlySet<string> = new Set([
  'flotilla: session expired',
  'flotilla: session belongs to another user',
]);

/** docs/sessions.md: `flotilla: request number is no longer kept`, or its reply. */
const FORGOTTEN = 'flotilla: request ';

const transientStatuses: ReadonlySet<Status> = new Set([
  Status.UNAVAILABLE,
  Status.CANCELLED,
  Status.DEADLINE_EXCEEDED,
]);

const unknownStatuses: ReadonlySet<Status> = new Set([
  ...transientStatuses,
  Status.UNKNOWN,
  Status.ABORTED,
  Status.INTERNAL,
  Status.DATA_LOSS,
  // Also what a client says of an answer that is too large for it.
  Status.RESOURCE_EXHAUSTED,
]);
