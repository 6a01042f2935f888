import { FlotillaError, messageOf } from '@flotilla/platform';
import type { ErrorCode } from '@flotilla/platform';
import { RpcError, Status, etcdErrors, statusName } from '@flotilla/wire';

/** The name of an error of etcd, whatever its text: `compacted`, `leaseNotFound`, `permissionDenied`, … */
export type EtcdReason = keyof typeof etcdErrors;

/** What is known of a write that failed. A read is always `not executed`: it changes nothing. */
export type Outcome = 'not executed' | 'unknown';

export interface EtcdErrorOptions {
  readonly outcome: Outcome;
  readonly cause?: unknown;
}

/**
 * A request that failed. `reason` says which of etcd's errors it was, when it was one; `status` is gRPC's; `outcome`
 * says whether a write may have taken effect all the same.
 *
 * @example
 * try { await client.put('k', 'v', { lease }); } catch (error) {
 *   if (error instanceof EtcdError && error.reason === 'leaseNotFound') …
 * }
 */
export class EtcdError extends FlotillaError {
  readonly status: Status;
  /** Null: it is none of etcd's own, such as a lost connection. */
  readonly reason: EtcdReason | null;
  readonly outcome: Outcome;

  constructor(status: Status, message: string, options: EtcdErrorOptions) {
    super(`FLOTILLA_RPC_${statusName(status)}`, message, options);
    this.name = 'EtcdError';
    this.status = status;
    this.reason = reasonOf(message);
    this.outcome = options.outcome;
  }
}

/** The history that a watch asks for is gone: the next revision that can be watched is {@link compactRevision}. */
export class WatchCompactedError extends FlotillaError {
  /** What the watch had asked for. */
  readonly startRevision: number;
  /** The oldest revision that is left: go on with it after reading the state at, or after, it. */
  readonly compactRevision: number;

  constructor(startRevision: number, compactRevision: number) {
    super(
      'FLOTILLA_WATCH_COMPACTED',
      `revision ${startRevision} was to be watched, and all before ${compactRevision} is compacted`,
    );
    this.name = 'WatchCompactedError';
    this.startRevision = startRevision;
    this.compactRevision = compactRevision;
  }
}

const reasons: ReadonlyMap<string, EtcdReason> = new Map(
  (Object.keys(etcdErrors) as EtcdReason[]).map((reason) => [etcdErrors[reason].message, reason]),
);

/** etcd's text is all that tells its errors from each other. Why a watch was cancelled is said in Go's words. */
export function reasonOf(message: string): EtcdReason | null {
  return reasons.get(message.replace(/^rpc error: code = \w+ desc = /, '')) ?? null;
}

export function toEtcdError(error: unknown, outcome: Outcome): EtcdError {
  if (error instanceof EtcdError) return error;
  const status = error instanceof RpcError ? error.status : Status.UNKNOWN;
  return new EtcdError(status, messageOf(error), { outcome, cause: error });
}

export function clientError(code: ErrorCode, message: string, cause?: unknown): FlotillaError {
  return new FlotillaError(code, message, cause === undefined ? {} : { cause });
}

export function clientClosed(): FlotillaError {
  return new FlotillaError('FLOTILLA_CLIENT_CLOSED', 'the client was closed');
}
