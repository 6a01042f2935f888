import { etcdErrors, RpcError, Status } from '@flotilla/wire';

/**
 * Maelstrom's codes. Those that say «surely not done, and never will be» are definite; `timeout` and `crash` are not,
 * and neither is a code that Maelstrom does not know.
 */
export const failureCodes = {
  timeout: 0,
  nodeNotFound: 1,
  notSupported: 10,
  temporarilyUnavailable: 11,
  malformedRequest: 12,
  crash: 13,
  abort: 14,
  keyDoesNotExist: 20,
  preconditionFailed: 22,
} as const;

/** Whether a code says that nothing was done and nothing will be. One that Maelstrom does not know says nothing. */
export function isDefinite(code: number): boolean {
  const { timeout, crash, ...definite } = failureCodes;
  return code !== timeout && code !== crash && Object.values<number>(definite).includes(code);
}

export type FailureName = keyof typeof failureCodes;

/** What a client is answered instead of what it has asked for. */
export class Failure extends Error {
  readonly code: number;

  constructor(name: FailureName, text: string) {
    super(text);
    this.name = 'Failure';
    this.code = failureCodes[name];
  }
}

/**
 * How Maelstrom is told of an error of the API. What may still be done, or was done without anybody hearing of it, is
 * indefinite; a request that only reads has no effect and cannot be.
 */
export function failureOf(error: unknown, readsOnly: boolean): Failure {
  if (error instanceof Failure) return error;
  if (!(error instanceof RpcError)) throw error;
  const { message, status } = error;
  if (status === Status.INVALID_ARGUMENT) return new Failure('malformedRequest', message);
  if (readsOnly || unproposed.has(error)) return new Failure('temporarilyUnavailable', message);
  if (status === Status.FAILED_PRECONDITION) return new Failure('abort', message);
  if (status === Status.UNAVAILABLE || status === Status.DEADLINE_EXCEEDED)
    return new Failure('timeout', message);
  return new Failure('crash', message);
}

/** Said before a write is proposed, and instead of it. */
const unproposed: ReadonlySet<unknown> = new Set([
  etcdErrors.noLeader,
  etcdErrors.tooManyRequests,
  etcdErrors.noSpace,
]);
