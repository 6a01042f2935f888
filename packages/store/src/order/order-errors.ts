import { RpcError, Status } from '@flotilla/wire';

/** Between the members and the log. No client ever hears of them. */
export const orderErrors = {
  /**
   * The cluster was sharded between a proposal and its entry, which has changed nothing: whoever has proposed it sends the
   * request where it belongs now.
   */
  sharded: new RpcError(Status.UNAVAILABLE, 'flotilla: the cluster is sharded by now'),
  /** An entry of the order where there is none. */
  notSharded: new RpcError(Status.FAILED_PRECONDITION, 'flotilla: the cluster is not sharded'),
} as const;
