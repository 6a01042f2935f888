import { createServer, isIP, connect as netConnect } from 'node:net';
import type { ListenOptions, Server, Socket } from 'node:net';
import { connect as tlsConnect, createServer as tlsServer, Server as TlsServer } from 'node:tls';
import type { TlsOptions as NodeTlsOptions } from 'node:tls';
import { FlotillaError, messageOf } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Address, Connection, Listener, Network, TlsOptions, TlsSource } from '../network.ts';
import type { Logger } from '../platform.ts';
import { systemCode } from './disk-error.ts';
import { limits } from './limits.ts';
import { NodeConnection } from './node-connection.ts';
import { removeStaleSocket } from './unix-socket.ts';
import { handshakeFailureOf, remoteOfFailed, secureContext, secureContextOptions } from './secure-context.ts';

/** TCP, and TLS over it. */
export class NodeNetwork implements Network {
  readonly #logger: Logger;
  readonly #fail: (cause: unknown) => void;

  constructor(logger: Logger, fail: (cause: unknown) => void) {
    this.#logger = logger;
    this.#fail = fail;
  }

  async listen(
    address: Address,
    options: {
      readonly tls?: TlsOptions | TlsSource;
      readonly rejected?: (remote: Address, reason: string) => void;
    },
    accept: (connection: Connection) => void,
  ): Promise<Listener> {
    const accepted = (socket: Socket): void => {
      try {
        accept(new NodeConnection(socket, address.path !== undefined, this.#fail));
      } catch (cause) {
        this.#fail(cause);
      }
    };
    const server =
      options.tls === undefined
        ? createServer(socketOptions, accepted)
        : this.#tlsServer(options.tls, accepted, options.rejected);
    await bind(server, address);
    // After it is bound a server reports only single failed accepts (too many open files): they pass.
    server.on('error', (cause) => this.#logger.warn('accept failed', { error: messageOf(cause) }));
    const bound = server.address();
    const port = bound !== null && typeof bound === 'object' ? bound.port : address.port;
    return {
      address: { ...address, port },
      ...(server instanceof TlsServer ? { renew: (tls: TlsOptions) => renewServer(server, tls) } : {}),
      close: () => closeServer(server),
    };
  }

  connect(
    address: Address,
    options: { readonly tls?: TlsOptions; readonly timeoutMs: number },
  ): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const where = address.path ?? `${address.host}:${address.port}`;
      const secure = options.tls === undefined ? undefined : secureContext(options.tls);
      const target =
        address.path === undefined
          ? { ...socketOptions, host: address.host, port: address.port }
          : { path: address.path };
      const socket =
        options.tls === undefined
          ? netConnect(target)
          : tlsConnect({
              ...target,
              ...(secure === undefined ? {} : { secureContext: secure }),
              ...(isIP(address.host) === 0 ? { servername: address.host } : {}),
              ALPNProtocols: [...(options.tls.protocols ?? [])],
              ...(options.tls.verifyHost === false ? { checkServerIdentity: () => undefined } : {}),
              rejectUnauthorized: options.tls.verifyPeer !== false,
            });
      const give = (code: ErrorCode, reason: string, cause?: unknown): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(new FlotillaError(code, `cannot connect to ${where}: ${reason}`, { cause }));
      };
      const timer = setTimeout(() => {
        give('FLOTILLA_CONNECT_FAILED', `no answer within ${options.timeoutMs} ms`);
      }, options.timeoutMs);
      const failed = (cause: Error): void => {
        give(connectCode(systemCode(cause)), cause.message, cause);
      };
      socket.on('error', failed);
      socket.once(options.tls === undefined ? 'connect' : 'secureConnect', () => {
        clearTimeout(timer);
        socket.off('error', failed);
        resolve(new NodeConnection(socket, address.path !== undefined, this.#fail));
      });
    });
  }

  #tlsServer(
    given: TlsOptions | TlsSource,
    accepted: (socket: Socket) => void,
    rejected?: (remote: Address, reason: string) => void,
  ): Server {
    let options = typeof given === 'function' ? given() : given;
    const settings: NodeTlsOptions = {
      ...secureContextOptions(options),
      ...(options.protocols === undefined ? {} : { ALPNProtocols: [...options.protocols] }),
      requestCert: options.ca !== undefined || options.requireClientCertificate === true,
      rejectUnauthorized: options.requireClientCertificate === true,
      handshakeTimeout: limits.tlsHandshakeMs,
    };
    secureContext(options);
    const server = tlsServer({ ...socketOptions, ...settings }, accepted);
    if (typeof given === 'function') {
      // Before the server's own listener, which begins the handshake.
      server.prependListener('connection', () => {
        const current = given();
        if (current === options) return;
        options = current;
        server.setSecureContext(secureContextOptions(options));
      });
    }
    server.prependListener('connection', rememberRemote);
    server.on('tlsClientError', (cause, socket) => {
      const remote = remoteOfFailed(socket);
      const reason = handshakeFailureOf(cause, socket);
      if (rejected === undefined) {
        this.#logger.warn('TLS handshake failed', { remote: remote.host, error: reason });
      } else {
        rejected(remote, reason);
      }
      socket.destroy();
    });
    return server;
  }
}

/** Small messages must not wait for the acknowledgement of earlier ones (Nagle): batching is done per turn, above. */
const socketOptions = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: limits.keepAliveMs,
  pauseOnConnect: true,
} as const;

/** Node asks the system once, and remembers the answer for when the connection is gone. */
function rememberRemote(socket: Socket): void {
  void socket.remoteAddress;
}

function connectCode(code: string): ErrorCode {
  if (code === 'ECONNREFUSED') return 'FLOTILLA_CONNECT_REFUSED';
  return untrusted.test(code) ? 'FLOTILLA_TLS_UNTRUSTED' : 'FLOTILLA_CONNECT_FAILED';
}

/** OpenSSL's words for a certificate that does not hold, see X509_STORE_CTX_get_error(3), and Node's for a wrong host. */
const untrusted =
  /^(CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|INVALID_PURPOSE|ERR_TLS_CERT_)/;

function renewServer(server: TlsServer, options: TlsOptions): void {
  secureContext(options);
  server.setSecureContext(secureContextOptions(options));
}

/** What {@link Server.listen} takes. */
function targetOf({ host, port, path }: Address): ListenOptions {
  return path === undefined ? { host, port, exclusive: true } : { path };
}

function bind(server: Server, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: Error): void => {
      const code =
        systemCode(cause) === 'EADDRINUSE' ? 'FLOTILLA_ADDRESS_IN_USE' : 'FLOTILLA_ADDRESS_UNAVAILABLE';
      reject(
        new FlotillaError(
          code,
          `cannot listen on ${address.path ?? `${address.host}:${address.port}`}: ${cause.message}`,
          {
            cause,
          },
        ),
      );
    };
    server.once('error', failed);
    if (address.path !== undefined) removeStaleSocket(address.path);
    server.listen(targetOf(address), () => {
      server.off('error', failed);
      resolve();
    });
  });
}

/** Resolves once the port is free; the server's own `close` event would wait for every open connection. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    if (server.listening) server.close();
    setImmediate(resolve);
  });
}
