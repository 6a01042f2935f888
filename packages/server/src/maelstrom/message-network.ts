import {
  type Address,
  type Connection,
  FlotillaError,
  type Listener,
  type Network,
  type Platform,
  type TlsOptions,
  type TlsSource,
} from '@flotilla/platform';
import { limits } from './limits.ts';
import { MessageStream, type StreamSurroundings } from './message-stream.ts';
import { type StreamMessage, streamMessageOf } from './stream-message.ts';

export interface MessageNetworkOptions {
  readonly platform: Pick<Platform, 'now' | 'timer' | 'defer' | 'random' | 'log'>;
  /** The host name of this node. */
  readonly host: string;
  /** The nodes, by the host names under which they are dialed. */
  readonly nodes: ReadonlyMap<string, string>;
  /** Sends a message to another node. It may be lost, and come late. */
  readonly send: (node: string, body: StreamMessage) => void;
}

/**
 * Byte streams over messages between named nodes, as Maelstrom carries them and loses them in its partitions: what a
 * member needs of a network to find its peers. Without TLS, as there is nobody in between.
 *
 * @example
 * const network = new MessageNetwork({ platform, host: 'm1', nodes: new Map([['m2', 'n2']]), send });
 * network.receive('n2', body);
 */
export class MessageNetwork implements Network {
  readonly #options: MessageNetworkOptions;
  readonly #hosts: ReadonlyMap<string, string>;
  readonly #listeners = new Map<number, (connection: Connection) => void>();
  /** By the node at the other end, and the stream's name. */
  readonly #streams = new Map<string, MessageStream>();
  readonly #life: string;
  #dialed = 0;

  constructor(options: MessageNetworkOptions) {
    this.#options = options;
    this.#hosts = new Map([...options.nodes].map(([host, node]) => [node, host]));
    // No stream of an earlier life is taken for one of this life.
    this.#life = options.platform.random.u32().toString(16);
  }

  async listen(
    address: Address,
    options: { readonly tls?: TlsOptions | TlsSource },
    accept: (connection: Connection) => void,
  ): Promise<Listener> {
    requireNoTls(options.tls);
    const { host } = address;
    if (host !== this.#options.host && host !== ANY_HOST) {
      throw new FlotillaError('FLOTILLA_ADDRESS_UNAVAILABLE', `${host} is not this node`);
    }
    const port = address.port === 0 ? this.#freePort() : address.port;
    if (this.#listeners.has(port)) {
      throw new FlotillaError('FLOTILLA_ADDRESS_IN_USE', `port ${port} is taken`);
    }
    this.#listeners.set(port, accept);
    return {
      address: { host, port },
      close: async () => {
        if (this.#listeners.get(port) === accept) this.#listeners.delete(port);
      },
    };
  }

  async connect(
    address: Address,
    options: { readonly tls?: TlsOptions; readonly timeoutMs: number },
  ): Promise<Connection> {
    requireNoTls(options.tls);
    const node = this.#options.nodes.get(address.host);
    if (node === undefined || address.host === this.#options.host) {
      throw new FlotillaError('FLOTILLA_CONNECT_REFUSED', `${address.host} is no other node`);
    }
    if (this.#streams.size >= limits.streams) throw tooManyStreams();
    this.#dialed += 1;
    const name = `${this.#options.host}.${this.#life}.${this.#dialed}`;
    return await new Promise((resolve, reject) => {
      const timer = this.#options.platform.timer(options.timeoutMs, 'stream-connect', () => {
        const text = `${address.host}:${address.port} has not answered for ${options.timeoutMs} ms`;
        stream.giveUp(new FlotillaError('FLOTILLA_CONNECT_FAILED', text));
      });
      const stream = new MessageStream(this.#around(node, name, address), {
        opened: () => {
          timer.cancel();
          resolve(stream);
        },
        failed: (error) => {
          timer.cancel();
          reject(error);
        },
      });
      this.#streams.set(keyOf(node, name), stream);
    });
  }

  /** A message for streams has come from another node. What is malformed is logged and means nothing. */
  receive(node: string, body: Readonly<Record<string, unknown>>): void {
    const message = streamMessageOf(body);
    const host = this.#hosts.get(node);
    if (message === null || host === undefined) {
      const reason = host === undefined ? 'no node of this cluster has sent it' : 'it is malformed';
      this.#options.platform.log.warn('a message between nodes was dropped', { from: node, reason });
      return;
    }
    const stream = this.#streams.get(keyOf(node, message.stream));
    if (stream !== undefined) stream.receive(message);
    else this.#receiveUnknown(node, host, message);
  }

  /** Of a stream that is new here, or was forgotten. */
  #receiveUnknown(node: string, host: string, message: StreamMessage): void {
    const { stream: name, type } = message;
    if (type === 'stream_cut') {
      this.#options.send(node, { type: 'stream_gone', stream: name });
      return;
    }
    if (type === 'stream_gone') return;
    const accept = type === 'stream_open' ? this.#listeners.get(message.port) : undefined;
    if (accept === undefined || this.#streams.size >= limits.streams) {
      this.#options.send(node, { type: 'stream_cut', stream: name });
      return;
    }
    const stream = new MessageStream(this.#around(node, name, { host, port: 0 }), null);
    this.#streams.set(keyOf(node, name), stream);
    accept(stream);
  }

  #around(node: string, name: string, remote: Address): StreamSurroundings {
    return {
      platform: this.#options.platform,
      name,
      remote,
      send: (message) => this.#options.send(node, message),
      forget: () => void this.#streams.delete(keyOf(node, name)),
    };
  }

  #freePort(): number {
    let port = FIRST_FREE_PORT;
    while (this.#listeners.has(port)) port += 1;
    return port;
  }
}

const ANY_HOST = '0.0.0.0';
const FIRST_FREE_PORT = 49_152;

function keyOf(node: string, stream: string): string {
  return `${node} ${stream}`;
}

function requireNoTls(tls: unknown): void {
  if (tls !== undefined) {
    throw new FlotillaError('FLOTILLA_TLS_INVALID', 'streams over messages know no TLS');
  }
}

function tooManyStreams(): FlotillaError {
  return new FlotillaError('FLOTILLA_CONNECT_FAILED', `there are ${limits.streams} streams already`);
}
