import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JwtSettings } from '../../configuration/auth-settings.ts';
import { openJsonWebTokens } from './json-web-tokens.ts';

let directory: string;
const files = new Map<string, string>();

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'flotilla-test-jwt-'));
  keep('rsa', generateKeyPairSync('rsa', { modulusLength: 2048 }), 'pkcs1');
  keep('other-rsa', generateKeyPairSync('rsa', { modulusLength: 2048 }), 'pkcs8');
  keep('ec', generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'sec1');
  keep('ed', generateKeyPairSync('ed25519'), 'pkcs8');
  write('secret', 'a secret of thirty-two bytes, at least');
  write('other-secret', 'another secret of thirty-two bytes, at least');
  write('empty', '');
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

function keep(
  name: string,
  keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject },
  type: 'pkcs1' | 'pkcs8' | 'sec1',
): void {
  write(`${name}.pub`, keys.publicKey.export({ type: 'spki', format: 'pem' }).toString());
  write(name, keys.privateKey.export({ type, format: 'pem' }).toString());
}

function write(name: string, content: string): void {
  const file = join(directory, name);
  writeFileSync(file, content);
  files.set(name, file);
}

function settings(signMethod: string, privateKey = '', publicKey = '', lifetimeMs = 60_000): JwtSettings {
  const fileOf = (name: string): string => (name === '' ? '' : (files.get(name) as string));
  return { signMethod, privateKeyFile: fileOf(privateKey), publicKeyFile: fileOf(publicKey), lifetimeMs };
}

const claims = { user: 'alice', authRevision: 7 };

describe('a token', () => {
  test.each([
    ['RS256', 'rsa', 'rsa.pub'],
    ['RS512', 'rsa', ''],
    ['PS256', 'other-rsa', 'other-rsa.pub'],
    ['ES256', 'ec', 'ec.pub'],
    ['EdDSA', 'ed', 'ed.pub'],
    ['HS256', 'secret', ''],
  ])('signed with %s says who it is for, and until when', async (method, privateKey, publicKey) => {
    const tokens = openJsonWebTokens(settings(method, privateKey, publicKey));
    const before = Date.now();
    const verified = await tokens.verify(await tokens.sign(claims));
    expect(verified).toMatchObject(claims);
    expect(verified!.expiresAtMs).toBeGreaterThan(before + 58_000);
    expect(verified!.expiresAtMs).toBeLessThanOrEqual(Date.now() + 60_000);
  });

  test("has etcd's claims, and can be verified by whoever has the public key alone", async () => {
    const token = await openJsonWebTokens(settings('ES256', 'ec')).sign(claims);
    const [header, payload] = token.split('.') as [string, string];
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({ alg: 'ES256', typ: 'JWT' });
    expect(Object.keys(JSON.parse(Buffer.from(payload, 'base64url').toString())).sort()).toEqual([
      'exp',
      'revision',
      'username',
    ]);
    const verifier = openJsonWebTokens(settings('ES256', '', 'ec.pub'));
    expect(await verifier.verify(token)).toMatchObject(claims);
    await expect(verifier.sign(claims)).rejects.toThrow('auth: token signing attempted with verify-only key');
  });

  test('of another key, another method, another time, or other content is none', async () => {
    const tokens = openJsonWebTokens(settings('RS256', 'rsa'));
    const good = await tokens.sign(claims);
    const [header, payload, signature] = good.split('.') as [string, string, string];
    const encoded = (content: unknown): string => Buffer.from(JSON.stringify(content)).toString('base64url');
    const forged = encoded({ username: 'root', revision: 7, exp: 9_999_999_999 });
    const wrong = [
      await openJsonWebTokens(settings('RS256', 'other-rsa')).sign(claims),
      await openJsonWebTokens(settings('PS256', 'rsa')).sign(claims),
      await openJsonWebTokens(settings('HS256', 'secret')).sign(claims),
      await openJsonWebTokens(settings('RS256', 'rsa', '', -5_000)).sign(claims),
      `${header}.${forged}.${signature}`,
      `${encoded({ alg: 'none', typ: 'JWT' })}.${forged}.`,
      `${header}.${payload}`,
      '',
      'x',
      'a.b.c',
    ];
    for (const token of wrong) expect(await tokens.verify(token)).toBeNull();
    expect(await tokens.verify(good)).toMatchObject(claims);
  });

  test('whose claims are not of the right kind is none', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    write('own.pub', publicKey.export({ type: 'spki', format: 'pem' }).toString());
    const tokens = openJsonWebTokens(settings('EdDSA', '', 'own.pub'));
    const made = (payload: object): string => {
      const content = [{ alg: 'EdDSA' }, payload]
        .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
        .join('.');
      return `${content}.${sign(null, Buffer.from(content), privateKey).toString('base64url')}`;
    };
    expect(await tokens.verify(made({ username: 'alice', revision: 7 }))).toEqual({
      ...claims,
      expiresAtMs: Number.POSITIVE_INFINITY,
    });
    for (const payload of [
      {},
      { username: 'alice' },
      { username: 7, revision: 7 },
      { username: 'alice', revision: '7' },
      { username: 'alice', revision: 7.5 },
      { username: 'alice', revision: -1 },
      { username: 'alice', revision: 7, nbf: 9_999_999_999 },
    ]) {
      expect(await tokens.verify(made(payload))).toBeNull();
    }
  });
});

test.each([
  ['RS256', '', '', 'auth: missing key data'],
  ['HS256', '', '', 'auth: missing key data'],
  ['HS256', 'empty', '', 'auth: missing key data'],
  ['RS256', 'rsa', 'other-rsa.pub', "auth: public and private keys don't match"],
  ['RS256', 'ec', '', 'RS256 needs a key of type rsa, not ec'],
  ['ES256', '', 'rsa.pub', 'ES256 needs a key of type ec, not rsa'],
  ['EdDSA', 'secret', '', 'secret:'],
])(
  'keys that do not fit are found at the start: %s with %s and %s',
  (method, privateKey, publicKey, message) => {
    expect(() => openJsonWebTokens(settings(method, privateKey, publicKey))).toThrow(message);
  },
);

test('a key that is not there is found at the start', () => {
  const missing = { ...settings('RS256'), publicKeyFile: join(directory, 'missing') };
  expect(() => openJsonWebTokens(missing)).toThrow('missing');
});
