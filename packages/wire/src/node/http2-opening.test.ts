import { expect, test } from 'vitest';
import { Http2Opening } from './http2-opening.ts';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const settings = frame(4, 0, []);
const acknowledgement = frame(4, 1, []);
const ping = frame(6, 0, Array<number>(8).fill(0));

/** `:method: POST` from the static table, then `:authority` as a literal that enters the table. */
function request(authority: readonly number[]): Buffer {
  return frame(1, 4, [0x83, 0x41, ...authority, 0x86]);
}

function frame(type: number, flags: number, payload: readonly number[]): Buffer {
  return Buffer.from([0, payload.length >> 8, payload.length & 255, type, flags, 0, 0, 0, 1, ...payload]);
}

function plain(text: string): number[] {
  return [text.length, ...Buffer.from(text)];
}

/** «http://127.0.0.1:2379» in HPACK's Huffman code, as Go's client sends it. */
const huffmanWrong = [
  0x8f, 0x9d, 0x29, 0xae, 0xe3, 0x0c, 0x04, 0x4e, 0xae, 0x05, 0xc0, 0xb8, 0x6e, 0x09, 0x97, 0x5f,
];

test('a request with a URL for its authority is mended in place, and nothing else is touched', () => {
  const opening = new Http2Opening();
  const held = Buffer.concat([preface, settings, request(plain('http://127.0.0.1:2379'))]);
  expect(opening.push(Buffer.concat([held, acknowledgement]))).toBe(true);
  const mended = Buffer.concat([preface, settings, request(plain('http:..127.0.0.1:2379'))]);
  expect(opening.bytes).toEqual(mended);
});

test('so is one in Huffman code', () => {
  const opening = new Http2Opening();
  const before = Buffer.concat([preface, settings, request(huffmanWrong)]);
  opening.push(Buffer.concat([before, acknowledgement]));
  expect(opening.bytes.length).toBe(before.length);
  const changed = [...before.keys()].filter((i) => before[i] !== opening.bytes[i]);
  // 011000 011000 became 010111 010111, across the borders of bytes.
  expect(changed.map((i) => [before[i], opening.bytes[i]])).toEqual([
    [0xe3, 0xe2],
    [0x0c, 0xeb],
    [0x04, 0x84],
  ]);
});

test('so is the path of a Unix socket, plain or in Huffman code', () => {
  for (const [wrong, mended] of [
    [plain('/run/s'), plain('.run.s')],
    // «/a/» and «.a.»: 011000 00011 011000 and 010111 00011 010111, filled up with ones.
    [
      [0x83, 0b01100000, 0b01101100, 0b01111111],
      [0x83, 0b01011100, 0b01101011, 0b11111111],
    ],
  ] as const) {
    const opening = new Http2Opening();
    opening.push(Buffer.concat([preface, settings, request(wrong), acknowledgement]));
    expect(opening.bytes).toEqual(Buffer.concat([preface, settings, request(mended)]));
  }
});

test('a proper authority stays as it is', () => {
  const opening = new Http2Opening();
  const held = Buffer.concat([preface, settings, request(plain('127.0.0.1:2379'))]);
  opening.push(Buffer.concat([held, acknowledgement]));
  expect(opening.bytes).toEqual(held);
});

test('whatever the chunks are, it waits for request and acknowledgement', () => {
  const opening = new Http2Opening();
  const all = Buffer.concat([preface, settings, acknowledgement, request(plain('a')), ping]);
  const requestEnd = all.length - ping.length;
  for (let i = 0; i < all.length; i += 1) {
    expect(opening.push(all.subarray(i, i + 1))).toBe(i >= requestEnd - 1);
  }
  expect(opening.bytes).toEqual(Buffer.concat([preface, settings, request(plain('a')), ping]));
});

test('a request before the acknowledgement waits for it, a ping without a request does not wait', () => {
  const eager = new Http2Opening();
  expect(eager.push(Buffer.concat([preface, settings, request(plain('a'))]))).toBe(false);
  expect(eager.push(acknowledgement)).toBe(true);
  const idle = new Http2Opening();
  expect(idle.push(Buffer.concat([preface, settings, acknowledgement]))).toBe(false);
  expect(idle.push(ping)).toBe(true);
});

test('only the first acknowledgement is taken out', () => {
  const opening = new Http2Opening();
  opening.push(Buffer.concat([preface, acknowledgement, acknowledgement, ping]));
  expect(opening.bytes).toEqual(Buffer.concat([preface, acknowledgement, ping]));
});

test('odd header blocks are left to nghttp2', () => {
  for (const block of [[0x41], [0x41, 0xff], [0x41, 0x7f, 0x68], [0x40], [0x3f, 0xff, 0xff]]) {
    const opening = new Http2Opening();
    const held = Buffer.concat([preface, settings, frame(1, 4, block)]);
    opening.push(Buffer.concat([held, acknowledgement]));
    expect(opening.bytes).toEqual(held);
  }
});
