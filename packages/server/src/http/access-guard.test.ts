import { describe, expect, test } from 'vitest';
import { configure } from '../configuration/configuration.ts';
import { AccessGuard } from './access-guard.ts';
import type { HttpExchange } from './exchange.ts';

function guard(settings: Record<string, string>, authEnabled = false): AccessGuard {
  return new AccessGuard({
    configuration: configure(new Map(Object.entries(settings))),
    authEnabled: () => authEnabled,
  });
}

function request(headers: Record<string, string>, more: Partial<HttpExchange> = {}): HttpExchange {
  const peer = { remote: { host: '127.0.0.1', port: 1 }, identity: null };
  return { method: 'GET', target: '/version', headers, peer, secure: false, ...more } as HttpExchange;
}

describe('host names', () => {
  const some = guard({ 'host-whitelist': 'db.example,::1' });

  test('every one is welcome unless some are named', () => {
    expect(guard({}).admit(request({ host: 'evil.example' })).refusal).toBeNull();
    expect(guard({ 'host-whitelist': '' }).admit(request({ host: 'evil.example' })).refusal).toBeNull();
  });

  test.each(['db.example', 'DB.example:2379', '[::1]:2379', '[0:0:0:0:0:0:0:1]'])('%s is named', (host) => {
    expect(some.admit(request({ host })).refusal).toBeNull();
  });

  test.each(['evil.example', 'db.example.evil', '127.0.0.1:2379', ''])('%j is not', (host) => {
    expect(some.admit(request({ host })).refusal).toMatchObject({ status: 421 });
  });

  test('TLS has proved to whom the request was meant for', () => {
    expect(some.admit(request({ host: 'evil.example' }, { secure: true })).refusal).toBeNull();
  });
});

describe('origins', () => {
  test('every one may read answers unless some are named', () => {
    expect(guard({}).admit(request({})).headers).toMatchObject({ 'access-control-allow-origin': '*' });
    const some = guard({ cors: 'http://a.example:80,https://b.example' });
    expect(some.admit(request({ origin: 'https://b.example' })).headers).toMatchObject({
      'access-control-allow-origin': 'https://b.example',
    });
    expect(some.admit(request({ origin: 'https://c.example' })).headers).toEqual({});
  });

  test('a preflight is answered with the rules and nothing else', () => {
    const { refusal, headers } = guard({}).admit(request({}, { method: 'OPTIONS', target: '/v3/kv/range' }));
    expect(refusal).toEqual({ status: 200, headers: {}, body: '' });
    expect(headers).toEqual({
      'access-control-allow-methods': 'POST, GET, OPTIONS, PUT, DELETE',
      'access-control-allow-origin': '*',
      'access-control-allow-headers': 'accept, content-type, authorization',
    });
  });
});

test('a certificate that names a user is refused where it would not count', () => {
  const identity = { commonName: 'alice', subjectAlternativeNames: [], serialNumbers: [] };
  const peer = { remote: { host: '127.0.0.1', port: 1 }, identity };
  const settings = { 'client-cert-auth': 'true' };
  const gateway = request({}, { peer, secure: true, target: '/v3/kv/put' });
  expect(guard(settings, true).admit(gateway).refusal).toMatchObject({ status: 400 });
  expect(guard(settings, false).admit(gateway).refusal).toBeNull();
  expect(guard({}, true).admit(gateway).refusal).toBeNull();
  const probe = request({}, { peer, secure: true, target: '/health' });
  expect(guard(settings, true).admit(probe).refusal).toBeNull();
});
