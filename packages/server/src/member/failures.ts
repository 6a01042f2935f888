import { isFlotillaError } from '@flotilla/platform';
import { etcdErrors, RpcError, Status } from '@flotilla/wire';

/** What is known about leadership when a request fails. */
export interface LeadershipView {
  /** Whether the leader was elected within the time that the request waited, and a moment before it. */
  electedDuring(startMs: number): boolean;
}

/**
 * What a client is told when the cluster could not serve it. etcd's texts, because clients match on them; and never
 * its "there is no address available", on which the Go client would send a write again that may have been applied.
 */
export function toEtcdError(error: unknown, leadership: LeadershipView, startMs: number): unknown {
  if (error instanceof RpcError || !isFlotillaError(error)) return error;
  switch (error.code) {
    case 'FLOTILLA_PROPOSAL_TIMEOUT':
    case 'FLOTILLA_PROPOSAL_UNKNOWN':
    case 'FLOTILLA_READ_TIMEOUT':
      return leadership.electedDuring(startMs) ? etcdErrors.timeoutLeaderFailed : etcdErrors.timeout;
    case 'FLOTILLA_SHARD_UNREACHABLE':
      return etcdErrors.timeoutConnectionLost;
    case 'FLOTILLA_NO_LEADER':
      return etcdErrors.noLeader;
    case 'FLOTILLA_TOO_MANY_PROPOSALS':
    case 'FLOTILLA_TOO_MANY_READS':
      return etcdErrors.tooManyRequests;
    case 'FLOTILLA_PROPOSAL_TOO_LARGE':
      return etcdErrors.requestTooLarge;
    case 'FLOTILLA_STOPPED':
    case 'FLOTILLA_PEER_REMOVED':
      return etcdErrors.stopped;
    default:
      return new RpcError(Status.UNKNOWN, error.message, { cause: error });
  }
}
