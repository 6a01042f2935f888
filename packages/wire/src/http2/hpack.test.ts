import * as http2 from 'node:http2';
import * as net from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HpackDecoder, HpackEncoder } from './hpack.ts';
import type { Field } from './hpack.ts';

const LIST_BYTES = 1_000_000;

function encode(encoder: HpackEncoder, common: readonly Field[], own: readonly Field[] = []): Uint8Array {
  encoder.begin();
  encoder.common(common);
  for (const [name, value] of own) encoder.field(name, value);
  return encoder.finish().slice();
}

describe('header compression', () => {
  test('decodes what nghttp2 encodes, in Huffman code and with a dynamic table', async () => {
    const printable = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join('');
    const headers = { ':path': '/etcdserverpb.KV/Range', te: 'trailers', 'x-printable': `a${printable}z` };
    const lists = [
      headers,
      headers,
      {
        ...headers,
        'x-all': Array.from({ length: 128 }, (_, index) => String.fromCharCode(128 + index)).join(''),
      },
      ...Array.from({ length: 60 }, (_, index) => ({ [`x-${index}`]: 'v'.repeat(100) })),
      headers,
    ];
    const decoder = new HpackDecoder(LIST_BYTES);
    const blocks = await blocksOfNode(lists);
    expect(blocks.length).toBe(lists.length);
    blocks.forEach((block, index) => expect(decoder.decode(block)).toMatchObject(lists[index] ?? {}));
  });

  test('gives the same fields back, call after call', () => {
    const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);
    const field = fc.tuple(token, fc.stringMatching(/^[ -~]{0,60}$/));
    const list = fc.uniqueArray(field, { selector: ([name]) => name, maxLength: 8 });
    fc.assert(
      fc.property(
        fc.array(list, { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(11), { maxLength: 40 }),
        (lists, order) => {
          const encoder = new HpackEncoder();
          const decoder = new HpackDecoder(LIST_BYTES);
          for (const turn of order) {
            const common = lists[turn % lists.length] ?? [];
            const own: Field[] = [['grpc-timeout', `${turn}S`]];
            const fields = decoder.decode(encode(encoder, common, own));
            expect(fields).toEqual({ ...Object.fromEntries(common), 'grpc-timeout': `${turn}S` });
          }
        },
      ),
    );
  });

  test('writes out what is common only once', () => {
    const encoder = new HpackEncoder();
    const common: Field[] = [
      [':method', 'POST'],
      [':path', '/etcdserverpb.KV/Range'],
    ];
    expect(encode(encoder, common).length).toBeGreaterThan(20);
    expect(encode(encoder, common).length).toBe(2);
  });

  test('does without a table when the other side wants none', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder(LIST_BYTES);
    const common: Field[] = [['x-common', 'value']];
    decoder.decode(encode(encoder, common));
    encoder.limitTable(0);
    for (let turn = 0; turn < 3; turn += 1) {
      const block = encode(encoder, common);
      expect(block[0]).toBe(turn === 0 ? 0x20 : 0x00);
      expect(decoder.decode(block)).toEqual({ 'x-common': 'value' });
    }
  });

  test('joins the values of a name that comes twice', () => {
    const block = encode(
      new HpackEncoder(),
      [],
      [
        ['a', '1'],
        ['a', '2'],
      ],
    );
    expect(new HpackDecoder(LIST_BYTES).decode(block)).toEqual({ a: '1, 2' });
  });

  test.each([
    ['an index of nothing', [0x80]],
    ['an index beyond the tables', [0xff, 0x20]],
    ['an integer without end', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ['a string that is cut off', [0x40, 0x05, 0x61]],
    ['a block that is cut off', [0x40]],
    ['a table larger than allowed', [0x3f, 0xe2, 0x1f]],
    ['a Huffman code that goes on', [0x40, 0x82, 0xff, 0xff, 0x00]],
    ['padding that is not ones', [0x40, 0x81, 0x18, 0x00]],
    ['the end of a string as a symbol', [0x40, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00]],
  ])('refuses %s', (_, block) => {
    expect(() => new HpackDecoder(LIST_BYTES).decode(Uint8Array.from(block))).toThrow(
      /malformed header block/,
    );
  });

  test('refuses a list that grows beyond its bound, also when its block is short', () => {
    const encoder = new HpackEncoder();
    const common: Field[] = [['x', 'v'.repeat(1_000)]];
    const decoder = new HpackDecoder(5_000);
    decoder.decode(encode(encoder, common));
    const bomb = new Uint8Array(100).fill(0xbe);
    expect(() => decoder.decode(bomb)).toThrow('too many header fields');
  });
});

/** The header blocks that Node's own client sends for some requests on one connection. */
function blocksOfNode(lists: readonly http2.OutgoingHttpHeaders[]): Promise<Uint8Array[]> {
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => {
      const blocks: Uint8Array[] = [];
      let bytes = Buffer.alloc(0);
      let position = 24;
      socket.on('error', () => {});
      socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
      socket.on('data', (chunk) => {
        bytes = Buffer.concat([bytes, chunk]);
        while (bytes.length >= position + 9) {
          const end = position + 9 + bytes.readUIntBE(position, 3);
          if (bytes.length < end) return;
          const priority = ((bytes[position + 4] ?? 0) & 0x20) === 0 ? 0 : 5;
          if (bytes[position + 3] === 1)
            blocks.push(Uint8Array.from(bytes.subarray(position + 9 + priority, end)));
          position = end;
        }
        if (blocks.length < lists.length) return;
        session.destroy();
        server.close();
        resolve(blocks);
      });
    });
    let session: http2.ClientHttp2Session;
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = address !== null && typeof address === 'object' ? address.port : 0;
      session = http2.connect(`http://127.0.0.1:${port}`);
      session.on('error', reject);
      for (const headers of lists) session.request(headers).on('error', () => {});
    });
  });
}
