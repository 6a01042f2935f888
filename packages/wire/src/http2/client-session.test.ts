import { beforeEach, describe, expect, test } from 'vitest';
import { limits } from '../limits.ts';
import { ClientSession } from './client-session.ts';
import type { ClientStream, StreamSink } from './client-session.ts';
import { ErrorCode, Http2Error } from './error.ts';
import { HpackEncoder } from './hpack.ts';
import type { Field, HeaderFields } from './hpack.ts';

const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const WINDOW_UPDATE = 8;
const END_STREAM = 1;
const END_HEADERS = 4;

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

function frame(
  type: number,
  flags: number,
  stream: number,
  payload: readonly number[] | Uint8Array = [],
): Uint8Array {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Uint8Array.from([...head, ...payload]);
}

function uint32(value: number): readonly number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

const setting = (id: number, value: number): readonly number[] => [0, id, ...uint32(value)];

/** What a call has heard. */
class Heard implements StreamSink {
  readonly fields: HeaderFields[] = [];
  readonly bytes: number[] = [];
  writableTimes = 0;
  end: number | null | 'lost' | undefined;

  headers(fields: HeaderFields): void {
    this.fields.push(fields);
  }

  data(bytes: Uint8Array): void {
    this.bytes.push(...bytes);
  }

  writable(): void {
    this.writableTimes += 1;
  }

  closed(errorCode: number | null): void {
    expect(this.end).toBeUndefined();
    this.end = errorCode;
  }

  lost(): void {
    expect(this.end).toBeUndefined();
    this.end = 'lost';
  }
}

