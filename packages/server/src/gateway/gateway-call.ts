import type { Platform, Timer } from '@flotilla/platform';
import {
  type Metadata,
  type Peer,
  RpcError,
  type ServerStream,
  Status,
  toJson,
  toRpcError,
} from '@flotilla/wire';
import type { HttpExchange, HttpHeaders } from '../http/exchange.ts';
import { limits } from '../limits.ts';
import { messageOf } from './frame.ts';
import type { GatewayRoute } from './route.ts';

export interface GatewayCallOptions {
  readonly platform: Platform;
  readonly exchange: HttpExchange;
  readonly route: GatewayRoute;
  readonly metadata: Metadata;
  readonly peer: Peer;
  readonly timeoutMs: number | null;
  /** Of the body. */
  readonly requests: AsyncGenerator<Uint8Array, void>;
  /** Of an answer. */
  readonly headers: HttpHeaders;
}

/** What a method sees of a request that came as JSON: the same as of one that came by gRPC. */
export class GatewayCall implements ServerStream<Uint8Array, Uint8Array> {
  /** Rejects when the call is cancelled: a method that does not look does not keep the client waiting. */
  readonly over: Promise<never>;
  readonly #options: GatewayCallOptions;
  readonly #timer: Timer | null;
  readonly #end: (reason: RpcError) => void;
  #listeners: ((reason: RpcError) => void)[] = [];
  #cancelled: RpcError | null = null;
  #begun = false;
  #finished = false;

  constructor(options: GatewayCallOptions) {
    this.#options = options;
    let end: (reason: RpcError) => void = () => undefined;
    this.over = new Promise<never>((_, reject) => (end = reject));
    this.over.catch(() => undefined);
    this.#end = end;
    const { platform, exchange, timeoutMs } = options;
    exchange.onGone(() => this.#cancel(new RpcError(Status.CANCELLED, 'context canceled')));
    this.#timer =
      timeoutMs === null
        ? null
        : platform.timer(Math.min(timeoutMs, limits.gatewayTimeoutMsMax), 'gateway-deadline', () =>
            this.#cancel(new RpcError(Status.DEADLINE_EXCEEDED, 'context deadline exceeded')),
          );
  }

  get path(): string {
    return this.#options.route.descriptor.path;
  }

  get metadata(): Metadata {
    return this.#options.metadata;
  }

  get peer(): Peer {
    return this.#options.peer;
  }

  get timeoutMs(): number | null {
    return this.#options.timeoutMs;
  }

  get cancelled(): RpcError | null {
    return this.#cancelled;
  }

  get bufferedBytes(): number {
    return this.#options.exchange.unsentBytes;
  }

  onCancelled(listener: (reason: RpcError) => void): void {
    if (this.#cancelled !== null) listener(this.#cancelled);
    else if (!this.#finished) this.#listeners.push(listener);
  }

  async read(): Promise<Uint8Array | null> {
    try {
      const next = await Promise.race([this.#options.requests.next(), this.over]);
      return next.done === true ? null : next.value;
    } catch (error) {
      // A body that cannot be read ends the call, as a malformed message does in gRPC.
      this.#cancel(toRpcError(error));
      throw this.#cancelled ?? error;
    }
  }

  write(frame: Uint8Array): boolean {
    if (this.#cancelled !== null || this.#finished) return false;
    const { exchange, route } = this.#options;
    const { response } = route.descriptor;
    this.begin(200);
    const more = exchange.write(`{"result":${toJson(response, response.decode(messageOf(frame)))}}\n`);
    if (exchange.unsentBytes > limits.gatewayUnsentBytesMax) {
      const message = `the client does not read: ${exchange.unsentBytes} bytes of answers wait for it`;
      this.#cancel(new RpcError(Status.RESOURCE_EXHAUSTED, message));
      exchange.destroy();
      return false;
    }
    return more;
  }

  drained(): Promise<void> {
    return Promise.race([this.#options.exchange.drained(), this.over]);
  }

  /** Sends the head of an answer, unless it is sent. */
  begin(status: number): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#options.exchange.begin(status, this.#options.headers);
  }

  /** The method is done: nothing is written any more, nobody is told of anything. */
  finish(): void {
    this.#finished = true;
    this.#listeners = [];
    this.#timer?.cancel();
  }

  #cancel(reason: RpcError): void {
    if (this.#cancelled !== null || this.#finished) return;
    this.#cancelled = reason;
    this.#end(reason);
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener(reason);
  }
}
