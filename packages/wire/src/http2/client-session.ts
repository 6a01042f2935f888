import { limits } from '../limits.ts';
import { ErrorCode, Http2Error } from './error.ts';
import { HpackDecoder, HpackEncoder } from './hpack.ts';
import type { Field, HeaderFields } from './hpack.ts';
import { Output } from './output.ts';

/** What a session needs from whoever owns the socket. */
export interface SessionHost {
  /** There is output to {@link ClientSession.takeOutput}; called once until it is taken. */
  wake(): void;
  /** The server's first settings are here. */
  ready(): void;
  /** The server takes no new calls on this connection; those under way go on. */
  goneAway(): void;
}

/** What a call hears of its stream. `closed` or `lost` comes last, once, unless the call itself has reset the stream. */
export interface StreamSink {
  headers(fields: HeaderFields): void;
  /** The bytes are a view, good until the call returns unless it keeps it. */
  data(bytes: Uint8Array): void;
  /** All that was written has been sent, after {@link ClientStream.write} had answered false. */
  writable(): void;
  /** `errorCode`: of the server's reset; null: the server has ended the stream. */
  closed(errorCode: number | null): void;
  /** The connection is no more. */
  lost(): void;
}

/**
 * The client's side of one HTTP/2 connection (RFC 9113), as a machine without I/O: bytes go in by {@link receive} and
 * come out by {@link takeOutput}. Exactly what gRPC needs: no push, no priorities.
 */
