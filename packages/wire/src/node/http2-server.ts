import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { FlotillaError } from '@flotilla/platform';
import type { Address, PeerIdentity, TlsOptions, TlsSource } from '@flotilla/platform';
import {
  handshakeFailureOf,
  identityOf,
  remoteOfFailed,
  removeStaleSocket,
  secureContext,
  secureContextOptions,
} from '@flotilla/platform/node';
import { limits } from '../limits.ts';
import type { Peer, RpcServer, RpcServerOptions } from '../rpc.ts';
import { acceptCall } from './http2-server-call.ts';
import type { CallContext } from './http2-server-call.ts';
import { earlySettings, Http2Opening } from './http2-opening.ts';

export interface Http2ServerOptions extends RpcServerOptions {
  readonly address: Address;
  /** The path of a Unix socket to listen at instead of the address. */
  readonly socketPath?: string;
  readonly tls?: TlsOptions | TlsSource;
  /** With `tls`: also serves who comes without it, on the same port. */
  readonly cleartext?: boolean;
  /** Why the owner of a verified certificate is not served all the same; null: it is. Asked once a connection. */
  readonly refuse?: (identity: PeerIdentity) => string | null;
  /** Told of connections that came to nothing because of TLS, for the log. */
  readonly rejected?: (remote: Address, reason: string) => void;
  /**
   * Answers what is not gRPC on the same port: HTTP/1, and with TLS also HTTP/2 requests of another content type, as
   * etcd does. Absent: 404.
   */
  readonly http?: http.RequestListener;
  /** Calls at a time on one connection, at most `limits.concurrentStreams`. */
  readonly maxConcurrentStreams?: number;
}

/**
 * Serves gRPC over HTTP/2, in the clear and over TLS, and HTTP/1 on the same port. Rejects with
 * `FLOTILLA_ADDRESS_IN_USE`, `FLOTILLA_ADDRESS_UNAVAILABLE` or `FLOTILLA_TLS_INVALID`.
 *
 * @example
 * const server = await listenHttp2({ address: { host: '127.0.0.1', port: 2379 }, services, http: healthHandler });
 */
export async function listenHttp2(options: Http2ServerOptions): Promise<RpcServer> {
  const server = new Http2Server(options);
  await server.listen();
  return server;
}

class Http2Server implements RpcServer {
  readonly #options: Http2ServerOptions;
  readonly #listener: net.Server;
  /** Never listens: it is handed the connections that begin as TLS does. */
  readonly #tls: tls.Server | null;
  readonly #http1: http.Server;
  readonly #sockets = new Set<net.Socket>();
  /** What TLS connections run over, those in their handshakes too. */
  readonly #underTls = new Set<net.Socket>();
  /** Of these not enough has come to know their protocol. */
  readonly #undecided = new Set<net.Socket>();
  readonly #sessions = new Set<http2.ServerHttp2Session>();
  #address: Address;
  #closing: Promise<void> | null = null;

  constructor(options: Http2ServerOptions) {
    this.#options = options;
    this.#address = options.address;
    this.#http1 = http.createServer(http1Options, options.http ?? notFound);
    // It never listens itself, and without this event it would not enforce its time-outs nor know its connections.
    this.#http1.emit('listening');
    this.#tls = options.tls === undefined ? null : this.#tlsServer(options.tls);
    this.#listener = net.createServer(socketOptions, (socket) => this.#accept(socket));
  }

  get address(): Address {
    return this.#address;
  }

