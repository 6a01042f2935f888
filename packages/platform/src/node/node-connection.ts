import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { FlotillaError } from '../errors.ts';
import type { Address, Connection, ConnectionHandler, PeerIdentity } from '../network.ts';
import { limits } from './limits.ts';
import { distrustOf, identityOf } from './secure-context.ts';

/** One TCP or TLS socket. */
export class NodeConnection implements Connection {
  readonly remote: Address;
  readonly identity: PeerIdentity | null;
  readonly untrusted?: string;
  readonly protocol: string | null;
  readonly #socket: Socket;
  readonly #fail: (cause: unknown) => void;
  readonly #canReset: boolean;
  #handler: ConnectionHandler | null = null;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #error: Error | null = null;
  #corked = false;
  /** `write` answered false and `drained` was not called since. */
  #full = false;
  #paused = false;

  /** `local`: it is a Unix socket. */
  constructor(socket: Socket, local: boolean, fail: (cause: unknown) => void) {
    this.#socket = socket;
    this.#fail = fail;
    // Neither a TLS socket nor a Unix one can: Node throws for the latter. The other side sees the stream end.
    this.#canReset = !(socket instanceof TLSSocket || local);
    this.remote = { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    this.identity = socket instanceof TLSSocket ? identityOf(socket) : null;
    const untrusted = socket instanceof TLSSocket ? distrustOf(socket) : null;
    if (untrusted !== null) this.untrusted = untrusted;
    this.protocol =
      socket instanceof TLSSocket && typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : null;
    socket.on('error', (cause) => {
      this.#error ??= new FlotillaError(
        'FLOTILLA_CONNECTION_RESET',
        `the connection with ${this.remote.host}:${this.remote.port} broke: ${cause.message}`,
        { cause },
      );
    });
    socket.on('close', () => this.#finish());
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler;
    if (this.#state === 'closed') {
      // Cut before the owner was ready: it hears of it, but not before `start` has returned.
      setImmediate(() => this.#tellClosed());
      return;
    }
    this.#socket.on('data', (chunk: Buffer) => {
      if (this.#state !== 'open') return;
      // A plain view: a Buffer's own methods (slice, toString) differ from what the simulator delivers.
      this.#guard(() => handler.data(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)));
    });
    this.#socket.on('drain', () => {
      if (!this.#full || this.#state !== 'open') return;
      this.#full = false;
      this.#guard(() => handler.drained());
    });
    if (this.#paused) this.#socket.pause();
    else this.#socket.resume();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#state !== 'open') return false;
    if (!this.#corked) {
      // Everything that is written until the current callback returns leaves in one system call.
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(this.#uncork);
    }
    this.#socket.write(bytes);
    if (this.#socket.writableLength > limits.writeHighWaterMarkBytes) this.#full = true;
    return !this.#full;
  }

  pause(): void {
    this.#paused = true;
    if (this.#handler !== null) this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#handler !== null) this.#socket.resume();
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#uncork();
    this.#socket.end();
    // The other side's end is seen only by reading up to it; what still comes before it is nobody's any more.
    this.#socket.resume();
    const linger = setTimeout(() => this.#socket.destroy(), limits.closeLingerMs);
    this.#socket.once('close', () => clearTimeout(linger));
  }

  destroy(): void {
    if (this.#state === 'closed') return;
    // After a shutdown libuv refuses to send a reset (uv_tcp_close_reset), and Node would never say that it is closed.
    const isShutDown = this.#state === 'closing';
    this.#state = 'closing';
    if (isShutDown || !this.#canReset) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  readonly #uncork = (): void => {
    if (!this.#corked) return;
    this.#corked = false;
    this.#socket.uncork();
  };

  #finish(): void {
    const wasClosing = this.#state === 'closing';
    this.#state = 'closed';
    if (wasClosing) this.#error = null;
    if (this.#handler !== null) this.#tellClosed();
  }

  #tellClosed(): void {
    this.#guard(() => this.#handler?.closed(this.#error));
  }

  #guard(call: () => void): void {
    try {
      call();
    } catch (cause) {
      this.#fail(cause);
    }
  }
}
