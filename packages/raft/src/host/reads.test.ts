import { describe, expect, it } from 'vitest';
import type { Index, Input, RaftCore, Ref } from '../core/types.ts';
import { hostLimits } from './limits.ts';
import { createMetrics } from './metrics.ts';
import { ReadTable } from './reads.ts';

function table(limits = {}): { reads: ReadTable; asked: Ref[]; step: (nowMs: number) => void } {
  const reads = new ReadTable({ ...hostLimits, ...limits }, createMetrics(), 10, 40);
  const asked: Ref[] = [];
  const core = { step: (input: Input) => input.type === 'read' && asked.push(input.ref) };
  let ref = 0;
  const step = (nowMs: number): void => {
    reads.step(
      core as unknown as RaftCore,
      () => {
        ref += 1;
        return ref as Ref;
      },
      nowMs,
    );
  };
  return { reads, asked, step };
}

const ref = (n: number): Ref => n as Ref;
const index = (n: number): Index => n as Index;

async function settled(promise: Promise<void>): Promise<boolean> {
  return Promise.race([
    promise.then(() => true),
    Promise.resolve().then(() => Promise.resolve().then(() => false)),
  ]);
}

describe('ReadTable', () => {
  it('asks once for all callers of a turn, who share a promise', async () => {
    const { reads, asked, step } = table();
    const first = reads.add(1000);
    expect(reads.add(1000)).toBe(first);
    const second = reads.add(2000);
    step(0);
    expect(asked).toEqual([1]);
    reads.readable(ref(1), index(5), index(5));
    await Promise.all([first, second]);
    expect(reads.size).toBe(0);
  });

  it('waits until the index is applied', async () => {
    const { reads, step } = table();
    const read = reads.add(1000);
    step(0);
    reads.readable(ref(1), index(5), index(3));
    reads.advance(index(4));
    expect(await settled(read)).toBe(false);
    reads.advance(index(5));
    await read;
  });

  it('does not let a caller share a round that began before it called', async () => {
    const { reads, asked, step } = table();
    const early = reads.add(1000);
    step(0);
    const late = reads.add(1000);
    reads.readable(ref(1), index(1), index(1));
    await early;
    expect(await settled(late)).toBe(false);
    step(0);
    expect(asked).toEqual([1, 2]);
    reads.readable(ref(2), index(1), index(1));
    await late;
  });

  it('asks again, later and later, and takes the answer to any attempt', async () => {
    const { reads, asked, step } = table();
    const read = reads.add(1000);
    step(0);
    step(9);
    expect(asked).toEqual([1]);
    step(10);
    step(29);
    expect(asked).toEqual([1, 2]);
    step(30);
    expect(asked).toEqual([1, 2, 3]);
    reads.readable(ref(1), index(1), index(1));
    await read;
    reads.readable(ref(3), index(1), index(1));
    step(1000);
    expect(asked).toEqual([1, 2, 3]);
  });

  it('asks at once when there is another leader', () => {
    const { reads, asked, step } = table();
    void reads.add(1000);
    step(0);
    reads.retryAll(1);
    step(1);
    expect(asked).toEqual([1, 2]);
  });

  it('keeps asking after a refusal', async () => {
    const { reads, asked, step } = table();
    const read = reads.add(1000);
    step(0);
    reads.refused(ref(1), 0);
    step(5);
    step(10);
    expect(asked).toEqual([1, 2]);
    reads.readable(ref(2), index(0), index(0));
    await read;
  });

  it('lets callers beyond the rounds share the next one', () => {
    const { reads, asked, step } = table({ readRounds: 2 });
    for (let i = 0; i < 5; i += 1) {
      void reads.add(1000);
      step(0);
    }
    expect(asked).toEqual([1, 2]);
    reads.readable(ref(1), index(0), index(0));
    step(0);
    expect(asked).toEqual([1, 2, 3]);
    expect(reads.hasWaiting).toBe(false);
  });

  it('gives up at the deadline and says why', async () => {
    const { reads, step } = table();
    const asked = reads.add(100);
    step(0);
    const confirmed = reads.add(100);
    step(0);
    reads.readable(ref(2), index(9), index(0));
    const waiting = reads.add(100);
    reads.sweep(99, true);
    expect(reads.size).toBe(3);
    reads.sweep(100, false);
    for (const read of [asked, confirmed, waiting]) {
      await expect(read).rejects.toMatchObject({ code: 'FLOTILLA_NO_LEADER' });
    }
    const other = reads.add(200);
    reads.sweep(200, true);
    await expect(other).rejects.toMatchObject({ code: 'FLOTILLA_READ_TIMEOUT' });
    expect(reads.size).toBe(0);
  });

  it('is bounded in callers', async () => {
    const { reads } = table({ pendingReads: 1 });
    void reads.add(1000).catch(() => undefined);
    await expect(reads.add(1000)).rejects.toMatchObject({ code: 'FLOTILLA_TOO_MANY_READS' });
  });
});
