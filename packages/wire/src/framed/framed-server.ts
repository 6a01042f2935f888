import type { Address, Connection, Listener, Platform, Timer, TlsOptions } from '@flotilla/platform';
import { FRAME_PREFIX_BYTES, messageTooLarge } from '../frame-parser.ts';
import { limits } from '../limits.ts';
import { RpcError, toRpcError } from '../rpc-error.ts';
import type { Metadata, Method, Peer, RpcServer, RpcServerOptions, ServerStream } from '../rpc.ts';
import { Status } from '../status.ts';
import { Inflow, Outflow } from './flow.ts';
import { FrameKind, FrameReader, decodeText, encodeFrame, encodeText } from './frames.ts';
import type { OpenHead } from './frames.ts';

export interface FramedServerOptions extends RpcServerOptions {
  readonly address: Address;
  readonly tls?: TlsOptions;
}

/** As much of the platform as the transport needs. */
export type FramedPlatform = Pick<Platform, 'timer' | 'random' | 'now' | 'network'>;

/** Serves calls over the platform's network, so that a whole server runs in the simulator. */
export async function listenFramed(
  platform: FramedPlatform,
  options: FramedServerOptions,
): Promise<RpcServer> {
  const connections = new Set<ServerConnection>();
  const listener = await platform.network.listen(
    options.address,
    options.tls === undefined ? {} : { tls: options.tls },
    (connection) => {
      const served = new ServerConnection(platform, options, connection, () => connections.delete(served));
      connections.add(served);
    },
  );
  return new FramedServer(listener, connections);
}

class FramedServer implements RpcServer {
  readonly #listener: Listener;
  readonly #connections: ReadonlySet<ServerConnection>;

  constructor(listener: Listener, connections: ReadonlySet<ServerConnection>) {
    this.#listener = listener;
    this.#connections = connections;
  }

  get address(): Address {
    return this.#listener.address;
  }

  async close(): Promise<void> {
    await this.#listener.close();
    await Promise.all([...this.#connections].map((connection) => connection.drain()));
  }

  async destroy(): Promise<void> {
    await this.#listener.close();
    for (const connection of this.#connections) connection.destroy();
  }
}

/** One client: its calls by number. */
class ServerConnection {
  readonly platform: FramedPlatform;
  readonly options: FramedServerOptions;
  readonly connection: Connection;
  readonly peer: Peer;
  readonly #ended: () => void;
  readonly #reader = new FrameReader();
  readonly #calls = new Map<number, FramedServerCall>();
  #drained: (() => void) | null = null;

  constructor(
    platform: FramedPlatform,
    options: FramedServerOptions,
    connection: Connection,
    ended: () => void,
  ) {
    this.platform = platform;
    this.options = options;
    this.connection = connection;
    this.peer = { remote: connection.remote, identity: connection.identity };
    this.#ended = ended;
    connection.start({
      data: (chunk) => this.#data(chunk),
      drained: () => {
        for (const call of this.#calls.values()) call.flush();
      },
      closed: () => this.#closed(),
    });
  }

  /** Resolves when the calls under way have ended and the connection is closed. */
  drain(): Promise<void> {
    this.connection.write(encodeFrame(0, FrameKind.goAway, new Uint8Array(0)));
    return new Promise((resolve) => {
      this.#drained = resolve;
      this.#closeWhenIdle();
    });
  }

  destroy(): void {
    this.connection.destroy();
    this.#closed();
  }

  forget(call: number): void {
    this.#calls.delete(call);
    this.#closeWhenIdle();
  }

  #closeWhenIdle(): void {
    if (this.#drained === null || this.#calls.size > 0) return;
    this.connection.close();
    this.#drained();
    this.#ended();
  }

  #data(chunk: Uint8Array): void {
    try {
      this.#reader.push(chunk, (call, kind, payload) => this.#frame(call, kind, payload));
    } catch {
      // Bytes that are not ours end this connection and nothing else.
      this.destroy();
    }
  }

  #frame(id: number, kind: number, payload: Uint8Array): void {
    if (kind === FrameKind.open) {
      this.#open(id, JSON.parse(decodeText(payload)) as OpenHead);
      return;
    }
    // Frames of a call that has ended here were on their way before the client knew.
    const call = this.#calls.get(id);
    if (call === undefined) return;
    if (kind === FrameKind.message) call.message(payload);
    else if (kind === FrameKind.end) call.end();
    else if (kind === FrameKind.cancel) call.abort();
    else if (kind === FrameKind.credit) call.addCredit(payload);
  }

  #open(id: number, head: OpenHead): void {
    const method = this.options.services.find(head.path);
    if (method === undefined) this.#refuse(id, this.options.services.unimplemented(head.path));
    else if (this.#drained !== null)
      this.#refuse(id, new RpcError(Status.UNAVAILABLE, 'the server is closing'));
    else if (this.#calls.size >= limits.concurrentStreams) {
      this.#refuse(id, new RpcError(Status.UNAVAILABLE, 'too many calls at a time'));
    } else {
      const call = new FramedServerCall(this, id, method, head);
      this.#calls.set(id, call);
      call.start();
    }
  }

  #refuse(id: number, error: RpcError): void {
    this.connection.write(encodeFrame(id, FrameKind.status, encodeStatus(error)));
  }

  #closed(): void {
    for (const call of this.#calls.values()) call.abort();
    this.#drained?.();
    this.#ended();
  }
}

class FramedServerCall implements ServerStream<Uint8Array, Uint8Array> {
  readonly path: string;
  readonly metadata: Metadata;
  readonly timeoutMs: number | null;
  readonly #connection: ServerConnection;
  readonly #id: number;
  readonly #method: Method;
  readonly #outflow = new Outflow();
  readonly #inflow = new Inflow();
  #deadline: Timer | null = null;
  #requested = false;
  #answered = false;
  #cancelled: RpcError | null = null;
  #listeners: ((reason: RpcError) => void)[] = [];

