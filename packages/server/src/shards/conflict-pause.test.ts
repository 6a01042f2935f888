import { expect, it } from 'vitest';
import { limits } from '../limits.ts';
import { conflictPauseMs } from './conflict-pause.ts';

it('the pause after a conflict is as long as the attempt was, doubles, and has a bound', () => {
  expect(conflictPauseMs(1, 0)).toBe(limits.shardBackoffMs);
  expect(conflictPauseMs(1, 50)).toBe(50);
  expect(conflictPauseMs(3, 50)).toBe(200);
  expect(conflictPauseMs(30, 50)).toBe(limits.shardBackoffMostMs);
});
