/** The Distinguished Encoding Rules of ASN.1 (X.690), as far as certificates need them. */
export const der = {
  sequence: (...parts: readonly Uint8Array[]): Buffer => element(0x30, ...parts),
  set: (...parts: readonly Uint8Array[]): Buffer => element(0x31, ...parts),
  boolean: (value: boolean): Buffer => element(0x01, Buffer.of(value ? 0xff : 0)),
  octets: (content: Uint8Array): Buffer => element(0x04, content),
  text: (value: string): Buffer => element(0x0c, Buffer.from(value)),
  /** Explicitly tagged: the element is put into another one. */
  tagged: (tag: number, content: Uint8Array): Buffer => element(0xa0 | tag, content),
  /** Implicitly tagged: the tag takes the place of the element's own. */
  context: (tag: number, content: Uint8Array): Buffer => element(0x80 | tag, content),
  integer,
  bits,
  objectId,
  time,
};

/** Of a number that is not negative. */
function integer(value: bigint): Buffer {
  const digits = value.toString(16);
  const bytes = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  // A first bit that is set would make it negative.
  return element(0x02, (bytes[0] as number) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

/** Bits of the last byte that do not count are given by number; they must be 0. */
function bits(content: Uint8Array, unused = 0): Buffer {
  return element(0x03, Buffer.of(unused), content);
}

/** `2.5.29.17` */
function objectId(dotted: string): Buffer {
  const [first, second, ...rest] = dotted.split('.').map(Number) as [number, number, ...number[]];
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return element(0x06, Buffer.from(bytes));
}

/** Two digits of the year until 2049, four from 2050 on (RFC 5280, section 4.1.2.5). */
function time(milliseconds: number): Buffer {
  const text = new Date(milliseconds).toISOString().replace(/[-:T]|\.[0-9]+/g, '');
  const year = Number(text.slice(0, 4));
  return year < 2050 ? element(0x17, Buffer.from(text.slice(2))) : element(0x18, Buffer.from(text));
}

function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.of(tag), lengthOf(content.length), content]);
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length);
  const bytes: number[] = [];
  for (let left = length; left > 0; left >>>= 8) bytes.unshift(left & 0xff);
  return Buffer.of(0x80 | bytes.length, ...bytes);
}
