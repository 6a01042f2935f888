import { decodeHuffman } from './huffman.ts';
import { ErrorCode, Http2Error } from './error.ts';

/** Header fields by name in lower case; the values of a name that comes twice are joined by commas. */
export type HeaderFields = Record<string, string>;

export type Field = readonly [name: string, value: string];

/** RFC 7541, appendix A; the first entry has index 1. */
const STATIC_TABLE: readonly Field[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
];

/** What an entry takes beside its text (RFC 7541, section 4.1). */
const ENTRY_BYTES = 32;
/** Both sides' dynamic table until they agree on another size. */
export const TABLE_BYTES = 4_096;
/** How many lists of common fields are kept encoded. */
const KNOWN_LISTS = 256;

/** One direction of a connection: every block must be decoded, in order, also those of calls that are over. */
export class HpackDecoder {
  readonly #maxListBytes: number;
  /** Newest first. */
  readonly #table: Field[] = [];
  #tableBytes = 0;
  #maxTableBytes = TABLE_BYTES;
  #bytes: Uint8Array = new Uint8Array(0);
  #position = 0;
  #end = 0;

  constructor(maxListBytes: number) {
    this.#maxListBytes = maxListBytes;
  }

  decode(block: Uint8Array): HeaderFields {
    this.#bytes = block;
    this.#position = 0;
    this.#end = block.length;
    const fields: HeaderFields = {};
    let listBytes = 0;
    while (this.#position < this.#end) {
      const entry = this.#field();
      if (entry === null) continue;
      const [name, value] = entry;
      listBytes += name.length + value.length + ENTRY_BYTES;
      if (listBytes > this.#maxListBytes)
        throw new Http2Error(ErrorCode.ENHANCE_YOUR_CALM, 'too many header fields');
      const before = fields[name];
      fields[name] = before === undefined ? value : `${before}, ${value}`;
    }
    this.#bytes = block.subarray(0, 0);
    return fields;
  }

  /** null: no field, but a change of the table's size. */
  #field(): Field | null {
    const first = this.#bytes[this.#position] as number;
    if (first >= 0x80) return this.#entry(this.#integer(0x7f));
    if (first >= 0x40) {
      const entry = this.#literal(0x3f);
      this.#insert(entry);
      return entry;
    }
    if (first >= 0x20) {
      const size = this.#integer(0x1f);
      if (size > TABLE_BYTES) throw compressionError('a table larger than allowed');
      this.#maxTableBytes = size;
      this.#evict(0);
      return null;
    }
    return this.#literal(0x0f);
  }

  #literal(mask: number): Field {
    const index = this.#integer(mask);
    const name = index === 0 ? this.#string() : this.#entry(index)[0];
    return [name, this.#string()];
  }