  listen(): Promise<void> {
    const { host, port } = this.#options.address;
    const path = this.#options.socketPath;
    const where = path ?? `${host}:${port}`;
    return new Promise((resolve, reject) => {
      const failed = (cause: Error): void => {
        const inUse = 'code' in cause && cause.code === 'EADDRINUSE';
        const code = inUse ? 'FLOTILLA_ADDRESS_IN_USE' : 'FLOTILLA_ADDRESS_UNAVAILABLE';
        reject(new FlotillaError(code, `cannot listen on ${where}: ${cause.message}`, { cause }));
      };
      this.#listener.once('error', failed);
      if (path !== undefined) removeStaleSocket(path);
      const target = path === undefined ? { host, port, exclusive: true } : { path };
      this.#listener.listen(target, () => {
        this.#listener.off('error', failed);
        // From here on only single accepts fail (too many open files); the next one may succeed.
        this.#listener.on('error', () => {});
        const bound = this.#listener.address();
        if (bound !== null && typeof bound === 'object') this.#address = { host, port: bound.port };
        resolve();
      });
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  async destroy(): Promise<void> {
    this.#stopListening();
    // The sockets, not the sessions: those would end each stream, and clients would take that for an answer.
    for (const socket of this.#sockets) socket.destroy();
    for (const socket of this.#underTls) socket.destroy();
    await this.close();
  }

  async #drain(): Promise<void> {
    this.#stopListening();
    for (const session of this.#sessions) session.close();
    this.#http1.closeIdleConnections();
    for (const socket of this.#undecided) socket.destroy();
    const open = [...this.#sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    await Promise.all(open);
    this.#http1.close();
  }

  #stopListening(): void {
    if (this.#listener.listening) this.#listener.close();
  }

  #accept(socket: net.Socket): void {
    // TLS, sessions and HTTP/1 parsers add listeners of their own; this one is for the time before and after them.
    socket.on('error', () => socket.destroy());
    const secure = this.#tls;
    if (secure === null) {
      this.#serve(socket);
      return;
    }
    const remote = remoteOf(socket);
    const forget = this.#undecidedUntil(socket, () => undefined);
    socket.once('data', (chunk: Buffer) => {
      forget();
      if (chunk[0] === TLS_HANDSHAKE) {
        this.#underTls.add(socket);
        socket.once('close', () => this.#underTls.delete(socket));
        this.#handOver(socket, chunk, () => secure.emit('connection', socket));
      } else if (this.#options.cleartext === true) this.#handOver(socket, chunk, () => this.#serve(socket));
      else this.#reject(socket, remote, 'first record does not look like a TLS handshake');
    });
  }

  /** A connection that is HTTP from here on. */
  #serve(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const protocol = socket instanceof tls.TLSSocket ? socket.alpnProtocol : null;
    if (protocol === 'h2') this.#acceptHttp2(socket);
    else if (protocol === 'http/1.1') this.#http1.emit('connection', socket);
    else this.#sniff(socket);
  }

  #tlsServer(given: TlsOptions | TlsSource): tls.Server {
    let options = typeof given === 'function' ? given() : given;
    secureContext(options);
    const server = tls.createServer({
      ...secureContextOptions(options),
      ALPNProtocols: [...(options.protocols ?? ['h2', 'http/1.1'])],
      requestCert: options.ca !== undefined || options.requireClientCertificate === true,
      rejectUnauthorized: options.requireClientCertificate === true,
      handshakeTimeout: limits.handshakeMs,
    });
    if (typeof given === 'function') {
      // Before the server's own listener, which begins the handshake.
      server.prependListener('connection', () => {
        const current = given();
        if (current === options) return;
        options = current;
        server.setSecureContext(secureContextOptions(options));
      });
    }
    server.on('secureConnection', (socket) => this.#secured(socket));
    server.on('tlsClientError', (cause, socket) => {
      this.#reject(socket, remoteOfFailed(socket), handshakeFailureOf(cause, socket));
    });
    return server;
  }

  #secured(socket: tls.TLSSocket): void {
    socket.on('error', () => socket.destroy());
    const identity = identityOf(socket);
    const reason = identity === null ? null : (this.#options.refuse?.(identity) ?? null);
    if (this.#closing !== null) socket.destroy();
    else if (reason === null) this.#serve(socket);
    else this.#reject(socket, remoteOf(socket), reason);
  }

  #reject(socket: net.Socket, remote: Address, reason: string): void {
    socket.destroy();
    this.#options.rejected?.(remote, reason);
  }

  /** Destroys the socket unless the answer, which is to be called when it is known what it speaks, comes in time. */
  #undecidedUntil(socket: net.Socket, ended: () => void): () => void {
    const done = (): void => {
      clearTimeout(timer);
      this.#undecided.delete(socket);
      socket.off('close', done);
      ended();
    };
    const timer = setTimeout(() => socket.destroy(), limits.handshakeMs);
    this.#undecided.add(socket);
    socket.once('close', done);
    return done;
  }

  /** Waits for as many bytes as tell HTTP/2 from anything else. */
  #sniff(socket: net.Socket): void {
    let seen: Buffer = Buffer.alloc(0);
    const look = (chunk: Buffer): void => {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const isPreface = PREFACE.subarray(0, seen.length).equals(seen.subarray(0, PREFACE.length));
      if (isPreface && seen.length < PREFACE.length) return;
      done();
      if (isPreface) this.#open(socket, seen);
      else if (seen[0] === TLS_HANDSHAKE) {
        this.#reject(socket, remoteOf(socket), 'a TLS handshake where TLS is not served');
      } else this.#handOver(socket, seen, () => this.#http1.emit('connection', socket));
    };
    const done = this.#undecidedUntil(socket, () => socket.off('data', look));
    socket.on('data', look);
  }

  /** Holds an HTTP/2 connection until its first request is in, see {@link Http2Opening}. */
  #open(socket: net.Socket, first: Buffer): void {
    const opening = new Http2Opening();
    const look = (chunk: Buffer): void => {
      if (opening.push(chunk)) finish();
      else if (opening.bytes.length > limits.heldBytes) socket.destroy();
    };
    const finish = (): void => {
      done();
      this.#handOver(socket, opening.bytes, () => this.#acceptHttp2(socket));
    };
    const done = this.#undecidedUntil(socket, () => {
      clearInterval(patience);
      socket.off('data', look);
    });
    // A client that connects and asks nothing yet is fine, too.
    const patience = setInterval(() => {
      if (opening.acknowledged) finish();
    }, limits.firstRequestMs);
    socket.on('data', look);
    socket.write(earlySettings);
    look(first);
  }

