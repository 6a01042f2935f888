import { FlotillaError, messageOf } from '@flotilla/platform';
import { Status, statusName } from './status.ts';

/**
 * How a call failed: gRPC's status code and the message that the other side reads. A handler throws it to answer
 * with it; a client's call rejects with it. The code is `FLOTILLA_RPC_` and the status's name.
 *
 * @example
 * throw new RpcError(Status.NOT_FOUND, 'etcdserver: requested lease not found');
 */
export class RpcError extends FlotillaError {
  readonly status: Status;
  /** The server has surely not acted on the call, because it has not seen it: it may be made again. */
  readonly isUnsent: boolean;

  constructor(status: Status, message: string, options?: RpcErrorOptions) {
    super(`FLOTILLA_RPC_${statusName(status)}`, message, options);
    this.name = 'RpcError';
    this.status = status;
    this.isUnsent = options?.isUnsent === true;
  }
}

export interface RpcErrorOptions {
  readonly cause?: unknown;
  readonly isUnsent?: boolean;
}

/** What a handler's failure tells the client: itself when it is an `RpcError`, else UNKNOWN, as grpc-go does. */
export function toRpcError(error: unknown): RpcError {
  return error instanceof RpcError ? error : new RpcError(Status.UNKNOWN, messageOf(error), { cause: error });
}
