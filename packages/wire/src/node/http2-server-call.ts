import * as http2 from 'node:http2';
import type { RequestListener } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { FrameParser, messageTooLarge } from '../frame-parser.ts';
import { encodeGrpcMessage, parseGrpcTimeout } from '../grpc-text.ts';
import { limits } from '../limits.ts';
import { MessageQueue } from '../message-queue.ts';
import { RpcError, toRpcError } from '../rpc-error.ts';
import type { Metadata, Method, MethodTable, Peer, ServerStream } from '../rpc.ts';
import { Status } from '../status.ts';

/** What all calls of a connection share. */
export interface CallContext {
  readonly services: MethodTable;
  readonly maxReceiveMessageBytes: number;
  readonly peer: Peer;
  /** Answers requests that are not gRPC; null: they are refused. */
  readonly otherContent: RequestListener | null;
  readonly handlerFailed: ((error: unknown, path: string) => void) | null;
}

/** Takes a new HTTP/2 stream as a gRPC call, or refuses it as grpc-go does. */
export function acceptCall(
  context: CallContext,
  stream: http2.ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
  flags: number,
): void {
  const contentType = headers['content-type'] ?? '';
  if (!isGrpc(contentType)) {
    if (context.otherContent !== null) {
      serveOther(context.otherContent, stream, headers);
      return;
    }
    const message = `invalid gRPC request content-type ${JSON.stringify(contentType)}`;
    refuse(stream, 415, new RpcError(Status.INVALID_ARGUMENT, message));
    return;
  }
  const httpMethod = headers[':method'];
  if (httpMethod !== 'POST') {
    const message = `Received a HEADERS frame with :method ${JSON.stringify(httpMethod)} which should be POST`;
    refuse(stream, 405, new RpcError(Status.INTERNAL, message));
    return;
  }
  const timeout = headers['grpc-timeout'];
  const timeoutMs = typeof timeout === 'string' ? parseGrpcTimeout(timeout) : null;
  if (timeout !== undefined && timeoutMs === null) {
    refuse(stream, 400, new RpcError(Status.INTERNAL, `malformed grpc-timeout: ${JSON.stringify(timeout)}`));
    return;
  }
  const path = headers[':path'] ?? '';
  const method = context.services.find(path);
  if (method === undefined) {
    refuse(stream, 200, context.services.unimplemented(path));
    return;
  }
  const encoding = headers['grpc-encoding'];
  if (encoding !== undefined && encoding !== 'identity' && encoding !== 'gzip') {
    const message = `grpc: Decompressor is not installed for grpc-encoding ${JSON.stringify(encoding)}`;
    refuse(stream, 200, new RpcError(Status.UNIMPLEMENTED, message), {
      'grpc-accept-encoding': 'identity,gzip',
    });
    return;
  }
  const call = new Http2ServerCall(context, stream, headers, method, timeoutMs, encoding === 'gzip');
  call.start((flags & http2.constants.NGHTTP2_FLAG_END_STREAM) !== 0);
}

function isGrpc(contentType: string): boolean {
  if (contentType === 'application/grpc') return true;
  return contentType.startsWith('application/grpc+') || contentType.startsWith('application/grpc;');
}

function serveOther(
  handler: RequestListener,
  stream: http2.ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
): void {
  const request = new http2.Http2ServerRequest(stream, headers, {}, []);
  const response = new http2.Http2ServerResponse(stream);
  // Node made the two kinds alike on purpose; only their declared types differ.
  (handler as unknown as (request: unknown, response: unknown) => void)(request, response);
}

function refuse(
  stream: http2.ServerHttp2Stream,
  httpStatus: number,
  error: RpcError,
  headers: http2.OutgoingHttpHeaders = {},
): void {
  stream.on('error', ignore);
  // What the client still sends is read and dropped, so that it comes to see the answer.
  stream.resume();
  if (stream.destroyed || stream.closed) return;
  stream.respond({ ':status': httpStatus, ...trailersOnly(error), ...headers }, { endStream: true });
}

const CALL = Symbol('call');
type CallStream = http2.ServerHttp2Stream & { [CALL]: Http2ServerCall };

/** Unary and streaming calls alike; the listeners are shared functions, so that a call costs no closures for them. */
class Http2ServerCall implements ServerStream<Uint8Array, Uint8Array> {
  readonly #context: CallContext;
  readonly #stream: http2.ServerHttp2Stream;
  readonly #headers: http2.IncomingHttpHeaders;
  readonly #method: Method;
  readonly #gzip: boolean;
  readonly #parser: FrameParser;
  readonly timeoutMs: number | null;
  #deadline: NodeJS.Timeout | null = null;
  /** Of a stream method only. */
  #queue: MessageQueue | null = null;
  /** A unary method was given its request. */
  #requested = false;
  #received = false;
  #cancelled: RpcError | null = null;
  #listeners: ((reason: RpcError) => void)[] | null = null;
  #drainers: Drainer[] | null = null;
  /** The answer, or its last part, is on its way. */
  #answered = false;
  #trailers: http2.OutgoingHttpHeaders = TRAILERS_OK;

