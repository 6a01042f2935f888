import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeGrpcMessage, encodeGrpcMessage, formatGrpcTimeout, parseGrpcTimeout } from './grpc-text.ts';

describe('grpc-message', () => {
  test('is printable ASCII and says the same after decoding', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const encoded = encodeGrpcMessage(text);
        expect(encoded).toMatch(/^[ -~]*$/);
        expect(decodeGrpcMessage(encoded)).toBe(text);
      }),
    );
  });

  test('leaves ordinary text alone', () => {
    expect(encodeGrpcMessage('etcdserver: no leader')).toBe('etcdserver: no leader');
    expect(encodeGrpcMessage('100 %\n')).toBe('100 %25%0A');
  });

  test('is decoded as far as it can be', () => {
    expect(decodeGrpcMessage('50% of %zz %4')).toBe('50% of %zz %4');
    expect(decodeGrpcMessage('%C3%A9 é')).toBe('é é');
    expect(decodeGrpcMessage('%FF')).toBe('\uFFFD');
  });
});

describe('grpc-timeout', () => {
  test.each([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3_000],
    ['4m', 4],
    ['5u', 0.005],
    ['99999999n', 99.999999],
    ['0n', 0],
  ])('%s is %d ms', (text, milliseconds) => {
    expect(parseGrpcTimeout(text)).toBeCloseTo(milliseconds, 9);
  });

  test.each(['', 'S', '1', '1s', '-1S', '1.5S', '123456789S', ' 1S', '1S '])('%j is malformed', (text) => {
    expect(parseGrpcTimeout(text)).toBeNull();
  });

  test('is never shorter than asked and at most eight digits', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 2e9, noNaN: true }), (timeoutMs) => {
        const text = formatGrpcTimeout(timeoutMs);
        expect(text).toMatch(/^[0-9]{1,8}[HMSmun]$/);
        expect(parseGrpcTimeout(text)).toBeGreaterThanOrEqual(Math.min(timeoutMs, 1.999e9) * (1 - 1e-9));
      }),
    );
  });

  test('of a negative time is nothing', () => {
    expect(formatGrpcTimeout(-5)).toBe('0n');
  });
});
