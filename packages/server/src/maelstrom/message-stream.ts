import {
  type Address,
  type Connection,
  type ConnectionHandler,
  FlotillaError,
  type Platform,
  type Timer,
} from '@flotilla/platform';
import { limits } from './limits.ts';
import { ReceiveWindow } from './receive-window.ts';
import { SendWindow } from './send-window.ts';
import { messageOfSegment, segmentOfMessage, type StreamMessage } from './stream-message.ts';

/** What a stream needs of the network around it. */
export interface StreamSurroundings {
  readonly platform: Pick<Platform, 'now' | 'timer' | 'defer'>;
  readonly name: string;
  readonly remote: Address;
  /** To the node at the other end; the message may be lost, late, or come twice. */
  readonly send: (message: StreamMessage) => void;
  /** The stream needs no message any more. */
  readonly forget: () => void;
}

/** How a dialed stream began. `opened` or `failed` comes once; after `failed` there is no stream. */
export interface Dialing {
  readonly opened: () => void;
  readonly failed: (error: FlotillaError) => void;
}

/**
 * One end of a byte stream whose bytes travel in messages that may be lost: segments are numbered, acknowledged, and
 * sent again until they are; a partition that lasts loses the stream, as it loses a TCP connection.
 *
 *     opening ──▶ open ──▶ closing ──▶ over        closing: the end is on its way
 *        └──────────┴──▶ cutting ────▶ over        cutting: the other end is told that the stream is cut
 */
export class MessageStream implements Connection {
  readonly remote: Address;
  readonly identity = null;
  readonly protocol = null;
  readonly #around: StreamSurroundings;
  readonly #out = new SendWindow();
  readonly #in = new ReceiveWindow();
  #state: 'opening' | 'open' | 'closing' | 'cutting' | 'over';
  #dialing: Dialing | null;
  #handler: ConnectionHandler | null = null;
  /** How it ended, for an owner who was not told yet. */
  #untold: { readonly error: Error | null } | null = null;
  #paused = false;
  /** `write` answered false and `drained` was not called since. */
  #full = false;
  #owesAck = false;
  #flushing = false;
  #resend: Timer | null = null;
  #resendMs: number = limits.resendMinMs;
  /** Since when an answer is awaited, or something has come from the other end since. */
  #silentSinceMs = 0;

  /** `dialing`: null at the end that was dialed. */
  constructor(around: StreamSurroundings, dialing: Dialing | null) {
    this.#around = around;
    this.remote = around.remote;
    this.#dialing = dialing;
    this.#state = dialing === null ? 'open' : 'opening';
    if (dialing === null) around.send({ type: 'stream_opened', stream: around.name });
    else this.#say();
  }

  get bufferedBytes(): number {
    return this.#out.waitingBytes;
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler;
    this.#around.platform.defer(() => this.#deliver());
  }

  write(bytes: Uint8Array): boolean {
    if (this.#state !== 'open') return false;
    this.#out.push(bytes);
    this.#flushSoon();
    if (this.#out.waitingBytes > limits.writeHighWaterMarkBytes) this.#full = true;
    return !this.#full;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#around.platform.defer(() => this.#deliver());
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#out.end();
    this.#flushSoon();
  }

  destroy(): void {
    if (this.#state === 'cutting' || this.#state === 'over') return;
    this.#cut(null);
  }

  /** A message for this end. */
  receive(message: StreamMessage): void {
    this.#silentSinceMs = this.#around.platform.now();
    if (message.type === 'stream_cut') {
      this.#wasCut();
      return;
    }
    if (this.#state === 'cutting') {
      if (message.type === 'stream_gone') this.#end();
      else this.#around.send({ type: 'stream_cut', stream: this.#around.name });
      return;
    }
    // Whatever comes says that the stream is open: what said so in words may have been lost.
    if (this.#state === 'opening') this.#opened();
    switch (message.type) {
      case 'stream_open':
        this.#around.send({ type: 'stream_opened', stream: this.#around.name });
        return;
      case 'stream_ack':
        this.#acknowledged(message.upTo);
        return;
      case 'stream_data':
      case 'stream_end':
        this.#in.put(segmentOfMessage(message));
        this.#owesAck = true;
        this.#flushSoon();
        this.#acknowledged(message.upTo);
        this.#deliver();
        return;
      case 'stream_opened':
      case 'stream_gone':
    }
  }

  /** Nobody waits for it to open any more. */
  giveUp(error: FlotillaError): void {
    if (this.#state === 'opening') this.#cut(error);
  }

  #opened(): void {
    this.#state = 'open';
    this.#answered();
    const dialing = this.#dialing;
    this.#dialing = null;
    dialing?.opened();
  }

  /** Hands over what has come in order, as far as the owner reads. */
  #deliver(): void {
    while (this.#isReading()) {
      const segment = this.#in.take();
      if (segment === null) break;
      this.#owesAck = true;
      this.#flushSoon();
      if (segment.bytes === null) {
        this.#ended();
        return;
      }
      // Who closes has no use any more for what comes.
      if (this.#state === 'open') this.#handler?.data(segment.bytes);
    }
    this.#tell();
  }

  #isReading(): boolean {
    return this.#state === 'closing' || (this.#state === 'open' && this.#handler !== null && !this.#paused);
  }

  /** The other end has closed in order. */
  #ended(): void {
    this.#acknowledge();
    this.#over(null);
    this.#end();
  }

  #wasCut(): void {
    this.#around.send({ type: 'stream_gone', stream: this.#around.name });
    const { host, port } = this.remote;
    const dialing = this.#dialing;
    this.#dialing = null;
    if (dialing !== null) {
      dialing.failed(new FlotillaError('FLOTILLA_CONNECT_REFUSED', `${host}:${port} does not listen`));
    } else if (this.#state === 'open') {
      this.#over(new FlotillaError('FLOTILLA_CONNECTION_RESET', `${host}:${port} has cut the connection`));
    } else if (this.#state === 'closing') {
      this.#over(null);
    }
    this.#end();
  }

  /** By our own side; the other one is told. */
  #cut(error: FlotillaError | null): void {
    const dialing = this.#dialing;
    this.#dialing = null;
    this.#state = 'cutting';
    if (dialing === null) this.#over(error);
    else if (error !== null) dialing.failed(error);
    this.#answered();
    this.#say();
  }