export class ClientSession {
  readonly #host: SessionHost;
  readonly #output = new Output();
  readonly #encoder = new HpackEncoder();
  readonly #decoder = new HpackDecoder(limits.headerListBytes);
  readonly #streams = new Map<number, ClientStream>();
  /** Opened by calls, and beyond what the server takes at a time. */
  #waiting: ClientStream[] = [];
  /** Streams with something to send and no room for it, in the order in which they came to it. */
  readonly #blocked = new Set<ClientStream>();
  #rest: Uint8Array = new Uint8Array(0);
  #lastStream = -1;
  #awake = false;
  #isReady = false;
  #isGone = false;
  /** The socket takes no more for now. */
  #isHeld = false;
  #sendWindow = DEFAULT_WINDOW_BYTES;
  #peerStreamWindow = DEFAULT_WINDOW_BYTES;
  #peerFrameBytes = DEFAULT_FRAME_BYTES;
  #peerStreams = Number.POSITIVE_INFINITY;
  /** Received and not yet given back to the server's window of the connection. */
  #owed = 0;
  /** A header block whose end has not come. */
  #block: {
    readonly stream: number;
    readonly ends: boolean;
    readonly parts: Uint8Array[];
    bytes: number;
  } | null = null;

  constructor(host: SessionHost) {
    this.#host = host;
  }

  /** No call may be begun any more, or ever was beyond what a connection can number. */
  get isGone(): boolean {
    return this.#isGone || this.#lastStream >= LAST_STREAM;
  }

  /** No call is under way. */
  get isIdle(): boolean {
    return this.#streams.size === 0 && this.#waiting.length === 0;
  }

  start(): void {
    this.#output.bytes(PREFACE);
    this.#output.frameHeader(12, FrameType.SETTINGS, 0, 0);
    this.#output.uint16(Setting.ENABLE_PUSH);
    this.#output.uint32(0);
    this.#output.uint16(Setting.INITIAL_WINDOW_SIZE);
    this.#output.uint32(limits.streamWindowBytes);
    this.#windowUpdate(0, limits.connectionWindowBytes - DEFAULT_WINDOW_BYTES);
    this.#wake();
  }

  takeOutput(): Uint8Array {
    this.#awake = false;
    return this.#output.take();
  }

  /** Fields that are the same in many calls, and those of this one. */
  open(common: readonly Field[], own: readonly Field[], sink: StreamSink): ClientStream {
    const stream = new ClientStream(this, common, own, sink);
    if (this.#streams.size >= this.#peerStreams) this.#waiting.push(stream);
    else this.#begin(stream);
    return stream;
  }

  /** Throws an {@link Http2Error}: say {@link goodbye} and close the socket. */
  receive(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + chunk.length);
      bytes.set(this.#rest);
      bytes.set(chunk, this.#rest.length);
    }
    let position = 0;
    while (bytes.length - position >= FRAME_HEADER_BYTES) {
      const length =
        ((bytes[position] as number) << 16) |
        ((bytes[position + 1] as number) << 8) |
        (bytes[position + 2] as number);
      if (length > DEFAULT_FRAME_BYTES)
        throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, `a frame of ${length} bytes`);
      const start = position + FRAME_HEADER_BYTES;
      if (bytes.length - start < length) break;
      const type = bytes[position + 3] as number;
      const flags = bytes[position + 4] as number;
      const stream = uint32(bytes, position + 5) & 0x7fff_ffff;
      position = start + length;
      this.#frame(type, flags, stream, bytes.subarray(start, position));
    }
    this.#rest = bytes.subarray(position);
  }

  /** The socket takes no more (true), or more again. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (!isHeld) this.#flushBlocked();
  }

  /** The last words of a connection. */
  goodbye(errorCode: number): void {
    this.#output.frameHeader(8, FrameType.GOAWAY, 0, 0);
    this.#output.uint32(0);
    this.#output.uint32(errorCode);
    this.#wake();
  }

  /** The connection is no more: every stream hears of it. */
  lost(): void {
    this.#isGone = true;
    const streams = [...this.#streams.values(), ...this.#waiting];
    this.#streams.clear();
    this.#waiting = [];
    for (const stream of streams) stream.sink.lost();
  }

  /** For {@link ClientStream}: sends what the windows and the socket allow. */
  flush(stream: ClientStream): void {
    while (stream.hasOutput) {
      const room = this.#isHeld ? 0 : Math.min(this.#sendWindow, stream.sendWindow, this.#peerFrameBytes);
      if (stream.id === 0 || (room <= 0 && stream.needsRoom)) {
        this.#blocked.add(stream);
        return;
      }
      const { bytes, ends } = stream.take(room);
      this.#sendWindow -= bytes.length;
      stream.sendWindow -= bytes.length;
      this.#output.frameHeader(bytes.length, FrameType.DATA, ends ? Flag.END_STREAM : 0, stream.id);
      this.#output.bytes(bytes);
      this.#wake();
    }
    this.#blocked.delete(stream);
    stream.flushed();
  }

  reset(stream: ClientStream, errorCode: number): void {
    this.#blocked.delete(stream);
    if (stream.id === 0) {
      this.#waiting = this.#waiting.filter((other) => other !== stream);
      return;
    }
    if (!this.#streams.delete(stream.id)) return;
    this.#output.frameHeader(4, FrameType.RST_STREAM, 0, stream.id);
    this.#output.uint32(errorCode);
    this.#wake();
    this.#beginWaiting();
  }

  giveBack(stream: ClientStream, bytes: number): void {
    if (this.#streams.has(stream.id)) this.#windowUpdate(stream.id, bytes);
  }

  #wake(): void {
    if (this.#awake) return;
    this.#awake = true;
    this.#host.wake();
  }

  #begin(stream: ClientStream): void {
    this.#lastStream += 2;
    stream.id = this.#lastStream;
    stream.sendWindow = this.#peerStreamWindow;
    this.#streams.set(stream.id, stream);
    const encoder = this.#encoder;
    encoder.begin();
    encoder.common(stream.common);
    for (const [name, value] of stream.own) encoder.field(name, value);
    this.#headers(stream.id, encoder.finish());
    this.flush(stream);
  }

  #beginWaiting(): void {
    while (this.#waiting.length > 0 && this.#streams.size < this.#peerStreams) {
      this.#begin(this.#waiting.shift() as ClientStream);
    }
  }

  #headers(stream: number, block: Uint8Array): void {
    let type: number = FrameType.HEADERS;
    let position = 0;
    do {
      const end = Math.min(position + this.#peerFrameBytes, block.length);
      this.#output.frameHeader(end - position, type, end === block.length ? Flag.END_HEADERS : 0, stream);
      this.#output.bytes(block.subarray(position, end));
      type = FrameType.CONTINUATION;
      position = end;
    } while (position < block.length);
    this.#wake();
  }

  #windowUpdate(stream: number, bytes: number): void {
    this.#output.frameHeader(4, FrameType.WINDOW_UPDATE, 0, stream);
    this.#output.uint32(bytes);
    this.#wake();
  }

  #frame(type: number, flags: number, stream: number, payload: Uint8Array): void {
    if (this.#block !== null && (type !== FrameType.CONTINUATION || stream !== this.#block.stream)) {
      throw protocolError('a header block was interrupted');
    }
    switch (type) {
      case FrameType.DATA:
        this.#data(flags, stream, payload);
        return;
      case FrameType.HEADERS:
        this.#headersFrame(flags, stream, payload);
        return;
      case FrameType.CONTINUATION:
        this.#continuation(flags, payload);
        return;
      case FrameType.RST_STREAM:
        this.#close(stream, uint32(sized(payload, 4), 0));
        return;
      case FrameType.SETTINGS:
        this.#settings(flags, payload);
        return;
      case FrameType.PING:
        this.#ping(flags, sized(payload, 8));
        return;
      case FrameType.GOAWAY:
        this.#goAway(payload);
        return;
      case FrameType.WINDOW_UPDATE:
        this.#windowUpdated(stream, uint32(sized(payload, 4), 0) & 0x7fff_ffff);
        return;
      case FrameType.PUSH_PROMISE:
        throw protocolError('a push was promised that nobody allowed');
      default:
      // PRIORITY says nothing to a client, and unknown types must be ignored.
    }
  }

  #data(flags: number, id: number, payload: Uint8Array): void {
    this.#knownStream(id);
    this.#owed += payload.length;
    if (this.#owed >= limits.connectionWindowBytes / 2) {
      this.#windowUpdate(0, this.#owed);
      this.#owed = 0;
    }
    const stream = this.#streams.get(id);
    // Of a stream that was reset here.
    if (stream === undefined) return;
    stream.received(payload.length);
    const bytes = (flags & Flag.PADDED) === 0 ? payload : unpadded(payload);
    if (bytes.length > 0) stream.sink.data(bytes);
    if ((flags & Flag.END_STREAM) !== 0) this.#close(id, null);
  }

  #headersFrame(flags: number, stream: number, payload: Uint8Array): void {
    this.#knownStream(stream);
    let block = (flags & Flag.PADDED) === 0 ? payload : unpadded(payload);
    if ((flags & Flag.PRIORITY) !== 0) {
      if (block.length < 5) throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, 'a priority is cut off');
      block = block.subarray(5);
    }
    const ends = (flags & Flag.END_STREAM) !== 0;
    if ((flags & Flag.END_HEADERS) !== 0) this.#deliver(stream, block, ends);
    else this.#block = { stream, ends, parts: [block], bytes: block.length };
  }

  #continuation(flags: number, payload: Uint8Array): void {
    const block = this.#block;
    if (block === null) throw protocolError('a header block goes on that has not begun');
    block.parts.push(payload);
    block.bytes += payload.length;
    if (block.bytes > limits.headerListBytes)
      throw new Http2Error(ErrorCode.ENHANCE_YOUR_CALM, 'a header block too long');
    if ((flags & Flag.END_HEADERS) === 0) return;
    this.#block = null;
    const whole = new Uint8Array(block.bytes);
    let position = 0;
    for (const part of block.parts) {
      whole.set(part, position);
      position += part.length;
    }
    this.#deliver(block.stream, whole, block.ends);
  }

  #deliver(id: number, block: Uint8Array, ends: boolean): void {
    const fields = this.#decoder.decode(block);
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.sink.headers(fields);
    if (ends) this.#close(id, null);
  }

  #close(id: number, errorCode: number | null): void {
    this.#knownStream(id);
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    // Half a stream is left when the server has said all before the client has: the rest is not wanted.
    if (errorCode === null && !stream.hasEnded) this.reset(stream, ErrorCode.NO_ERROR);
    this.#streams.delete(id);
    this.#blocked.delete(stream);
    stream.sink.closed(errorCode);
    this.#beginWaiting();
  }

  #knownStream(id: number): void {
    if (id === 0 || id > this.#lastStream || id % 2 === 0) throw protocolError(`there is no stream ${id}`);
  }

  #settings(flags: number, payload: Uint8Array): void {
    if ((flags & Flag.ACK) !== 0) return;
    if (payload.length % 6 !== 0) throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, 'settings are cut off');
    for (let position = 0; position < payload.length; position += 6) {
      const setting = ((payload[position] as number) << 8) | (payload[position + 1] as number);
      this.#setting(setting, uint32(payload, position + 2));
    }
    this.#output.frameHeader(0, FrameType.SETTINGS, Flag.ACK, 0);
    this.#wake();
    if (!this.#isReady) {
      this.#isReady = true;
      this.#host.ready();
    }
    this.#flushBlocked();
    this.#beginWaiting();
  }

  #setting(setting: number, value: number): void {
    switch (setting) {
      case Setting.HEADER_TABLE_SIZE:
        this.#encoder.limitTable(value);
        return;
      case Setting.MAX_CONCURRENT_STREAMS:
        this.#peerStreams = value;
        return;
      case Setting.INITIAL_WINDOW_SIZE:
        if (value > MAX_WINDOW_BYTES)
          throw new Http2Error(ErrorCode.FLOW_CONTROL_ERROR, 'a window too large');
        for (const stream of this.#streams.values()) stream.sendWindow += value - this.#peerStreamWindow;
        this.#peerStreamWindow = value;
        return;
      case Setting.MAX_FRAME_SIZE:
        if (value < DEFAULT_FRAME_BYTES || value > 0xff_ffff)
          throw protocolError('a frame size out of bounds');
        this.#peerFrameBytes = value;
        return;
      default:
      // Others are not for clients, and unknown ones must be ignored.
    }
  }

  #ping(flags: number, payload: Uint8Array): void {
    if ((flags & Flag.ACK) !== 0) return;
    this.#output.frameHeader(8, FrameType.PING, Flag.ACK, 0);
    this.#output.bytes(payload);
    this.#wake();
  }

  #goAway(payload: Uint8Array): void {
    if (payload.length < 8) throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, 'a farewell is cut off');
    const last = uint32(payload, 0) & 0x7fff_ffff;
    this.#isGone = true;
    this.#host.goneAway();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const stream of waiting) stream.sink.closed(ErrorCode.REFUSED_STREAM);
    for (const id of this.#streams.keys()) if (id > last) this.#close(id, ErrorCode.REFUSED_STREAM);
  }

  #windowUpdated(id: number, bytes: number): void {
    if (id === 0) {
      this.#sendWindow += bytes;
      if (this.#sendWindow > MAX_WINDOW_BYTES) {
        throw new Http2Error(ErrorCode.FLOW_CONTROL_ERROR, 'a window too large');
      }
      this.#flushBlocked();
      return;
    }
    this.#knownStream(id);
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.sendWindow += bytes;
    if (stream.sendWindow > MAX_WINDOW_BYTES) this.#close(id, ErrorCode.FLOW_CONTROL_ERROR);
    else if (this.#blocked.has(stream)) this.flush(stream);
  }

  #flushBlocked(): void {
    for (const stream of this.#blocked) this.flush(stream);
  }
}