  constructor(connection: ServerConnection, id: number, method: Method, head: OpenHead) {
    this.#connection = connection;
    this.#id = id;
    this.#method = method;
    this.path = head.path;
    this.metadata = head.metadata;
    this.timeoutMs = head.timeoutMs;
    const link = { connection: connection.connection, call: id };
    this.#outflow.attach(link);
    this.#inflow.attach(link);
  }

  get peer(): Peer {
    return this.#connection.peer;
  }

  get cancelled(): RpcError | null {
    return this.#cancelled;
  }

  get bufferedBytes(): number {
    return this.#outflow.bufferedBytes;
  }

  start(): void {
    if (this.timeoutMs !== null) {
      const timeoutMs = Math.min(this.timeoutMs, limits.callTimeoutMsMax);
      this.#deadline = this.#connection.platform.timer(timeoutMs, 'rpc deadline', () => {
        this.#refuse(new RpcError(Status.DEADLINE_EXCEEDED, 'context deadline exceeded'));
      });
    }
    if (this.#method.kind !== 'unary') this.#run(this.#method.handle(this));
  }

  onCancelled(listener: (reason: RpcError) => void): void {
    if (this.#cancelled !== null) listener(this.#cancelled);
    else this.#listeners.push(listener);
  }

  read(): Promise<Uint8Array | null> {
    return this.#inflow.queue.read();
  }

  write(frame: Uint8Array): boolean {
    if (this.#answered || this.#cancelled !== null) return false;
    const more = this.#outflow.write(frame);
    if (this.#outflow.bufferedBytes <= limits.callUnsentBytesMax) return more;
    const unsent = this.#outflow.bufferedBytes;
    this.#refuse(
      new RpcError(
        Status.RESOURCE_EXHAUSTED,
        `the client does not read: ${unsent} bytes of answers wait for it`,
      ),
    );
    return false;
  }

  async drained(): Promise<void> {
    if (this.#cancelled === null && this.#outflow.isFull) {
      await new Promise<void>((resolve) => this.#outflow.onRoom(resolve));
    }
    if (this.#cancelled !== null) throw this.#cancelled;
  }

  message(frame: Uint8Array): void {
    const message = frame.subarray(FRAME_PREFIX_BYTES);
    const max = this.#connection.options.maxReceiveMessageBytes ?? limits.maxReceiveMessageBytes;
    if (message.length > max) this.#refuse(messageTooLarge(message.length, max));
    else if (this.#method.kind !== 'unary') this.#inflow.receive(frame, message);
    else if (!this.#requested) {
      this.#requested = true;
      this.#handleUnary(this.#method, message);
    }
  }

  end(): void {
    if (this.#method.kind === 'unary' && !this.#requested) {
      this.#refuse(new RpcError(Status.INTERNAL, 'unexpected EOF'));
    } else this.#inflow.queue.end(null);
  }

  /** The client has given up, or is gone. */
  abort(): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#cancel(new RpcError(Status.CANCELLED, 'context canceled'));
    this.#forget();
  }

  addCredit(payload: Uint8Array): void {
    this.#outflow.addCredit(new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0));
  }

  flush(): void {
    this.#outflow.flush();
  }

  #handleUnary(method: Method & { readonly kind: 'unary' }, request: Uint8Array): void {
    try {
      const response = method.handle(request, this);
      if (response instanceof Uint8Array) this.#succeed(response);
      else this.#run(response);
    } catch (error) {
      this.#handlerFailed(error);
    }
  }

  #run(response: Promise<Uint8Array | void>): void {
    response.then(
      (frame) => this.#succeed(frame ?? null),
      (error: unknown) => this.#handlerFailed(error),
    );
  }

  #succeed(frame: Uint8Array | null): void {
    if (this.#answered) return;
    if (frame !== null) this.#outflow.write(frame);
    this.#finish(encodeStatus(null));
  }

  #handlerFailed(error: unknown): void {
    if (!(error instanceof RpcError)) this.#connection.options.handlerFailed?.(error, this.path);
    if (!this.#answered) this.#finish(encodeStatus(toRpcError(error)));
  }

  /** Ends the call for a reason that its handler does not know of. */
  #refuse(error: RpcError): void {
    if (this.#answered) return;
    this.#cancel(error);
    this.#finish(encodeStatus(error));
  }

  #finish(status: Uint8Array): void {
    this.#answered = true;
    this.#outflow.finish(FrameKind.status, status);
    if (this.#outflow.bufferedBytes === 0) this.#forget();
    else this.#outflow.onRoom(() => this.#forget());
  }

  #cancel(reason: RpcError): void {
    this.#cancelled = reason;
    this.#inflow.queue.fail(reason);
    this.#outflow.abandon();
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener(reason);
  }

  #forget(): void {
    this.#deadline?.cancel();
    this.#connection.forget(this.#id);
  }
}

function encodeStatus(error: RpcError | null): Uint8Array {
  const text = encodeText(error?.message ?? '');
  const payload = new Uint8Array(1 + text.length);
  payload[0] = error?.status ?? Status.OK;
  payload.set(text, 1);
  return payload;
}