  #handOver(socket: net.Socket, seen: Buffer, accept: () => void): void {
    socket.pause();
    accept();
    // Only now: an HTTP/1 parser reads the socket below its stream and would miss what the stream holds already.
    socket.unshift(seen);
    socket.resume();
  }

  #acceptHttp2(socket: net.Socket): void {
    const session = http2.performServerHandshake(socket, sessionOptions(this.#options));
    this.#sessions.add(session);
    session.setLocalWindowSize(limits.connectionWindowBytes);
    session.once('close', () => {
      this.#sessions.delete(session);
      socket.destroy();
    });
    // A protocol error ends this connection and nothing else.
    session.on('error', () => session.destroy());
    const { services, http: handler, handlerFailed } = this.#options;
    const context: CallContext = {
      services,
      maxReceiveMessageBytes: this.#options.maxReceiveMessageBytes ?? limits.maxReceiveMessageBytes,
      peer: peerOf(socket),
      otherContent: socket instanceof tls.TLSSocket ? (handler ?? null) : null,
      handlerFailed: handlerFailed ?? null,
    };
    session.on('stream', (stream, headers, flags) => acceptCall(context, stream, headers, flags));
  }
}

/** What a client of HTTP/2 sends first (RFC 9113, section 3.4); enough of it to be sure. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\n');
/** The content type of the first record of TLS; no request of HTTP begins with it. */
const TLS_HANDSHAKE = 0x16;

function sessionOptions(options: Http2ServerOptions): http2.ServerOptions {
  return {
    // In units of a million bytes. The default, 10, ends sessions whose many streams each wait for a slow reader.
    maxSessionMemory: limits.sessionMemoryMegabytes,
    settings: {
      enablePush: false,
      maxConcurrentStreams: Math.min(limits.concurrentStreams, options.maxConcurrentStreams ?? Infinity),
      maxHeaderListSize: limits.headerListBytes,
      initialWindowSize: limits.streamWindowBytes,
    },
  };
}

/** Answers must not wait for the acknowledgement of earlier ones (Nagle). */
const socketOptions = { noDelay: true, keepAlive: true, keepAliveInitialDelay: limits.keepAliveMs } as const;

function peerOf(socket: net.Socket): Peer {
  return {
    remote: remoteOf(socket),
    identity: socket instanceof tls.TLSSocket ? identityOf(socket) : null,
  };
}

function remoteOf(socket: net.Socket): Address {
  return { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
}

/**
 * As Go's server: a body may take as long as it likes, because that of a watch over HTTP lives as long as the watch;
 * and an idle connection is kept, because a client's pool would find it closed under its next request.
 */
const http1Options: http.ServerOptions = {
  requestTimeout: 0,
  keepAliveTimeout: 0,
  headersTimeout: limits.handshakeMs,
  maxHeaderSize: limits.headerListBytes,
};

function notFound(_request: http.IncomingMessage, response: http.ServerResponse): void {
  response.writeHead(404).end('404 page not found\n');
}
