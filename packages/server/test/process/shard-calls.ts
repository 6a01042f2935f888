import {
  callUnary,
  type MethodDescriptor,
  openStream,
  type RpcChannel,
  RpcError,
  type ShardChange,
  type ShardListResponse,
  type ShardProgress,
  Shards,
} from '@flotilla/wire';

/** Has something done that takes its time, and looks on until it is. Rejects with the refusal, or when it lasts too long. */
export async function changeShards<Request>(
  channel: RpcChannel,
  method: MethodDescriptor<Request, ShardProgress, 'server-stream'>,
  request: Request,
  timeoutMs: number,
): Promise<ShardProgress> {
  const stream = openStream(channel, method, { timeoutMs });
  stream.write(request);
  stream.end();
  let last: ShardProgress | null = null;
  for (let next = await stream.read(); next !== null; next = await stream.read()) last = next;
  if (last?.finished !== true) throw new Error(`${method.path} ended without an end: ${last?.text}`);
  return last;
}

/** Makes a cluster one of as many shards as `cuts` make, each on three nodes. */
export async function beginShards(
  channel: RpcChannel,
  cuts: readonly string[],
  timeoutMs: number,
): Promise<ShardProgress> {
  const request = { shards: 0, keys: cuts.map((key) => Buffer.from(key)), replicas: 0 };
  const end = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await changeShards(channel, Shards.methods.Begin, request, timeoutMs);
    } catch (error) {
      // Members that have just started do not know of each other yet what they understand.
      if (!(error instanceof RpcError) || performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

export function listShards(channel: RpcChannel, timeoutMs = 3_000): Promise<ShardListResponse> {
  return callUnary(channel, Shards.methods.List, {}, { timeoutMs });
}

export async function historyOfShards(
  channel: RpcChannel,
  timeoutMs = 10_000,
): Promise<readonly ShardChange[]> {
  const request = { shard: -1, limit: 0 };
  return (await callUnary(channel, Shards.methods.History, request, { timeoutMs })).changes;
}
