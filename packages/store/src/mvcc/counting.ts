import { limits } from '../limits.ts';
import { EventCursor } from './event-cursor.ts';
import { countKeys } from './key-counts.ts';
import type { KeyRange } from './key-range.ts';
import { contains, isEmpty } from './key-range.ts';
import type { Layers } from './layers.ts';
import { scanVisible } from './visible-cursor.ts';

/** Live keys in the range at the latest revision. */
export function countLatest(layers: Layers, range: KeyRange): number {
  return countKeys(layers.counted, range.from, range.to) + layers.uncounted(range);
}

/**
 * Keys in the range at `revision`, which is before `newest`. From the count of today and the events since then when
 * they are few (the next page of a list that began a minute ago), by a scan otherwise.
 */
export function countAt(layers: Layers, range: KeyRange, revision: number, newest: number): number {
  if (isEmpty(range)) return 0;
  if (newest - revision > limits.countEventRevisions) return countByScan(layers, range, revision);
  let count = countKeys(layers, range.from, range.to);
  const events = new EventCursor(layers, revision + 1);
  for (; events.event !== null; events.advance()) {
    const { created, deleted, key } = events.event;
    if ((!created && !deleted) || !contains(range, key)) continue;
    count += created ? -1 : 1;
  }
  return count;
}

function countByScan(layers: Layers, range: KeyRange, revision: number): number {
  const cursor = scanVisible(layers, { from: range.from, to: range.to, reverse: false }, revision);
  let count = 0;
  for (; cursor.key !== null; cursor.advance()) count += 1;
  return count;
}
