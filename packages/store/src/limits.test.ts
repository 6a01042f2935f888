import { expect, test } from 'vitest';
import { limits } from './limits.ts';

test('bounds that decide what an entry does keep their numbers: members of two builds share a log', () => {
  expect(limits).toMatchObject({
    leaseTtlSeconds: 9_000_000_000,
    removedMembers: 4_096,
    sessions: 16_384,
    sessionsBytes: 64 * 1024 * 1024,
    sessionWindowRequests: 1_024,
    sessionBytes: 4 * 1024 * 1024,
    sessionReplyBytes: 1024 * 1024,
    sessionReplyOverheadBytes: 96,
    forgottenSessions: 65_536,
    overlayBytes: 16 * 1024 * 1024,
    waitingEntries: 4_096,
    preparedTransactions: 1_024,
    orderSessions: 16_384,
    expiredSessions: 16_384,
  });
});
