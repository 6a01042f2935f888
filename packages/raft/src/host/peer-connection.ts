import type { Connection, Platform, Timer } from '@flotilla/platform';
import { FlotillaError, isFlotillaError, messageOf } from '@flotilla/platform';
import { ByteWriter } from './bytes.ts';
import { beginFrame, endFrame, FrameDecoder, preface } from './frame.ts';
import type { FrameKind } from './frame.ts';
import { handshakeFrameBytes } from './handshake.ts';
import type { HostLimits } from './limits.ts';
import type { HostMetrics } from './metrics.ts';

/** What a {@link PeerConnection} tells its owner. `closed` comes last and exactly once. */
export interface PeerConnectionHandler {
  /** Bytes came at this time. Whoever finds that they cannot be trusted closes the connection before they are read. */
  received(nowMs: number): void;
  /** May throw a `FlotillaError` with a `FLOTILLA_PEER_…` code: the connection is closed with that reason. */
  frame(kind: FrameKind, body: Uint8Array): void;
  drained(): void;
  closed(reason: Error): void;
}

/**
 * Frames over one byte stream. Whatever is wrong with the bytes closes this stream, with a reason, and nothing else.
 */
export class PeerConnection {
  /** Of the platform's clock: when the last byte came. */
  lastReceivedMs: number;
  bytesSent = 0;
  bytesReceived = 0;
  readonly #platform: Platform;
  readonly #connection: Connection;
  readonly #metrics: HostMetrics;
  readonly #decoder: FrameDecoder;
  readonly #handler: PeerConnectionHandler;
  readonly #limits: HostLimits;
  #handshakeTimer: Timer | null;
  #closed = false;

  constructor(
    platform: Platform,
    connection: Connection,
    limits: HostLimits,
    metrics: HostMetrics,
    handshakeTimeoutMs: number,
    handler: PeerConnectionHandler,
  ) {
    this.#platform = platform;
    this.#connection = connection;
    this.#limits = limits;
    this.#metrics = metrics;
    this.#handler = handler;
    this.lastReceivedMs = platform.now();
    this.#decoder = new FrameDecoder(
      (bytes, seed) => platform.checksum(bytes, seed),
      handshakeFrameBytes,
      (kind, body) => {
        // A frame may close its connection; what follows it in the same chunk is then nobody's.
        if (!this.#closed) this.#handler.frame(kind, body);
      },
    );
    this.#handshakeTimer = platform.timer(handshakeTimeoutMs, 'peer-handshake', () => {
      this.close(
        new FlotillaError('FLOTILLA_PEER_HANDSHAKE_TIMEOUT', 'the peer did not finish the handshake'),
      );
    });
  }

  get remote(): string {
    return `${this.#connection.remote.host}:${this.#connection.remote.port}`;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get bufferedBytes(): number {
    return this.#connection.bufferedBytes;
  }

  start(): void {
    this.#connection.start({
      data: (chunk) => this.#received(chunk),
      drained: () => {
        if (!this.#closed) this.#handler.drained();
      },
      closed: (error) => {
        this.#end(error ?? new FlotillaError('FLOTILLA_PEER_CLOSED', 'the peer closed the connection'));
      },
    });
  }

  /** The preface, and one handshake frame. */
  writeHandshake(kind: FrameKind, encode: (writer: ByteWriter) => void): void {
    this.write(preface);
    this.writeFrame(kind, encode);
  }

  writeFrame(kind: FrameKind, encode: (writer: ByteWriter) => void): void {
    const writer = new ByteWriter(256);
    const start = beginFrame(writer, kind);
    encode(writer);
    endFrame(writer, start, (bytes, seed) => this.#platform.checksum(bytes, seed));
    this.write(writer.take());
  }

  /** From now on the other side is known: frames may be large, and the clock of the handshake stops. */
  handshakeDone(): void {
    this.#handshakeTimer?.cancel();
    this.#handshakeTimer = null;
    this.#decoder.maxFrameBytes = this.#limits.frameBytes;
  }

  /** Nothing is read until {@link resume}, but what has come already. */
  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    if (!this.#closed) this.#connection.resume();
  }

  write(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#metrics.bytesSent += bytes.length;
    this.bytesSent += bytes.length;
    this.#connection.write(bytes);
  }

  /** At once: what is buffered is lost and the other side sees a reset. */
  close(reason: Error): void {
    if (this.#closed) return;
    this.#connection.destroy();
    this.#end(reason);
  }

  /** After what was written has left: for a refusal that must arrive. */
  closeGently(reason: Error): void {
    if (this.#closed) return;
    this.#connection.close();
    this.#end(reason);
  }

  #received(chunk: Uint8Array): void {
    if (this.#closed) return;
    const now = this.#platform.now();
    this.#handler.received(now);
    if (this.#isClosed()) return;
    this.lastReceivedMs = now;
    this.#metrics.bytesReceived += chunk.length;
    this.bytesReceived += chunk.length;
    this.guard(() => this.#decoder.push(chunk));
  }

  /** What is thrown closes the connection. */
  guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.close(
        isFlotillaError(error)
          ? error
          : new FlotillaError('FLOTILLA_PEER_MALFORMED', messageOf(error), { cause: error }),
      );
    }
  }

  /** A call, so that the compiler does not take the state from before another call for granted. */
  #isClosed(): boolean {
    return this.#closed;
  }

  #end(reason: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handshakeTimer?.cancel();
    this.#handshakeTimer = null;
    this.#handler.closed(reason);
  }
}
