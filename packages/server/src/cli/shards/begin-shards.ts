import { callUnary, openStream, type RpcChannel, RpcError, Shards, Status } from '@flotilla/wire';
import { openHttp2Channel } from '@flotilla/wire/node';
import { limits } from '../../limits.ts';

/**
 * Makes a cluster that has just started one of so many shards, or waits until the shards that it has are all led. Answers
 * how many there are.
 */
export async function beginShards(endpoints: readonly string[], shards: number): Promise<number> {
  const channel = openHttp2Channel({ endpoints });
  try {
    const { shards: known } = await listed(channel);
    if (known.length <= 1) await begin(channel, shards);
    return await ledShards(channel);
  } finally {
    channel.close();
  }
}

async function begin(channel: RpcChannel, shards: number): Promise<void> {
  const stream = openStream(channel, Shards.methods.Begin);
  stream.write({ shards, keys: [], replicas: 0 });
  stream.end();
  for (let progress = await stream.read(); progress !== null; progress = await stream.read()) {
    if (progress.finished) return;
  }
}

async function ledShards(channel: RpcChannel): Promise<number> {
  for (;;) {
    const { shards } = await listed(channel);
    if (shards.every(({ leader }) => leader !== 0)) return shards.length;
    await pause();
  }
}

/** Members may still be finding each other. */
async function listed(channel: RpcChannel): ReturnType<typeof list> {
  for (;;) {
    try {
      return await list(channel);
    } catch (error) {
      if (!(error instanceof RpcError) || error.status !== Status.UNAVAILABLE) throw error;
      await pause();
    }
  }
}

const list = (channel: RpcChannel) =>
  callUnary(channel, Shards.methods.List, {}, { timeoutMs: limits.requestBaseMs });

const pause = (): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, limits.readinessPauseMs);
  });
