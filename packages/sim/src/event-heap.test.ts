import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EventHeap } from './event-heap.ts';

test('events leave by time, and in the order of pushing where times are equal', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 600 }), (times) => {
      const heap = new EventHeap<number>();
      times.forEach((time, i) => heap.push(time, i));
      const expected = times.map((time, i) => [time, i] as const).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      const actual: (readonly [number, number])[] = [];
      while (heap.size > 0) actual.push([heap.nextTime, heap.pop()]);
      expect(actual).toEqual(expected);
      expect(heap.nextTime).toBe(Infinity);
    }),
  );
});

test('the order also holds when pushing and popping alternate', () => {
  fc.assert(
    fc.property(
      fc.array(fc.option(fc.integer({ min: 0, max: 9 }), { freq: 3 }), { maxLength: 300 }),
      (steps) => {
        const heap = new EventHeap<number>();
        const model: { time: number; id: number }[] = [];
        steps.forEach((time, id) => {
          if (time !== null) {
            heap.push(time, id);
            model.push({ time, id });
            return;
          }
          if (model.length === 0) return;
          model.sort((a, b) => a.time - b.time || a.id - b.id);
          expect(heap.pop()).toBe(model.shift()!.id);
        });
        expect(heap.size).toBe(model.length);
      },
    ),
  );
});
