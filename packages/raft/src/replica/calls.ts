import { FlotillaError, isFlotillaError } from '@flotilla/platform';
import type { ErrorCode, Platform } from '@flotilla/platform';

/** How long a call may take, and what ends it early. */
export interface CallOptions {
  /** The whole call, in milliseconds. */
  readonly timeoutMs?: number;
  /** Stops waiting. What was on its way goes on: see {@link isOutcomeUnknown}. */
  readonly signal?: AbortSignal;
}

/**
 * Whether what was asked for may have happened, or may happen yet, although the call was rejected. False: it has not, and
 * never will, so that it can be asked for again without harm.
 *
 * @example
 * try { await replica.propose(command); } catch (error) {
 *   if (isOutcomeUnknown(error)) … // look first: proposing it again may apply it twice
 * }
 */
export function isOutcomeUnknown(error: unknown): boolean {
  return !isFlotillaError(error) || !knownCodes.has(error.code);
}

/** What these say never happened. Anything else is unknown: a code that is missing here costs a question, not a lie. */
const knownCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'FLOTILLA_ABORTED',
  'FLOTILLA_REPLICA_CLOSED',
  'FLOTILLA_REMOVED',
  'FLOTILLA_CONFIG_INVALID',
  'FLOTILLA_NO_LEADER',
  'FLOTILLA_PROPOSAL_TOO_LARGE',
  'FLOTILLA_TOO_MANY_PROPOSALS',
  'FLOTILLA_TOO_MANY_READS',
  'FLOTILLA_READ_TIMEOUT',
  'FLOTILLA_STATE_NOT_READY',
  'FLOTILLA_MEMBERSHIP_INVALID',
  'FLOTILLA_MEMBERSHIP_ID_REUSED',
]);

/** Throws when `signal` has been aborted: nothing was asked for yet. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new FlotillaError('FLOTILLA_ABORTED', 'the call was aborted before anything was asked for', {
    cause: signal.reason,
  });
}

/** `answer`, or a rejection with `code` as soon as `signal` is aborted. */
export function untilAborted<T>(
  answer: Promise<T>,
  signal: AbortSignal | undefined,
  code: ErrorCode,
  message: string,
): Promise<T> {
  if (signal === undefined) return answer;
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(new FlotillaError(code, message, { cause: signal.reason }));
    signal.addEventListener('abort', aborted, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted));
  });
}

export function sleep(platform: Platform, delayMs: number, label: string): Promise<void> {
  return new Promise((resolve) => {
    platform.timer(delayMs, label, resolve);
  });
}
