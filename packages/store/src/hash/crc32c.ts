/**
 * CRC-32C (Castagnoli), eight bytes at a step. The platform's checksum is another polynomial; this one is what etcd
 * compares members by.
 *
 * @example
 * crc32c(new TextEncoder().encode('123456789')).toString(16); // 'e3069283'
 */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  let crc = ~seed;
  let at = 0;
  const { length } = bytes;
  const t = tables;
  for (const end = length - 7; at < end; at += 8) {
    const low =
      crc ^
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24));
    crc =
      (t[0x700 | (low & 0xff)] as number) ^
      (t[0x600 | ((low >>> 8) & 0xff)] as number) ^
      (t[0x500 | ((low >>> 16) & 0xff)] as number) ^
      (t[0x400 | (low >>> 24)] as number) ^
      (t[0x300 | (bytes[at + 4] as number)] as number) ^
      (t[0x200 | (bytes[at + 5] as number)] as number) ^
      (t[0x100 | (bytes[at + 6] as number)] as number) ^
      (t[bytes[at + 7] as number] as number);
  }
  for (; at < length; at += 1) {
    crc = (t[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}

/** Of the polynomial 0x1EDC6F41, its bits reversed. */
const reversedPolynomial = 0x82f6_3b78;

/** Eight tables of 256: the n-th is of a byte that n more bytes follow. */
const tables: Int32Array = makeTables();

function makeTables(): Int32Array {
  const result = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ reversedPolynomial;
    result[byte] = crc;
  }
  for (let i = 256; i < result.length; i += 1) {
    const before = result[i - 256] as number;
    result[i] = (before >>> 8) ^ (result[before & 0xff] as number);
  }
  return result;
}
