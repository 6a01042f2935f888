import {
  EMPTY_BYTES,
  KV,
  type MethodDescriptor,
  type MethodTable,
  type PutRequest,
  type RangeRequest,
  type RangeResponse,
  type ServerCall,
  type TxnRequest,
  type TxnResponse,
} from '@flotilla/wire';

/**
 * The API of the member in this process, as a client on its port would see it. Rejects with an `RpcError`; where no
 * leader is known at once, because another node may know one.
 */
export class OwnApi {
  readonly #methods: MethodTable;

  constructor(methods: MethodTable) {
    this.#methods = methods;
  }

  range(request: RangeRequest): Promise<RangeResponse> {
    return this.#call(KV.methods.Range, request);
  }

  async put(request: PutRequest): Promise<void> {
    await this.#call(KV.methods.Put, request);
  }

  txn(request: TxnRequest): Promise<TxnResponse> {
    return this.#call(KV.methods.Txn, request);
  }

  async #call<Request, Response>(
    { path, request: requests, response: responses }: MethodDescriptor<Request, Response, 'unary'>,
    request: Request,
  ): Promise<Response> {
    const method = this.#methods.find(path);
    if (method?.kind !== 'unary') throw this.#methods.unimplemented(path);
    const frame = await method.handle(requests.encode(request), callOf(path));
    return responses.decode(frame.subarray(FRAME_PREFIX_BYTES));
  }
}

/** Before each message of gRPC: whether it is compressed, and its length. */
const FRAME_PREFIX_BYTES = 5;

function callOf(path: string): ServerCall {
  return {
    path,
    metadata: { hasleader: 'true' },
    peer: { remote: { host: 'maelstrom', port: 0 }, identity: null },
    timeoutMs: null,
    cancelled: null,
    onCancelled: () => undefined,
  };
}

/** The end of the range of all keys that begin with `prefix`, whose last byte is below 0xff. */
export function endOfPrefix(prefix: Uint8Array): Uint8Array {
  const end = prefix.slice();
  const last = end.length - 1;
  if (last < 0) return EMPTY_BYTES;
  end[last] = (end[last] as number) + 1;
  return end;
}
