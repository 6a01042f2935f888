import * as net from 'node:net';
import * as tls from 'node:tls';
import { FlotillaError } from '@flotilla/platform';
import type { TlsOptions } from '@flotilla/platform';
import { Connector } from '../connector.ts';
import { ClientSession } from '../http2/client-session.ts';
import type { SessionHost } from '../http2/client-session.ts';
import { ErrorCode, Http2Error } from '../http2/error.ts';
import type { Field } from '../http2/hpack.ts';
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

class Http2Channel implements RpcChannel {
  readonly #connector: Connector<URL, Http2Connection>;

  constructor(options: Http2ChannelOptions) {
    const scheme = options.tls === undefined ? 'http' : 'https';
    this.#connector = new Connector({
      endpoints: options.endpoints.map(
        (text) => new URL(text.includes('://') ? text : `${scheme}://${text}`),
      ),
      connect: (endpoint, lost) =>
        new Promise((resolve, reject) => {
          const connection: Http2Connection = new Http2Connection(endpoint, options, {
            ready: () => resolve(connection),
            failed: reject,
            lost,
          });
        }),
      disconnect: (connection) => connection.giveUp(),
      isUsable: (connection) => connection.isUsable,
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

  ready(): Promise<void> {
    return new Promise((connected, failed) => {
      this.#connector.whenReady({ connected: () => connected(), failed });
    });
  }

  close(): void {
    this.#connector.close();
  }
}

/** What a connection tells its channel: `ready` or `failed` once, `lost` when it will take no new calls. */
interface ConnectionEvents {
  ready(): void;
  failed(error: Error): void;
  lost(): void;
}

/** A socket and the session on it. */
export class Http2Connection implements SessionHost {
  readonly session: ClientSession;
  readonly maxReceiveMessageBytes: number;
  readonly #scheme: string;
  readonly #authority: string;
  readonly #fields = new Map<string, readonly Field[]>();
  readonly #socket: net.Socket;
  readonly #events: ConnectionEvents;
  readonly #timer: NodeJS.Timeout;
  #isGivenUp = false;

  constructor(endpoint: URL, options: Http2ChannelOptions, events: ConnectionEvents) {
    this.#events = events;
    this.#scheme = endpoint.protocol.slice(0, -1);
    this.#authority = endpoint.host;
    this.maxReceiveMessageBytes = options.maxReceiveMessageBytes ?? 0xffff_ffff;
    this.session = new ClientSession(this);
    const socket = openSocket(endpoint, options.tls);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#fail(new Error('the server does not answer')), limits.connectMs);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('drain', () => this.session.hold(false));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#closed());
    // What is written before the connection is made waits in the socket.
    this.session.start();
  }

  get isUsable(): boolean {
    return !this.session.isGone && !this.#socket.destroyed;
  }

  /** The channel was closed: its calls were given up here, not lost. */
  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  giveUp(): void {
    this.#isGivenUp = true;
    this.session.goodbye(ErrorCode.NO_ERROR);
    this.flush();
    this.#socket.end();
    this.session.lost();
    setTimeout(() => this.#socket.destroy(), limits.closeLingerMs).unref();
  }

  wake(): void {
    // Everything that this turn's calls have to say leaves in one write.
    process.nextTick(flush, this);
  }

  ready(): void {
    clearTimeout(this.#timer);
    this.#events.ready();
  }

  goneAway(): void {
    this.#events.lost();
    this.closeWhenIdle();
  }

  /** A connection that takes no new calls ends with its last one. */
  closeWhenIdle(): void {
    if (this.session.isGone && this.session.isIdle) this.#socket.end();
  }

  /** What every call of a method says, always the same object. */
  fieldsOf(path: string): readonly Field[] {
    const known = this.#fields.get(path);
    if (known !== undefined) return known;
    const fields: readonly Field[] = [
      [':method', 'POST'],
      [':scheme', this.#scheme],
      [':path', path],
      [':authority', this.#authority],
      ['content-type', 'application/grpc'],
      ['te', 'trailers'],
    ];
    this.#fields.set(path, fields);
    return fields;
  }

  flush(): void {
    const bytes = this.session.takeOutput();
    if (bytes.length === 0 || this.#socket.destroyed) return;
    const more = this.#socket.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    if (!more && this.#socket.writableLength > limits.socketBytes) this.session.hold(true);
  }

  #receive(chunk: Buffer): void {
    try {
      this.session.receive(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
    } catch (error) {
      this.session.goodbye(error instanceof Http2Error ? error.errorCode : ErrorCode.INTERNAL_ERROR);
      this.flush();
      this.#fail(
        error instanceof Error ? error : new FlotillaError('FLOTILLA_WIRE_MALFORMED', String(error)),
      );
    }
  }

  #fail(error: Error): void {
    this.#events.failed(error);
    this.#socket.destroy();
  }

  #closed(): void {
    clearTimeout(this.#timer);
    this.#events.failed(new Error('the server closed the connection'));
    this.#events.lost();
    this.session.lost();
  }
}

function flush(connection: Http2Connection): void {
  connection.flush();
}

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
    ...(tlsOptions?.verifyPeer === false ? { rejectUnauthorized: false } : {}),
    ...(tlsOptions?.verifyHost === false ? { checkServerIdentity: () => undefined } : {}),
  });
}
