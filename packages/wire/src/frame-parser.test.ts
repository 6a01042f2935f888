import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameParser, frameOf } from './frame-parser.ts';

function parse(parser: FrameParser, chunks: readonly Uint8Array[]): Uint8Array[] {
  const messages: Uint8Array[] = [];
  const sink = { message: (bytes: Uint8Array) => void messages.push(bytes) };
  for (const chunk of chunks) parser.push(chunk, sink);
  return messages;
}

describe('a frame parser', () => {
  test('finds the messages however the bytes are cut', () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 });
    fc.assert(
      fc.property(messages, fc.array(fc.nat(20), { minLength: 1, maxLength: 30 }), (wanted, sizes) => {
        const bytes = Buffer.concat(wanted.map(frameOf));
        const chunks: Uint8Array[] = [];
        for (let position = 0, turn = 0; position < bytes.length; turn += 1) {
          const size = Math.max(1, sizes[turn % sizes.length] ?? 1);
          chunks.push(bytes.subarray(position, position + size));
          position += size;
        }
        const parser = new FrameParser(1_000);
        expect(parse(parser, chunks)).toEqual(wanted);
        expect(parser.isAtBorder).toBe(true);
      }),
    );
  });

  test('knows when it is within a frame', () => {
    const parser = new FrameParser(1_000);
    parse(parser, [frameOf(Uint8Array.of(1, 2)).subarray(0, 6)]);
    expect(parser.isAtBorder).toBe(false);
  });

  test('refuses a message that is too large as soon as its length is there', () => {
    const head = frameOf(new Uint8Array(101)).subarray(0, 5);
    expect(() => parse(new FrameParser(100), [head])).toThrow(
      'grpc: received message larger than max (101 vs. 100)',
    );
    const split = [head.subarray(0, 2), head.subarray(2)];
    expect(() => parse(new FrameParser(100), split)).toThrow('larger than max');
    const longest = Uint8Array.of(0, 255, 255, 255, 255);
    expect(() => parse(new FrameParser(100), [longest])).toThrow('(4294967295 vs. 100)');
  });

  test('refuses a flag that gRPC does not define', () => {
    expect(() => parse(new FrameParser(100), [Uint8Array.of(2, 0, 0, 0, 0)])).toThrow('payload format 2');
  });
});
