import { expect, test } from 'vitest';
import { bcryptCost, parseAuthToken, tokenLifetimeMs } from './auth-settings.ts';

test("--auth-token has etcd's form", () => {
  expect(parseAuthToken('simple')).toEqual({ kind: 'simple' });
  expect(parseAuthToken('jwt,sign-method=RS256,pub-key=a.pem,priv-key=b.pem,ttl=10m')).toEqual({
    kind: 'jwt',
    signMethod: 'RS256',
    publicKeyFile: 'a.pem',
    privateKeyFile: 'b.pem',
    lifetimeMs: 600_000,
  });
  expect(parseAuthToken('jwt,sign-method=EdDSA,priv-key=b.pem')).toMatchObject({ lifetimeMs: 300_000 });
});

test.each([
  '',
  'complex',
  'jwt',
  'jwt,pub-key=a',
  'jwt,sign-method=none',
  'jwt,sign-method=RS256,sign-method=RS256',
  'jwt,sign-method',
  'jwt,sign-method=RS256=x',
])('--auth-token %j is refused', (text) => {
  expect(() => parseAuthToken(text)).toThrow('auth: invalid auth options');
});

test('what bcrypt or a clock could not take is the default', () => {
  expect([3, 4, 10, 31, 32].map(bcryptCost)).toEqual([10, 4, 10, 31, 10]);
  expect([-1, 0, 1, 300].map(tokenLifetimeMs)).toEqual([300_000, 300_000, 1_000, 300_000]);
});