  #acknowledged(upTo: number): void {
    if (!this.#out.arrived(upTo)) return;
    this.#answered();
    if (this.#out.isOver) {
      this.#over(null);
      this.#end();
      return;
    }
    this.#awaitAnswer();
    this.#flushSoon();
  }

  /** Once a turn, so that what is written in it travels together. */
  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.#around.platform.defer(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#state !== 'open' && this.#state !== 'closing') return;
    for (const segment of this.#out.take()) {
      this.#owesAck = false;
      this.#around.send(messageOfSegment(this.#around.name, segment, this.#in.takenTo));
    }
    if (this.#owesAck) this.#acknowledge();
    this.#awaitAnswer();
    if (!this.#full || this.#out.waitingBytes > 0 || this.#state !== 'open') return;
    this.#full = false;
    this.#handler?.drained();
  }

  #acknowledge(): void {
    this.#owesAck = false;
    this.#around.send({ type: 'stream_ack', stream: this.#around.name, upTo: this.#in.takenTo });
  }

  get #isAwaiting(): boolean {
    if (this.#state === 'opening' || this.#state === 'cutting') return true;
    return this.#state !== 'over' && this.#out.isAwaiting;
  }

  /** What was awaited has come: whatever is awaited next has all its time. */
  #answered(): void {
    this.#resend?.cancel();
    this.#resend = null;
    this.#resendMs = limits.resendMinMs;
  }

  /** Sees to it that what is not answered is said again. */
  #awaitAnswer(): void {
    if (this.#resend !== null || !this.#isAwaiting) return;
    this.#silentSinceMs = this.#around.platform.now();
    this.#arm();
  }

  #arm(): void {
    this.#resend = this.#around.platform.timer(this.#resendMs, 'stream-resend', () => {
      this.#resend = null;
      if (!this.#isAwaiting) return;
      this.#resendMs = Math.min(2 * this.#resendMs, limits.resendMaxMs);
      if (this.#around.platform.now() - this.#silentSinceMs > limits.silenceMs) {
        this.#lost();
        return;
      }
      // Before it is said: the silence goes on.
      this.#arm();
      this.#say();
    });
  }

  /** What the other end has not answered, for the first time or again. */
  #say(): void {
    const { send, name, remote } = this.#around;
    if (this.#state === 'opening') send({ type: 'stream_open', stream: name, port: remote.port });
    else if (this.#state === 'cutting') send({ type: 'stream_cut', stream: name });
    else
      for (const segment of this.#out.unacknowledged())
        send(messageOfSegment(name, segment, this.#in.takenTo));
    this.#awaitAnswer();
  }

  #lost(): void {
    const { host, port } = this.remote;
    const text = `nothing has come from ${host}:${port} for ${limits.silenceMs} ms`;
    const dialing = this.#dialing;
    this.#dialing = null;
    if (dialing !== null) dialing.failed(new FlotillaError('FLOTILLA_CONNECT_FAILED', text));
    else if (this.#state === 'open') this.#over(new FlotillaError('FLOTILLA_CONNECTION_RESET', text));
    else if (this.#state === 'closing') this.#over(null);
    this.#end();
  }

  /** For the owner it is over; the other end may still have to hear of it. */
  #over(error: Error | null): void {
    this.#untold = { error };
    this.#around.platform.defer(() => this.#tell());
  }

  #tell(): void {
    const handler = this.#handler;
    const untold = this.#untold;
    if (handler === null || untold === null) return;
    this.#untold = null;
    handler.closed(untold.error);
  }

  #end(): void {
    this.#state = 'over';
    this.#resend?.cancel();
    this.#resend = null;
    this.#around.forget();
  }
}
