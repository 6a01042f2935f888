import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Authority } from '../../test/support/authority.ts';
import { addressRefusalOf, refusalOf, type Resolver } from './admission.ts';
import { isGoodFor } from './host-names.ts';
import { parseRevocations } from './revocations.ts';

const directory = mkdtempSync(join(tmpdir(), 'flotilla-test-'));
const authority = new Authority(directory, 'ca');

afterAll(() => rmSync(directory, { recursive: true }));

describe('a revocation list', () => {
  test.each(['der', 'pem'] as const)('is read in %s', (format) => {
    const list = parseRevocations(readFileSync(authority.revoke(['0A', 'FF01', '7B'], format)));
    expect([...list]).toEqual(['A', 'FF01', '7B']);
  });

  test('may be empty', () => {
    expect(parseRevocations(readFileSync(authority.revoke([]))).size).toBe(0);
  });

  test('is refused when it is something else, or cut off anywhere', () => {
    const whole = readFileSync(authority.revoke(['0A', 'FF01']));
    for (let length = 0; length < whole.length; length += 1) {
      expect(() => parseRevocations(whole.subarray(0, length))).toThrow(/not a certificate revocation list/);
    }
    expect(() => parseRevocations(readFileSync(authority.file))).toThrow(/not a certificate revocation list/);
  });
});

describe('who is let in', () => {
  const identity = {
    commonName: 'n1',
    subjectAlternativeNames: ['n1.example', '10.0.0.1'],
    serialNumbers: ['0A', '01'],
  };
  const anybody = { allowedCommonNames: [], allowedHostnames: [] };
  const none = new Set<string>();

  test('whoever an authority vouches for, unless names are given or the certificate was revoked', () => {
    expect(refusalOf(identity, anybody, none)).toBeNull();
    expect(refusalOf(identity, { ...anybody, allowedCommonNames: ['n2', 'n1'] }, none)).toBeNull();
    expect(refusalOf(identity, { ...anybody, allowedCommonNames: ['n2'] }, none)).toMatch(/"n1" is not/);
    expect(refusalOf(identity, { ...anybody, allowedHostnames: ['x', 'N1.example'] }, none)).toBeNull();
    expect(refusalOf(identity, { ...anybody, allowedHostnames: ['n1'] }, none)).toMatch(
      /authentication failed/,
    );
    expect(refusalOf(identity, anybody, new Set(['A']))).toBe('certificate serial 0a revoked');
    // The one that vouches for it.
    expect(refusalOf(identity, anybody, new Set(['1']))).toBe('certificate serial 01 revoked');
  });

  test('a member whose certificate is good for the address that it comes from', async () => {
    const resolver: Resolver = {
      namesOf: (address) => Promise.resolve(address === '10.0.0.2' ? ['x.pool.example'] : []),
      addressesOf: (name) => Promise.resolve(name === 'n1.example' ? ['10.0.0.3'] : []),
    };
    const refusal = (names: string[], address: string): Promise<string | null> =>
      addressRefusalOf(names, address, resolver);
    expect(await refusal([], '10.9.9.9')).toBeNull();
    expect(await refusal(['10.0.0.1'], '10.0.0.1')).toBeNull();
    expect(await refusal(['n1.example'], '10.0.0.3')).toBeNull();
    expect(await refusal(['*.pool.example'], '10.0.0.2')).toBeNull();
    expect(await refusal(['10.0.0.1'], '10.9.9.9')).toBe(
      'x509: certificate is valid for 10.0.0.1, not 10.9.9.9',
    );
    expect(await refusal(['n1.example', '10.0.0.1'], '10.9.9.9')).toMatch(/does not match any of DNSNames/);
  });

  test.each([
    ['a.example', 'A.EXAMPLE.', true],
    ['*.example', 'a.example', true],
    ['*.example', 'b.a.example', false],
    ['*.example', 'example', false],
    ['*', 'example', false],
    ['0:0:0:0:0:0:0:1', '::1', true],
    ['127.0.0.1', '::ffff:127.0.0.1', true],
    ['*.0.0.1', '127.0.0.1', false],
  ])('a certificate for %s and the host %s: %s', (name, host, good) => {
    expect(isGoodFor([name], host)).toBe(good);
  });
});
