import { explore, generatedTape, runScenario } from '@flotilla/sim';
import { Auth, WatchHub } from '@flotilla/store';
import { afterEach, expect, test, vi } from 'vitest';
import { Access } from '../../src/auth/access.ts';
import { authScenario } from './auth.ts';

afterEach(() => vi.restoreAllMocks());

test('under faults nobody writes, reads or is told what the users of that moment forbid', async () => {
  const { finding, coverage } = await explore({ scenario: authScenario, from: 1, seeds: 2 });
  expect(finding?.result.violation ?? null).toBeNull();
  for (const kind of [
    'write answered',
    'write refused',
    'read answered',
    'read refused',
    'trespass refused',
  ]) {
    expect([kind, coverage.get(kind) > 0]).toEqual([kind, true]);
  }
  expect(coverage.get('watch ended')).toBeGreaterThan(0);
  expect(coverage.get('write judged')).toBeGreaterThan(100);
});

test('a state that does not look again when a write is applied is caught', async () => {
  vi.spyOn(Auth.prototype, 'check').mockImplementation(() => undefined);
  const { finding } = await explore({ scenario: authScenario, from: 1, seeds: 5 });
  expect(finding?.result.violation?.name).toMatch(/^(trespass|forbidden write)$/);
});

test('watches that are not looked at again are caught', async () => {
  vi.spyOn(WatchHub.prototype, 'review').mockImplementation(() => undefined);
  const { finding } = await explore({ scenario: authScenario, from: 1, seeds: 5 });
  expect(finding?.result.violation?.name).toBe('forbidden event');
});

test('a read that is not checked is caught', async () => {
  vi.spyOn(Access.prototype, 'requireRange').mockImplementation(() => undefined);
  const { finding } = await explore({ scenario: authScenario, from: 1, seeds: 5 });
  expect(finding?.result.violation?.name).toBe('forbidden read');
});

test('seed 72: a member that has not heard of auth yet asks before it ignores a token', async () => {
  const result = await runScenario(authScenario, generatedTape(72));
  expect(result.violation).toBeNull();
  const honest: unknown = Reflect.get(Access.prototype, 'prepare');
  vi.spyOn(Access.prototype, 'prepare').mockImplementation(function (this: Access, call) {
    return this.auth.enabled ? (Reflect.apply(honest as () => null, this, [call]) as null) : null;
  });
  const ignorant = await runScenario(authScenario, generatedTape(72));
  expect(ignorant.violation?.message).toContain('user name is empty');
});
