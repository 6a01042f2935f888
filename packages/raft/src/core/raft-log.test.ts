import { configurationOf } from './configuration.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RaftLog } from './raft-log.ts';
import type { Entry, Index, NodeId, Restored, SnapshotMeta, Term } from './types.ts';
import type { WriteSequence } from './types.ts';

const configuration = configurationOf([1]);

function entry(term: number, index: number, bytes = 10): Entry {
  return { term: term as Term, index: index as Index, kind: 'command', payload: new Uint8Array(bytes) };
}

function snapshot(index: number, term: number): SnapshotMeta {
  return { index: index as Index, term: term as Term, configuration };
}

function emptyLog(maxCachedBytes = 1 << 20): RaftLog {
  const restored: Restored = {
    hardState: { term: 0 as Term, vote: 0 as NodeId, commit: 0 as Index },
    snapshot: snapshot(0, 0),
    termRuns: [],
    lastIndex: 0 as Index,
    applied: 0 as Index,
    membership: [],
  };
  return new RaftLog(restored, maxCachedBytes);
}

/** A log whose entries have these terms, from index 1. */
function logOf(...terms: readonly number[]): RaftLog {
  const log = emptyLog();
  terms.forEach((term, i) => log.append(entry(term, i + 1)));
  return log;
}

const sequence = (n: number): WriteSequence => n as WriteSequence;

describe('terms of a log', () => {
  it('are known from its base to its end, and nowhere else', () => {
    const log = logOf(1, 1, 3, 3);
    expect([0, 1, 2, 3, 4, 5].map((index) => log.termAt(index))).toEqual([0, 1, 1, 3, 3, null]);
  });

  it('survive compaction from the new base on', () => {
    const log = logOf(1, 1, 3, 3, 5);
    log.takeWrite(sequence(1));
    log.persisted(sequence(1));
    log.commitTo(5 as Index);
    log.applied = 4 as Index;
    log.compact(snapshot(3, 3));
    expect([2, 3, 4, 5].map((index) => log.termAt(index))).toEqual([null, 3, 3, 5]);
    expect(log.firstIndex).toBe(4);
  });

  it.each([
    // The log, the asked position, and the largest one that may agree.
    [[1, 3, 3, 3, 5, 5, 5, 5, 5], 6, 2, 1, 1],
    [[1, 3, 3, 4, 4, 5, 5, 5, 6], 8, 3, 3, 3],
    [[1, 1, 1], 3, 1, 3, 1],
    [[2, 2], 2, 1, 0, 0],
    [[1, 1], 7, 1, 7, 0],
  ])('%j at %i with term %i point to %i of term %i', (terms, index, term, at, found) => {
    const log = logOf(...terms);
    expect(log.findConflictByTerm(index as Index, term as Term)).toEqual({ index: at, term: found });
  });

  it('that are larger win an election whatever the lengths', () => {
    const log = logOf(1, 1, 1, 2);
    expect(log.isUpToDate(1 as Index, 3 as Term)).toBe(true);
    expect(log.isUpToDate(9 as Index, 1 as Term)).toBe(false);
    expect(log.isUpToDate(4 as Index, 2 as Term)).toBe(true);
    expect(log.isUpToDate(3 as Index, 2 as Term)).toBe(false);
  });
});

describe('writes of a log', () => {
  it('append what is new', () => {
    const log = logOf(1, 1);
    const first = log.takeWrite(sequence(1));
    expect(first.entries.map(({ index }) => index)).toEqual([1, 2]);
    log.append(entry(1, 3));
    const second = log.takeWrite(sequence(2));
    expect(second.truncateFrom).toBeNull();
    expect(second.entries.map(({ index }) => index)).toEqual([3]);
    expect(log.needsWrite).toBe(false);
  });

  it('truncate only what was written before', () => {
    const log = logOf(1, 1, 1);
    log.truncate(2 as Index);
    log.append(entry(2, 2));
    const write = log.takeWrite(sequence(1));
    expect(write.truncateFrom).toBeNull();
    expect(write.entries.map(({ term }) => term)).toEqual([1, 2]);
    log.truncate(2 as Index);
    log.append(entry(3, 2));
    expect(log.takeWrite(sequence(2)).truncateFrom).toBe(2);
  });

  it('make entries durable, unless a later write has replaced them', () => {
    const log = logOf(1, 1, 1);
    log.takeWrite(sequence(1));
    log.truncate(2 as Index);
    log.append(entry(2, 2));
    log.append(entry(2, 3));
    log.takeWrite(sequence(2));
    log.persisted(sequence(1));
    expect(log.durable).toBe(1);
    log.persisted(sequence(2));
    expect(log.durable).toBe(3);
  });

  it('start anew after a snapshot', () => {
    const log = logOf(1, 1);
    log.restore(snapshot(9, 4));
    expect([log.base, log.last, log.commit, log.applied]).toEqual([9, 9, 9, 9]);
    expect(log.installing).toBe(true);
    log.append(entry(5, 10));
    const write = log.takeWrite(sequence(1));
    expect(write.snapshot?.index).toBe(9);
    expect(write.entries.map(({ index }) => index)).toEqual([10]);
    log.persisted(sequence(1));
    expect(log.durable).toBe(10);
    expect(log.installing).toBe(false);
  });

  it('never remove a committed entry', () => {
    const log = logOf(1, 1);
    log.commitTo(2 as Index);
    expect(() => log.truncate(2 as Index)).toThrow('I7');
  });

  it('never commit beyond the end', () => {
    expect(() => logOf(1).commitTo(2 as Index)).toThrow('I7');
  });
});

