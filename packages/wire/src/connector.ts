import { messageOf } from '@flotilla/platform';
import type { Timer } from '@flotilla/platform';
import { limits } from './limits.ts';
import { RpcError } from './rpc-error.ts';
import type { ChannelState } from './rpc.ts';
import { Status } from './status.ts';

/** What a connector needs to know of the world. */
export interface ConnectorOptions<Endpoint, Connection> {
  /** Tried in turn, starting with the first; after a loss with the one after the lost one. */
  readonly endpoints: readonly Endpoint[];
  /** Rejects when the endpoint cannot be reached. `lost` is called once when a connection that was made is no more. */
  readonly connect: (endpoint: Endpoint, lost: () => void) => Promise<Connection>;
  readonly disconnect: (connection: Connection) => void;
  /** False: `lost` has not been called yet, but will be. */
  readonly isUsable: (connection: Connection) => boolean;
  readonly timer: (delayMs: number, label: string, callback: () => void) => Timer;
  /** In [0, 1). */
  readonly random: () => number;
}

/** Keeps a channel's one connection: makes it when a call needs it, and again, with growing pauses, when it is lost. */
export class Connector<Endpoint, Connection> {
  readonly #options: ConnectorOptions<Endpoint, Connection>;
  #state: ChannelState = 'idle';
  #connection: Connection | null = null;
  #next = 0;
  #failures = 0;
  #pause: Timer | null = null;
  #waiting: Waiter<Connection>[] = [];

  constructor(options: ConnectorOptions<Endpoint, Connection>) {
    this.#options = options;
  }

  get state(): ChannelState {
    return this.#state;
  }

  /** Hands over the connection, now or when it is made. Each caller is given at least one fresh try before it fails. */
  whenReady(waiter: Waiter<Connection>): void {
    const connection = this.#connection;
    if (connection !== null && this.#options.isUsable(connection)) {
      waiter.connected(connection);
      return;
    }
    if (connection !== null) this.retire(connection);
    if (this.#state === 'closed') {
      waiter.failed(channelClosed());
      return;
    }
    this.#waiting.push(waiter);
    if (this.#state === 'idle') void this.#connect();
  }

  /** The connection will take no new calls; those under way go on. */
  retire(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = null;
    this.#state = 'idle';
  }

  close(): void {
    this.#state = 'closed';
    this.#pause?.cancel();
    const connection = this.#connection;
    this.#connection = null;
    if (connection !== null) this.#options.disconnect(connection);
    for (const waiter of this.#takeWaiting()) waiter.failed(channelClosed());
  }

  async #connect(): Promise<void> {
    this.#state = 'connecting';
    const { endpoints } = this.#options;
    let reason: unknown = null;
    for (let tries = 0; tries < endpoints.length; tries += 1) {
      const endpoint = endpoints[this.#next % endpoints.length] as Endpoint;
      this.#next += 1;
      try {
        const connection = await this.#open(endpoint);
        if (this.#isClosed()) this.#options.disconnect(connection);
        else this.#connected(connection);
        return;
      } catch (error) {
        reason = error;
      }
      if (this.#isClosed()) return;
    }
    this.#failed(
      new RpcError(Status.UNAVAILABLE, `connection error: ${messageOf(reason)}`, {
        cause: reason,
        isUnsent: true,
      }),
    );
  }

  async #open(endpoint: Endpoint): Promise<Connection> {
    let made: Connection | null = null;
    let isLost = false;
    made = await this.#options.connect(endpoint, () => {
      isLost = true;
      if (made !== null) this.retire(made);
    });
    if (isLost) throw new RpcError(Status.UNAVAILABLE, 'the connection was lost as soon as it was made');
    return made;
  }

  #connected(connection: Connection): void {
    this.#state = 'ready';
    this.#connection = connection;
    this.#failures = 0;
    for (const waiter of this.#takeWaiting()) waiter.connected(connection);
  }

  #failed(error: RpcError): void {
    this.#state = 'failing';
    this.#failures += 1;
    for (const waiter of this.#takeWaiting()) waiter.failed(error);
    const longest = Math.min(limits.reconnectMsMin * 2 ** (this.#failures - 1), limits.reconnectMsMax);
    // Between half and all of it, so that the clients of a server that went down do not come back as one.
    const pauseMs = longest * (0.5 + this.#options.random() / 2);
    this.#pause = this.#options.timer(pauseMs, 'reconnect', () => {
      this.#pause = null;
      this.#state = 'idle';
      if (this.#waiting.length > 0) void this.#connect();
    });
  }

  #takeWaiting(): readonly Waiter<Connection>[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }
}

export interface Waiter<Connection> {
  connected(connection: Connection): void;
  failed(error: RpcError): void;
}

/** A call that was under way when its channel was closed: the server may have seen it. */
export function callGivenUp(): RpcError {
  return new RpcError(Status.CANCELLED, 'grpc: the client connection is closing');
}

export function channelClosed(): RpcError {
  return new RpcError(Status.CANCELLED, 'grpc: the client connection is closing', { isUnsent: true });
}
