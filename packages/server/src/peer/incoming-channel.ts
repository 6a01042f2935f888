import {
  type Connection,
  FlotillaError,
  messageOf,
  type Platform,
  type Timer,
  unreachable,
} from '@flotilla/platform';
import type { NodeId, Transport } from '@flotilla/raft';
import { limits } from '../limits.ts';
import { outcomes } from './call-stream.ts';
import {
  type ChannelFrame,
  type ChannelGreeting,
  channelPreface,
  ChannelReader,
  channelVersion,
  decodeGreeting,
  encodeFrame,
  encodeGreeting,
  frameKind,
  streamOf,
} from './channel-frame.ts';
import { ChannelInbox } from './channel-inbox.ts';
import { ChannelOutbox, longestFrameBytes } from './channel-outbox.ts';
import { decodeQuestion, encodeOutcome } from './channel-question.ts';

/** Answers what one peer asks on a channel. What it throws is told to the peer, as text. */
export type ChannelHandler = (body: Uint8Array, from: NodeId) => Uint8Array | Promise<Uint8Array>;

export interface IncomingChannelParts {
  readonly platform: Platform;
  readonly transport: Transport;
  readonly nodeId: NodeId;
  readonly clusterId: bigint;
  readonly handlers: ReadonlyMap<string, ChannelHandler>;
  /** Whether it is a member of the cluster, as far as this one knows. */
  readonly isPeer: (node: NodeId) => boolean;
  readonly closed: () => void;
}

/** The answering end of a connection that a peer has dialed. Who that is it must say, and show as far as it can. */
export class IncomingChannel {
  readonly #parts: IncomingChannelParts;
  readonly #connection: Connection;
  readonly #outbox: ChannelOutbox;
  readonly #inbox = new ChannelInbox(limits.channelWaitingBytes);
  readonly #reader: ChannelReader;
  readonly #handshake: Timer;
  /** Asked and not answered. */
  readonly #answering = new Set<number>();
  #peer: NodeId | null = null;
  #ended = false;

  constructor(parts: IncomingChannelParts, connection: Connection) {
    const { platform } = parts;
    this.#parts = parts;
    this.#connection = connection;
    this.#outbox = new ChannelOutbox(platform, connection);
    this.#reader = new ChannelReader(platform, strangerBytes, (frame) => {
      if (!this.#ended) this.#frame(frame);
    });
    this.#handshake = platform.timer(limits.peerPrefaceMs, 'peer-channel-hello', () => this.destroy());
    connection.start({
      data: (chunk) => this.#data(chunk),
      drained: () => this.#outbox.drained(),
      closed: () => this.#over(),
    });
  }

  destroy(): void {
    this.#connection.destroy();
    this.#over();
  }

  #over(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#handshake.cancel();
    this.#outbox.close();
    this.#answering.clear();
    this.#parts.closed();
  }

  #data(chunk: Uint8Array): void {
    if (this.#ended) return;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      this.#parts.platform.log.warn('a channel of another member cannot be read', {
        reason: messageOf(error),
      });
      this.destroy();
    }
  }

  #frame(frame: ChannelFrame): void {
    if (this.#peer === null) {
      this.#greet(frame);
      return;
    }
    switch (frame.kind) {
      case frameKind.request:
      case frameKind.message: {
        const whole = this.#inbox.take(frame);
        if (whole === null) return;
        if (frame.kind === frameKind.message) this.#answer(this.#peer, null, whole.bytes);
        else if (this.#answering.size < limits.channelQuestions) {
          this.#answering.add(whole.stream);
          this.#answer(this.#peer, whole.stream, whole.bytes);
        } else this.#send(whole.stream, outcomes.failed, text('it is busy with others'));
        return;
      }
      case frameKind.cancel: {
        const stream = streamOf(frame.body);
        this.#answering.delete(stream);
        this.#outbox.withdraw(stream);
        return;
      }
      case frameKind.hello:
      case frameKind.welcome:
      case frameKind.refusal:
      case frameKind.answer:
        throw new FlotillaError('FLOTILLA_PEER_MALFORMED', 'a question was expected');
      default:
        unreachable(frame.kind);
    }
  }

  #greet(frame: ChannelFrame): void {
    if (frame.kind !== frameKind.hello) {
      throw new FlotillaError('FLOTILLA_PEER_MALFORMED', 'a greeting was expected');
    }
    const hello = decodeGreeting(frame.body);
    const refusal = this.#refusalOf(hello);
    const { platform, nodeId, clusterId } = this.#parts;
    this.#connection.write(channelPreface);
    if (refusal !== null) {
      this.#connection.write(encodeFrame(platform, frameKind.refusal, [text(refusal)]));
      this.#connection.close();
      this.#over();
      return;
    }
    this.#handshake.cancel();
    this.#peer = hello.from as NodeId;
    this.#reader.maxBodyBytes = longestFrameBytes;
    const greeting = { version: channelVersion, clusterId, from: nodeId, to: hello.from };
    this.#connection.write(encodeFrame(platform, frameKind.welcome, [encodeGreeting(greeting)]));
  }

  #refusalOf({ version, clusterId, from, to }: ChannelGreeting): string | null {
    const { transport, nodeId, isPeer } = this.#parts;
    if (version !== channelVersion) return `it knows version ${channelVersion} of channels, not ${version}`;
    if (clusterId !== this.#parts.clusterId) return 'it belongs to another cluster';
    if (to !== nodeId) return `it is member ${nodeId}, not ${to}`;
    if (!isPeer(from as NodeId)) return `it knows no member ${from}`;
    try {
      transport.authenticate?.(this.#connection, from as NodeId);
      return null;
    } catch (error) {
      return messageOf(error);
    }
  }

  #answer(peer: NodeId, stream: number | null, bytes: Uint8Array): void {
    this.#parts.platform.spawn('peer-answer', async () => {
      let outcome: number = outcomes.answered;
      let content: Uint8Array;
      try {
        const { path, body } = decodeQuestion(bytes);
        const handler = this.#parts.handlers.get(path);
        if (handler === undefined) {
          outcome = outcomes.unknownPath;
          content = text(path);
        } else content = await handler(body, peer);
        if (content.length >= limits.channelAnswerBytes) throw new Error('its answer is too large');
      } catch (error) {
        outcome = outcomes.failed;
        content = text(messageOf(error));
      }
      // Nobody waits for it any more, otherwise.
      if (stream !== null && this.#answering.delete(stream)) this.#send(stream, outcome, content);
    });
  }

  #send(stream: number, outcome: number, content: Uint8Array): void {
    this.#outbox.push(frameKind.answer, stream, encodeOutcome(outcome, content));
  }
}

/** Who has not said who it is gets little memory. */
const strangerBytes = 256;

function text(reason: string): Uint8Array {
  return new TextEncoder().encode(reason);
}
