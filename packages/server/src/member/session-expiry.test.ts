import type { SessionUse } from '@flotilla/store';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { VirtualPlatform } from '../../../store/test/virtual-platform.ts';
import { limits } from '../limits.ts';
import { SessionExpiry } from './session-expiry.ts';

const idleMs = 10 * limits.sessionCheckMs;

let platform: VirtualPlatform;
let uses: SessionUse[];
let applied: number;
let leads: boolean;
let expired: string[];
let expiry: SessionExpiry;

beforeEach(() => {
  platform = new VirtualPlatform();
  uses = [];
  applied = 0;
  leads = true;
  expired = [];
  expiry = new SessionExpiry({
    platform,
    idleMs,
    appliedIndex: () => applied,
    uses: () => uses,
    leads: () => leads,
    expire: (ended) => {
      expired.push(...ended.map(({ id }) => id));
      uses = uses.filter(({ id }) => !expired.includes(id));
      return Promise.resolve();
    },
  });
});

afterEach(() => expiry.stop());

/** A use moves a session behind all others. */
function use(id: string): void {
  applied += 1;
  uses = [...uses.filter((other) => other.id !== id), { id, usedAt: applied }];
}

test('a session ends when it was not used for the whole of the idle time, and not before', async () => {
  use('a');
  await platform.advance(idleMs - 1);
  expect(expired).toEqual([]);
  await platform.advance(2 * limits.sessionCheckMs);
  expect(expired).toEqual(['a']);
});

test('one that is used lives on', async () => {
  use('a');
  use('b');
  for (let i = 0; i < 30; i += 1) {
    use('b');
    await platform.advance(limits.sessionCheckMs);
  }
  expect(expired).toEqual(['a']);
});

test('other writes do not make a session look used', async () => {
  use('a');
  for (let i = 0; i < 12; i += 1) {
    applied += 1_000;
    await platform.advance(limits.sessionCheckMs);
  }
  expect(expired).toEqual(['a']);
});

test('only the leader ends sessions, and a new one knows how long they have been idle', async () => {
  use('a');
  leads = false;
  await platform.advance(2 * idleMs);
  expect(expired).toEqual([]);
  leads = true;
  await platform.advance(limits.sessionCheckMs);
  expect(expired).toEqual(['a']);
});

test('a member that has just started gives every session the whole time', async () => {
  use('a');
  await platform.advance(limits.sessionCheckMs);
  expect(expired).toEqual([]);
  await platform.advance(idleMs - limits.sessionCheckMs);
  expect(expired).toEqual([]);
});

test('many end in portions', async () => {
  for (let i = 0; i < limits.sessionsPerExpiry + 5; i += 1) use(`s${i}`);
  await platform.advance(idleMs + limits.sessionCheckMs);
  expect(expired).toHaveLength(limits.sessionsPerExpiry);
  await platform.advance(limits.sessionCheckMs);
  expect(expired).toHaveLength(limits.sessionsPerExpiry + 5);
});
