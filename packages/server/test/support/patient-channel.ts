import {
  type CallOptions,
  type ChannelState,
  type ClientStream,
  type RpcChannel,
  etcdErrors,
  RpcError,
} from '@flotilla/wire';

/** A member that has no leader for so long has lost it for good. */
const patienceMs = 30_000;
const againMs = 20;

/**
 * A channel for tests that are not about elections: a machine that stands still for a second deposes leaders, and a
 * request that met none has not been acted on, so it is made again. A call with `hasleader` wants to be told.
 */
export class PatientChannel implements RpcChannel {
  readonly #channel: RpcChannel;

  constructor(channel: RpcChannel) {
    this.#channel = channel;
  }

  get state(): ChannelState {
    return this.#channel.state;
  }

  async unary(path: string, frame: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    const endMs = performance.now() + Math.min(patienceMs, options.timeoutMs ?? patienceMs);
    for (;;) {
      try {
        return await this.#channel.unary(path, frame, options);
      } catch (error) {
        if (!metNoLeader(error) || wantsToBeTold(options) || performance.now() >= endMs) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, againMs));
    }
  }

  stream(path: string, options?: CallOptions): ClientStream<Uint8Array, Uint8Array> {
    return this.#channel.stream(path, options);
  }

  ready(): Promise<void> {
    return this.#channel.ready();
  }

  close(): void {
    this.#channel.close();
  }
}

function metNoLeader(error: unknown): boolean {
  return error instanceof RpcError && error.message === etcdErrors.noLeader.message;
}

function wantsToBeTold({ metadata }: CallOptions): boolean {
  return metadata?.['hasleader'] !== undefined;
}
