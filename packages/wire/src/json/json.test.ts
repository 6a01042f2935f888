import { describe, expect, test } from 'vitest';
import {
  AlarmRequest,
  Compare,
  HashKVResponse,
  LeaseTimeToLiveResponse,
  MemberAddRequest,
  PutRequest,
  RangeRequest,
  RangeResponse,
  TxnRequest,
} from '../generated/index.ts';
import type { Codec } from '../protobuf/codec.ts';
import { RpcError } from '../rpc-error.ts';
import { Status } from '../status.ts';
import { fromJson, toJson } from './json.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function refusal<T>(codec: Codec<T>, text: string): string {
  try {
    fromJson(codec, text);
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    expect(error.status).toBe(Status.INVALID_ARGUMENT);
    return error.message;
  }
  throw new Error(`${text} was read`);
}

describe('writing', () => {
  test("uses the schema's names, text for 64 bits, base64 for bytes and names for enums", () => {
    const message = RangeRequest.create({ key: bytes('foo'), rangeEnd: bytes('\0'), limit: 3, sortOrder: 2 });
    expect(toJson(RangeRequest, message)).toBe(
      '{"key":"Zm9v","range_end":"AA==","limit":"3","sort_order":"DESCEND"}',
    );
    expect(toJson(HashKVResponse, HashKVResponse.create({ hash: 4_000_000_000, hashRevision: 7 }))).toBe(
      '{"hash":4000000000,"hash_revision":"7"}',
    );
    expect(
      toJson(LeaseTimeToLiveResponse, LeaseTimeToLiveResponse.create({ id: -(2n ** 63n), grantedTtl: 5 })),
    ).toBe('{"ID":"-9223372036854775808","grantedTTL":"5"}');
  });

  test('leaves out what has its default', () => {
    expect(toJson(RangeResponse, RangeResponse.empty)).toBe('{}');
  });

  test('writes the chosen case of a oneof even when its value is the default', () => {
    const compare = Compare.create({ key: bytes('k'), targetUnion: { case: 'version', value: 0 } });
    expect(toJson(Compare, compare)).toBe('{"key":"aw==","version":"0"}');
  });

  test('keeps the number of an enum value that it does not know', () => {
    expect(toJson(RangeRequest, RangeRequest.create({ sortTarget: 77 }))).toBe('{"sort_target":77}');
  });
});

describe('reading', () => {
  test('takes both spellings of a name', () => {
    const expected = RangeRequest.create({ rangeEnd: bytes('z'), keysOnly: true });
    expect(fromJson(RangeRequest, '{"range_end":"eg==","keys_only":true}')).toEqual(expected);
    expect(fromJson(RangeRequest, '{"rangeEnd":"eg==","keysOnly":true}')).toEqual(expected);
    expect(fromJson(MemberAddRequest, '{"peerURLs":["http://a"],"isLearner":true}')).toEqual({
      peerUrls: ['http://a'],
      isLearner: true,
    });
  });

  test('takes numbers and text for numbers, with every bit of them', () => {
    for (const lease of ['7587862072907233793', '"7587862072907233793"']) {
      expect(fromJson(PutRequest, `{"lease":${lease}}`).lease).toBe(7587862072907233793n);
    }
    expect(fromJson(RangeRequest, '{"limit":1.2e1}').limit).toBe(12);
    expect(fromJson(RangeRequest, '{"limit":"30.0"}').limit).toBe(30);
    expect(fromJson(RangeRequest, '{"limit":120e-1}').limit).toBe(12);
    expect(fromJson(RangeRequest, '{"revision":9223372036854775807}').revision).toBe(Number.MAX_SAFE_INTEGER);
    expect(fromJson(RangeRequest, '{"revision":-5}').revision).toBe(-5);
  });

  test('takes names and numbers for enums', () => {
    expect(fromJson(AlarmRequest, '{"action":"ACTIVATE","alarm":1}')).toMatchObject({ action: 1, alarm: 1 });
  });

  test('takes either base64 alphabet, padded or not', () => {
    const key = Uint8Array.of(0xfb, 0xff, 0xfe, 0x01);
    for (const text of ['+//+AQ==', '+//+AQ', '-__-AQ==', '-__-AQ', '+//+\\r\\nAQ==']) {
      expect(fromJson(PutRequest, `{"key":"${text}"}`).key).toEqual(key);
    }
  });

  test('takes null for what is not there, and ignores what it does not know', () => {
    const text = '{"key":null,"lease":null,"nope":{"a":[1,"}",true,null,{}]},"prev_kv":true}';
    expect(fromJson(PutRequest, text)).toEqual(PutRequest.create({ prevKv: true }));
    expect(fromJson(TxnRequest, '{"compare":null,"success":[]}')).toEqual(TxnRequest.empty);
  });

  test('understands white space and escapes', () => {
    expect(fromJson(PutRequest, ' {\n"\\u006bey" :\t"Zm9\\u0076" } ').key).toEqual(bytes('foo'));
    expect(fromJson(MemberAddRequest, '{"peerURLs":["\\"\\\\\\/\\ud83d\\ude00"]}').peerUrls).toEqual([
      '"\\/😀',
    ]);
  });
});

