import type { Address, PeerIdentity } from '@flotilla/platform';
import type { MethodKind } from './protobuf/service.ts';
import type { RpcError } from './rpc-error.ts';

/**
 * The RPC transport: what a server and a client of calls look like, whatever carries them. `node/` has the one that
 * speaks gRPC over HTTP/2, `framed/` a plain one over `Platform.network` for the simulator; one contract suite holds
 * both to the same behaviour.
 *
 * Transports carry bytes. A message travels as gRPC frames it: a byte that says whether it is compressed, four bytes
 * of length, the message. Senders hand over that frame (`Codec.encodeFrame` makes it in one piece), receivers get the
 * message without it. `services.ts` and `calls.ts` put types on top.
 */

/** Names in lower case. Values of names that end in `-bin` are base64. Transports may add headers of their own. */
export type Metadata = Readonly<Record<string, string | undefined>>;

/** Who is at the other end of a connection. One object per connection. */
export interface Peer {
  readonly remote: Address;
  /** Of a verified client certificate. */
  readonly identity: PeerIdentity | null;
}

/** A server's side of a call. */
export interface ServerCall {
  /** `/etcdserverpb.KV/Range` */
  readonly path: string;
  readonly metadata: Metadata;
  readonly peer: Peer;
  /** How long the client wanted to wait when the call began, in milliseconds; null: for ever. */
  readonly timeoutMs: number | null;
  /** Not null: nobody waits for the answer any more (DEADLINE_EXCEEDED, CANCELLED or UNAVAILABLE). */
  readonly cancelled: RpcError | null;
  /** Calls back once when the call is cancelled; never after it has ended. At once when it is cancelled already. */
  onCancelled(listener: (reason: RpcError) => void): void;
}

/** A server's side of a call whose messages come and go one by one. */
export interface ServerStream<Request, Response> extends ServerCall {
  /**
   * The next message; null when the client has sent its last. Rejects with {@link ServerCall.cancelled}. Messages
   * that nobody reads hold the client back. One read at a time.
   */
  read(): Promise<Request | null>;
  /** Queues a message; when the call is cancelled it goes nowhere. False: wait for {@link drained} before the next. */
  write(message: Response): boolean;
  /** Resolves when the transport takes more, rejects with {@link ServerCall.cancelled}. */
  drained(): Promise<void>;
  /** Written and not yet taken by the connection. A client that reads slowly makes it grow. */
  readonly bufferedBytes: number;
}

/** One request, one response. Answers the response's frame; throws or rejects with an `RpcError` to fail the call. */
export interface UnaryMethod {
  readonly kind: 'unary';
  readonly path: string;
  /** `request` is a view that keeps a whole network buffer in memory: copy what outlives the call. */
  handle(request: Uint8Array, call: ServerCall): Uint8Array | Promise<Uint8Array>;
}

/** Any other shape. The call ends when `handle` does: well, or with the `RpcError` that it rejects with. */
export interface StreamMethod {
  readonly kind: Exclude<MethodKind, 'unary'>;
  readonly path: string;
  handle(stream: ServerStream<Uint8Array, Uint8Array>): Promise<void>;
}

export type Method = UnaryMethod | StreamMethod;

export interface RpcServer {
  /** Where it really listens. */
  readonly address: Address;
  /**
   * Takes no new connections and tells clients to send no new calls on the old ones; resolves when the calls under
   * way have ended. Streams that never end keep it waiting: call {@link destroy} after a time of your choice.
   */
  close(): Promise<void>;
  /** Cuts every connection at once; calls under way are cancelled. */
  destroy(): Promise<void>;
}

/** What every server takes, whatever the transport. */
export interface RpcServerOptions {
  /** An empty request to an unknown method never reaches it: the transport answers UNIMPLEMENTED. */
  readonly services: MethodTable;
  /** A larger message fails its call with RESOURCE_EXHAUSTED. */
  readonly maxReceiveMessageBytes?: number;
  /** A handler threw what is not an `RpcError`: a bug. The client is answered UNKNOWN with the message. */
  readonly handlerFailed?: (error: unknown, path: string) => void;
}

export interface MethodTable {
  find(path: string): Method | undefined;
  /** What to tell the caller of a path that {@link find} does not know. */
  unimplemented(path: string): RpcError;
}

/** `idle`: no call has needed a connection yet. `failing`: waiting to try again. */
export type ChannelState = 'idle' | 'connecting' | 'ready' | 'failing' | 'closed';

/** A client's way to a cluster: calls go over one connection at a time, made when needed and made again when lost. */
export interface RpcChannel {
  readonly state: ChannelState;
  /** Sends a frame, resolves with the message that came back. Rejects with an `RpcError`. */
  unary(path: string, frame: Uint8Array, options?: CallOptions): Promise<Uint8Array>;
  stream(path: string, options?: CallOptions): ClientStream<Uint8Array, Uint8Array>;
  /** Resolves when there is a connection, which it makes; rejects with an `RpcError` when it cannot be made. */
  ready(): Promise<void>;
  /** Fails the calls under way with CANCELLED. */
  close(): void;
}

export interface CallOptions {
  /** From now to the last byte of the answer, waiting for a connection included; absent: for ever. */
  readonly timeoutMs?: number;
  readonly metadata?: Metadata;
  readonly signal?: CancelSignal;
}

/** As much of `AbortSignal` as a call needs. */
export interface CancelSignal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** A client's side of a call whose messages come and go one by one. */
export interface ClientStream<Request, Response> {
  /** The next message; null when the server has ended the call well. Rejects with an `RpcError` when it failed. */
  read(): Promise<Response | null>;
  /** Queues a message; on a call that has ended it goes nowhere. False: wait for {@link drained} before the next. */
  write(message: Request): boolean;
  /** Resolves when the transport takes more, or when the call has ended: `read` says how. */
  drained(): Promise<void>;
  /** No more messages will be written. */
  end(): void;
  /** Gives up: the server is told, `read` rejects with CANCELLED. Does nothing on a call that has ended. */
  cancel(): void;
  readonly bufferedBytes: number;
}
