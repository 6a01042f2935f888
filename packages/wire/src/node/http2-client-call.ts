import { gunzipSync } from 'node:zlib';
import { callGivenUp } from '../connector.ts';
import type { Connector, Waiter } from '../connector.ts';
import { FrameParser } from '../frame-parser.ts';
import { decodeGrpcMessage, formatGrpcTimeout } from '../grpc-text.ts';
import { ErrorCode } from '../http2/error.ts';
import type { ClientStream as Http2Stream, StreamSink } from '../http2/client-session.ts';
import type { Field, HeaderFields } from '../http2/hpack.ts';
import { limits } from '../limits.ts';
import { MessageQueue } from '../message-queue.ts';
import { RpcError, toRpcError } from '../rpc-error.ts';
import type { CallOptions, ClientStream } from '../rpc.ts';
import { Status, statusOf } from '../status.ts';
import type { Http2Connection } from './http2-client.ts';

/** What unary and streaming calls share: from the request's headers to the status that ends the call. */
abstract class ClientCall implements Waiter<Http2Connection>, StreamSink {
  readonly #path: string;
  readonly #options: CallOptions;
  readonly #startedAt: number;
  #connection: Http2Connection | null = null;
  #deadline: NodeJS.Timeout | null = null;
  #onAbort: (() => void) | null = null;
  #parser: FrameParser | null = null;
  /** null: there is no connection yet. */
  protected stream: Http2Stream | null = null;
  /** What the server said; undefined until it has. */
  #status: RpcError | null | undefined;
  protected settled = false;

