import { expect, it } from 'vitest';
import { SnapshotThrottle } from './snapshot-throttle.ts';

it('lets the first chunk go at once, and the next when its bytes have flowed in', () => {
  const clock = { nowMs: 0, now: () => clock.nowMs };
  const throttle = new SnapshotThrottle(clock, 1000);
  expect(throttle.take(500)).toBe(0);
  expect(throttle.take(500)).toBe(500);
  expect(throttle.take(100)).toBe(1000);
});

it('saves nothing up while nothing is sent', () => {
  const clock = { nowMs: 0, now: () => clock.nowMs };
  const throttle = new SnapshotThrottle(clock, 1000);
  expect(throttle.take(1000)).toBe(0);
  clock.nowMs = 60_000;
  expect(throttle.take(1000)).toBe(0);
  expect(throttle.take(1000)).toBe(1000);
});

it('never waits without a limit', () => {
  const throttle = new SnapshotThrottle({ now: () => 0 }, 0);
  for (let i = 0; i < 100; i += 1) expect(throttle.take(1 << 30)).toBe(0);
});
