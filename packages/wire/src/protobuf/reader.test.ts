import { isFlotillaError } from '@flotilla/platform';
import { describe, expect, test } from 'vitest';
import {
  KeyValue,
  LeaseGrantRequest,
  RangeRequest,
  ResponseHeader,
  RequestOp,
  StatusResponse,
  TxnRequest,
  WatchCreateRequest,
} from '../generated/index.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

function isMalformed(decode: () => unknown, what: RegExp): void {
  try {
    decode();
  } catch (error) {
    if (!isFlotillaError(error, 'FLOTILLA_WIRE_MALFORMED')) throw error;
    expect(error.message).toMatch(what);
    return;
  }
  throw new Error('it was decoded');
}

describe('decoding', () => {
  test('no bytes give every default', () => {
    expect(RangeRequest.decode(bytes())).toEqual(RangeRequest.create());
  });

  test('bytes are views into the input unless a copy is asked for', () => {
    const input = KeyValue.encode(KeyValue.create({ key: bytes(1, 2), value: bytes(3) })).slice();
    const view = KeyValue.decode(input);
    const copy = KeyValue.decode(input, { copy: true });
    input.fill(9);
    expect(view.key).toEqual(bytes(9, 9));
    expect(copy.key).toEqual(bytes(1, 2));
  });

  test('a Buffer gives plain arrays', () => {
    const input = Buffer.from(KeyValue.encode(KeyValue.create({ key: bytes(1) })));
    expect(KeyValue.decode(input).key.constructor).toBe(Uint8Array);
  });

  test('unknown fields of every wire type are skipped', () => {
    const unknown = [
      0xf8, 0x07, 0x96, 0x01, 0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8, 0xfa, 0x07, 2, 1, 2, 0xfd, 0x07, 1, 2, 3, 4,
    ];
    expect(KeyValue.decode(bytes(...unknown, 0x20, 7, ...unknown)).version).toBe(7);
  });

  test('a known field of another wire type is skipped too', () => {
    expect(KeyValue.decode(bytes(0x22, 1, 5, 0x08, 1))).toEqual(KeyValue.create());
  });

  test('of a field that comes twice the last counts, and sub-messages are merged', () => {
    expect(KeyValue.decode(bytes(0x20, 1, 0x20, 2)).version).toBe(2);
    const twice = bytes(0x0a, 2, 0x08, 1, 0x0a, 2, 0x18, 5);
    expect(StatusResponse.decode(twice).header).toEqual(
      ResponseHeader.create({ clusterId: 1n, revision: 5 }),
    );
  });

  test('of a oneof the last case counts, and the same case twice is merged', () => {
    const put = [0x12, 3, 0x0a, 1, 65];
    const putAgain = [0x12, 3, 0x12, 1, 66];
    const range = [0x0a, 2, 0x18, 3];
    const merged = RequestOp.decode(bytes(...range, ...put, ...putAgain)).request;
    expect(merged).toMatchObject({ case: 'requestPut', value: { key: bytes(65), value: bytes(66) } });
    expect(RequestOp.decode(bytes(...put, ...range)).request?.case).toBe('requestRange');
  });

  test('repeated numbers may come packed, unpacked and mixed', () => {
    expect(WatchCreateRequest.decode(bytes(0x28, 1, 0x2a, 3, 0, 1, 1, 0x28, 0)).filters).toEqual([
      1, 0, 1, 1, 0,
    ]);
  });

  test('an int64 beyond what a number holds is clamped, an identifier is not', () => {
    const most = bytes(0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f);
    const least = bytes(0x20, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01);
    expect(RangeRequest.decode(most).revision).toBe(Number.MAX_SAFE_INTEGER);
    expect(RangeRequest.decode(least).revision).toBe(Number.MIN_SAFE_INTEGER);
    expect(LeaseGrantRequest.decode(bytes(0x10, ...most.subarray(1))).id).toBe(2n ** 63n - 1n);
    expect(LeaseGrantRequest.decode(bytes(0x10, ...least.subarray(1))).id).toBe(-(2n ** 63n));
  });

  test('a varint may be longer than it needs to be, up to ten bytes', () => {
    expect(
      KeyValue.decode(bytes(0x20, 0x87, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00)).version,
    ).toBe(7);
  });

  test('a bool is true for any number but 0', () => {
    expect(RangeRequest.decode(bytes(0x38, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01)).serializable).toBe(true);
    expect(RangeRequest.decode(bytes(0x38, 0x80, 0x00)).serializable).toBe(false);
  });

  test('what is cut off anywhere is malformed, unless a whole message ends there', () => {
    const message = TxnRequest.encode(
      TxnRequest.create({
        success: [
          {
            request: {
              case: 'requestRange',
              value: RangeRequest.create({ key: bytes(1, 2, 3), limit: 300 }),
            },
          },
        ],
      }),
    );
    for (let length = 1; length < message.length; length += 1) {
      isMalformed(() => TxnRequest.decode(message.subarray(0, length)), /cut off|beyond the end/);
    }
  });

  test.each([
    ['a varint of eleven bytes', [0x20, ...Array<number>(10).fill(0x80), 0x01], /longer than 64 bits/],
    ['a varint of 65 bits', [0x20, ...Array<number>(9).fill(0xff), 0x02], /longer than 64 bits/],
    ['a tag of 33 bits', [0xa0, 0x80, 0x80, 0x80, 0x10, 1], /longer than 32 bits/],
    ['field number 0', [0x00, 1], /field number 0/],
    ['the start of a group', [0x0b, 0x0c], /wire type 3/],
    ['the end of a group', [0x0c], /wire type 4/],
    ['wire type 6', [0x0e], /wire type 6/],
    ['wire type 7', [0x0f], /wire type 7/],
    ['a length of 2^32 and more', [0x0a, 0x80, 0x80, 0x80, 0x80, 0x10], /beyond the end/],
    ['a length beyond the end', [0x0a, 5, 1], /beyond the end/],
  ])('%s is malformed', (_, input, what) => {
    isMalformed(() => KeyValue.decode(bytes(...input)), what);
  });

  test('a nested field may not reach beyond its message', () => {
    // The header says two bytes; the varint in it goes on in the third.
    isMalformed(() => StatusResponse.decode(bytes(0x0a, 2, 0x18, 0x80, 0x01)), /cut off/);
  });

  test.each([
    ['a lone continuation', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a cut-off sequence', [0xe2, 0x82]],
  ])('a string with %s is malformed', (_, text) => {
    isMalformed(() => StatusResponse.decode(bytes(0x12, text.length, ...text)), /not UTF-8/);
  });

  test('strings keep every character, a byte order mark too', () => {
    const version = '\uFEFFvé\u0000\u{1F680}'.repeat(20);
    expect(StatusResponse.decode(StatusResponse.encode(StatusResponse.create({ version }))).version).toBe(
      version,
    );
  });

  test('transactions may be nested 128 deep, but not without end', () => {
    expect(TxnRequest.decode(nested(128))).toBeDefined();
    isMalformed(() => TxnRequest.decode(nested(1_000)), /nested too deeply/);
  });

  test('random bytes are decoded or malformed, and nothing else happens', () => {
    let state = 1;
    for (let round = 0; round < 20_000; round += 1) {
      const input = Uint8Array.from({ length: round % 40 }, () => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        return state >>> 24;
      });
      try {
        TxnRequest.decode(input);
      } catch (error) {
        expect(isFlotillaError(error, 'FLOTILLA_WIRE_MALFORMED')).toBe(true);
      }
    }
  });
});

