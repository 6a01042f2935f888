import * as http2 from 'node:http2';
import { gunzipSync } from 'node:zlib';
import { FrameParser } from '../frame-parser.ts';
import { decodeGrpcMessage, formatGrpcTimeout } from '../grpc-text.ts';
import { limits } from '../limits.ts';
import { MessageQueue } from '../message-queue.ts';
import { RpcError, toRpcError } from '../rpc-error.ts';
import { channelClosed } from '../connector.ts';
import type { Connector, Waiter } from '../connector.ts';
import type { CallOptions, ClientStream } from '../rpc.ts';
import { Status, statusOf } from '../status.ts';
import type { Http2Connection } from './http2-client.ts';

const CALL = Symbol('call');
type CallStream = http2.ClientHttp2Stream & { [CALL]: ClientCall };

/** What unary and streaming calls share: from the request's headers to the status that ends the call. */
abstract class ClientCall implements Waiter<Http2Connection> {
  readonly #path: string;
  readonly #options: CallOptions;
  readonly #startedAt = performance.now();
  #connection: Http2Connection | null = null;
  #deadline: NodeJS.Timeout | null = null;
  #onAbort: (() => void) | null = null;
  #parser: FrameParser | null = null;
  /** null: there is no connection yet. */
  protected stream: http2.ClientHttp2Stream | null = null;
  /** What the server said; undefined until it has. */
  #status: RpcError | null | undefined;
  protected settled = false;

  constructor(path: string, options: CallOptions) {
    this.#path = path;
    this.#options = options;
  }

