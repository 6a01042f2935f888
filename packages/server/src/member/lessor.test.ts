import type { Group } from '@flotilla/raft';
import { AlarmAction, AlarmRequest, AlarmType, etcdErrors, LeaseGrantRequest } from '@flotilla/wire';
import { beforeEach, expect, test } from 'vitest';
import { Harness } from '../../../store/test/harness.ts';
import { limits } from '../limits.ts';
import { Lessor } from './lessor.ts';

let harness: Harness;
let proposed: number;
let refuses: boolean;

beforeEach(async () => {
  harness = await Harness.open();
  const { platform, database } = harness;
  proposed = 0;
  refuses = false;
  const status = { role: 'leader', term: 1, leader: 1 };
  const group = {
    status: () => status,
    onRoleChange: () => () => undefined,
    readBarrier: () => Promise.resolve(),
  } as unknown as Group<unknown>;
  new Lessor({
    platform,
    database,
    group,
    electionTimeoutMs: 1_000,
    propose: (kind, request) => {
      if (kind !== 'lease-expire') return Promise.resolve();
      proposed += 1;
      if (refuses) return Promise.reject(etcdErrors.noLeader);
      harness.propose(kind, request);
      return Promise.resolve();
    },
  });
  harness.propose('lease-grant', LeaseGrantRequest.encode({ id: 7n, ttl: 5 }));
});

function alarm(action: AlarmAction): void {
  harness.propose('alarm', AlarmRequest.encode({ action, memberId: 1n, alarm: AlarmType.CORRUPT }));
}

test('a lease expires when its time is over', async () => {
  await harness.platform.advance(4_500);
  expect(harness.database.leases.has(7n)).toBe(true);
  await harness.platform.advance(1_000);
  expect(harness.database.leases.has(7n)).toBe(false);
});

test('while the state is corrupt nothing is written to the log for it, and the lease goes when the alarm does', async () => {
  alarm(AlarmAction.ACTIVATE);
  await harness.platform.advance(60_000);
  expect([proposed, harness.database.leases.has(7n)]).toEqual([0, true]);
  alarm(AlarmAction.DEACTIVATE);
  await harness.platform.advance(2 * limits.leaseLookMs);
  expect([proposed, harness.database.leases.has(7n)]).toEqual([1, false]);
});

test('what could not be written is tried again as often as etcd does', async () => {
  refuses = true;
  await harness.platform.advance(5_000 + 10 * limits.leaseExpiryRetryMs);
  expect(proposed).toBeGreaterThan(5);
  expect(proposed).toBeLessThanOrEqual(11);
  refuses = false;
  await harness.platform.advance(limits.leaseExpiryRetryMs + limits.leaseLookMs);
  expect(harness.database.leases.has(7n)).toBe(false);
});
