import { FlotillaError, messageOf, type Platform } from '@flotilla/platform';
import {
  Auth,
  AuthenticateRequest,
  callUnary,
  type CallOptions,
  type KeyValue,
  KV,
  PutRequest,
  RangeRequest,
  type RpcChannel,
} from '@flotilla/wire';
import { type InitialMember, parseInitialCluster } from '../configuration/configuration.ts';
import type { DiscoverySettings } from '../configuration/discovery-settings.ts';
import { limits } from '../limits.ts';

/**
 * The members of a new cluster, which find each other by keys in a cluster that runs already: etcd's protocol, so that
 * the service may be etcd or Flotilla. Whoever operates it has put the size at
 * `/_etcd/registry/TOKEN/_config/size`; each member puts itself at `/_etcd/registry/TOKEN/members/ID`, and waits until
 * there are enough. The first ones by revision are the cluster.
 *
 * Tries again while the service cannot be reached. Rejects with `FLOTILLA_DISCOVERY_FAILED` when there is no size, and
 * when others have taken all places.
 *
 * @example
 * await discoverCluster(platform, channel, settings, { memberId, name: 'n1', peerUrls: ['http://10.0.0.1:2380'] });
 */
export async function discoverCluster(
  platform: Platform,
  channel: RpcChannel,
  settings: DiscoverySettings,
  self: InitialMember & { readonly memberId: bigint },
): Promise<readonly InitialMember[]> {
  const registry = new Registry(platform, channel, settings);
  const id = self.memberId.toString(16);
  const before = await registry.look();
  // A place that is one's own from an earlier try may be taken again.
  if (before.members.length >= before.size && !before.members.some((member) => member.id === id))
    throw full();
  await registry.enter(id, self.peerUrls.map((url) => `${self.name}=${url}`).join(','));
  for (;;) {
    const { size, members } = await registry.look();
    const first = members.slice(0, size);
    if (first.length === size) {
      if (!first.some((member) => member.id === id)) throw full();
      return parseInitialCluster(first.map(({ urls }) => urls).join(','));
    }
    platform.log.info('waiting for peers from discovery service', {
      'cluster-size': size,
      'found-peers': members.length,
    });
    await pause(platform, limits.discoveryPauseMs);
  }
}

interface Registered {
  readonly id: string;
  /** `name=url,name=url` */
  readonly urls: string;
}

/** What the service has of this cluster. */
class Registry {
  readonly #platform: Platform;
  readonly #channel: RpcChannel;
  readonly #settings: DiscoverySettings;
  readonly #prefix: string;

  constructor(platform: Platform, channel: RpcChannel, settings: DiscoverySettings) {
    this.#platform = platform;
    this.#channel = channel;
    this.#settings = settings;
    this.#prefix = `/_etcd/registry/${settings.token}`;
  }

  /** The size, and who is there, the first one first. */
  async look(): Promise<{ readonly size: number; readonly members: readonly Registered[] }> {
    const [sizes, members] = await this.#untilReached('cluster status check', async (options) => [
      await this.#range(`${this.#prefix}/_config/size`, '', options),
      await this.#range(`${this.#prefix}/members/`, `${this.#prefix}/members0`, options),
    ]);
    const size = sizes?.[0];
    if (size === undefined) throw failed('discovery: size key not found');
    const text = toText(size.value).trim();
    if (!/^[1-9][0-9]{0,4}$/.test(text)) throw failed('discovery: size key is bad');
    const found = [...(members ?? [])].sort((a, b) => a.createRevision - b.createRevision);
    return { size: Number(text), members: found.map((entry) => this.#registered(entry)) };
  }

  async enter(id: string, urls: string): Promise<void> {
    const key = toBytes(`${this.#prefix}/members/${id}`);
    await this.#untilReached('register member itself', (options) =>
      callUnary(this.#channel, KV.methods.Put, PutRequest.create({ key, value: toBytes(urls) }), options),
    );
  }

  async #range(key: string, rangeEnd: string, options: CallOptions): Promise<readonly KeyValue[]> {
    const request = RangeRequest.create({ key: toBytes(key), rangeEnd: toBytes(rangeEnd) });
    return (await callUnary(this.#channel, KV.methods.Range, request, options)).kvs;
  }

  #registered({ key, value }: KeyValue): Registered {
    return { id: toText(key).slice(`${this.#prefix}/members/`.length), urls: toText(value).trim() };
  }

  async #untilReached<T>(what: string, attempt: (options: CallOptions) => Promise<T>): Promise<T> {
    for (let backoffMs: number = limits.discoveryRetryMs; ;) {
      try {
        return await attempt(await this.#callOptions());
      } catch (error) {
        this.#platform.log.warn('retry connecting to discovery service', {
          reason: what,
          error: messageOf(error),
          backoffMs,
        });
        await pause(this.#platform, backoffMs);
        backoffMs = Math.min(2 * backoffMs, limits.discoveryMaxRetryMs);
      }
    }
  }

  async #callOptions(): Promise<CallOptions> {
    const { requestTimeoutMs: timeoutMs, user } = this.#settings;
    if (user === null) return { timeoutMs };
    const request = AuthenticateRequest.create(user);
    const { token } = await callUnary(this.#channel, Auth.methods.Authenticate, request, { timeoutMs });
    return { timeoutMs, metadata: { token } };
  }
}

function failed(message: string): FlotillaError {
  return new FlotillaError('FLOTILLA_DISCOVERY_FAILED', message);
}

function full(): FlotillaError {
  return failed('discovery: cluster is full');
}

function pause(platform: Platform, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    platform.timer(delayMs, 'discovery-pause', resolve);
  });
}

function toBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function toText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
