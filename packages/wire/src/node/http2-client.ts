import * as http2 from 'node:http2';
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { TlsOptions } from '@flotilla/platform';
import { Connector } from '../connector.ts';
import { limits } from '../limits.ts';
import type { CallOptions, ChannelState, ClientStream, RpcChannel } from '../rpc.ts';
import { StreamCall, UnaryCall } from './http2-client-call.ts';

export interface Http2ChannelOptions {
  /** `http://host:port`, `https://host:port` or `host:port`; tried in this order. */
  readonly endpoints: readonly string[];
  /** For endpoints with `https`, and for those without a scheme. */
  readonly tls?: Partial<TlsOptions>;
  /** A larger answer fails its call with RESOURCE_EXHAUSTED. Default: no bound but memory, as etcd's clients. */
  readonly maxReceiveMessageBytes?: number;
}

/**
 * A channel that speaks gRPC over HTTP/2.
 *
 * @example
 * const channel = openHttp2Channel({ endpoints: ['http://127.0.0.1:2379'] });
 * const response = await callUnary(channel, KV.methods.Put, PutRequest.create({ key, value }));
 */
export function openHttp2Channel(options: Http2ChannelOptions): RpcChannel {
  return new Http2Channel(options);
}

/** A session and what every request on it says. */
export interface Http2Connection {
  readonly session: http2.ClientHttp2Session;
  readonly scheme: string;
  readonly authority: string;
  readonly maxReceiveMessageBytes: number;
  /** The channel was closed: its calls were given up here, not lost. */
  isClosed: boolean;
}

class Http2Channel implements RpcChannel {
  readonly #options: Http2ChannelOptions;
  readonly #connector: Connector<URL, Http2Connection>;

  constructor(options: Http2ChannelOptions) {
    this.#options = options;
    const scheme = options.tls === undefined ? 'http' : 'https';
    this.#connector = new Connector({
      endpoints: options.endpoints.map(
        (text) => new URL(text.includes('://') ? text : `${scheme}://${text}`),
      ),
      connect: (endpoint, lost) => this.#connect(endpoint, lost),
      disconnect: (connection) => {
        connection.isClosed = true;
        connection.session.destroy();
      },
      isUsable: ({ session }) => !session.destroyed && !session.closed,
      timer: (delayMs, _label, callback) => {
        const timeout = setTimeout(callback, delayMs);
        return { cancel: () => clearTimeout(timeout) };
      },
      random: Math.random,
    });
  }

  get state(): ChannelState {
    return this.#connector.state;
  }

  unary(path: string, frame: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      new UnaryCall(path, options, frame, resolve, reject).begin(this.#connector);
    });
  }

  stream(path: string, options: CallOptions = {}): ClientStream<Uint8Array, Uint8Array> {
    const call = new StreamCall(path, options);
    call.begin(this.#connector);
    return call;
  }

  close(): void {
    this.#connector.close();
  }

  #connect(endpoint: URL, lost: () => void): Promise<Http2Connection> {
    return new Promise((resolve, reject) => {
      const socket = openSocket(endpoint, this.#options.tls);
      const session = http2.connect(endpoint, { ...SESSION_OPTIONS, createConnection: () => socket });
      const connection: Http2Connection = {
        session,
        scheme: endpoint.protocol.slice(0, -1),
        authority: endpoint.host,
        maxReceiveMessageBytes: this.#options.maxReceiveMessageBytes ?? 0xffff_ffff,
        isClosed: false,
      };
      const timer = setTimeout(() => fail(new Error('the server does not answer')), limits.connectMs);
      const fail = (error: Error): void => {
        clearTimeout(timer);
        session.destroy();
        socket.destroy();
        reject(error);
      };
      session.on('error', fail);
      // A session does not hear of TLS alerts, such as that the server wants a certificate.
      socket.on('error', fail);
      session.once('close', () => {
        fail(new Error('the server closed the connection'));
        lost();
      });
      session.once('goaway', lost);
      // A server that speaks HTTP/2 sends its settings first; any other would only be found out by the first call.
      session.once('remoteSettings', () => {
        clearTimeout(timer);
        session.setLocalWindowSize(limits.connectionWindowBytes);
        resolve(connection);
      });
    });
  }
}

const SESSION_OPTIONS: http2.ClientSessionOptions = {
  maxSessionMemory: limits.sessionMemoryMegabytes,
  // Until the server says otherwise; Node's 100 would hold calls back for the first round trip.
  peerMaxConcurrentStreams: limits.concurrentStreams,
  settings: { enablePush: false, initialWindowSize: limits.streamWindowBytes },
};

function openSocket(endpoint: URL, tlsOptions: Partial<TlsOptions> | undefined): net.Socket {
  // In a URL, an IPv6 address stands in brackets, and the scheme's own port is left out.
  const host = endpoint.hostname.replace(/^\[|\]$/g, '');
  const isSecure = endpoint.protocol === 'https:';
  const port = endpoint.port === '' ? (isSecure ? 443 : 80) : Number(endpoint.port);
  const target = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: limits.keepAliveMs };
  if (!isSecure) return net.connect(target);
  return tls.connect({
    ...target,
    ALPNProtocols: ['h2'],
    ...(net.isIP(host) === 0 ? { servername: host } : {}),
    ...(tlsOptions?.certificate === undefined ? {} : { cert: tlsOptions.certificate }),
    ...(tlsOptions?.key === undefined ? {} : { key: tlsOptions.key }),
    ...(tlsOptions?.ca === undefined ? {} : { ca: tlsOptions.ca }),
  });
}
