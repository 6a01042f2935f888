import type { Metadata, ServerCall } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { sessionOf } from './session-metadata.ts';

function callWith(metadata: Metadata): ServerCall {
  return {
    path: '/etcdserverpb.KV/Put',
    metadata,
    peer: { remote: { host: '127.0.0.1', port: 1 }, identity: null },
    timeoutMs: null,
    cancelled: null,
    onCancelled: () => undefined,
  };
}

function refusal(metadata: Metadata): string {
  try {
    sessionOf(callWith(metadata));
  } catch (error) {
    return (error as Error).message;
  }
  return 'no error';
}

const session = 'flotilla-session';
const request = 'flotilla-request';
const done = 'flotilla-done';

test('a call without a session has none', () => {
  expect(sessionOf(callWith({ token: 't' }))).toBeNull();
});

test('a session has a name, a number, and what the client is done with, which is 0 when it does not say', () => {
  const digest = new Uint8Array(0);
  expect(sessionOf(callWith({ [session]: 'a.B-9_c:d', [request]: '7', [done]: '6' }))).toEqual({
    id: 'a.B-9_c:d',
    request: 7,
    done: 6,
    digest,
  });
  expect(sessionOf(callWith({ [session]: 's', [request]: '1' }))).toEqual({
    id: 's',
    request: 1,
    done: 0,
    digest,
  });
});

test('requests to which a member adds something are told apart by the bytes of the client and the method', () => {
  const call = callWith({ [session]: 's', [request]: '1' });
  const bytes = Uint8Array.of(1, 2);
  const digest = sessionOf(call, bytes)?.digest;
  expect(digest).toHaveLength(16);
  expect(sessionOf(call, Uint8Array.of(1, 2))?.digest).toEqual(digest);
  expect(sessionOf(call, Uint8Array.of(1, 3))?.digest).not.toEqual(digest);
  expect(sessionOf({ ...call, path: '/etcdserverpb.KV/Txn' }, bytes)?.digest).not.toEqual(digest);
});

test('a name is 1 to 64 of a few characters', () => {
  const text = 'flotilla: flotilla-session must be 1 to 64 characters of A-Z a-z 0-9 . _ : -';
  for (const name of ['', 'a b', 'ä', 'a,b', 'x'.repeat(65), 'a/b', 'a\n']) {
    expect(refusal({ [session]: name, [request]: '1' })).toBe(text);
  }
  expect(refusal({ [session]: 'x'.repeat(64), [request]: '1' })).toBe('no error');
});

test('a number is a decimal safe integer from 1', () => {
  const text = 'flotilla: flotilla-request must be a decimal number from 1 to 9007199254740991';
  for (const number of [
    '',
    '0',
    '-1',
    '1.5',
    '1e3',
    '0x1',
    ' 1',
    '1,2',
    '9007199254740992',
    '9'.repeat(40),
  ]) {
    expect(refusal({ [session]: 's', [request]: number })).toBe(text);
  }
  expect(refusal({ [session]: 's', [request]: '9007199254740991' })).toBe('no error');
});

test('what the client is done with is less than the number', () => {
  const text = 'flotilla: flotilla-done must be a decimal number from 0, less than flotilla-request';
  for (const number of ['', '5', '6', '-1', 'x']) {
    expect(refusal({ [session]: 's', [request]: '5', [done]: number })).toBe(text);
  }
  expect(refusal({ [session]: 's', [request]: '5', [done]: '4' })).toBe('no error');
});

test('a number needs a session, and a session a number', () => {
  const needsSession = 'flotilla: flotilla-request and flotilla-done need a flotilla-session';
  expect(refusal({ [request]: '1' })).toBe(needsSession);
  expect(refusal({ [done]: '1' })).toBe(needsSession);
  expect(refusal({ [session]: 's' })).toBe('flotilla: flotilla-session needs a flotilla-request');
});
