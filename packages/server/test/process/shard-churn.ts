import type { Random } from '@flotilla/platform';
import { orderShard } from '@flotilla/store';
import { callUnary, type RpcChannel, RpcError, type Shard, ShardReplicaRole, Shards } from '@flotilla/wire';
import { letters } from '../../simulation/transactions/key-spread.ts';
import { pause } from './process-cluster.ts';
import { changeShards, listShards } from './shard-calls.ts';

const restMsMax = 1_000;
const changeMsMax = 15_000;
const listMs = 3_000;
/** So many more or fewer than at the beginning: there is always something to be split, and to be merged. */
const leeway = 4;
/** Of operations that are under way at a time. */
const hands = 2;
const nodes: readonly number[] = [1, 2, 3, 4, 5];
/** Whatever configuration is in force. */
const latest = { configuration: 0 };

export interface ChurnOptions {
  /** At the beginning. */
  readonly shards: number;
  readonly patience: number;
}

/** What was asked for and done to its end; what was refused, or whose end nobody saw, may be done all the same. */
export interface ChurnCounts {
  done: number;
  refused: number;
}

/** Where the shards begin, from when on. */
export interface SeenShards {
  readonly atMs: number;
  readonly starts: readonly Buffer[];
}

/** Splits, merges and moves shards and hands over their leaders, through any member, until it is stopped. */
export class ShardChurn {
  readonly counts: ChurnCounts = { done: 0, refused: 0 };
  readonly seen: SeenShards[] = [];
  readonly #channels: readonly RpcChannel[];
  readonly #options: ChurnOptions;
  readonly #running: Promise<unknown>;
  #stopped = false;

  constructor(channels: readonly RpcChannel[], random: Random, options: ChurnOptions) {
    this.#channels = channels;
    this.#options = options;
    this.#running = Promise.all(
      Array.from({ length: hands }, (_, hand) => this.#run(random.fork(`hand ${hand}`))),
    );
    // What went wrong is told by `stop`.
    this.#running.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(random: Random): Promise<void> {
    while (!this.#stopped) {
      await pause(restMsMax * random.float());
      const channel = this.#channels[random.below(this.#channels.length)] as RpcChannel;
      try {
        const { shards } = await listShards(channel, listMs * this.#options.patience);
        this.seen.push({ atMs: performance.now(), starts: shards.map(({ start }) => Buffer.from(start)) });
        if (await this.#change(channel, shards, random)) this.counts.done += 1;
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        this.counts.refused += 1;
      }
    }
  }

  /** False: nothing of what was drawn is possible. */
  async #change(channel: RpcChannel, shards: readonly Shard[], random: Random): Promise<boolean> {
    const at = random.below(shards.length);
    const shard = shards[at] as Shard;
    const timeoutMs = changeMsMax * this.#options.patience;
    switch (random.below(4)) {
      case 0:
        return (
          shards.length < this.#options.shards + leeway && (await split(channel, timeoutMs, shards, random))
        );
      case 1:
        return (
          shards.length > Math.max(2, this.#options.shards - leeway) &&
          (await merge(channel, timeoutMs, shard, shards[at + 1]))
        );
      case 2:
        return await move(channel, timeoutMs, shard, random);
      default:
        return await handOver(channel, timeoutMs, shard, random);
    }
  }
}

async function split(
  channel: RpcChannel,
  timeoutMs: number,
  shards: readonly Shard[],
  random: Random,
): Promise<boolean> {
  const letter = letters[random.below(letters.length)] as string;
  const key = Buffer.from(random.below(2) === 0 ? letter : `${letter}/m`);
  const whole = shards.filter(({ start }) => Buffer.compare(start, key) <= 0).at(-1) as Shard;
  if (Buffer.compare(whole.start, key) === 0) return false;
  const request = { shard: whole.shard, key, ...latest };
  await changeShards(channel, Shards.methods.Split, request, timeoutMs);
  return true;
}

async function merge(
  channel: RpcChannel,
  timeoutMs: number,
  into: Shard,
  next: Shard | undefined,
): Promise<boolean> {
  if (next === undefined) return false;
  const request = { shard: next.shard, into: into.shard, ...latest };
  await changeShards(channel, Shards.methods.Merge, request, timeoutMs);
  return true;
}

async function move(
  channel: RpcChannel,
  timeoutMs: number,
  { shard, replicas }: Shard,
  random: Random,
): Promise<boolean> {
  const held = replicas.map(({ node }) => node);
  const others = nodes.filter((node) => !held.includes(node));
  const to = others[random.below(Math.max(1, others.length))];
  if (shard === orderShard || to === undefined) return false;
  const request = { shard, from: held[random.below(held.length)] ?? 0, to, ...latest };
  await changeShards(channel, Shards.methods.MoveReplica, request, timeoutMs);
  return true;
}

async function handOver(
  channel: RpcChannel,
  timeoutMs: number,
  { shard, replicas, leader }: Shard,
  random: Random,
): Promise<boolean> {
  const heirs = replicas.filter(({ node, role }) => role === ShardReplicaRole.VOTER && node !== leader);
  const to = heirs[random.below(Math.max(1, heirs.length))]?.node;
  if (to === undefined) return false;
  const request = { shard, to, ...latest };
  await callUnary(channel, Shards.methods.TransferLeader, request, { timeoutMs });
  return true;
}