  #entry(index: number): Field {
    const entry =
      index <= STATIC_TABLE.length ? STATIC_TABLE[index - 1] : this.#table[index - STATIC_TABLE.length - 1];
    if (entry === undefined) throw compressionError(`there is no entry ${index}`);
    return entry;
  }

  #insert(entry: Field): void {
    const size = entry[0].length + entry[1].length + ENTRY_BYTES;
    this.#evict(size);
    // An entry larger than the whole table empties it, and is not kept.
    if (size > this.#maxTableBytes) return;
    this.#table.unshift(entry);
    this.#tableBytes += size;
  }

  #evict(room: number): void {
    while (this.#table.length > 0 && this.#tableBytes + room > this.#maxTableBytes) {
      const [name, value] = this.#table.pop() as Field;
      this.#tableBytes -= name.length + value.length + ENTRY_BYTES;
    }
  }

  #integer(mask: number): number {
    let value = this.#byte() & mask;
    if (value < mask) return value;
    for (let factor = 1; factor < 2 ** 28; factor *= 128) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw compressionError('an integer is too long');
  }

  #string(): string {
    const isHuffman = ((this.#bytes[this.#position] ?? 0) & 0x80) !== 0;
    const length = this.#integer(0x7f);
    const start = this.#position;
    const end = start + length;
    if (end > this.#end) throw compressionError('a string is cut off');
    this.#position = end;
    if (isHuffman) {
      const text = decodeHuffman(this.#bytes, start, end);
      if (text === null) throw compressionError('a string is not in the Huffman code');
      return text;
    }
    let text = '';
    for (let position = start; position < end; position += 1) {
      text += String.fromCharCode(this.#bytes[position] as number);
    }
    return text;
  }

  #byte(): number {
    if (this.#position >= this.#end) throw compressionError('a block is cut off');
    const byte = this.#bytes[this.#position] as number;
    this.#position += 1;
    return byte;
  }
}

function compressionError(what: string): Http2Error {
  return new Http2Error(ErrorCode.COMPRESSION_ERROR, `malformed header block: ${what}`);
}

/**
 * Encodes without Huffman code. Fields that are said to be the same in many calls enter the dynamic table while there
 * is room; nothing is ever evicted, so an entry's place follows from how many came after it.
 */
export class HpackEncoder {
  #bytes = new Uint8Array(512);
  #length = 0;
  /** By name and value, in the order of insertion. */
  readonly #entries = new Map<string, number>();
  #room = TABLE_BYTES;
  #tableChange: number | null = null;
  readonly #known = new Map<readonly Field[], { readonly tableSize: number; readonly bytes: Uint8Array }>();

  /** The other side's table is smaller from now on. */
  limitTable(sizeBytes: number): void {
    if (sizeBytes >= TABLE_BYTES) return;
    // Empty it and do without: no server that is asked often has so little.
    this.#entries.clear();
    this.#known.clear();
    this.#room = 0;
    this.#tableChange = 0;
  }

  begin(): void {
    this.#length = 0;
    if (this.#tableChange === null) return;
    this.#integer(0x20, 0x1f, this.#tableChange);
    this.#tableChange = null;
  }

  /** The block since {@link begin}; valid until the next one. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /**
   * Fields that other calls have too: the same list object for the same fields. Its encoding is kept until another
   * list's entries come into the table and shift the numbers of its own.
   */
  common(fields: readonly Field[]): void {
    const known = this.#known.get(fields);
    if (known !== undefined && known.tableSize === this.#entries.size) {
      this.#append(known.bytes);
      return;
    }
    const start = this.#length;
    const sizeBefore = this.#entries.size;
    for (const field of fields) this.#indexed(field);
    // While the table grows, entries are written out, which must be done once only.
    if (this.#entries.size > sizeBefore) return;
    if (this.#known.size >= KNOWN_LISTS) this.#known.clear();
    this.#known.set(fields, { tableSize: this.#entries.size, bytes: this.#bytes.slice(start, this.#length) });
  }

  /** A field of this call alone. */
  field(name: string, value: string): void {
    this.#literal(0x00, 0x0f, name, value);
  }

  #indexed([name, value]: Field): void {
    const key = `${name}\n${value}`;
    const fixed = STATIC_FIELDS.get(key);
    const inserted = this.#entries.get(key);
    const size = name.length + value.length + ENTRY_BYTES;
    if (fixed !== undefined) this.#integer(0x80, 0x7f, fixed);
    else if (inserted !== undefined) {
      this.#integer(0x80, 0x7f, STATIC_TABLE.length + this.#entries.size - inserted);
    } else if (size > this.#room) this.field(name, value);
    else {
      this.#room -= size;
      this.#entries.set(key, this.#entries.size);
      this.#literal(0x40, 0x3f, name, value);
    }
  }

  #append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #literal(pattern: number, mask: number, name: string, value: string): void {
    const index = STATIC_NAMES.get(name) ?? 0;
    this.#integer(pattern, mask, index);
    if (index === 0) this.#string(name);
    this.#string(value);
  }

  #integer(pattern: number, mask: number, value: number): void {
    this.#reserve(6);
    if (value < mask) {
      this.#bytes[this.#length++] = pattern | value;
      return;
    }
    this.#bytes[this.#length++] = pattern | mask;
    let rest = value - mask;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
  }

  #string(text: string): void {
    this.#integer(0, 0x7f, text.length);
    this.#reserve(text.length);
    for (let index = 0; index < text.length; index += 1)
      this.#bytes[this.#length++] = text.charCodeAt(index) & 0xff;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * (this.#length + count));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

const STATIC_FIELDS = new Map(STATIC_TABLE.map(([name, value], index) => [`${name}\n${value}`, index + 1]));
/** The first entry of each name. */
const STATIC_NAMES = new Map(STATIC_TABLE.map(([name], index) => [name, index + 1] as const).reverse());