describe("a client's session", () => {
  let session: ClientSession;
  let gone: boolean;
  let encoder: HpackEncoder;

  beforeEach(() => {
    gone = false;
    encoder = new HpackEncoder();
    session = new ClientSession({ wake: () => {}, ready: () => {}, goneAway: () => (gone = true) });
    session.start();
    session.receive(frame(SETTINGS, 0, 0));
    session.takeOutput();
  });

  const open = (heard = new Heard()): { stream: ClientStream; heard: Heard } => ({
    stream: session.open([[':method', 'POST']], [], heard),
    heard,
  });

  const sent = (): readonly Frame[] => {
    const bytes = Buffer.from(session.takeOutput());
    const frames: Frame[] = [];
    for (let position = 0; position < bytes.length;) {
      const end = position + 9 + bytes.readUIntBE(position, 3);
      const [type = 0, flags = 0] = bytes.subarray(position + 3);
      frames.push({
        type,
        flags,
        stream: bytes.readUInt32BE(position + 5),
        payload: bytes.subarray(position + 9, end),
      });
      position = end;
    }
    return frames;
  };

  const sentBytes = (): number =>
    sent().reduce((sum, { type, payload }) => sum + (type === 0 ? payload.length : 0), 0);

  const block = (...fields: Field[]): Uint8Array => {
    encoder.begin();
    for (const [name, value] of fields) encoder.field(name, value);
    return encoder.finish().slice();
  };

  function breaks(bytes: Uint8Array, errorCode: number): void {
    try {
      session.receive(bytes);
    } catch (error) {
      if (!(error instanceof Http2Error)) throw error;
      expect(error.errorCode).toBe(errorCode);
      return;
    }
    throw new Error('the session took it');
  }

  test('begins with the preface and its settings', () => {
    const fresh = new ClientSession({ wake: () => {}, ready: () => {}, goneAway: () => {} });
    fresh.start();
    const bytes = Buffer.from(fresh.takeOutput());
    expect(bytes.subarray(0, 24).toString()).toBe('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    expect(bytes[27]).toBe(SETTINGS);
  });

  test('numbers streams by odd numbers and ends a call with its last byte', () => {
    open().stream.end(Uint8Array.of(1, 2));
    open().stream.end(Uint8Array.of(3));
    expect(sent().map(({ type, flags, stream }) => [type, flags, stream])).toEqual([
      [HEADERS, END_HEADERS, 1],
      [0, END_STREAM, 1],
      [HEADERS, END_HEADERS, 3],
      [0, END_STREAM, 3],
    ]);
  });

  test('delivers headers, data and trailers however the bytes are cut', () => {
    const { stream, heard } = open();
    stream.end(Uint8Array.of(1));
    const bytes = Buffer.concat([
      frame(HEADERS, END_HEADERS, 1, block([':status', '200'])),
      frame(0, 0, 1, [1, 2]),
      frame(0, 0x8, 1, [2, 3, 4, 0, 0]),
      frame(99, 0xff, 1, [1, 2, 3]),
      frame(HEADERS, END_HEADERS | END_STREAM, 1, block(['grpc-status', '0'])),
    ]);
    for (const byte of bytes) session.receive(Uint8Array.of(byte));
    expect(heard.fields).toEqual([{ ':status': '200' }, { 'grpc-status': '0' }]);
    expect(heard.bytes).toEqual([1, 2, 3, 4]);
    expect(heard.end).toBeNull();
    expect(session.isIdle).toBe(true);
  });

  test('puts a header block together from its continuations', () => {
    const { heard } = open();
    const whole = block(['x-a', 'b'.repeat(100)]);
    session.receive(frame(HEADERS, 0x20, 1, [0, 0, 0, 0, 0, ...whole.subarray(0, 10)]));
    session.receive(frame(9, 0, 1, whole.subarray(10, 20)));
    session.receive(frame(9, END_HEADERS, 1, whole.subarray(20)));
    expect(heard.fields).toEqual([{ 'x-a': 'b'.repeat(100) }]);
  });

  test('acknowledges settings and pings, and nothing twice', () => {
    session.receive(frame(SETTINGS, 0, 0, setting(3, 100)));
    session.receive(frame(PING, 0, 0, [1, 2, 3, 4, 5, 6, 7, 8]));
    session.receive(frame(SETTINGS, 1, 0));
    session.receive(frame(PING, 1, 0, [1, 2, 3, 4, 5, 6, 7, 8]));
    const frames = sent();
    expect(frames.map(({ type, flags }) => [type, flags])).toEqual([
      [SETTINGS, 1],
      [PING, 1],
    ]);
    expect([...(frames[1]?.payload ?? [])]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("sends no more than the connection's and the stream's windows allow", () => {
    const { stream, heard } = open();
    expect(stream.write(new Uint8Array(100_000))).toBe(false);
    expect(sentBytes()).toBe(65_535);
    session.receive(frame(WINDOW_UPDATE, 0, 0, uint32(50_000)));
    expect(sentBytes()).toBe(0);
    session.receive(frame(WINDOW_UPDATE, 0, 1, uint32(10)));
    expect(sentBytes()).toBe(10);
    expect(heard.writableTimes).toBe(0);
    session.receive(frame(SETTINGS, 0, 0, setting(4, 65_535 + 40_000)));
    expect(sentBytes()).toBe(100_000 - 65_535 - 10);
    expect(heard.writableTimes).toBe(1);
    expect(stream.bufferedBytes).toBe(0);
  });

  test('cuts messages to the frame size of the server', () => {
    const { stream } = open();
    stream.end(new Uint8Array(40_000));
    const sizes = sent()
      .slice(1)
      .map(({ payload, flags }) => [payload.length, flags]);
    expect(sizes).toEqual([
      [16_384, 0],
      [16_384, 0],
      [7_232, END_STREAM],
    ]);
  });

  test('sends nothing of its messages while the socket is full', () => {
    const { stream } = open();
    session.hold(true);
    stream.write(new Uint8Array(10));
    expect(sentBytes()).toBe(0);
    session.hold(false);
    expect(sentBytes()).toBe(10);
  });

  test('gives the server its windows back as data is read, and not while a reader is behind', () => {
    const { stream } = open();
    const feed = (bytes: number): void => {
      for (let left = bytes; left > 0; left -= 16_384) {
        session.receive(frame(0, 0, 1, new Uint8Array(Math.min(left, 16_384))));
      }
    };
    feed(limits.streamWindowBytes / 2);
    const updates = sent().filter(({ type, stream: id }) => type === WINDOW_UPDATE && id === 1);
    expect(updates.map(({ payload }) => payload.readUInt32BE(0))).toEqual([limits.streamWindowBytes / 2]);
    stream.hold(true);
    feed(limits.streamWindowBytes / 2);
    expect(sent().filter(({ stream: id }) => id === 1)).toEqual([]);
    stream.hold(false);
    expect(sent().map(({ type, stream: id }) => [type, id])).toEqual([[WINDOW_UPDATE, 1]]);
  });

  test('has calls wait when the server takes no more at a time', () => {
    session.receive(frame(SETTINGS, 0, 0, setting(3, 1)));
    const first = open();
    const second = open();
    const third = open();
    second.stream.end(Uint8Array.of(7));
    expect(
      sent()
        .filter(({ type }) => type === HEADERS)
        .map(({ stream }) => stream),
    ).toEqual([1]);
    third.stream.reset(ErrorCode.CANCEL);
    session.receive(frame(RST_STREAM, 0, 1, uint32(ErrorCode.INTERNAL_ERROR)));
    expect(first.heard.end).toBe(ErrorCode.INTERNAL_ERROR);
    expect(sent().map(({ type, stream }) => [type, stream])).toEqual([
      [HEADERS, 3],
      [0, 3],
    ]);
  });

  test('resets a call that is given up, and ignores what still comes for it', () => {
    const { stream, heard } = open();
    sent();
    stream.reset(ErrorCode.CANCEL);
    expect(sent()).toMatchObject([{ type: RST_STREAM, stream: 1 }]);
    session.receive(frame(HEADERS, END_HEADERS, 1, block(['x-late', 'kept in step'])));
    session.receive(frame(0, END_STREAM, 1, [1]));
    expect(heard.fields).toEqual([]);
    expect(heard.end).toBeUndefined();
  });

  test('lets go of a request whose answer came before its end', () => {
    const { heard } = open();
    sent();
    session.receive(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(['grpc-status', '3'])));
    expect(heard.end).toBeNull();
    expect(sent()).toMatchObject([{ type: RST_STREAM, stream: 1 }]);
  });

  test('keeps the calls that a leaving server has taken and refuses the others', () => {
    const first = open();
    const second = open();
    session.receive(frame(GOAWAY, 0, 0, [...uint32(1), ...uint32(0)]));
    expect(gone).toBe(true);
    expect(session.isGone).toBe(true);
    expect(first.heard.end).toBeUndefined();
    expect(second.heard.end).toBe(ErrorCode.REFUSED_STREAM);
    session.lost();
    expect(first.heard.end).toBe('lost');
  });

  test.each([
    ['a frame too large', frame(0, 0, 1, new Uint8Array(16_385)), ErrorCode.FRAME_SIZE_ERROR],
    ['data for the connection', frame(0, 0, 0, [1]), ErrorCode.PROTOCOL_ERROR],
    ['data of a stream that nobody opened', frame(0, 0, 3, [1]), ErrorCode.PROTOCOL_ERROR],
    ['a stream of the server', frame(HEADERS, END_HEADERS, 2), ErrorCode.PROTOCOL_ERROR],
    ['a push', frame(5, 0, 1, [0, 0, 0, 2]), ErrorCode.PROTOCOL_ERROR],
    ['a continuation of nothing', frame(9, 0, 1), ErrorCode.PROTOCOL_ERROR],
    ['more padding than frame', frame(0, 8, 1, [5, 1]), ErrorCode.PROTOCOL_ERROR],
    ['a short reset', frame(RST_STREAM, 0, 1, [1]), ErrorCode.FRAME_SIZE_ERROR],
    ['a short ping', frame(PING, 0, 0, [1]), ErrorCode.FRAME_SIZE_ERROR],
    ['half a setting', frame(SETTINGS, 0, 0, [0, 1]), ErrorCode.FRAME_SIZE_ERROR],
    ['a short farewell', frame(GOAWAY, 0, 0, [1]), ErrorCode.FRAME_SIZE_ERROR],
    ['a window too large', frame(WINDOW_UPDATE, 0, 0, uint32(0x7fff_ffff)), ErrorCode.FLOW_CONTROL_ERROR],
    [
      'a first window too large',
      frame(SETTINGS, 0, 0, setting(4, 0x8000_0000)),
      ErrorCode.FLOW_CONTROL_ERROR,
    ],
    ['a frame size out of bounds', frame(SETTINGS, 0, 0, setting(5, 100)), ErrorCode.PROTOCOL_ERROR],
    ['a broken header block', frame(HEADERS, END_HEADERS, 1, [0x80]), ErrorCode.COMPRESSION_ERROR],
  ])('refuses %s', (_, bytes, errorCode) => {
    open();
    breaks(bytes, errorCode);
  });

  test('refuses a header block that is interrupted or never ends', () => {
    open();
    session.receive(frame(HEADERS, 0, 1, [0x88]));
    breaks(frame(PING, 0, 0, new Uint8Array(8)), ErrorCode.PROTOCOL_ERROR);
  });
});
