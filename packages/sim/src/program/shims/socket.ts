import * as net from 'node:net';
import { Duplex } from 'node:stream';
import { isFlotillaError } from '@flotilla/platform';
import type { Connection } from '@flotilla/platform';
import { limits } from '../../limits.ts';
import { SimConnection } from '../../sim-connection.ts';
import type { HalfOpenHandler } from '../../sim-connection.ts';
import { unacknowledged } from '../../sim-pipe.ts';
import { withoutStack } from '../../without-stack.ts';
import type { Handle } from '../handles.ts';
import { addressOf, lookUp, nameOfAddress } from '../node-address.ts';
import { nodeError } from '../program-error.ts';
import type { ProgramRuntime } from '../runtime.ts';
import { systemError } from '../system-error.ts';

const { isIP } = { ...net };

/** What `connect` was asked for. */
export interface ConnectOptions {
  readonly host?: string;
  readonly port?: number | string;
  readonly path?: string | null;
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

export interface SocketOptions {
  readonly allowHalfOpen?: boolean;
  readonly fd?: number;
  readonly signal?: AbortSignal;
  readonly highWaterMark?: number;
}

type Callback = (...values: unknown[]) => void;

/**
 * `net.Socket` over a stream of the simulated network. A stream of Node in all else: its buffers, events and their order
 * are Node's own.
 */
export class ProgramSocket extends Duplex {
  connecting = false;
  /** Set by the server that has accepted it. */
  server: unknown = null;
  bytesRead = 0;
  autoSelectFamilyAttemptedAddresses: string[] = [];
  readonly #runtime: ProgramRuntime;
  #connection: SimConnection | null = null;
  #handle: Handle | null = null;
  #hasRef = true;
  /** Whether the stream has ever asked for data. */
  #wanted = false;
  #bytesWritten = 0;
  /** A write that the network has no room for; its end comes with `drained`. */
  #blocked: ((error?: Error | null) => void) | null = null;
  #local: net.AddressInfo | null = null;
  #remote: net.AddressInfo | null = null;
  #timeoutMs = 0;
  #timer: { cancel(): void } | null = null;

  constructor(runtime: ProgramRuntime, options: SocketOptions = {}) {
    super({
      allowHalfOpen: options.allowHalfOpen === true,
      autoDestroy: true,
      emitClose: false,
      decodeStrings: true,
      ...(options.highWaterMark === undefined ? {} : { highWaterMark: options.highWaterMark }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    this.#runtime = runtime;
    if (options.fd !== undefined) runtime.uncontrolled('node:net Socket of a descriptor', () => undefined);
    this.on('end', () => {
      if (!this.allowHalfOpen) this.write = this.#writeAfterEnd;
    });
  }

  /** The other side's end of an accepted connection. */
  adopt(connection: SimConnection, port: number): void {
    this.#local = info(addressOf(this.#runtime.life.node), port);
    const peer = this.#runtime.world.nodes.get(connection.remote.host);
    this.#remote = info(
      peer === undefined ? connection.remote.host : addressOf(peer),
      connection.remote.port,
    );
    this.#take(connection);
  }

  connect(...values: unknown[]): this {
    const [options, listener] = connectArguments(values);
    if (typeof options.path === 'string') {
      this.#runtime.uncontrolled('node:net connect to a path', () => undefined);
      return this;
    }
    const port = Number(options.port);
    if (!Number.isInteger(port) || port < 0 || port > 65_535) {
      throw Object.assign(new RangeError(`Port should be >= 0 and < 65536. Received ${String(options.port)}.`), { code: 'ERR_SOCKET_BAD_PORT' }); // prettier-ignore
    }
    if (listener !== null) this.once('connect', listener);
    if (options.timeout !== undefined) this.setTimeout(options.timeout);
    this.connecting = true;
    this.#hold();
    void this.#connect(options.host ?? 'localhost', port);
    return this;
  }

  get pending(): boolean {
    return this.#connection === null || this.connecting;
  }

  get readyState(): 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.connecting) return 'opening';
    if (this.readable && this.writable) return 'open';
    if (this.readable) return 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }

