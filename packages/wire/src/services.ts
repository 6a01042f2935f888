import { isFlotillaError, messageOf } from '@flotilla/platform';
import type { MethodDescriptor } from './protobuf/service.ts';
import type { Codec } from './protobuf/codec.ts';
import { RpcError } from './rpc-error.ts';
import type { Method, MethodTable, ServerCall, ServerStream } from './rpc.ts';
import { Status } from './status.ts';

/**
 * The methods that a server answers.
 *
 * @example
 * const services = new Services([
 *   unary(KV.methods.Put, (request, call) => put(request, call.metadata['token'])),
 *   bidi(Watch.methods.Watch, async (stream) => {
 *     for (let request = await stream.read(); request !== null; request = await stream.read()) …
 *   }),
 * ]);
 */
export class Services implements MethodTable {
  readonly #methods = new Map<string, Method>();
  readonly #services = new Set<string>();

  constructor(methods: readonly Method[]) {
    for (const method of methods) {
      this.#methods.set(method.path, method);
      this.#services.add(method.path.slice(1, method.path.lastIndexOf('/')));
    }
  }

  find(path: string): Method | undefined {
    return this.#methods.get(path);
  }

  /** grpc-go's texts: programs that probe for a method match on them. */
  unimplemented(path: string): RpcError {
    const slash = path.lastIndexOf('/');
    if (slash <= 0)
      return new RpcError(Status.UNIMPLEMENTED, `malformed method name: ${JSON.stringify(path)}`);
    const service = path.slice(1, slash);
    if (!this.#services.has(service)) return new RpcError(Status.UNIMPLEMENTED, `unknown service ${service}`);
    return new RpcError(
      Status.UNIMPLEMENTED,
      `unknown method ${path.slice(slash + 1)} for service ${service}`,
    );
  }
}

/**
 * `requestBytes` is the request as it came, for handlers that pass it on. It is a view into a network buffer: copy
 * what outlives the call.
 */
export type UnaryHandler<Request, Response> = (
  request: Request,
  call: ServerCall,
  requestBytes: Uint8Array,
) => Response | Promise<Response>;

export function unary<Request, Response>(
  descriptor: MethodDescriptor<Request, Response, 'unary'>,
  handler: UnaryHandler<Request, Response>,
): Method {
  const { path, request: requests, response: responses } = descriptor;
  const encode = (response: Response): Uint8Array => responses.encodeFrame(response);
  return {
    kind: 'unary',
    path,
    handle(bytes, call) {
      const response = handler(decodeRequest(requests, bytes), call, bytes);
      return response instanceof Promise ? response.then(encode) : encode(response);
    },
  };
}

export function serverStream<Request, Response>(
  descriptor: MethodDescriptor<Request, Response, 'server-stream'>,
  handler: (request: Request, stream: ServerStream<never, Response>) => Promise<void>,
): Method {
  return {
    kind: 'server-stream',
    path: descriptor.path,
    async handle(bytes) {
      const stream = new TypedServerStream(bytes, descriptor);
      const request = await stream.read();
      if (request === null) throw new RpcError(Status.INTERNAL, 'unexpected EOF');
      await handler(request, stream as ServerStream<never, Response>);
    },
  };
}

export function bidi<Request, Response>(
  descriptor: MethodDescriptor<Request, Response, 'bidi' | 'client-stream'>,
  handler: (stream: ServerStream<Request, Response>) => Promise<void>,
): Method {
  return {
    kind: descriptor.kind,
    path: descriptor.path,
    handle: (bytes) => handler(new TypedServerStream(bytes, descriptor)),
  };
}

function decodeRequest<Request>(codec: Codec<Request>, bytes: Uint8Array): Request {
  try {
    return codec.decode(bytes);
  } catch (error) {
    if (!isFlotillaError(error, 'FLOTILLA_WIRE_MALFORMED')) throw error;
    throw new RpcError(Status.INTERNAL, `grpc: error unmarshalling request: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

class TypedServerStream<Request, Response> implements ServerStream<Request, Response> {
  readonly #bytes: ServerStream<Uint8Array, Uint8Array>;
  readonly #descriptor: MethodDescriptor<Request, Response>;

  constructor(bytes: ServerStream<Uint8Array, Uint8Array>, descriptor: MethodDescriptor<Request, Response>) {
    this.#bytes = bytes;
    this.#descriptor = descriptor;
  }

  get path(): string {
    return this.#bytes.path;
  }

  get metadata(): ServerCall['metadata'] {
    return this.#bytes.metadata;
  }

  get peer(): ServerCall['peer'] {
    return this.#bytes.peer;
  }

  get timeoutMs(): number | null {
    return this.#bytes.timeoutMs;
  }

  get cancelled(): RpcError | null {
    return this.#bytes.cancelled;
  }

  get bufferedBytes(): number {
    return this.#bytes.bufferedBytes;
  }

  onCancelled(listener: (reason: RpcError) => void): void {
    this.#bytes.onCancelled(listener);
  }

  async read(): Promise<Request | null> {
    const message = await this.#bytes.read();
    return message === null ? null : decodeRequest(this.#descriptor.request, message);
  }

  write(message: Response): boolean {
    return this.#bytes.write(this.#descriptor.response.encodeFrame(message));
  }

  drained(): Promise<void> {
    return this.#bytes.drained();
  }
}
