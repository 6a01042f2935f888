import type { Address, Connection, Timer, TlsOptions } from '@flotilla/platform';
import { Connector, callGivenUp } from '../connector.ts';
import type { Waiter } from '../connector.ts';
import { FRAME_PREFIX_BYTES, messageTooLarge } from '../frame-parser.ts';
import { limits } from '../limits.ts';
import { RpcError } from '../rpc-error.ts';
import type { CallOptions, ChannelState, ClientStream, RpcChannel } from '../rpc.ts';
import { Status, statusOf } from '../status.ts';
import { Inflow, Outflow } from './flow.ts';
import { FrameKind, FrameReader, decodeText, encodeFrame, encodeText } from './frames.ts';
import type { OpenHead } from './frames.ts';
import type { FramedPlatform } from './framed-server.ts';

export interface FramedChannelOptions {
  /** Tried in this order. */
  readonly endpoints: readonly Address[];
  readonly tls?: TlsOptions;
  readonly maxReceiveMessageBytes?: number;
}

/** A channel over the platform's network, for the simulator. */
export function openFramedChannel(platform: FramedPlatform, options: FramedChannelOptions): RpcChannel {
  return new FramedChannel(platform, options);
}

class FramedChannel implements RpcChannel {
  readonly #platform: FramedPlatform;
  readonly #maxReceiveMessageBytes: number;
  readonly #connector: Connector<Address, ClientConnection>;