  constructor(
    context: CallContext,
    stream: http2.ServerHttp2Stream,
    headers: http2.IncomingHttpHeaders,
    method: Method,
    timeoutMs: number | null,
    gzip: boolean,
  ) {
    this.#context = context;
    this.#stream = stream;
    this.#headers = headers;
    this.#method = method;
    this.timeoutMs = timeoutMs;
    this.#gzip = gzip;
    this.#parser = new FrameParser(context.maxReceiveMessageBytes);
    (stream as CallStream)[CALL] = this;
  }

  get path(): string {
    return this.#method.path;
  }

  get metadata(): Metadata {
    return this.#headers as Metadata;
  }

  get peer(): Peer {
    return this.#context.peer;
  }

  get cancelled(): RpcError | null {
    return this.#cancelled;
  }

  get bufferedBytes(): number {
    return this.#stream.writableLength;
  }

  start(requestEnded: boolean): void {
    const stream = this.#stream;
    stream.on('error', ignore);
    stream.on('close', onClose);
    if (this.timeoutMs !== null) this.#deadline = setTimeout(expire, roundUp(this.timeoutMs), this);
    if (this.#method.kind !== 'unary') {
      this.#queue = new MessageQueue(
        () => stream.pause(),
        () => stream.resume(),
      );
      this.#run(this.#method.handle(this));
    }
    if (requestEnded) this.end();
    stream.on('data', onData);
    stream.on('end', onEnd);
  }

  onCancelled(listener: (reason: RpcError) => void): void {
    if (this.#cancelled !== null) listener(this.#cancelled);
    else (this.#listeners ??= []).push(listener);
  }

  read(): Promise<Uint8Array | null> {
    if (this.#queue === null) throw new RpcError(Status.INTERNAL, 'a unary call has one message');
    return this.#queue.read();
  }

  write(frame: Uint8Array): boolean {
    const stream = this.#stream;
    if (this.#answered || stream.destroyed || stream.closed) return false;
    if (!stream.headersSent) stream.respond(HEADERS_OK, WAIT_FOR_TRAILERS);
    const more = stream.write(frame);
    if (stream.writableLength > limits.callUnsentBytesMax) {
      const message = `the client does not read: ${stream.writableLength} bytes of answers wait for it`;
      this.#cancel(new RpcError(Status.RESOURCE_EXHAUSTED, message));
      stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
      return false;
    }
    return more;
  }

  drained(): Promise<void> {
    if (this.#cancelled !== null) return Promise.reject(this.#cancelled);
    if (!this.#stream.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve, reject) => {
      if (this.#drainers === null) {
        this.#drainers = [];
        this.#stream.on('drain', onDrain);
      }
      this.#drainers.push({ resolve, reject });
    });
  }

  /** Bytes of the request. */
  data(chunk: Uint8Array): void {
    if (this.#answered) return;
    try {
      this.#parser.push(chunk, this);
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** The client has sent all. */
  end(): void {
    // Node says `end` also when the stream was reset; `close` follows and tells that.
    if (this.#received || this.#stream.aborted) return;
    this.#received = true;
    if (this.#answered) return;
    const incomplete = !this.#parser.isAtBorder;
    const missing = this.#method.kind === 'unary' && !this.#requested;
    if (incomplete || missing) this.#refuse(new RpcError(Status.INTERNAL, 'unexpected EOF'));
    else this.#queue?.end(null);
  }

  drain(): void {
    const drainers = this.#drainers;
    if (drainers === null || drainers.length === 0) return;
    this.#drainers = [];
    for (const { resolve } of drainers) resolve();
  }

  sendTrailers(): void {
    const stream = this.#stream;
    stream.sendTrailers(this.#trailers);
    if (!this.#received) this.#awaitRequestEnd();
  }

  closed(): void {
    this.#stopClock();
    if (!this.#answered) this.#cancel(new RpcError(Status.CANCELLED, 'context canceled'));
    else if (this.#drainers !== null)
      this.#rejectDrainers(new RpcError(Status.CANCELLED, 'the call has ended'));
  }

  expire(): void {
    const expired = new RpcError(Status.DEADLINE_EXCEEDED, 'context deadline exceeded');
    this.#cancel(expired);
    this.#fail(expired);
  }

  /** One message of the request. */
  message(bytes: Uint8Array, compressed: boolean): void {
    const message = compressed ? this.#decompress(bytes) : bytes;
    if (this.#queue !== null) this.#queue.push(message);
    else if (!this.#requested && this.#method.kind === 'unary') {
      this.#requested = true;
      try {
        const response = this.#method.handle(message, this);
        if (response instanceof Uint8Array) this.#succeed(response);
        else this.#run(response);
      } catch (error) {
        this.#handlerFailed(error);
      }
    }
  }

  #run(response: Promise<Uint8Array | void>): void {
    response.then(
      (frame) => this.#succeed(frame ?? null),
      (error: unknown) => this.#handlerFailed(error),
    );
  }

  #decompress(bytes: Uint8Array): Uint8Array {
    if (!this.#gzip) {
      throw new RpcError(Status.INTERNAL, 'grpc: compressed flag set with identity or empty encoding');
    }
    const max = this.#context.maxReceiveMessageBytes;
    try {
      const plain = gunzipSync(bytes, { maxOutputLength: max });
      return new Uint8Array(plain.buffer, plain.byteOffset, plain.byteLength);
    } catch (cause) {
      if (cause instanceof RangeError) throw messageTooLarge(max + 1, max);
      throw new RpcError(Status.INTERNAL, 'grpc: failed to decompress the received message', { cause });
    }
  }

  #handlerFailed(error: unknown): void {
    if (!(error instanceof RpcError)) this.#context.handlerFailed?.(error, this.path);
    this.#fail(toRpcError(error));
  }

  /** The request itself is at fault: the handler hears of it as of a cancelled call. */
  #refuse(error: unknown): void {
    const failure = toRpcError(error);
    this.#cancel(failure);
    this.#fail(failure);
  }

  #succeed(frame: Uint8Array | null): void {
    const stream = this.#stream;
    if (!this.#conclude()) return;
    if (!stream.headersSent) stream.respond(HEADERS_OK, WAIT_FOR_TRAILERS);
    stream.on('wantTrailers', onWantTrailers);
    if (frame === null) stream.end();
    else stream.end(frame);
  }

  #fail(error: RpcError): void {
    const stream = this.#stream;
    if (!this.#conclude()) return;
    if (!stream.headersSent) {
      stream.respond({ ':status': 200, ...trailersOnly(error) }, { endStream: true });
      if (!this.#received) this.#awaitRequestEnd();
      return;
    }
    this.#trailers = statusHeaders(error);
    stream.on('wantTrailers', onWantTrailers);
    stream.end();
  }

  /** False: it is too late to answer. */
  #conclude(): boolean {
    if (this.#answered) return false;
    this.#answered = true;
    this.#stopClock();
    return !this.#stream.destroyed && !this.#stream.closed;
  }

  #cancel(reason: RpcError): void {
    if (this.#cancelled !== null || this.#answered) return;
    this.#cancelled = reason;
    this.#queue?.fail(reason);
    this.#rejectDrainers(reason);
    const listeners = this.#listeners;
    this.#listeners = null;
    if (listeners !== null) for (const listener of listeners) listener(reason);
  }

  #rejectDrainers(reason: RpcError): void {
    const drainers = this.#drainers;
    if (drainers === null) return;
    this.#drainers = [];
    for (const { reject } of drainers) reject(reason);
  }

  /**
   * The answer was sent before the request had ended. Clients then end it by themselves; one that does not is reset,
   * but later: a reset could overtake the answer.
   */
  #awaitRequestEnd(): void {
    const stream = this.#stream;
    stream.resume();
    this.#deadline = setTimeout(() => stream.close(http2.constants.NGHTTP2_NO_ERROR), limits.requestEndMs);
  }

  #stopClock(): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    this.#deadline = null;
  }
}

interface Drainer {
  readonly resolve: () => void;
  readonly reject: (reason: RpcError) => void;
}

function onData(this: http2.ServerHttp2Stream, chunk: Uint8Array): void {
  (this as CallStream)[CALL].data(chunk);
}

function onEnd(this: http2.ServerHttp2Stream): void {
  (this as CallStream)[CALL].end();
}

function onDrain(this: http2.ServerHttp2Stream): void {
  (this as CallStream)[CALL].drain();
}

function onWantTrailers(this: http2.ServerHttp2Stream): void {
  (this as CallStream)[CALL].sendTrailers();
}

function onClose(this: http2.ServerHttp2Stream): void {
  (this as CallStream)[CALL].closed();
}

function expire(call: Http2ServerCall): void {
  call.expire();
}

/** `close` follows and says all that is to be said. */
function ignore(): void {}

/**
 * Node keeps a list of timers per duration, and every client's remaining time is a new number: rounding up keeps the
 * lists few. A server's deadline is only there to stop work; the client keeps its own time.
 */
function roundUp(timeoutMs: number): number {
  return Math.min(Math.ceil(timeoutMs / DEADLINE_STEP_MS) * DEADLINE_STEP_MS, limits.callTimeoutMsMax);
}

const DEADLINE_STEP_MS = 64;

const HEADERS_OK: http2.OutgoingHttpHeaders = { ':status': 200, 'content-type': 'application/grpc' };
/** The date is for caches, which no gRPC answer goes through. */
const WAIT_FOR_TRAILERS = { waitForTrailers: true, sendDate: false } as http2.ServerStreamResponseOptions;
const TRAILERS_OK: http2.OutgoingHttpHeaders = { 'grpc-status': '0' };

function statusHeaders(error: RpcError): http2.OutgoingHttpHeaders {
  return { 'grpc-status': String(error.status), 'grpc-message': encodeGrpcMessage(error.message) };
}

function trailersOnly(error: RpcError): http2.OutgoingHttpHeaders {
  return { 'content-type': 'application/grpc', ...statusHeaders(error) };
}
