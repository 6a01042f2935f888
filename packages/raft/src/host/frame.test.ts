import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isFlotillaError } from '@flotilla/platform';
import { ByteWriter } from './bytes.ts';
import { beginFrame, endFrame, FrameDecoder, frameHeaderBytes, preface } from './frame.ts';
import type { FrameKind } from './frame.ts';

interface Frame {
  readonly kind: FrameKind;
  readonly body: readonly number[];
}

const checksum = (bytes: Uint8Array, seed?: number): number => crc32(bytes, seed);
const frames = fc.array(
  fc.record({
    kind: fc.constantFrom<FrameKind>('hello', 'welcome', 'refusal', 'batch'),
    body: fc.array(fc.nat(255), { maxLength: 40 }),
  }),
  { maxLength: 6 },
);

function encode(all: readonly Frame[]): Uint8Array {
  const writer = new ByteWriter(16);
  writer.raw(preface);
  for (const { kind, body } of all) {
    const start = beginFrame(writer, kind);
    writer.raw(Uint8Array.from(body));
    endFrame(writer, start, checksum);
  }
  return writer.take();
}

function decode(chunks: readonly Uint8Array[], maxFrameBytes = 1024): { frames: Frame[]; whole: boolean } {
  const seen: Frame[] = [];
  const decoder = new FrameDecoder(checksum, maxFrameBytes, (kind, body) =>
    seen.push({ kind, body: [...body] }),
  );
  for (const chunk of chunks) decoder.push(chunk);
  return { frames: seen, whole: decoder.atBoundary };
}

describe('FrameDecoder', () => {
  it('gives back every frame, however the stream is cut', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat(400), { maxLength: 8 }), (all, cuts) => {
        const bytes = encode(all);
        const borders = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
        const chunks = borders.slice(1).map((end, i) => bytes.slice(borders[i], end));
        expect(decode(chunks)).toEqual({ frames: all, whole: true });
      }),
    );
  });

  it('finds a header that is none before its body has come, in a stream that has lost bytes', () => {
    // The frame ends in zeros, and so its checksum holds with the first bytes of the next header in their place.
    const bytes = encode([
      { kind: 'batch', body: [7, 0, 0, 0] },
      { kind: 'batch', body: [8] },
      { kind: 'batch', body: [9] },
    ]);
    const end = preface.length + frameHeaderBytes + 4;
    const stream = Uint8Array.from([...bytes.subarray(0, end - 3), ...bytes.subarray(end)]);
    const all = 1 << 30;
    for (const chunks of [[stream], [...stream].map((byte) => Uint8Array.of(byte))]) {
      expect(() => decode(chunks, all)).toThrow(
        expect.toSatisfy((error) => isFlotillaError(error, 'FLOTILLA_PEER_CHECKSUM')),
      );
    }
  });

  it('gives back every frame when bytes come one by one', () => {
    const all: Frame[] = [
      { kind: 'hello', body: [1, 2, 3] },
      { kind: 'batch', body: [] },
      { kind: 'batch', body: [9] },
    ];
    const bytes = encode(all);
    expect(decode([...bytes].map((byte) => Uint8Array.of(byte))).frames).toEqual(all);
  });

  it('delivers nothing of a frame that is cut off, at whichever byte', () => {
    const first: Frame = { kind: 'hello', body: [5, 6] };
    const bytes = encode([first, { kind: 'batch', body: [1, 2, 3, 4] }]);
    const firstEnd = preface.length + frameHeaderBytes + 2;
    for (let length = 0; length < bytes.length; length += 1) {
      const { frames: seen, whole } = decode([bytes.slice(0, length)]);
      expect(seen).toEqual(length < firstEnd ? [] : [first]);
      expect(whole).toBe(length === 0 || length === preface.length || length === firstEnd);
    }
  });

  it('finds every flipped bit before anything is delivered', () => {
    const bytes = encode([{ kind: 'batch', body: [1, 2, 3, 4, 5] }]);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const damaged = bytes.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      let seen: Frame[] = [];
      try {
        seen = decode([damaged]).frames;
      } catch (error) {
        expect(isFlotillaError(error)).toBe(true);
      }
      // A length that grew is a frame whose end never comes.
      expect(seen, `bit ${bit}`).toEqual([]);
    }
  });

  it('refuses a stranger by its first wrong byte', () => {
    expect(() => decode([new TextEncoder().encode('GET / HTTP/1.1\r\n')])).toThrow(
      expect.objectContaining({ code: 'FLOTILLA_PEER_NOT_A_PEER' }),
    );
    expect(() => decode([preface.slice(0, 4), Uint8Array.of(0)])).toThrow(
      expect.objectContaining({ code: 'FLOTILLA_PEER_NOT_A_PEER' }),
    );
  });

  it('refuses a frame over the bound by its header alone, before memory is taken', () => {
    const writer = new ByteWriter();
    writer.raw(preface);
    writer.u32(0xffff_ff00);
    writer.u32(0);
    writer.u32(0x0100_0000);
    expect(() => decode([writer.take()])).toThrow(
      expect.objectContaining({ code: 'FLOTILLA_PEER_FRAME_TOO_LARGE' }),
    );
  });

  it('survives any garbage with an error of its own', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (garbage, greeted) => {
        try {
          decode(greeted ? [preface, garbage] : [garbage]);
        } catch (error) {
          expect(isFlotillaError(error)).toBe(true);
        }
      }),
    );
  });
});