  /** Starts the clock, and asks for a connection unless the call is cancelled already. */
  begin(connector: Connector<URL, Http2Connection>): void {
    const { timeoutMs, signal } = this.#options;
    if (timeoutMs !== undefined) {
      this.#deadline = setTimeout(expire, Math.min(timeoutMs, limits.callTimeoutMsMax), this);
    }
    if (signal !== undefined) {
      this.#onAbort = () => this.cancel();
      signal.addEventListener('abort', this.#onAbort);
    }
    if (signal?.aborted === true) this.cancel();
    else connector.whenReady(this);
  }

  connected(connection: Http2Connection): void {
    if (this.settled) return;
    const { session } = connection;
    this.#connection = connection;
    this.#parser = new FrameParser(connection.maxReceiveMessageBytes);
    const stream = session.request(this.#headers(connection));
    this.stream = stream;
    (stream as CallStream)[CALL] = this;
    stream.on('response', onHeaders);
    stream.on('trailers', onTrailers);
    stream.on('data', onData);
    stream.on('end', onEnd);
    stream.on('error', ignore);
    stream.on('close', onClose);
    this.send(stream);
  }

  failed(error: RpcError): void {
    this.#settle(error);
  }

  cancel(): void {
    this.#abandon(new RpcError(Status.CANCELLED, 'context canceled'));
  }

  expire(): void {
    this.#abandon(new RpcError(Status.DEADLINE_EXCEEDED, 'context deadline exceeded'));
  }

  headers(headers: http2.IncomingHttpHeaders): void {
    const status = headers['grpc-status'];
    if (status !== undefined) this.trailers(headers);
    else if (Number(headers[':status']) !== 200) this.#status = httpError(headers);
  }

  trailers(trailers: http2.IncomingHttpHeaders): void {
    const status = trailers['grpc-status'];
    if (status === undefined) return;
    const message = trailers['grpc-message'];
    const code = statusOf(Number(status));
    this.#status =
      code === Status.OK
        ? null
        : new RpcError(code, decodeGrpcMessage(typeof message === 'string' ? message : ''));
  }

  data(chunk: Uint8Array): void {
    if (this.settled || this.#parser === null) return;
    try {
      this.#parser.push(chunk, this);
    } catch (error) {
      this.#abandon(toRpcError(error));
    }
  }

  /** All messages are here; the status usually is too. */
  ended(): void {
    if (this.#status === undefined) return;
    this.#settle(this.#status);
    // The server has said its last word; what it was not sent it does not want.
    if (this.stream?.writableEnded === false) this.stream.end();
  }

  closed(): void {
    this.#settle(this.#status === undefined ? this.#closeReason() : this.#status);
  }

  /** Writes what there is to write. */
  protected abstract send(stream: http2.ClientHttp2Stream): void;
  protected abstract receive(message: Uint8Array): void;
  /** Called once; null: the server ended the call well. */
  protected abstract settle(error: RpcError | null): void;

  /** One message of the answer. */
  message(bytes: Uint8Array, compressed: boolean): void {
    this.receive(compressed ? gunzipSync(bytes) : bytes);
  }

  #settle(error: RpcError | null): void {
    if (this.settled) return;
    this.settled = true;
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    if (this.#onAbort !== null) this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.settle(error);
  }

  #abandon(error: RpcError): void {
    if (this.settled) return;
    this.#settle(error);
    if (this.stream !== null) reset(this.stream);
  }

  #headers(connection: Http2Connection): http2.OutgoingHttpHeaders {
    const { timeoutMs, metadata } = this.#options;
    const headers: http2.OutgoingHttpHeaders = {
      ':method': 'POST',
      ':scheme': connection.scheme,
      ':authority': connection.authority,
      ':path': this.#path,
      'content-type': 'application/grpc',
      te: 'trailers',
    };
    if (timeoutMs !== undefined) {
      headers['grpc-timeout'] = formatGrpcTimeout(timeoutMs - (performance.now() - this.#startedAt));
    }
    if (metadata !== undefined) Object.assign(headers, metadata);
    return headers;
  }

  #closeReason(): RpcError {
    const code = this.stream?.rstCode ?? http2.constants.NGHTTP2_NO_ERROR;
    if (this.#connection === null || this.#connection.isClosed) return channelClosed();
    if (this.#connection.session.destroyed) {
      return new RpcError(Status.UNAVAILABLE, 'the connection was lost');
    }
    const message = `the stream was reset with HTTP/2 error ${code}`;
    switch (code) {
      case http2.constants.NGHTTP2_REFUSED_STREAM:
        return new RpcError(Status.UNAVAILABLE, message);
      case http2.constants.NGHTTP2_CANCEL:
        return new RpcError(Status.CANCELLED, message);
      case http2.constants.NGHTTP2_ENHANCE_YOUR_CALM:
        return new RpcError(Status.RESOURCE_EXHAUSTED, message);
      case http2.constants.NGHTTP2_INADEQUATE_SECURITY:
        return new RpcError(Status.PERMISSION_DENIED, message);
      default:
        return new RpcError(Status.INTERNAL, message);
    }
  }
}

export class UnaryCall extends ClientCall {
  readonly #frame: Uint8Array;
  readonly #resolve: (message: Uint8Array) => void;
  readonly #reject: (error: RpcError) => void;
  #response: Uint8Array | null = null;

  constructor(
    path: string,
    options: CallOptions,
    frame: Uint8Array,
    resolve: (message: Uint8Array) => void,
    reject: (error: RpcError) => void,
  ) {
    super(path, options);
    this.#frame = frame;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  override trailers(trailers: http2.IncomingHttpHeaders): void {
    super.trailers(trailers);
    // Nothing of a unary call is ever held back, so its message is here.
    this.ended();
  }

  protected override send(stream: http2.ClientHttp2Stream): void {
    stream.end(this.#frame);
  }

  protected override receive(message: Uint8Array): void {
    this.#response ??= message;
  }

  protected override settle(error: RpcError | null): void {
    if (error !== null) this.#reject(error);
    else if (this.#response !== null) this.#resolve(this.#response);
    else this.#reject(new RpcError(Status.INTERNAL, 'the call ended well without a message'));
  }
}

export class StreamCall extends ClientCall implements ClientStream<Uint8Array, Uint8Array> {
  readonly #queue = new MessageQueue(
    () => this.stream?.pause(),
    () => this.stream?.resume(),
  );
  /** Written before there was a connection. */
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  #isEnded = false;
  #drainers: (() => void)[] = [];

  read(): Promise<Uint8Array | null> {
    return this.#queue.read();
  }

  write(frame: Uint8Array): boolean {
    if (this.settled || this.#isEnded) return false;
    if (this.stream !== null) return this.stream.write(frame);
    this.#early.push(frame);
    this.#earlyBytes += frame.length;
    return this.#earlyBytes < limits.queuedBytes;
  }

  drained(): Promise<void> {
    const isFull =
      this.stream === null ? this.#earlyBytes >= limits.queuedBytes : this.stream.writableNeedDrain;
    if (this.settled || !isFull) return Promise.resolve();
    return new Promise((resolve) => this.#drainers.push(resolve));
  }

  end(): void {
    this.#isEnded = true;
    this.stream?.end();
  }

  get bufferedBytes(): number {
    return this.stream === null ? this.#earlyBytes : this.stream.writableLength;
  }

  protected override send(stream: http2.ClientHttp2Stream): void {
    stream.on('drain', this.#drain);
    for (const frame of this.#early) stream.write(frame);
    this.#early = [];
    this.#earlyBytes = 0;
    if (this.#isEnded) stream.end();
    if (!stream.writableNeedDrain) this.#drain();
  }

  protected override receive(message: Uint8Array): void {
    this.#queue.push(message);
  }

  protected override settle(error: RpcError | null): void {
    const cancelled = error?.status === Status.CANCELLED || error?.status === Status.DEADLINE_EXCEEDED;
    // Whoever gave up wants no more messages; a server's status comes after all that it sent.
    if (error !== null && cancelled) this.#queue.fail(error);
    else this.#queue.end(error);
    this.#drain();
  }

  readonly #drain = (): void => {
    const drainers = this.#drainers;
    this.#drainers = [];
    for (const resolve of drainers) resolve();
  };
}

/**
 * Node ends the request before it resets the stream, and holds the reset back for a while: a server would take the
 * call for one that its client ended well. Without an `end` to call, the reset is all that goes out.
 */
function reset(stream: http2.ClientHttp2Stream): void {
  stream.end = () => stream;
  stream.close(http2.constants.NGHTTP2_CANCEL);
}

function onHeaders(this: http2.ClientHttp2Stream, headers: http2.IncomingHttpHeaders): void {
  (this as CallStream)[CALL].headers(headers);
}

function onTrailers(this: http2.ClientHttp2Stream, trailers: http2.IncomingHttpHeaders): void {
  (this as CallStream)[CALL].trailers(trailers);
}

function onData(this: http2.ClientHttp2Stream, chunk: Uint8Array): void {
  (this as CallStream)[CALL].data(chunk);
}

function onEnd(this: http2.ClientHttp2Stream): void {
  (this as CallStream)[CALL].ended();
}

function onClose(this: http2.ClientHttp2Stream): void {
  (this as CallStream)[CALL].closed();
}

function expire(call: ClientCall): void {
  call.expire();
}

/** `close` follows and says all that is to be said. */
function ignore(): void {}

/** A proxy's answer, or that of a server that speaks no gRPC (grpc/doc/http-grpc-status-mapping.md). */
function httpError(headers: http2.IncomingHttpHeaders): RpcError {
  const httpStatus = Number(headers[':status']);
  const message = `unexpected HTTP status code received from server: ${httpStatus}`;
  return new RpcError(HTTP_STATUS[httpStatus] ?? Status.UNKNOWN, message);
}

const HTTP_STATUS: Readonly<Record<number, Status>> = {
  400: Status.INTERNAL,
  401: Status.UNAUTHENTICATED,
  403: Status.PERMISSION_DENIED,
  404: Status.UNIMPLEMENTED,
  429: Status.UNAVAILABLE,
  502: Status.UNAVAILABLE,
  503: Status.UNAVAILABLE,
  504: Status.UNAVAILABLE,
};