function nested(depth: number): Uint8Array {
  let message = TxnRequest.create();
  for (let level = 0; level < depth; level += 1) {
    message = TxnRequest.create({ success: [{ request: { case: 'requestTxn', value: message } }] });
  }
  return TxnRequest.encode(message);
}

describe('encoding', () => {
  test.each([
    ['a fraction', () => RangeRequest.encode(RangeRequest.create({ limit: 0.5 }))],
    ['a number that is not safe', () => RangeRequest.encode(RangeRequest.create({ limit: 2 ** 53 }))],
    ['NaN', () => RangeRequest.encode(RangeRequest.create({ limit: Number.NaN }))],
    ['an enum beyond 32 bits', () => RangeRequest.encode(RangeRequest.create({ sortOrder: 2 ** 31 }))],
    ['a negative unsigned id', () => ResponseHeader.encode(ResponseHeader.create({ clusterId: -1n }))],
    ['a lease beyond 64 bits', () => KeyValue.encode(KeyValue.create({ lease: 2n ** 63n }))],
  ])('%s is an assertion, not a wrong message', (_, encode) => {
    expect(encode).toThrow(/must/);
  });

  test('a failed message leaves nothing behind in the next', () => {
    expect(() => KeyValue.encode(KeyValue.create({ value: bytes(1), version: 0.5 }))).toThrow();
    expect(KeyValue.encode(KeyValue.create({ version: 1 }))).toEqual(bytes(0x20, 1));
  });

  test('messages of any size keep their bytes while others are encoded', () => {
    const messages = Array.from({ length: 300 }, (_, index) => {
      const value = new Uint8Array((index * 997) % 70_000).fill(index);
      return { value, encoded: KeyValue.encode(KeyValue.create({ value })) };
    });
    for (const { value, encoded } of messages) {
      expect(Buffer.compare(KeyValue.decode(encoded).value, value)).toBe(0);
    }
  });

  test('a frame is the message behind its length', () => {
    const frame = KeyValue.encodeFrame(KeyValue.create({ value: new Uint8Array(300) }));
    expect([...frame.subarray(0, 5)]).toEqual([0, 0, 0, 0x01, 0x2f]);
    expect(KeyValue.decode(frame.subarray(5)).value.length).toBe(300);
  });

  test('an empty list cannot be filled for everybody', () => {
    const list = TxnRequest.create().compare as unknown as unknown[];
    expect(() => list.push(1)).toThrow(TypeError);
  });
});