  get bytesWritten(): number {
    return this.#bytesWritten + this.writableLength;
  }

  get bufferSize(): number {
    return this.writableLength;
  }

  get timeout(): number | undefined {
    return this.#timeoutMs === 0 ? undefined : this.#timeoutMs;
  }

  get remoteAddress(): string | undefined {
    return this.#remote?.address;
  }

  get remotePort(): number | undefined {
    return this.#remote?.port;
  }

  get remoteFamily(): string | undefined {
    return this.#remote?.family;
  }

  get localAddress(): string | undefined {
    return this.#local?.address;
  }

  get localPort(): number | undefined {
    return this.#local?.port;
  }

  get localFamily(): string | undefined {
    return this.#local?.family;
  }

  address(): net.AddressInfo | object {
    return this.#local ?? {};
  }

  /** `timeout` when nothing was sent or received for so long. The socket goes on. */
  setTimeout(timeoutMs: number, listener?: Callback): this {
    this.#timeoutMs = timeoutMs;
    if (listener !== undefined) {
      if (timeoutMs === 0) this.off('timeout', listener);
      else this.once('timeout', listener);
    }
    this.#active();
    return this;
  }

  /** As nothing waits to fill a segment here, there is nothing to change. */
  setNoDelay(): this {
    return this;
  }

  /** The simulated kernel gives up what is not acknowledged, and asks idle connections nothing. */
  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    this.#hasRef = true;
    this.#handle?.ref();
    return this;
  }

  unref(): this {
    this.#hasRef = false;
    this.#handle?.unref();
    return this;
  }

  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  resetAndDestroy(): this {
    this.#connection?.destroy();
    return this.destroy();
  }

  /** What a listener throws is an error of the program. It must not get at the stream, which is in the middle of things. */
  override emit(event: string | symbol, ...values: unknown[]): boolean {
    try {
      return super.emit(event as 'data', ...(values as [unknown]));
    } catch (cause) {
      this.#runtime.failed(cause);
      return true;
    }
  }

