import type { Platform } from '@flotilla/platform';
import type { World } from '@flotilla/sim';
import {
  callUnary,
  etcdErrors,
  KV,
  Lease,
  type LeaseKeepAliveResponse,
  openFramedChannel,
  openStream,
  PutRequest,
  type RequestOp,
  type RpcChannel,
  RpcError,
  TxnRequest,
} from '@flotilla/wire';
import { bytesOf } from '../cluster/etcd-messages.ts';
import { clientPort } from '../cluster/member-node.ts';
import { leasePrefix } from './lease-history.ts';

/** What a client did with one lease, in the world's time. */
export interface LeaseStory {
  readonly id: bigint;
  readonly ttlMs: number;
  /** When what was acknowledged with time left had been sent: the grant, and renewals. */
  readonly kept: number[];
  /** When it was sent and came back without time left. */
  readonly refused: number[];
  /** Keys that were acknowledged to be attached, in one transaction. */
  attached: readonly string[];
  /** A key that was attached, and then put again without a lease. */
  freed: string | null;
  revoked: boolean;
}

export interface LeaseClientOptions {
  readonly world: World;
  readonly number: number;
  readonly memberNames: readonly string[];
  /** Asked before each step; false ends the client, whose last lease is left to itself. */
  readonly goesOn: () => boolean;
}

/** Has one lease after the other: grants it, attaches keys, keeps it alive for a while, and forgets it. */
export class LeaseClient {
  readonly stories: LeaseStory[] = [];
  finished = false;
  readonly #options: LeaseClientOptions;
  #channels: readonly RpcChannel[] = [];

  constructor(options: LeaseClientOptions) {
    this.#options = options;
  }

  async main(platform: Platform): Promise<void> {
    this.#channels = this.#options.memberNames.map((host) =>
      openFramedChannel(platform, { endpoints: [{ host, port: clientPort }] }),
    );
    while (this.#options.goesOn()) {
      await pause(platform, 200);
      try {
        await this.#live(platform);
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
      }
    }
    for (const channel of this.#channels) channel.close();
    this.finished = true;
  }

  async #live(platform: Platform): Promise<void> {
    const { world, number } = this.#options;
    const { tape } = world;
    const ttl = [4, 2, 6, 10][tape.choose(4, 'time of a lease')] as number;
    const id = BigInt(number * 1_000 + this.stories.length + 1);
    const story: LeaseStory = {
      id,
      ttlMs: ttl * 1_000,
      kept: [],
      refused: [],
      attached: [],
      freed: null,
      revoked: false,
    };
    this.stories.push(story);
    const sentMs = world.now;
    const granted = await callUnary(this.#channel(), Lease.methods.LeaseGrant, { id, ttl }, options);
    if (granted.ttl * 1_000 < story.ttlMs) world.violate('lease granted for too short', `${granted.ttl} s`);
    story.kept.push(sentMs);
    await this.#attach(story);
    const lateness = [1 / 3, 1 / 2, 0.97, 1.03][tape.choose(4, 'how late renewals are')] as number;
    for (let renewals = tape.choose(12, 'renewals'); renewals > 0 && this.#options.goesOn(); renewals -= 1) {
      await pause(platform, story.ttlMs * lateness);
      if (!(await this.#renew(platform, story))) return;
    }
    if (tape.chance(1, 6, 'revoke')) {
      story.revoked = true;
      await callUnary(this.#channel(), Lease.methods.LeaseRevoke, { id }, options);
      world.coverage.count('lease revoked');
    }
  }

  async #attach(story: LeaseStory): Promise<void> {
    const { world } = this.#options;
    const keys = ['c', 'a', 'b'].slice(0, world.tape.choose(4, 'attached keys'));
    if (keys.length === 0) return;
    const named = keys.map((key) => `${leasePrefix}${story.id}/${key}`);
    try {
      await this.#put(named, story.id);
      story.attached = named;
      if (!world.tape.chance(1, 3, 'free a key')) return;
      const [first, ...rest] = named;
      await this.#put([first as string], 0n);
      story.attached = rest;
      story.freed = first as string;
    } catch (error) {
      // Nobody knows what was put: nothing is expected of these keys.
      if (!(error instanceof RpcError)) throw error;
      story.attached = [];
      if (error.message === etcdErrors.leaseNotFound.message) world.coverage.count('put found no lease');
    }
  }

  /** Whether the lease may still be there. */
  async #renew(platform: Platform, story: LeaseStory): Promise<boolean> {
    const { world } = this.#options;
    const sentMs = world.now;
    const answer = await keepAlive(platform, this.#channel(), story.id);
    if (answer === null) {
      world.coverage.count('renewal lost');
      return true;
    }
    world.coverage.count(answer.ttl > 0 ? 'lease renewed' : 'lease found expired');
    if (answer.ttl > 0) story.kept.push(sentMs);
    else story.refused.push(sentMs);
    return answer.ttl > 0;
  }

  async #put(keys: readonly string[], lease: bigint): Promise<void> {
    const success = keys.map((key): RequestOp => ({
      request: {
        case: 'requestPut',
        value: PutRequest.create({ key: bytesOf(key), value: bytesOf('x'), lease }),
      },
    }));
    await callUnary(this.#channel(), KV.methods.Txn, TxnRequest.create({ success }), options);
  }

  #channel(): RpcChannel {
    return this.#channels[this.#options.world.tape.choose(this.#channels.length, 'member')] as RpcChannel;
  }
}

const options = { timeoutMs: 1_500 };

/** One renewal on a stream of its own; null: no answer came in time. */
export async function keepAlive(
  platform: Platform,
  channel: RpcChannel,
  id: bigint,
): Promise<LeaseKeepAliveResponse | null> {
  const stream = openStream(channel, Lease.methods.LeaseKeepAlive);
  const timer = platform.timer(options.timeoutMs, 'renewal', () => stream.cancel());
  try {
    stream.write({ id });
    return await stream.read();
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return null;
  } finally {
    timer.cancel();
    stream.cancel();
  }
}

function pause(platform: Platform, delayMs: number): Promise<void> {
  return new Promise((resolve) => platform.timer(delayMs, 'pause of a client', resolve));
}