  constructor(path: string, options: CallOptions) {
    this.#path = path;
    this.#options = options;
    this.#startedAt = options.timeoutMs === undefined ? 0 : performance.now();
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
    this.#connection = connection;
    this.#parser = new FrameParser(connection.maxReceiveMessageBytes);
    this.stream = connection.session.open(connection.fieldsOf(this.#path), this.#ownFields(), this);
    this.send(this.stream);
  }

  failed(error: RpcError): void {
    this.#settle(error);
  }

  cancel(): void {
    this.#abandon(new RpcError(Status.CANCELLED, 'context canceled', this.#sentOrNot()));
  }

  expire(): void {
    this.#abandon(new RpcError(Status.DEADLINE_EXCEEDED, 'context deadline exceeded', this.#sentOrNot()));
  }

  #sentOrNot(): { readonly isUnsent: boolean } {
    return { isUnsent: this.stream === null };
  }

  headers(fields: HeaderFields): void {
    const status = fields['grpc-status'];
    if (status !== undefined) this.#status = statusFrom(status, fields['grpc-message']);
    else if (fields[':status'] !== undefined && fields[':status'] !== '200') this.#status = httpError(fields);
  }

  data(chunk: Uint8Array): void {
    if (this.settled || this.#parser === null) return;
    try {
      this.#parser.push(chunk, this);
    } catch (error) {
      this.#abandon(toRpcError(error));
    }
  }

  /** One message of the answer. */
  message(bytes: Uint8Array, compressed: boolean): void {
    this.receive(compressed ? gunzipSync(bytes) : bytes);
  }

  closed(errorCode: number | null): void {
    this.#settle(this.#status === undefined ? resetError(errorCode) : this.#status);
    this.#connection?.closeWhenIdle();
  }

  lost(): void {
    if (this.#connection?.isGivenUp === true) this.#settle(callGivenUp());
    else this.#settle(new RpcError(Status.UNAVAILABLE, 'the connection was lost'));
  }

  /** Only streaming calls wait for it. */
  writable(): void {}

  /** Writes what there is to write. */
  protected abstract send(stream: Http2Stream): void;
  protected abstract receive(message: Uint8Array): void;
  /** Called once; null: the server ended the call well. */
  protected abstract settle(error: RpcError | null): void;

  #settle(error: RpcError | null): void {
    if (this.settled) return;
    this.settled = true;
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    if (this.#onAbort !== null) this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.settle(error);
  }

  #abandon(error: RpcError): void {
    if (this.settled) return;
    this.stream?.reset(ErrorCode.CANCEL);
    this.#settle(error);
    this.#connection?.closeWhenIdle();
  }

  #ownFields(): readonly Field[] {
    const { timeoutMs, metadata } = this.#options;
    if (timeoutMs === undefined && metadata === undefined) return NO_FIELDS;
    const fields: Field[] = [];
    if (timeoutMs !== undefined) {
      const leftMs = timeoutMs - (performance.now() - this.#startedAt);
      fields.push(['grpc-timeout', formatGrpcTimeout(leftMs)]);
    }
    for (const [name, value] of Object.entries(metadata ?? {})) {
      if (value !== undefined) fields.push([name, value]);
    }
    return fields;
  }
}

const NO_FIELDS: readonly Field[] = [];

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

  protected override send(stream: Http2Stream): void {
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
    () => this.stream?.hold(true),
    () => this.stream?.hold(false),
  );
  /** Written before there was a connection. */
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  #isEnded = false;
  #isFull = false;
  #drainers: (() => void)[] = [];

  read(): Promise<Uint8Array | null> {
    return this.#queue.read();
  }

  write(frame: Uint8Array): boolean {
    if (this.settled || this.#isEnded) return false;
    if (this.stream !== null) {
      this.#isFull = !this.stream.write(frame);
    } else {
      this.#early.push(frame);
      this.#earlyBytes += frame.length;
      this.#isFull = this.#earlyBytes >= limits.queuedBytes;
    }
    return !this.#isFull;
  }

  async drained(): Promise<void> {
    if (this.settled || !this.#isFull) return;
    await new Promise<void>((resolve) => this.#drainers.push(resolve));
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.stream?.end(null);
  }

  get bufferedBytes(): number {
    return this.stream === null ? this.#earlyBytes : this.stream.bufferedBytes;
  }

  protected override send(stream: Http2Stream): void {
    this.#isFull = false;
    for (const frame of this.#early) this.#isFull = !stream.write(frame);
    this.#early = [];
    this.#earlyBytes = 0;
    if (this.#isEnded) stream.end(null);
    if (!this.#isFull) this.writable();
  }

  protected override receive(message: Uint8Array): void {
    this.#queue.push(message);
  }

  protected override settle(error: RpcError | null): void {
    const gaveUp = error?.status === Status.CANCELLED || error?.status === Status.DEADLINE_EXCEEDED;
    // Whoever gave up wants no more messages; a server's status comes after all that it sent.
    if (error !== null && gaveUp) this.#queue.fail(error);
    else this.#queue.end(error);
    this.writable();
  }

  override writable(): void {
    this.#isFull = false;
    const drainers = this.#drainers;
    this.#drainers = [];
    for (const resolve of drainers) resolve();
  }
}

function expire(call: ClientCall): void {
  call.expire();
}

function statusFrom(text: string, message: string | undefined): RpcError | null {
  const status = statusOf(Number(text));
  return status === Status.OK ? null : new RpcError(status, decodeGrpcMessage(message ?? ''));
}

/** A stream that ended without a status (grpc/doc/PROTOCOL-HTTP2.md, "Errors"). */
function resetError(errorCode: number | null): RpcError {
  if (errorCode === null) return new RpcError(Status.INTERNAL, 'the server ended the call without a status');
  const message = `the server reset the call with HTTP/2 error ${errorCode}`;
  switch (errorCode) {
    // The server promises with it that it has not looked at the request (RFC 9113, section 8.7).
    case ErrorCode.REFUSED_STREAM:
      return new RpcError(Status.UNAVAILABLE, message, { isUnsent: true });
    case ErrorCode.CANCEL:
      return new RpcError(Status.CANCELLED, message);
    case ErrorCode.ENHANCE_YOUR_CALM:
      return new RpcError(Status.RESOURCE_EXHAUSTED, message);
    case ErrorCode.INADEQUATE_SECURITY:
      return new RpcError(Status.PERMISSION_DENIED, message);
    default:
      return new RpcError(Status.INTERNAL, message);
  }
}

/** A proxy's answer, or that of a server that speaks no gRPC (grpc/doc/http-grpc-status-mapping.md). */
function httpError(fields: HeaderFields): RpcError {
  const httpStatus = Number(fields[':status']);
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