/** One call's stream: what it has still to send, and how much it may. */
export class ClientStream {
  readonly #session: ClientSession;
  readonly common: readonly Field[];
  readonly own: readonly Field[];
  readonly sink: StreamSink;
  /** 0: the server takes no more streams for now. */
  id = 0;
  sendWindow = 0;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #ending = false;
  #ended = false;
  #isFull = false;
  /** Received and not yet given back to the server's window of the stream. */
  #owed = 0;
  #isHeld = false;

  constructor(session: ClientSession, common: readonly Field[], own: readonly Field[], sink: StreamSink) {
    this.#session = session;
    this.common = common;
    this.own = own;
    this.sink = sink;
  }

  get bufferedBytes(): number {
    return this.#queuedBytes;
  }

  /** The last frame has been sent. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  get hasOutput(): boolean {
    return this.#queue.length > 0 || (this.#ending && !this.#ended);
  }

  /** An empty last frame needs none. */
  get needsRoom(): boolean {
    return this.#queuedBytes > 0;
  }

  /** False: wait for `drained`. */
  write(bytes: Uint8Array): boolean {
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#session.flush(this);
    this.#isFull = this.#queuedBytes > 0;
    return !this.#isFull;
  }

  /** With the last bytes, so that they and the end go in one frame. */
  end(bytes: Uint8Array | null): void {
    if (this.#ending) return;
    this.#ending = true;
    if (bytes !== null) {
      this.#queue.push(bytes);
      this.#queuedBytes += bytes.length;
    }
    this.#session.flush(this);
  }

  reset(errorCode: number): void {
    this.#session.reset(this, errorCode);
  }

  /** The reader does not keep up (true): the server is not given its window back until it does. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (!isHeld) this.#repay();
  }

  /** For the session: up to `room` bytes of output, and whether they are the last. */
  take(room: number): { readonly bytes: Uint8Array; readonly ends: boolean } {
    const first = this.#queue[0];
    let bytes: Uint8Array = NOTHING;
    if (first !== undefined) {
      bytes = first.length <= room ? first : first.subarray(0, room);
      if (bytes === first) this.#queue.shift();
      else this.#queue[0] = first.subarray(room);
      this.#queuedBytes -= bytes.length;
    }
    this.#ended = this.#ending && this.#queue.length === 0;
    return { bytes, ends: this.#ended };
  }

  /** For the session: all output has been sent. */
  flushed(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    this.sink.writable();
  }

  received(bytes: number): void {
    this.#owed += bytes;
    if (!this.#isHeld && this.#owed >= limits.streamWindowBytes / 2) this.#repay();
  }

  #repay(): void {
    if (this.#owed === 0) return;
    this.#session.giveBack(this, this.#owed);
    this.#owed = 0;
  }
}

const NOTHING = new Uint8Array(0);

const PREFACE = Uint8Array.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', (letter) => letter.charCodeAt(0));
const FRAME_HEADER_BYTES = 9;
/** The protocol's own values until settings say otherwise. */
const DEFAULT_WINDOW_BYTES = 65_535;
const DEFAULT_FRAME_BYTES = 16_384;
const MAX_WINDOW_BYTES = 0x7fff_ffff;
const LAST_STREAM = 0x7fff_ffff;

const FrameType = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

const Flag = { ACK: 0x1, END_STREAM: 0x1, END_HEADERS: 0x4, PADDED: 0x8, PRIORITY: 0x20 } as const;

const Setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
} as const;

function uint32(bytes: Uint8Array, position: number): number {
  return (
    (((bytes[position] as number) << 24) |
      ((bytes[position + 1] as number) << 16) |
      ((bytes[position + 2] as number) << 8) |
      (bytes[position + 3] as number)) >>>
    0
  );
}

function sized(payload: Uint8Array, bytes: number): Uint8Array {
  if (payload.length !== bytes) throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, 'a frame of the wrong size');
  return payload;
}

function unpadded(payload: Uint8Array): Uint8Array {
  const padding = payload[0];
  if (padding === undefined || padding >= payload.length) throw protocolError('more padding than frame');
  return payload.subarray(1, payload.length - padding);
}

function protocolError(what: string): Http2Error {
  return new Http2Error(ErrorCode.PROTOCOL_ERROR, what);
}
