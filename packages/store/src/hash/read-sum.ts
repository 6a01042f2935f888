import type { Platform } from '@flotilla/platform';
import { limits } from '../limits.ts';
import type { Layers } from '../mvcc/layers.ts';
import type { StateSum } from './state-sum.ts';

/**
 * Reads a whole state, with pauses, and tells whether it is what was applied. Null: not known, because it is over before
 * the end, or because nothing was known before. `pauseFactor`: a pause is at least so many times as long as what was read
 * before it took.
 */
export async function readSum(
  platform: Platform,
  sum: StateSum,
  layers: Layers,
  isOver: () => boolean,
  pauseFactor: number = limits.sumPauseFactor,
): Promise<boolean | null> {
  const reading = sum.begin(layers);
  try {
    while (!reading.done) {
      if (isOver()) return null;
      const startMs = platform.now();
      let left: number = limits.keptRecordsSlice;
      reading.read(() => (left -= 1) > 0 && platform.now() - startMs < limits.sliceMs);
      const pauseMs = Math.max(limits.sumPauseMs, pauseFactor * (platform.now() - startMs));
      await new Promise<void>((resolve) => {
        platform.timer(pauseMs, 'database-sum', resolve);
      });
    }
    const expected = sum.value;
    return expected === null ? null : expected === reading.sum;
  } finally {
    sum.end(reading);
  }
}
