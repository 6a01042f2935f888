import type { EtcdRequest, EtcdResponse, History } from '@flotilla/check';
import type { Platform } from '@flotilla/platform';
import type { World } from '@flotilla/sim';
import { KV, RpcError, Status, callUnary, etcdErrors, openFramedChannel } from '@flotilla/wire';
import type { CallOptions, RpcChannel } from '@flotilla/wire';
import {
  compactMessage,
  deleteMessage,
  deleteResult,
  putMessage,
  putResult,
  rangeMessage,
  rangeResult,
  revisionOf,
  txnMessage,
  txnResult,
} from './etcd-messages.ts';
import type { ClusterSettings } from './cluster-settings.ts';
import { clientPort } from './member-node.ts';
import { drawRequest } from './workload.ts';
import type { Knowledge } from './workload.ts';

export type EtcdHistory = History<EtcdRequest, EtcdResponse>;

export interface ClientOptions {
  readonly world: World;
  readonly settings: ClusterSettings;
  readonly number: number;
  readonly memberNames: readonly string[];
  readonly history: EtcdHistory;
  /** Asked before each request; false ends the client. */
  readonly goesOn: () => boolean;
}

/** A user: one request after the other, each through a member of its choice, over a connection of its own. */
export class SimClient {
  /** Requests that were made, answered or not. */
  requests = 0;
  finished = false;
  readonly #options: ClientOptions;
  readonly #known: Knowledge = { revision: 0, modRevisions: new Map(), writes: 0 };
  #channels: readonly RpcChannel[] = [];

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  open(platform: Platform): void {
    this.#channels = this.#options.memberNames.map((host) =>
      openFramedChannel(platform, { endpoints: [{ host, port: clientPort }] }),
    );
  }

  /** For what no history has, such as leases. */
  channel(member: number): RpcChannel {
    return this.#channels[member] as RpcChannel;
  }

  close(): void {
    for (const channel of this.#channels) channel.close();
  }

  async main(platform: Platform): Promise<void> {
    this.open(platform);
    const { world, settings } = this.#options;
    let member = this.#options.number % this.#channels.length;
    while (this.#options.goesOn()) {
      const thinkMs =
        settings.thinkMs * (0.2 + (1.6 * (15 - world.tape.choose(16, 'think time of a client'))) / 15);
      await new Promise<void>((resolve) => platform.timer(thinkMs, 'think', resolve));
      if (world.tape.chance(1, 5, 'change the member'))
        member = world.tape.choose(this.#channels.length, 'member');
      await this.#request(this.channel(member));
    }
    this.close();
    this.finished = true;
  }

  /** One request of the workload, or `given`, with its answer in the history. */
  async request(
    member: number,
    given: EtcdRequest,
    timeoutMs: number,
    metadata: CallOptions['metadata'] = {},
  ): Promise<EtcdResponse | null> {
    return this.#perform(this.channel(member), given, { timeoutMs, metadata });
  }

  async #request(channel: RpcChannel): Promise<void> {
    const { world, number, settings } = this.#options;
    const request = drawRequest(world.tape, number, this.#known, settings.compacts);
    await this.#perform(channel, request, { timeoutMs: settings.requestTimeoutMs });
  }

  async #perform(
    channel: RpcChannel,
    request: EtcdRequest,
    options: CallOptions,
  ): Promise<EtcdResponse | null> {
    const { world, history, number } = this.#options;
    this.requests += 1;
    const id = history.call(number, request);
    try {
      const response = await call(channel, request, options);
      history.returned(id, response);
      this.#learn(request, response);
      world.coverage.count(`${request.type} answered`);
      return response;
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      this.#failed(id, request, error);
      return null;
    }
  }

  #failed(id: number, request: EtcdRequest, error: RpcError): void {
    const { world, history } = this.#options;
    const outcome = outcomeOf(request, error);
    world.coverage.count(`${request.type} ${outcome}`);
    if (outcome === 'compacted' || outcome === 'future-revision') {
      history.returned(id, { type: 'error', error: outcome });
    } else if (outcome === 'failed') history.failed(id, error.message);
    else if (outcome === 'unknown') history.unknown(id, error.message);
    else
      world.violate('unexpected error', `${request.type} was answered with ${error.status} ${error.message}`);
  }

  #learn(request: EtcdRequest, response: EtcdResponse): void {
    if (response.type === 'error') return;
    this.#known.revision = Math.max(this.#known.revision, response.revision);
    if (request.type === 'put') this.#known.modRevisions.set(request.key, response.revision);
    if (response.type === 'range')
      for (const kv of response.kvs) this.#known.modRevisions.set(kv.key, kv.modRevision);
    if (response.type !== 'txn') return;
    for (const part of response.responses) {
      if (part.type === 'range')
        for (const kv of part.kvs) this.#known.modRevisions.set(kv.key, kv.modRevision);
    }
  }
}

export async function call(
  channel: RpcChannel,
  request: EtcdRequest,
  options: CallOptions,
): Promise<EtcdResponse> {
  switch (request.type) {
    case 'range': {
      const response = await callUnary(channel, KV.methods.Range, rangeMessage(request), options);
      return { ...rangeResult(response), revision: revisionOf(response.header) };
    }
    case 'put': {
      const response = await callUnary(channel, KV.methods.Put, putMessage(request), options);
      return { ...putResult(response), revision: revisionOf(response.header) };
    }
    case 'delete-range': {
      const response = await callUnary(channel, KV.methods.DeleteRange, deleteMessage(request), options);
      return { ...deleteResult(response), revision: revisionOf(response.header) };
    }
    case 'txn': {
      const response = await callUnary(channel, KV.methods.Txn, txnMessage(request), options);
      return { ...txnResult(response), revision: revisionOf(response.header) };
    }
    case 'compact': {
      const response = await callUnary(channel, KV.methods.Compact, compactMessage(request), options);
      return { type: 'compact', revision: revisionOf(response.header) };
    }
  }
}

type Ending = 'compacted' | 'future-revision' | 'failed' | 'unknown' | 'unexpected';

/** What an error says about the request's effect. Only refusals that were made before anything was proposed are sure. */
function outcomeOf(request: EtcdRequest, error: RpcError): Ending {
  if (error.message === etcdErrors.compacted.message) return 'compacted';
  if (error.message === etcdErrors.futureRevision.message) return 'future-revision';
  if (error.status === Status.RESOURCE_EXHAUSTED) return 'failed';
  if (error.message === etcdErrors.notSupportedForLearner.message) return 'failed';
  if (!lostStatuses.includes(error.status)) return 'unexpected';
  // A read that nobody answered has no effect; anything else may have been replicated.
  return request.type === 'range' ? 'failed' : 'unknown';
}

const lostStatuses: readonly number[] = [Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.CANCELLED];
