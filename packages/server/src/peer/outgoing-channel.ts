import {
  type Address,
  type Connection,
  FlotillaError,
  isFlotillaError,
  messageOf,
  type Platform,
  type Random,
  type Timer,
} from '@flotilla/platform';
import type { NodeId, Transport } from '@flotilla/raft';
import { limits } from '../limits.ts';
import {
  type ChannelFrame,
  channelPreface,
  ChannelReader,
  channelVersion,
  decodeGreeting,
  encodeFrame,
  encodeGreeting,
  frameKind,
} from './channel-frame.ts';
import { ChannelInbox } from './channel-inbox.ts';
import { ChannelOutbox, longestFrameBytes } from './channel-outbox.ts';
import { contentOf, encodeQuestion } from './channel-question.ts';

export interface OutgoingChannelParts {
  readonly platform: Platform;
  readonly transport: Transport;
  readonly random: Random;
  readonly nodeId: NodeId;
  readonly clusterId: bigint;
  readonly peer: NodeId;
  /** Null: nobody has told where it listens. */
  readonly address: () => Address | null;
}

interface Pending {
  readonly bytes: Uint8Array;
  readonly resolve: (content: Uint8Array) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer;
  readonly askedMs: number;
}

/**
 * The asking end of the connection to one peer. Dials when there is something to ask, keeps the connection, and answers
 * everything that waits with an error as soon as the connection is gone: who asked knows another node to ask, or a
 * better time.
 */
export class OutgoingChannel {
  readonly #parts: OutgoingChannelParts;
  readonly #pending = new Map<number, Pending>();
  #connection: Connection | null = null;
  #outbox: ChannelOutbox | null = null;
  /** Asked before there was a connection, in order. */
  #early: { readonly stream: number; readonly bytes: Uint8Array }[] = [];
  #dialing = false;
  #nextStream = 1;
  #waitingBytes = 0;
  #failures = 0;
  /** Not dialed before; of the platform's clock. */
  #notBeforeMs = 0;
  #lastReceivedMs = 0;
  #closed = false;

  constructor(parts: OutgoingChannelParts) {
    this.#parts = parts;
  }

  /** Whether asking now goes out at once. */
  get isOpen(): boolean {
    return this.#outbox !== null;
  }

  /** Whether it has just been tried in vain. */
  get isUnreachable(): boolean {
    return this.#outbox === null && this.#parts.platform.now() < this.#notBeforeMs;
  }