describe('what is malformed', () => {
  test.each([
    ['', 'unexpected EOF'],
    ['{"key":"Zm9', 'unexpected EOF'],
    ['{"key":', 'unexpected EOF'],
    ['{', 'unexpected EOF'],
    ['x', `invalid character 'x' looking for beginning of value`],
    ['{"key":x}', `invalid character 'x' looking for beginning of value`],
    ['{key:1}', `invalid character 'k' looking for beginning of object key string`],
    ['{"key" 1}', `invalid character '1' after object key`],
    ['{"key":null "x"}', `invalid character '"' after object key:value pair`],
    ['{"nope":[1 2]}', `invalid character '2' after array element`],
    ['{"nope":"a\\x"}', `invalid character 'x' in string escape code`],
    ['{"nope":"\\u00g0"}', `invalid character 'g' in \\u hexadecimal character escape`],
    ['{"nope":"a\nb"}', `invalid character '\\n' in string literal`],
    ['{"nope":-x}', `invalid character 'x' in numeric literal`],
    ['{"nope":trux}', `invalid character 'x' in literal true (expecting 'e')`],
    ["{'a':1}", `invalid character '\\'' looking for beginning of object key string`],
  ])('%j is refused in the words of Go', (text, message) => {
    expect(refusal(PutRequest, text)).toBe(message);
  });

  test.each([
    ['{"key":12}', 'proto: (line 1:8): invalid value for bytes field key: 12'],
    ['{"key":"!!!"}', 'proto: (line 1:8): invalid value for bytes field key: "!!!"'],
    ['{\n"lease":true}', 'proto: (line 2:9): invalid value for int64 field lease: true'],
    ['{"prev_kv":"true"}', 'proto: (line 1:12): invalid value for bool field prev_kv: "true"'],
    ['{"key":"","key":""}', 'proto: (line 1:17): duplicate field "key"'],
    ['[]', 'proto: syntax error (line 1:1): unexpected token ['],
    ['"text"', 'proto: syntax error (line 1:1): unexpected token "text"'],
  ])('%j is refused with its place', (text, message) => {
    expect(refusal(PutRequest, text)).toBe(message);
  });

  test.each(['a', 'aa=', 'a===', '=', '====', 'aa==a', 'a+_a', 'aaaa='])('%j is no base64', (text) => {
    expect(refusal(PutRequest, `{"key":"${text}"}`)).toContain('invalid value for bytes field key');
  });

  test.each([
    '1.5',
    '9223372036854775808',
    '1e400',
    '1e99999999',
    '"x"',
    '""',
    '" 1"',
    '"007"',
    '"+1"',
    '{}',
  ])('%s is no int64', (text) => {
    expect(refusal(PutRequest, `{"lease":${text}}`)).toContain('invalid value for int64 field lease');
  });

  test('an unknown enum name, a wrong list and two cases of a oneof are refused', () => {
    expect(refusal(RangeRequest, '{"sort_order":"UP"}')).toContain(
      'invalid value for enum field sort_order: "UP"',
    );
    expect(refusal(RangeRequest, '{"sort_order":"toString"}')).toContain('invalid value for enum');
    expect(refusal(TxnRequest, '{"compare":{}}')).toBe('proto: syntax error (line 1:12): unexpected token {');
    expect(refusal(TxnRequest, '{"compare":[null]}')).toBe(
      'proto: syntax error (line 1:13): unexpected token null',
    );
    expect(refusal(Compare, '{"version":"1","value":""}')).toBe(
      'proto: (line 1:24): error parsing "value", oneof is already set',
    );
  });

  test('too deep nesting is refused, known or not', () => {
    expect(refusal(PutRequest, `{"nope":${'['.repeat(100_000)}`)).toBe('exceeded max depth');
    expect(refusal(TxnRequest, '{"success":[{"request_txn":'.repeat(10_000))).toBe('exceeded max depth');
  });
});

test('a long text of escapes takes no longer than its length', () => {
  const text = '\\"'.repeat(1_000_000);
  expect(fromJson(PutRequest, `{"nope":"${text}"}`)).toEqual(PutRequest.empty);
});
