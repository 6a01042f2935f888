import {
  type CallOptions,
  callUnary,
  type MethodDescriptor,
  openStream,
  type RpcChannel,
  type ShardListResponse,
  type ShardProgress,
  Shards,
} from '@flotilla/wire';

/** One node to ask, and as whom: null when it is not there now. */
export type Door = () => { readonly channel: RpcChannel; readonly token: string | null } | null;

/** The service `flotilla.v1` at one node. */
export class Administration {
  readonly #door: Door;

  constructor(door: Door) {
    this.#door = door;
  }

  get isOpen(): boolean {
    return this.#door() !== null;
  }

  list(timeoutMs: number): Promise<ShardListResponse> {
    const { channel, options } = this.#ways(timeoutMs);
    return callUnary(channel, Shards.methods.List, {}, options);
  }

  async transferLeader(shard: number, to: number, timeoutMs: number): Promise<void> {
    const { channel, options } = this.#ways(timeoutMs);
    await callUnary(channel, Shards.methods.TransferLeader, { shard, to, configuration: 0 }, options);
  }

  /** To its end. */
  async follow<Request>(
    method: MethodDescriptor<Request, ShardProgress, 'server-stream'>,
    request: Request,
    timeoutMs: number,
  ): Promise<ShardProgress> {
    const { channel, options } = this.#ways(timeoutMs);
    const stream = openStream(channel, method, options);
    stream.write(request);
    stream.end();
    for (let progress = await stream.read(); progress !== null; progress = await stream.read()) {
      if (progress.finished) return progress;
    }
    throw new Error(`${method.path} has no end`);
  }

  #ways(timeoutMs: number): { readonly channel: RpcChannel; readonly options: CallOptions } {
    const way = this.#door();
    if (way === null) throw new Error('the node is not there');
    const { channel, token } = way;
    return { channel, options: token === null ? { timeoutMs } : { timeoutMs, metadata: { token } } };
  }
}
