import type { Platform } from '@flotilla/platform';
import {
  fromJson,
  JsonSplitter,
  type MethodTable,
  RpcError,
  Status,
  type StreamMethod,
  toJson,
  toRpcError,
  type UnaryMethod,
} from '@flotilla/wire';
import type { HttpExchange, HttpHeaders } from '../http/exchange.ts';
import { limits } from '../limits.ts';
import { failureBody, failureLine, httpStatusOf } from './failure.ts';
import { messageOf } from './frame.ts';
import { GatewayCall } from './gateway-call.ts';
import { metadataOf, timeoutOf } from './metadata.ts';
import type { GatewayRoute } from './route.ts';
import { routeOf } from './routes.ts';

export interface GatewayOptions {
  readonly platform: Platform;
  /** The same that gRPC calls. */
  readonly services: MethodTable;
  /** A request that would be larger as protobuf is refused. */
  readonly maxReceiveMessageBytes: number;
  /** A handler threw what is not an `RpcError`: a bug. */
  readonly handlerFailed?: (error: unknown, path: string) => void;
}

/**
 * etcd's JSON gateway: a POST of JSON calls the same methods as gRPC does. One answer comes as one object, those of a
 * stream as lines of `{"result":…}`; the body of a request may hold several objects where a method takes a stream.
 */
export class Gateway {
  readonly #options: GatewayOptions;

  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  /** False: the path is not the gateway's. */
  async serve(path: string, exchange: HttpExchange): Promise<boolean> {
    const route = routeOf(path);
    if (route === null) return false;
    try {
      if (route === undefined) fail(exchange, new RpcError(Status.NOT_FOUND, 'Not Found'));
      else if (exchange.method !== 'POST') fail(exchange, methodNotAllowed);
      else await this.#call(route, exchange);
    } catch (error) {
      if (!(error instanceof RpcError)) this.#options.handlerFailed?.(error, path);
      fail(exchange, toRpcError(error));
    }
    return true;
  }

  async #call(route: GatewayRoute, exchange: HttpExchange): Promise<void> {
    const { platform, services } = this.#options;
    const { path } = route.descriptor;
    const method = services.find(path);
    if (method === undefined) throw services.unimplemented(path);
    const call = new GatewayCall({
      metadata: metadataOf(exchange.headers),
      // A certificate speaks for who holds the connection, and etcd does not take it for the caller's name here.
      peer: { ...exchange.peer, identity: null },
      timeoutMs: timeoutOf(exchange.headers),
      platform,
      exchange,
      route,
      headers: answerHeaders,
      requests: this.#requests(route, exchange),
    });
    try {
      if (method.kind === 'unary') await unary(method, call, route, exchange);
      else await stream(method, call, exchange);
    } finally {
      call.finish();
    }
  }

  /** The messages of the body, one by one; whatever is malformed throws. */
  async *#requests({ descriptor }: GatewayRoute, exchange: HttpExchange): AsyncGenerator<Uint8Array, void> {
    const maxBytes = this.#options.maxReceiveMessageBytes;
    const encode = (text: string): Uint8Array => {
      const bytes = descriptor.request.encode(fromJson(descriptor.request, text));
      if (bytes.length > maxBytes) throw tooLarge(bytes.length, maxBytes);
      return bytes;
    };
    // Base64 takes a third more, escapes and names some; what is larger than this is so in any spelling.
    const splitter = new JsonSplitter(2 * maxBytes + limits.grpcOverheadBytes, (size) =>
      tooLarge(size, maxBytes),
    );
    for (let chunk = await exchange.read(); chunk !== null; chunk = await exchange.read()) {
      for (const text of splitter.push(chunk)) yield encode(text);
    }
    const rest = splitter.end();
    if (rest !== null) yield encode(rest);
  }
}

/** What comes after the first value of the body is ignored, and no body is an empty message, as in etcd. */
async function unary(
  method: UnaryMethod,
  call: GatewayCall,
  { descriptor }: GatewayRoute,
  exchange: HttpExchange,
): Promise<void> {
  const request = (await call.read()) ?? new Uint8Array(0);
  const frame = await Promise.race([method.handle(request, call), call.over]);
  const body = toJson(descriptor.response, descriptor.response.decode(messageOf(frame)));
  exchange.answer({ status: 200, headers: answerHeaders, body });
}

async function stream(method: StreamMethod, call: GatewayCall, exchange: HttpExchange): Promise<void> {
  try {
    await Promise.race([method.handle(call), call.over]);
    call.begin(200);
    exchange.end();
  } catch (error) {
    // etcd answers a status while it can, and a line of the stream later.
    const failure = toRpcError(error);
    call.begin(httpStatusOf(failure.status));
    exchange.write(failureLine(failure));
    exchange.end();
    if (!(error instanceof RpcError)) throw error;
  }
}

function fail(exchange: HttpExchange, failure: RpcError): void {
  const status = httpStatusOf(failure.status);
  const challenge = status === 401 ? { 'www-authenticate': failure.message } : {};
  exchange.answer({ status, headers: { ...jsonHeaders, ...challenge }, body: failureBody(failure) });
}

function tooLarge(sizeBytes: number, maxBytes: number): RpcError {
  return new RpcError(
    Status.RESOURCE_EXHAUSTED,
    `grpc: received message larger than max (${sizeBytes} vs. ${maxBytes})`,
  );
}

const methodNotAllowed = new RpcError(Status.UNIMPLEMENTED, 'Method Not Allowed');
const jsonHeaders: HttpHeaders = { 'content-type': 'application/json' };
/** The second tells that the answer came through a gateway; etcd's sends it, too. */
const answerHeaders: HttpHeaders = { ...jsonHeaders, 'grpc-metadata-content-type': 'application/grpc' };