  override _read(): void {
    this.#wanted = true;
    this.#connection?.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#whenConnected(done, () => {
      this.#active();
      this.#bytesWritten += chunk.length;
      // A copy: what was written must not change any more, and a program may use its buffer again.
      if (this.#connection?.write(new Uint8Array(chunk)) === false && this.#connection.open)
        this.#blocked = done;
      else done();
    });
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), '', done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#whenConnected(done, () => {
      this.#connection?.shutdown();
      done();
    });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.connecting = false;
    this.#timer?.cancel();
    this.#blocked = null;
    const connection = this.#connection;
    this.#connection = null;
    connection?.release();
    done(error);
    this.#runtime.soon(() => {
      this.#handle?.close();
      this.emit('close', error !== null);
    });
  }

  async #connect(host: string, port: number): Promise<void> {
    const { platform, life, world } = this.#runtime;
    const address = lookUp(life.node, host);
    const name = nameOfAddress(world, host);
    try {
      if (address === null) {
        await new Promise<void>((resolve) => this.#runtime.soon(resolve));
        if (isIP(host) === 0) throw nodeError('ENOTFOUND', `getaddrinfo ENOTFOUND ${host}`, { errno: -3008, syscall: 'getaddrinfo', hostname: host }); // prettier-ignore
      }
      const timeoutMs = limits.programConnectMs;
      const connection = await platform.network.connect({ host: name, port }, { timeoutMs });
      this.#connected(connection, info(address ?? host, port));
    } catch (cause) {
      this.destroy(connectError(cause, address ?? host, port));
    }
  }

  #connected(connection: Connection, remote: net.AddressInfo): void {
    if (!(connection instanceof SimConnection)) return;
    if (this.destroyed) {
      connection.release();
      return;
    }
    this.#remote = remote;
    const peer = connection.outgoing.to.remote;
    this.#local = info(addressOf(this.#runtime.life.node), peer.port);
    this.connecting = false;
    this.#take(connection);
    // Listeners run behind the reaction that this is, as what they throw is no rejection.
    this.#runtime.tick(() => {
      if (this.destroyed) return;
      this.emit('connect');
      this.emit('ready');
    });
  }

  #take(connection: SimConnection): void {
    this.#connection = connection;
    this.#hold();
    this.#active();
    const handler: HalfOpenHandler = {
      data: (chunk) => {
        this.bytesRead += chunk.length;
        this.#active();
        if (!this.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))) connection.pause();
      },
      drained: () => {
        const done = this.#blocked;
        this.#blocked = null;
        this.#active();
        done?.();
      },
      ended: () => {
        this.push(null);
        this.read(0);
      },
      closed: (error) => {
        if (error === null || this.#connection === null) return;
        const code = error.message.includes(unacknowledged) ? 'ETIMEDOUT' : 'ECONNRESET';
        this.destroy(
          Object.assign(
            withoutStack(() => systemError(code, { syscall: 'read' })),
            { message: `read ${code}` },
          ),
        );
      },
    };
    // What a paused socket does not read stays with the kernel, unless it was asked for before there was any.
    if (this.isPaused() && !this.#wanted) connection.pause();
    connection.start(handler);
    if (!this.isPaused()) this.read(0);
  }

  #whenConnected(done: (error?: Error | null) => void, action: () => void): void {
    if (!this.connecting) {
      if (this.#connection === null) done(systemError('EPIPE', { syscall: 'write' }));
      else action();
      return;
    }
    const closed = (): void => {
      this.off('connect', connected);
      done(
        nodeError(
          'ERR_SOCKET_CLOSED_BEFORE_CONNECTION',
          'Socket closed before the connection was established',
        ),
      );
    };
    const connected = (): void => {
      this.off('close', closed);
      action();
    };
    this.once('connect', connected);
    this.once('close', closed);
  }

  readonly #writeAfterEnd = ((...values: unknown[]): boolean => {
    const done = values.at(-1);
    const error = nodeError('EPIPE', 'This socket has been ended by the other party');
    if (typeof done === 'function') this.#runtime.tick(() => (done as Callback)(error));
    this.destroy(error);
    return false;
  }) as Duplex['write'];

  #hold(): void {
    if (this.#handle !== null) return;
    this.#handle = this.#runtime.handles.open();
    if (!this.#hasRef) this.#handle.unref();
  }

  #active(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#timeoutMs === 0 || this.destroyed) return;
    this.#timer = this.#runtime.timer(this.#timeoutMs, 'socket timeout', () => {
      this.#timer = null;
      this.emit('timeout');
    });
  }
}

/** `connect(options)`, `connect(port, host)`, `connect(path)`, each with a listener behind it. */
function connectArguments(values: unknown[]): [options: ConnectOptions, listener: Callback | null] {
  const [first, second] = values;
  const last = values.at(-1);
  const listener = typeof last === 'function' ? (last as Callback) : null;
  if (typeof first === 'object' && first !== null) return [first, listener];
  if (typeof first === 'string' && !/^\d+$/.test(first)) return [{ path: first }, listener];
  return [{ port: Number(first), ...(typeof second === 'string' ? { host: second } : {}) }, listener];
}

function connectError(cause: unknown, address: string, port: number): Error {
  const code = isFlotillaError(cause, 'FLOTILLA_CONNECT_REFUSED') ? 'ECONNREFUSED' : isFlotillaError(cause, 'FLOTILLA_CONNECT_FAILED') ? 'ETIMEDOUT' : null; // prettier-ignore
  if (code !== null) return withoutStack(() => systemError(code, { syscall: 'connect', address, port }));
  return cause instanceof Error ? cause : new Error(String(cause));
}

function info(address: string, port: number): net.AddressInfo {
  return { address, port, family: address.includes(':') ? 'IPv6' : 'IPv4' };
}