  constructor(platform: FramedPlatform, options: FramedChannelOptions) {
    this.#platform = platform;
    this.#maxReceiveMessageBytes = options.maxReceiveMessageBytes ?? limits.framedBytesMax;
    const { tls } = options;
    const random = platform.random.fork('rpc channel');
    this.#connector = new Connector({
      endpoints: options.endpoints,
      connect: async (endpoint, lost) => {
        const connecting = { timeoutMs: limits.connectMs, ...(tls === undefined ? {} : { tls }) };
        return new ClientConnection(await platform.network.connect(endpoint, connecting), lost);
      },
      disconnect: (connection) => connection.destroy(),
      isUsable: (connection) => connection.isUsable,
      timer: (delayMs, label, callback) => platform.timer(delayMs, label, callback),
      random: () => random.float(),
    });
  }

  get state(): ChannelState {
    return this.#connector.state;
  }

  async unary(path: string, frame: Uint8Array, options?: CallOptions): Promise<Uint8Array> {
    const call = this.stream(path, options);
    call.write(frame);
    call.end();
    const message = await call.read();
    if (message === null) throw new RpcError(Status.INTERNAL, 'the call ended well without a message');
    await call.read();
    return message;
  }

  stream(path: string, options: CallOptions = {}): ClientStream<Uint8Array, Uint8Array> {
    const call = new FramedClientCall(this.#platform, path, options, this.#maxReceiveMessageBytes);
    call.begin(this.#connector);
    return call;
  }

  ready(): Promise<void> {
    return new Promise((connected, failed) => {
      this.#connector.whenReady({ connected: () => connected(), failed });
    });
  }

  close(): void {
    this.#connector.close();
  }
}

/** A connection and its calls by number. */
class ClientConnection {
  readonly connection: Connection;
  readonly #lost: () => void;
  readonly #reader = new FrameReader();
  readonly #calls = new Map<number, FramedClientCall>();
  #lastCall = 0;
  #isUsable = true;

  constructor(connection: Connection, lost: () => void) {
    this.connection = connection;
    this.#lost = lost;
    connection.start({
      data: (chunk) => this.#data(chunk),
      drained: () => {
        for (const call of this.#calls.values()) call.flush();
      },
      closed: () => this.#end(new RpcError(Status.UNAVAILABLE, 'the connection was lost')),
    });
  }

  get isUsable(): boolean {
    return this.#isUsable;
  }

  add(call: FramedClientCall): number {
    this.#lastCall += 1;
    this.#calls.set(this.#lastCall, call);
    return this.#lastCall;
  }

  forget(call: number): void {
    this.#calls.delete(call);
    if (!this.#isUsable && this.#calls.size === 0) this.connection.close();
  }

  /** The channel is closed. */
  destroy(): void {
    this.connection.destroy();
    this.#end(callGivenUp());
  }

  #data(chunk: Uint8Array): void {
    try {
      this.#reader.push(chunk, (id, kind, payload) => this.#frame(id, kind, payload));
    } catch {
      this.connection.destroy();
      this.#end(new RpcError(Status.UNAVAILABLE, 'the server sent what is not a frame'));
    }
  }

  #frame(id: number, kind: number, payload: Uint8Array): void {
    if (kind === FrameKind.goAway) {
      this.#retire();
      if (this.#calls.size === 0) this.connection.close();
      return;
    }
    const call = this.#calls.get(id);
    if (call === undefined) return;
    if (kind === FrameKind.message) call.message(payload);
    else if (kind === FrameKind.credit) call.addCredit(payload);
    else if (kind === FrameKind.status) call.status(payload);
  }

  #retire(): void {
    this.#isUsable = false;
    this.#lost();
  }

  #end(reason: RpcError): void {
    this.#retire();
    for (const call of this.#calls.values()) call.failed(reason);
  }
}

class FramedClientCall implements ClientStream<Uint8Array, Uint8Array>, Waiter<ClientConnection> {
  readonly #platform: FramedPlatform;
  readonly #path: string;
  readonly #options: CallOptions;
  readonly #maxReceiveMessageBytes: number;
  readonly #startedAt: number;
  readonly #outflow = new Outflow();
  readonly #inflow = new Inflow();
  #deadline: Timer | null = null;
  #connection: ClientConnection | null = null;
  #id = 0;
  #isSettled = false;
  #isEnded = false;

  constructor(platform: FramedPlatform, path: string, options: CallOptions, maxReceiveMessageBytes: number) {
    this.#platform = platform;
    this.#path = path;
    this.#options = options;
    this.#maxReceiveMessageBytes = maxReceiveMessageBytes;
    this.#startedAt = platform.now();
  }

  /** Starts the clock, and asks for a connection unless the call is cancelled already. */
  begin(connector: Connector<Address, ClientConnection>): void {
    const { timeoutMs, signal } = this.#options;
    if (timeoutMs !== undefined) {
      const delayMs = Math.min(timeoutMs, limits.callTimeoutMsMax);
      this.#deadline = this.#platform.timer(delayMs, 'rpc deadline', () => {
        const isUnsent = this.#connection === null;
        this.#abandon(new RpcError(Status.DEADLINE_EXCEEDED, 'context deadline exceeded', { isUnsent }));
      });
    }
    signal?.addEventListener('abort', this.cancel);
    if (signal?.aborted === true) this.cancel();
    else connector.whenReady(this);
  }

  connected(connection: ClientConnection): void {
    if (this.#isSettled) return;
    const { timeoutMs, metadata } = this.#options;
    const waitedMs = this.#platform.now() - this.#startedAt;
    const head: OpenHead = {
      path: this.#path,
      timeoutMs: timeoutMs === undefined ? null : Math.max(0, timeoutMs - waitedMs),
      metadata: { ...metadata } as OpenHead['metadata'],
    };
    this.#connection = connection;
    this.#id = connection.add(this);
    this.#send(FrameKind.open, encodeText(JSON.stringify(head)));
    const link = { connection: connection.connection, call: this.#id };
    this.#inflow.attach(link);
    this.#outflow.attach(link);
  }

  failed(error: RpcError): void {
    if (!this.#settle()) return;
    this.#inflow.queue.end(error);
  }

  readonly cancel = (): void => {
    const isUnsent = this.#connection === null;
    this.#abandon(new RpcError(Status.CANCELLED, 'context canceled', { isUnsent }));
  };

  read(): Promise<Uint8Array | null> {
    return this.#inflow.queue.read();
  }

  write(frame: Uint8Array): boolean {
    if (this.#isSettled || this.#isEnded) return false;
    return this.#outflow.write(frame);
  }

  async drained(): Promise<void> {
    if (this.#isSettled || !this.#outflow.isFull) return;
    await new Promise<void>((resolve) => this.#outflow.onRoom(resolve));
  }

  end(): void {
    if (this.#isSettled || this.#isEnded) return;
    this.#isEnded = true;
    this.#outflow.finish(FrameKind.end, new Uint8Array(0));
  }

  get bufferedBytes(): number {
    return this.#outflow.bufferedBytes;
  }

  message(frame: Uint8Array): void {
    const message = frame.subarray(FRAME_PREFIX_BYTES);
    const max = this.#maxReceiveMessageBytes;
    if (message.length > max) this.#abandon(messageTooLarge(message.length, max));
    else this.#inflow.receive(frame, message);
  }

  addCredit(payload: Uint8Array): void {
    this.#outflow.addCredit(new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0));
  }

  flush(): void {
    this.#outflow.flush();
  }

  status(payload: Uint8Array): void {
    if (!this.#settle()) return;
    const status = statusOf(payload[0] ?? Status.UNKNOWN);
    const isOk = status === Status.OK;
    this.#inflow.queue.end(isOk ? null : new RpcError(status, decodeText(payload.subarray(1))));
  }

  #abandon(error: RpcError): void {
    if (this.#isSettled) return;
    this.#send(FrameKind.cancel, new Uint8Array(0));
    this.#settle();
    this.#inflow.queue.fail(error);
  }

  /** False: the call had ended already. */
  #settle(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    this.#deadline?.cancel();
    this.#options.signal?.removeEventListener('abort', this.cancel);
    this.#outflow.abandon();
    this.#connection?.forget(this.#id);
    return true;
  }

  #send(kind: number, payload: Uint8Array): void {
    this.#connection?.connection.write(encodeFrame(this.#id, kind, payload));
  }
}
