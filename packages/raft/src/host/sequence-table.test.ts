import { seededRandom } from '@flotilla/platform';
import { describe, expect, it } from 'vitest';
import { SequenceTable } from './sequence-table.ts';

describe('a table of ascending numbers', () => {
  it('does what a map does, in order, whatever is taken out when', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const random = seededRandom(seed);
      const table = new SequenceTable<{ number: number }>(1 << random.below(7));
      const model = new Map<number, { number: number }>();
      let next = random.below(10);
      for (let round = 0; round < 400; round += 1) {
        if (random.below(10) < 5) {
          next += 1 + (random.below(20) === 0 ? random.below(50) : 0);
          table.add(next, { number: next });
          model.set(next, { number: next });
        } else {
          const keys = [...model.keys()];
          const old = random.below(8) > 0;
          const number =
            (old ? keys[random.below(Math.min(keys.length, 3) || 1)] : random.below(next + 3)) ?? 0;
          expect(table.delete(number)).toBe(model.delete(number));
        }
        if (random.below(50) === 0) table.release();
        expect(table.size).toBe(model.size);
        const probe = random.below(next + 3);
        expect(table.get(probe)?.number).toBe(model.get(probe)?.number);
      }
      const seen: number[] = [];
      table.forEach((item) => seen.push(item.number));
      expect(seen).toEqual([...model.keys()]);
    }
  });

  it('can be emptied while it is visited', () => {
    const table = new SequenceTable<{ number: number }>(4);
    for (let number = 1; number <= 9; number += 1) table.add(number, { number });
    const seen: number[] = [];
    table.forEach((item) => {
      seen.push(item.number);
      table.delete(item.number);
    });
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(table.size).toBe(0);
  });

  it('keeps an item that stays while thousands come and go, in few slots', () => {
    const table = new SequenceTable<{ number: number }>(1024);
    table.add(1, { number: 1 });
    for (let number = 2; number < 20_000; number += 1) {
      table.add(number, { number });
      table.delete(number);
      if (table.size !== 1) throw new Error(`${number} is still there`);
    }
    expect(table.get(1)?.number).toBe(1);
    expect(table.delete(1)).toBe(true);
    expect(table.size).toBe(0);
  });
});
