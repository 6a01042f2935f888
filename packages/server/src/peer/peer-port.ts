import {
  type Address,
  type Connection,
  type ConnectionHandler,
  type Listener,
  messageOf,
  type Platform,
} from '@flotilla/platform';
import type { NodeId, Transport, TransportFactory } from '@flotilla/raft';
import { limits } from '../limits.ts';
import { callPreface } from './call-stream.ts';
import { channelPreface } from './channel-frame.ts';
import { PeerChannels } from './peer-channels.ts';
import { nobodyInParticular, PeerCalls } from './peer-calls.ts';

/**
 * The port where members meet. What comes in is told apart by its first bytes: a call goes to {@link PeerPort.calls}, a
 * channel to {@link PeerPort.channels}, everything else to Raft's host, which turns away what is none of them. All travel
 * over the same transport, so that TLS protects all.
 *
 * @example
 * const port = new PeerPort(platform, tcp());
 * port.calls.handle('/members', members);
 * const host = await createHost({ ...options, transport: port.transport });
 */
export class PeerPort {
  readonly calls: PeerCalls;
  readonly channels: PeerChannels;
  /** To be given to the host. */
  readonly transport: TransportFactory;

  /** `transport`: how bytes travel between the members of this cluster. */
  constructor(platform: Platform, transport: TransportFactory) {
    const inner = transport(platform);
    this.calls = new PeerCalls(platform, inner);
    const shared = new SharedTransport(platform, inner, this);
    this.channels = new PeerChannels(platform, shared);
    this.transport = () => shared;
  }

  /** Cuts what is under way of calls and channels; what the host has is the host's. */
  close(): void {
    this.calls.close();
    this.channels.close();
  }
}

class SharedTransport implements Transport {
  readonly authenticate?: (connection: Connection, peer: NodeId) => void;
  readonly #platform: Platform;
  readonly #inner: Transport;
  readonly #port: PeerPort;
  #undecided = 0;

  constructor(platform: Platform, inner: Transport, port: PeerPort) {
    this.#platform = platform;
    this.#inner = inner;
    this.#port = port;
    if (inner.authenticate !== undefined) {
      this.authenticate = (connection, peer) =>
        inner.authenticate?.(connection instanceof SortedConnection ? connection.raw : connection, peer);
    }
  }

  listen(address: Address, accept: (connection: Connection) => void): Promise<Listener> {
    return this.#inner.listen(address, (connection) => this.#sort(connection, accept));
  }

  connect(
    address: Address,
    options: { readonly peer: NodeId; readonly timeoutMs: number },
  ): Promise<Connection> {
    return this.#inner.connect(address, options);
  }

  /** Null: whoever it is may ask. A call names no member, so that only what holds for every one of them is asked. */
  #refusalOf(raw: Connection): string | null {
    try {
      this.#inner.authenticate?.(raw, nobodyInParticular);
      return null;
    } catch (error) {
      return messageOf(error);
    }
  }

  /** Waits for as many bytes as it takes to tell what it is. */
  #sort(raw: Connection, accept: (connection: Connection) => void): void {
    if (this.#undecided >= limits.undecidedPeerConnections) {
      raw.destroy();
      return;
    }
    this.#undecided += 1;
    const sorted = new SortedConnection(raw, (speech) => {
      timer.cancel();
      this.#undecided -= 1;
      if (speech === 'call') this.#port.calls.accept(sorted, this.#refusalOf(raw));
      else if (speech === 'channel') this.#port.channels.accept(sorted);
      else if (speech === 'host') accept(sorted);
    });
    const timer = this.#platform.timer(limits.peerPrefaceMs, 'peer-preface', () => sorted.abandon());
  }
}

/** A connection whose first bytes were looked at; its owner gets all of them. */
class SortedConnection implements Connection {
  readonly raw: Connection;
  readonly #decide: (speech: Speech | null) => void;
  #owner: ConnectionHandler | null = null;
  /** Until it is known whose it is, and until that one starts it. */
  #early: Uint8Array[] | null = [];
  #ended: { readonly error: Error | null } | null = null;
  #decided = false;

  /** `decide`: called once; null: it ended before it said what it is. */
  constructor(raw: Connection, decide: (speech: Speech | null) => void) {
    this.raw = raw;
    this.#decide = decide;
    raw.start({
      data: (chunk) => {
        if (this.#early === null) {
          this.#owner?.data(chunk);
          return;
        }
        this.#early.push(chunk);
        const speech = this.#decided ? null : speechOf(this.#early);
        if (speech === null) return;
        this.#decided = true;
        decide(speech);
      },
      drained: () => this.#owner?.drained(),
      closed: (error) => {
        this.#ended = { error };
        if (!this.#decided) this.#giveUp();
        else if (this.#early === null) this.#owner?.closed(error);
      },
    });
  }

  /** Nobody has it yet, and nobody wants it any more. */
  abandon(): void {
    this.raw.destroy();
    if (!this.#decided) this.#giveUp();
  }

  #giveUp(): void {
    this.#decided = true;
    this.#decide(null);
  }

  get remote(): Connection['remote'] {
    return this.raw.remote;
  }

  get identity(): Connection['identity'] {
    return this.raw.identity;
  }

  get protocol(): Connection['protocol'] {
    return this.raw.protocol;
  }

  get bufferedBytes(): number {
    return this.raw.bufferedBytes;
  }

  start(handler: ConnectionHandler): void {
    const early = this.#early ?? [];
    this.#owner = handler;
    this.#early = null;
    for (const chunk of early) handler.data(chunk);
    if (this.#ended !== null) handler.closed(this.#ended.error);
  }

  write(bytes: Uint8Array): boolean {
    return this.raw.write(bytes);
  }

  pause(): void {
    this.raw.pause();
  }

  resume(): void {
    this.raw.resume();
  }

  close(): void {
    this.raw.close();
  }

  destroy(): void {
    this.raw.destroy();
  }
}

type Speech = 'call' | 'channel' | 'host';

/** Null: too few bytes are there to tell. */
function speechOf(chunks: readonly Uint8Array[]): Speech | null {
  const isCall = beginsWith(chunks, callPreface);
  const isChannel = beginsWith(chunks, channelPreface);
  if (isCall === true) return 'call';
  if (isChannel === true) return 'channel';
  return isCall === null || isChannel === null ? null : 'host';
}

/** Null: so far. */
function beginsWith(chunks: readonly Uint8Array[], preface: Uint8Array): boolean | null {
  let at = 0;
  for (const chunk of chunks) {
    for (const byte of chunk) {
      if (at === preface.length) return true;
      if (byte !== preface[at]) return false;
      at += 1;
    }
  }
  return at === preface.length ? true : null;
}
