import { isFlotillaError, messageOf } from '@flotilla/platform';
import type { Codec } from './protobuf/codec.ts';
import type { MethodDescriptor } from './protobuf/service.ts';
import { RpcError } from './rpc-error.ts';
import type { CallOptions, ClientStream, RpcChannel } from './rpc.ts';
import { Status } from './status.ts';

/**
 * Calls a method with one request and one response. Rejects with an `RpcError`.
 *
 * @example
 * const response = await callUnary(channel, KV.methods.Range, RangeRequest.create({ key }), { timeoutMs: 5_000 });
 */
export async function callUnary<Request, Response>(
  channel: RpcChannel,
  descriptor: MethodDescriptor<Request, Response, 'unary'>,
  request: Request,
  options?: CallOptions,
): Promise<Response> {
  const message = await channel.unary(descriptor.path, descriptor.request.encodeFrame(request), options);
  return decodeResponse(descriptor.response, message);
}

/** Opens a call of any shape; for one of kind `server-stream` write the one request, then `end()`. */
export function openStream<Request, Response>(
  channel: RpcChannel,
  descriptor: MethodDescriptor<Request, Response>,
  options?: CallOptions,
): ClientStream<Request, Response> {
  return new TypedClientStream(channel.stream(descriptor.path, options), descriptor);
}

function decodeResponse<Response>(codec: Codec<Response>, bytes: Uint8Array): Response {
  try {
    return codec.decode(bytes);
  } catch (error) {
    if (!isFlotillaError(error, 'FLOTILLA_WIRE_MALFORMED')) throw error;
    throw new RpcError(Status.INTERNAL, messageOf(error), { cause: error });
  }
}

class TypedClientStream<Request, Response> implements ClientStream<Request, Response> {
  readonly #bytes: ClientStream<Uint8Array, Uint8Array>;
  readonly #descriptor: MethodDescriptor<Request, Response>;

  constructor(bytes: ClientStream<Uint8Array, Uint8Array>, descriptor: MethodDescriptor<Request, Response>) {
    this.#bytes = bytes;
    this.#descriptor = descriptor;
  }

  get bufferedBytes(): number {
    return this.#bytes.bufferedBytes;
  }

  async read(): Promise<Response | null> {
    const message = await this.#bytes.read();
    return message === null ? null : decodeResponse(this.#descriptor.response, message);
  }

  write(message: Request): boolean {
    return this.#bytes.write(this.#descriptor.request.encodeFrame(message));
  }

  drained(): Promise<void> {
    return this.#bytes.drained();
  }

  end(): void {
    this.#bytes.end();
  }

  cancel(): void {
    this.#bytes.cancel();
  }
}
