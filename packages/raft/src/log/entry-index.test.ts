import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EntryIndex } from './entry-index.ts';
import { LiveBytes } from './live-bytes.ts';

interface Place {
  readonly segment: number;
  readonly offset: number;
}

/** Where each entry lies: what the index must answer. */
class Model {
  readonly places = new Map<number, Place>();
  compacted = 0;
  last = 0;
}

type Step = (index: EntryIndex, model: Model, serial: number) => void;

const append = fc.integer({ min: 1, max: 5 }).map((count): Step => (index, model, serial) => {
  index.append(model.last + 1, serial, serial * 8, 100);
  for (let i = 0; i < count; i += 1) {
    model.last += 1;
    model.places.set(model.last, { segment: serial, offset: serial * 8 });
  }
});

const truncate = fc.double({ min: 0, max: 1, noNaN: true }).map((share): Step => (index, model) => {
  const from = model.compacted + 1 + Math.floor(share * (model.last - model.compacted));
  index.truncate(from);
  for (let i = from; i <= model.last; i += 1) model.places.delete(i);
  model.last = Math.min(model.last, from - 1);
});

const compact = fc.double({ min: 0, max: 1, noNaN: true }).map((share): Step => (index, model) => {
  const through = model.compacted + Math.floor(share * (model.last - model.compacted));
  index.compact(through, model.last);
  for (let i = model.compacted + 1; i <= through; i += 1) model.places.delete(i);
  model.compacted = through;
});

const relocate = fc
  .tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.boolean())
  .map(([share, whole]): Step => (index, model, serial) => {
    if (model.last === model.compacted) return;
    const at = model.compacted + 1 + Math.floor(share * (model.last - model.compacted - 1));
    const run = index.find(at, model.last);
    if (run === null) return;
    const first = whole ? run.first : at;
    index.relocate(first, run.last, model.last, serial, serial * 8, 50);
    for (let i = first; i <= run.last; i += 1) model.places.set(i, { segment: serial, offset: serial * 8 });
  });

const steps = fc.array(fc.oneof({ weight: 4, arbitrary: append }, truncate, compact, relocate), {
  maxLength: 60,
});

describe('the index of entries', () => {
  it('finds each live entry where it was written last, and no other', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const index = new EntryIndex(new LiveBytes());
        const model = new Model();
        for (const [i, step] of list.entries()) {
          step(index, model, i + 1);
          for (let at = model.compacted; at <= model.last + 1; at += 1) {
            const run = index.find(at, model.last);
            const place = model.places.get(at);
            expect(run === null ? undefined : { segment: run.segment, offset: run.offset }).toEqual(place);
            if (run !== null) expect(run.first <= at && at <= run.last && run.last <= model.last).toBe(true);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('counts as live exactly the records that hold a live entry', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const live = new LiveBytes();
        const index = new EntryIndex(live);
        const model = new Model();
        for (const [i, step] of list.entries()) {
          step(index, model, i + 1);
          const segments = new Set([...model.places.values()].map((place) => place.segment));
          for (let segment = 1; segment <= i + 1; segment += 1) {
            expect(live.of(segment) > 0).toBe(segments.has(segment));
            expect(index.findIn(segment, 0, model.last) !== null).toBe(segments.has(segment));
          }
          expect(live.total > 0).toBe(segments.size > 0);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('gives memory back after a compaction', () => {
    const index = new EntryIndex(new LiveBytes());
    for (let i = 1; i <= 10_000; i += 1) index.append(i, 1, i * 8, 8);
    index.compact(9_990, 10_000);
    expect(index.runs).toBe(10);
    expect(index.capacity).toBeLessThanOrEqual(20);
  });
});