  ask(path: string, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const { platform } = this.#parts;
    const bytes = encodeQuestion(path, body);
    return new Promise((resolve, reject) => {
      const refusal = this.#refusal(bytes.length);
      if (refusal !== null) {
        reject(refusal);
        return;
      }
      const stream = this.#nextStream;
      this.#nextStream = stream === 0xffff_ffff ? 1 : stream + 1;
      const timer = platform.timer(timeoutMs, 'peer-question', () => this.#timedOut(stream));
      this.#pending.set(stream, { bytes, resolve, reject, timer, askedMs: platform.now() });
      this.#waitingBytes += bytes.length;
      if (this.#outbox !== null) this.#outbox.push(frameKind.request, stream, bytes);
      else {
        this.#early.push({ stream, bytes });
        this.#dial();
      }
    });
  }

  /** Lost when there is no connection. */
  tell(path: string, body: Uint8Array): void {
    if (this.#outbox !== null && this.#outbox.bytes < limits.channelWaitingBytes) {
      this.#outbox.push(frameKind.message, 0, encodeQuestion(path, body));
    } else if (!this.isUnreachable) this.#dial();
  }

  close(error: FlotillaError): void {
    this.#closed = true;
    this.#connection?.destroy();
    this.#lost(error);
  }

  #refusal(bytes: number): FlotillaError | null {
    if (this.#closed) return new FlotillaError('FLOTILLA_STOPPED', 'this member stops');
    if (this.isUnreachable) return this.#failed('it cannot be reached');
    const isFull =
      this.#pending.size >= limits.channelQuestions ||
      this.#waitingBytes + bytes > limits.channelWaitingBytes;
    return isFull ? this.#failed('too many questions wait for its answers') : null;
  }

  #timedOut(stream: number): void {
    const pending = this.#take(stream);
    if (pending === null) return;
    if (this.#outbox?.withdraw(stream) === false) this.#outbox.push(frameKind.cancel, stream, nothing);
    this.#early = this.#early.filter((one) => one.stream !== stream);
    pending.reject(this.#failed('it did not answer in time'));
    // A connection on which nothing has come since: the other side may be gone without a word.
    const silentMs = this.#parts.platform.now() - this.#lastReceivedMs;
    const isSilent = this.#lastReceivedMs < pending.askedMs && silentMs >= limits.channelSilenceMs;
    if (this.#outbox !== null && isSilent) this.#end(this.#failed('nothing came from it for too long'));
  }

  #take(stream: number): Pending | null {
    const pending = this.#pending.get(stream);
    if (pending === undefined) return null;
    this.#pending.delete(stream);
    this.#waitingBytes -= pending.bytes.length;
    pending.timer.cancel();
    return pending;
  }

  #dial(): void {
    if (this.#dialing || this.#closed || this.#connection !== null) return;
    this.#dialing = true;
    this.#parts.platform.spawn('peer-channel', async () => {
      try {
        await this.#connect();
      } catch (error) {
        this.#lost(this.#failed(messageOf(error), error));
      } finally {
        this.#dialing = false;
      }
      // Asked in the meantime, and nobody has dialed for it.
      if (this.#early.length > 0) this.#dial();
    });
  }

  async #connect(): Promise<void> {
    const { platform, transport, peer, address } = this.#parts;
    const target = address();
    if (target === null) throw new Error('it is not known where it listens');
    const connection = await transport.connect(target, { peer, timeoutMs: limits.channelConnectMs });
    if (this.#closed) {
      connection.destroy();
      return;
    }
    try {
      transport.authenticate?.(connection, peer);
    } catch (error) {
      connection.destroy();
      throw error;
    }
    this.#connection = connection;
    this.#lastReceivedMs = platform.now();
    const handshake = platform.timer(limits.channelConnectMs, 'peer-channel-welcome', () => {
      this.#end(this.#failed('it did not welcome this member in time'));
    });
    this.#start(connection, handshake);
    const { nodeId, clusterId } = this.#parts;
    connection.write(channelPreface);
    const greeting = { version: channelVersion, clusterId, from: nodeId, to: peer };
    connection.write(encodeFrame(platform, frameKind.hello, [encodeGreeting(greeting)]));
  }

  #start(connection: Connection, handshake: Timer): void {
    const { platform } = this.#parts;
    const inbox = new ChannelInbox(limits.channelAnswerBytes);
    const reader = new ChannelReader(platform, longestFrameBytes, (frame) => {
      if (this.#connection !== connection) return;
      if (frame.kind === frameKind.welcome) {
        handshake.cancel();
        this.#welcomed(connection, frame);
      } else this.#frame(inbox, frame);
    });
    connection.start({
      data: (chunk) => {
        if (this.#connection !== connection) return;
        this.#lastReceivedMs = platform.now();
        try {
          reader.push(chunk);
        } catch (error) {
          this.#end(this.#failed(messageOf(error), error));
        }
      },
      drained: () => {
        if (this.#connection === connection) this.#outbox?.drained();
      },
      closed: (error) => {
        handshake.cancel();
        if (this.#connection === connection) this.#end(this.#failed(messageOf(error ?? 'it hung up'), error));
      },
    });
  }

  #welcomed(connection: Connection, { body }: ChannelFrame): void {
    const { platform, peer, clusterId } = this.#parts;
    const greeting = decodeGreeting(body);
    if (greeting.from !== peer || greeting.clusterId !== clusterId) {
      this.#end(this.#failed(`member ${greeting.from} is there`));
      return;
    }
    this.#failures = 0;
    const outbox = new ChannelOutbox(platform, connection);
    this.#outbox = outbox;
    const early = this.#early;
    this.#early = [];
    for (const { stream, bytes } of early) outbox.push(frameKind.request, stream, bytes);
  }

  #frame(inbox: ChannelInbox, frame: ChannelFrame): void {
    if (frame.kind === frameKind.refusal) {
      this.#end(this.#failed(new TextDecoder().decode(frame.body)));
      return;
    }
    if (frame.kind !== frameKind.answer || this.#outbox === null) {
      throw new FlotillaError('FLOTILLA_PEER_MALFORMED', 'an answer was expected');
    }
    const whole = inbox.take(frame);
    if (whole === null) return;
    const pending = this.#take(whole.stream);
    if (pending === null) return;
    try {
      pending.resolve(contentOf(whole.bytes, (reason) => this.#textOf(reason)));
    } catch (error) {
      pending.reject(error as Error);
    }
  }

  /** The connection ends here. */
  #end(error: FlotillaError): void {
    this.#connection?.destroy();
    this.#lost(error);
  }

  #lost(error: FlotillaError): void {
    const { platform, random } = this.#parts;
    this.#connection = null;
    this.#outbox?.close();
    this.#outbox = null;
    this.#early = [];
    const pauseMs = Math.min(limits.channelRedialMinMs * 2 ** this.#failures, limits.channelRedialMaxMs);
    this.#failures = Math.min(this.#failures + 1, 16);
    this.#notBeforeMs = platform.now() + pauseMs * (0.5 + random.float() / 2);
    for (const stream of this.#pending.keys()) this.#take(stream)?.reject(error);
  }

  #failed(reason: string, cause?: unknown): FlotillaError {
    if (isFlotillaError(cause, 'FLOTILLA_STOPPED')) return cause;
    return new FlotillaError('FLOTILLA_PEER_CALL_FAILED', this.#textOf(reason), { cause });
  }

  #textOf(reason: string): string {
    return `asking member ${this.#parts.peer}: ${reason}`;
  }
}

const nothing = new Uint8Array(0);