describe('entries in memory', () => {
  it('are bounded in bytes once they are durable', () => {
    const log = emptyLog(100);
    for (let index = 1; index <= 20; index += 1) log.append(entry(1, index, 68));
    expect(log.slice(1, 21, Infinity)).toHaveLength(20);
    log.takeWrite(sequence(1));
    log.persisted(sequence(1));
    expect(log.slice(1, 21, Infinity)).toBeNull();
    expect(log.slice(20, 21, Infinity)).toHaveLength(1);
  });

  it('come in batches of a size, one at least', () => {
    const log = logOf(1, 1, 1, 1);
    expect(log.slice(1, 5, 100)).toHaveLength(2);
    expect(log.slice(1, 5, 0)).toHaveLength(1);
  });
});

type Operation =
  | { readonly type: 'append'; readonly count: number; readonly newTerm: boolean }
  | { readonly type: 'truncate'; readonly back: number }
  | { readonly type: 'write' }
  | { readonly type: 'persist' }
  | { readonly type: 'commit' }
  | { readonly type: 'compact' };

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    type: fc.constant('append' as const),
    count: fc.integer({ min: 1, max: 4 }),
    newTerm: fc.boolean(),
  }),
  fc.record({ type: fc.constant('truncate' as const), back: fc.integer({ min: 0, max: 3 }) }),
  fc.constant({ type: 'write' as const }),
  fc.constant({ type: 'persist' as const }),
  fc.constant({ type: 'commit' as const }),
  fc.constant({ type: 'compact' as const }),
);

describe('any history of a log', () => {
  it('adds up to an array of terms, on the disk too', () => {
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 60 }),
        fc.constantFrom(0, 60, 1 << 20),
        (operations, cached) => {
          const log = emptyLog(cached);
          const history = new History(log);
          for (const step of operations) history.perform(step);
          history.check();
        },
      ),
      { numRuns: 300 },
    );
  });
});

/** The same log as plain arrays. */
class History {
  readonly #log: RaftLog;
  #terms: number[] = [];
  #disk: number[] = [];
  readonly #writes: { from: number; terms: number[] }[] = [];
  #written = 0;
  #persisted = 0;
  #term = 1;

  constructor(log: RaftLog) {
    this.#log = log;
  }

  perform(operation: Operation): void {
    const log = this.#log;
    switch (operation.type) {
      case 'append':
        if (operation.newTerm) this.#term += 1;
        for (let i = 0; i < operation.count; i += 1) {
          this.#terms.push(this.#term);
          log.append(entry(this.#term, this.#terms.length));
        }
        break;
      case 'truncate': {
        const from = Math.max(log.commit + 1, this.#terms.length - operation.back);
        if (from > this.#terms.length) return;
        this.#terms.length = from - 1;
        log.truncate(from as Index);
        // What replaces it is of a later term.
        this.#term += 1;
        break;
      }
      case 'write':
        this.#write();
        break;
      case 'persist':
        if (this.#persisted === this.#written) return;
        this.#persisted += 1;
        this.#apply(this.#writes[this.#persisted - 1] as { from: number; terms: number[] });
        log.persisted(sequence(this.#persisted));
        break;
      case 'commit':
        log.commitTo(log.durable);
        log.applied = Math.max(log.applied, Math.min(log.commit, log.durable)) as Index;
        break;
      case 'compact':
        if (log.applied > log.base) log.compact(snapshot(log.applied, log.termAt(log.applied) as number));
        break;
    }
    this.check();
  }

  #write(): void {
    if (!this.#log.needsWrite) return;
    this.#written += 1;
    const write = this.#log.takeWrite(sequence(this.#written));
    const before = this.#writes.length === 0 ? 0 : this.#lastWritten();
    const from = write.truncateFrom ?? before + 1;
    this.#writes.push({ from, terms: write.entries.map(({ term }) => term) });
  }

  #lastWritten(): number {
    const { from, terms } = this.#writes[this.#writes.length - 1] as { from: number; terms: number[] };
    return from + terms.length - 1;
  }

  #apply({ from, terms }: { from: number; terms: number[] }): void {
    this.#disk.length = from - 1;
    this.#disk.push(...terms);
  }

  check(): void {
    const log = this.#log;
    expect(log.last).toBe(this.#terms.length);
    for (let index = log.base + 1; index <= log.last; index += 1) {
      expect(log.termAt(index)).toBe(this.#terms[index - 1]);
    }
    // Durable means on the disk, and the same entry.
    for (let index = log.base + 1; index <= log.durable; index += 1) {
      expect(this.#disk[index - 1]).toBe(this.#terms[index - 1]);
    }
    const undurable = log.durable + 1;
    if (undurable <= log.last && undurable > log.base) {
      expect(log.slice(undurable, log.last + 1, Infinity)).toHaveLength(log.last - log.durable);
    }
  }
}
