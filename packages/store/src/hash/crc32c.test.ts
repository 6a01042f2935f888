import { describe, expect, it } from 'vitest';
import { crc32c } from './crc32c.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('CRC-32C', () => {
  it('is that of RFC 3720, appendix B.4', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a91_36aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8_ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd_794e);
    expect(crc32c(bytes('123456789'))).toBe(0xe306_9283);
    expect(crc32c(bytes(''))).toBe(0);
  });

  it('goes on from any place', () => {
    const text = Uint8Array.from({ length: 100 }, (_, i) => (i * 37) & 0xff);
    for (let cut = 0; cut <= text.length; cut += 1) {
      expect(crc32c(text.subarray(cut), crc32c(text.subarray(0, cut)))).toBe(crc32c(text));
    }
  });
});
