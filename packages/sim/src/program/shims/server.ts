import { EventEmitter } from 'node:events';
import type { AddressInfo } from 'node:net';
import { isFlotillaError } from '@flotilla/platform';
import type { Listener } from '@flotilla/platform';
import type { SimConnection } from '../../sim-connection.ts';
import type { Handle } from '../handles.ts';
import { lookUp, nameOfAddress } from '../node-address.ts';
import { nodeError } from '../program-error.ts';
import type { ProgramRuntime } from '../runtime.ts';
import { systemError } from '../system-error.ts';
import { ProgramSocket } from './socket.ts';
import type { SocketOptions } from './socket.ts';

type Callback = (...values: unknown[]) => void;

interface ServerOptions extends SocketOptions {
  readonly pauseOnConnect?: boolean;
}

interface ListenOptions {
  readonly port?: number | string;
  readonly host?: string;
  readonly path?: string;
  readonly signal?: AbortSignal;
}

/** `net.Server` on the simulated network. */
export class ProgramServer extends EventEmitter {
  maxConnections: number | undefined = undefined;
  readonly #runtime: ProgramRuntime;
  readonly #options: ServerOptions;
  readonly #sockets = new Set<ProgramSocket>();
  #state: 'new' | 'starting' | 'listening' | 'closed' = 'new';
  #listener: Listener | null = null;
  #address: AddressInfo | null = null;
  #handle: Handle | null = null;
  #hasRef = true;

  constructor(runtime: ProgramRuntime, options?: ServerOptions | Callback | null, listener?: Callback) {
    super();
    this.#runtime = runtime;
    this.#options = typeof options === 'function' ? {} : (options ?? {});
    const connected = typeof options === 'function' ? options : listener;
    if (connected !== undefined) this.on('connection', connected);
  }

  get listening(): boolean {
    return this.#state === 'listening';
  }

  /** Those that are connected. */
  get sockets(): ReadonlySet<ProgramSocket> {
    return this.#sockets;
  }

  /** `listen(port, host, backlog)` or `listen(options)`, each with a listener behind it. */
  listen(...values: unknown[]): this {
    if (this.#state === 'starting' || this.#state === 'listening') {
      throw nodeError(
        'ERR_SERVER_ALREADY_LISTEN',
        'Listen method has been called more than once without closing.',
      );
    }
    const last = values.at(-1);
    if (typeof last === 'function') this.once('listening', last as Callback);
    const options = listenOptions(values);
    if (typeof options.path === 'string') {
      this.#runtime.uncontrolled('node:net listen on a path', () => undefined);
      return this;
    }
    const port = Number(options.port ?? 0);
    if (!Number.isInteger(port) || port < 0 || port > 65_535) {
      throw Object.assign(new RangeError(`options.port should be >= 0 and < 65536. Received ${String(options.port)}.`), { code: 'ERR_SOCKET_BAD_PORT' }); // prettier-ignore
    }
    options.signal?.addEventListener('abort', () => this.close(), { once: true });
    this.#state = 'starting';
    this.#handle = this.#runtime.handles.open();
    if (!this.#hasRef) this.#handle.unref();
    void this.#listen(options.host ?? '', port);
    return this;
  }

  address(): AddressInfo | null {
    return this.#address;
  }

  /** Accepts nothing more. `close` comes when the last connection is gone. */
  close(done?: (error?: Error) => void): this {
    if (this.#state === 'new' || this.#state === 'closed') {
      if (done !== undefined) {
        const error = nodeError('ERR_SERVER_NOT_RUNNING', 'Server is not running.');
        this.once('close', () => done(error));
      }
    } else {
      if (done !== undefined) this.once('close', () => done());
      void this.#listener?.close();
    }
    this.#state = 'closed';
    this.#listener = null;
    this.#address = null;
    this.#handle?.close();
    this.#closeWhenDrained();
    return this;
  }

  async [Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')](): Promise<void> {
    await new Promise<void>((resolve) => void this.close(() => resolve()));
  }

  getConnections(done: (error: Error | null, count: number) => void): this {
    this.#runtime.tick(() => done(null, this.#sockets.size));
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

  async #listen(host: string, port: number): Promise<void> {
    const { platform, life, world } = this.#runtime;
    const everywhere = ['', '::', '0.0.0.0'].includes(host);
    const address = everywhere ? '::' : (lookUp(life.node, host) ?? host);
    try {
      const listener = await platform.network.listen({ host: everywhere ? '' : nameOfAddress(world, host), port }, {}, (connection) =>
        this.#accept(connection as SimConnection),
      ); // prettier-ignore
      if (this.#state !== 'starting') {
        await listener.close();
        return;
      }
      this.#listener = listener;
      this.#state = 'listening';
      this.#address = {
        address,
        port: listener.address.port,
        family: address.includes(':') ? 'IPv6' : 'IPv4',
      };
      this.#runtime.tick(() => this.emit('listening'));
    } catch (cause) {
      this.#state = 'new';
      this.#handle?.close();
      const code = isFlotillaError(cause, 'FLOTILLA_ADDRESS_IN_USE') ? 'EADDRINUSE' : 'EADDRNOTAVAIL';
      this.#runtime.tick(() => this.emit('error', systemError(code, { syscall: 'listen', address, port })));
    }
  }

  #accept(connection: SimConnection): void {
    const { allowHalfOpen = false, pauseOnConnect = false, highWaterMark } = this.#options;
    if (this.maxConnections !== undefined && this.#sockets.size >= this.maxConnections) {
      connection.destroy();
      this.emit('drop', { remotePort: connection.remote.port });
      return;
    }
    const socket = new ProgramSocket(this.#runtime, { allowHalfOpen, ...(highWaterMark === undefined ? {} : { highWaterMark }) }); // prettier-ignore
    this.#sockets.add(socket);
    socket.server = this;
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#closeWhenDrained();
    });
    if (pauseOnConnect) socket.pause();
    socket.adopt(connection, this.#address?.port ?? 0);
    this.emit('connection', socket);
  }

  #closeWhenDrained(): void {
    if (this.#state !== 'closed' || this.#sockets.size > 0) return;
    this.#runtime.tick(() => this.emit('close'));
  }
}

function listenOptions(values: readonly unknown[]): ListenOptions {
  const [first, second] = values;
  if (typeof first === 'object' && first !== null) return first;
  if (typeof first === 'string' && !/^\d+$/.test(first)) return { path: first };
  const port = typeof first === 'function' || first === undefined ? 0 : Number(first);
  return { port, ...(typeof second === 'string' ? { host: second } : {}) };
}
