import { seededRandom } from '@flotilla/platform';
import { expect, test } from 'vitest';
import { type Due, DeadlineHeap } from './deadline-heap.ts';

test('the first is the earliest, whatever was put in, moved and removed', () => {
  const random = seededRandom(1);
  const heap = new DeadlineHeap<Due>();
  const all = Array.from({ length: 60 }, (): Due => ({ atMs: random.below(100), position: -1 }));
  const inside = new Set<Due>();
  for (let step = 0; step < 5_000; step += 1) {
    const member = all[random.below(all.length)] as Due;
    if (random.below(3) === 0) {
      heap.remove(member);
      inside.delete(member);
    } else {
      member.atMs = random.below(100);
      heap.place(member);
      inside.add(member);
    }
    expect(heap.size).toBe(inside.size);
    const earliest = Math.min(...[...inside].map(({ atMs }) => atMs));
    expect(heap.first?.atMs ?? Infinity).toBe(earliest);
  }
});
