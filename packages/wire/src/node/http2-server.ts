import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { FlotillaError, messageOf } from '@flotilla/platform';
import type { Address, PeerIdentity, TlsOptions } from '@flotilla/platform';
import { limits } from '../limits.ts';
import type { Peer, RpcServer, RpcServerOptions } from '../rpc.ts';
import { acceptCall } from './http2-server-call.ts';
import type { CallContext } from './http2-server-call.ts';
import { earlySettings, Http2Opening } from './http2-opening.ts';

export interface Http2ServerOptions extends RpcServerOptions {
  readonly address: Address;
  readonly tls?: TlsOptions;
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
  readonly #http1: http.Server;
  readonly #sockets = new Set<net.Socket>();
  /** Of these not enough has come to know their protocol. */
  readonly #undecided = new Set<net.Socket>();
  readonly #sessions = new Set<http2.ServerHttp2Session>();
  #address: Address;
  #closing: Promise<void> | null = null;

  constructor(options: Http2ServerOptions) {
    this.#options = options;
    this.#address = options.address;
    this.#http1 = http.createServer(options.http ?? notFound);
    // It never listens itself, and without this event it would not enforce its time-outs nor know its connections.
    this.#http1.emit('listening');
    this.#listener = options.tls === undefined ? net.createServer(socketOptions) : tlsServer(options.tls);
    this.#listener.on(options.tls === undefined ? 'connection' : 'secureConnection', (socket: net.Socket) =>
      this.#accept(socket),
    );
  }

  get address(): Address {
    return this.#address;
  }

  listen(): Promise<void> {
    const { host, port } = this.#options.address;
    return new Promise((resolve, reject) => {
      const failed = (cause: Error): void => {
        const inUse = 'code' in cause && cause.code === 'EADDRINUSE';
        const code = inUse ? 'FLOTILLA_ADDRESS_IN_USE' : 'FLOTILLA_ADDRESS_UNAVAILABLE';
        reject(new FlotillaError(code, `cannot listen on ${host}:${port}: ${cause.message}`, { cause }));
      };
      this.#listener.once('error', failed);
      this.#listener.listen({ host, port, exclusive: true }, () => {
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
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    // Sessions and HTTP/1 parsers add listeners of their own; this one is for the time before and after them.
    socket.on('error', () => socket.destroy());
    const protocol = socket instanceof tls.TLSSocket ? socket.alpnProtocol : null;
    if (protocol === 'h2') this.#acceptHttp2(socket);
    else if (protocol === 'http/1.1') this.#http1.emit('connection', socket);
    else this.#sniff(socket);
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
      else this.#handOver(socket, seen, () => this.#http1.emit('connection', socket));
    };
    const done = (): void => {
      clearTimeout(timer);
      this.#undecided.delete(socket);
      socket.off('data', look);
      socket.off('close', done);
    };
    const timer = setTimeout(() => socket.destroy(), limits.handshakeMs);
    this.#undecided.add(socket);
    socket.on('data', look);
    socket.once('close', done);
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
    const done = (): void => {
      clearTimeout(timer);
      clearInterval(patience);
      this.#undecided.delete(socket);
      socket.off('data', look);
      socket.off('close', done);
    };
    const timer = setTimeout(() => socket.destroy(), limits.handshakeMs);
    // A client that connects and asks nothing yet is fine, too.
    const patience = setInterval(() => {
      if (opening.acknowledged) finish();
    }, limits.firstRequestMs);
    this.#undecided.add(socket);
    socket.on('data', look);
    socket.once('close', done);
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

function tlsServer(options: TlsOptions): tls.Server {
  try {
    return tls.createServer({
      ...socketOptions,
      cert: options.certificate,
      key: options.key,
      ...(options.ca === undefined ? {} : { ca: options.ca }),
      ALPNProtocols: [...(options.protocols ?? ['h2', 'http/1.1'])],
      requestCert: options.ca !== undefined || options.requireClientCertificate === true,
      rejectUnauthorized: options.requireClientCertificate === true,
      handshakeTimeout: limits.handshakeMs,
    });
  } catch (cause) {
    const reason = messageOf(cause);
    throw new FlotillaError('FLOTILLA_TLS_INVALID', `certificate or key cannot be used: ${reason}`, {
      cause,
    });
  }
}

function peerOf(socket: net.Socket): Peer {
  return {
    remote: { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 },
    identity: socket instanceof tls.TLSSocket ? identityOf(socket) : null,
  };
}

function identityOf(socket: tls.TLSSocket): PeerIdentity | null {
  if (!socket.authorized) return null;
  const certificate = socket.getPeerCertificate();
  if (certificate.subject === undefined) return null;
  const names = certificate.subjectaltname?.split(', ') ?? [];
  return {
    commonName: [certificate.subject.CN].flat().join(' '),
    subjectAlternativeNames: names.map((name) => name.replace(/^(DNS|IP Address|URI|email):/, '')),
  };
}

function notFound(_request: http.IncomingMessage, response: http.ServerResponse): void {
  response.writeHead(404).end('404 page not found\n');
}
