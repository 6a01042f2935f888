import { type Random, seededRandom } from '@flotilla/platform';
import { describe, expect, it } from 'vitest';
import { limits } from '../limits.ts';
import { Harness } from '../../test/harness.ts';
import { toBytes } from '../../test/model.ts';

/** Puts, deletions, transactions and compactions, equal for equal seeds. */
function run(harness: Harness, seed: number, steps: number): void {
  const random: Random = seededRandom(seed);
  const key = (): string => `key-${random.u32() % 20}`;
  for (let step = 0; step < steps; step += 1) {
    const kind = random.u32() % 8;
    if (kind < 5) harness.put(key(), `value ${random.u32()}`);
    else if (kind < 6) harness.remove(key());
    else if (kind < 7) harness.remove('key-1', 'key-15');
    else harness.refusal(() => harness.compact(harness.database.revision));
  }
}

async function whole(harness: Harness): Promise<boolean | null> {
  const pending = harness.database.verify();
  await harness.platform.advance(500);
  return await pending;
}

describe('the sum of the state', () => {
  it('is that of the state as it is read, whatever was applied, before and after commits', async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const harness = await Harness.open();
      run(harness, seed, 100);
      expect(await whole(harness)).toBe(true);
      await harness.rest();
      run(harness, seed + 100, 30);
      expect(await whole(harness)).toBe(true);
    }
  });

  it('is that of the state as it is read while the state changes before and behind that place', async () => {
    const harness = await Harness.open();
    const keys = 4 * limits.keptRecordsSlice;
    const key = (index: number): string => `key-${String(index).padStart(6, '0')}`;
    for (let index = 0; index < keys; index += 1) harness.put(key(index), 'value');
    const random = seededRandom(5);
    let verified: boolean | null | undefined;
    void harness.database.verify().then((result) => (verified = result));
    let writes = 0;
    for (; verified === undefined; writes += 1) {
      harness.put(key(random.u32() % keys), `value ${writes}`);
      harness.remove(key(random.u32() % keys));
      harness.put(`${key(random.u32() % keys)}/new`, 'value');
      await harness.platform.advance(1);
    }
    expect(writes).toBeGreaterThan(30);
    expect(verified).toBe(true);
  });

  it('is equal where equal entries were applied, and goes on after a restart', async () => {
    const [one, other] = [await Harness.open(), await Harness.open()];
    for (const harness of [one, other]) run(harness, 7, 150);
    await one.rest();
    await one.restart();
    expect(one.database.sums.at(-1)).toEqual(other.database.sums.at(-1));
    for (const harness of [one, other]) run(harness, 8, 150);
    const marks = other.database.sums.filter(({ index }) => index > 150);
    expect(marks.length).toBeGreaterThan(2);
    expect(one.database.sums).toEqual(expect.arrayContaining(marks));
  });

  it('tells states apart that differ in one value, one lease or one revision', async () => {
    const sums = new Set<number>();
    for (const [first, second] of [
      ['a', 'b'],
      ['b', 'a'],
      ['ab', ''],
      ['a', 'c'],
    ] as const) {
      const harness = await Harness.open();
      harness.put('k', first);
      harness.put('l', second);
      sums.add(harness.database.sums.at(-1)!.sum);
    }
    expect(sums.size).toBe(4);
  });

  it('finds what the storage has lost', async () => {
    const harness = await Harness.open();
    run(harness, 3, 50);
    harness.put('victim', 'value');
    await harness.rest();
    const record = harness.storage.get(1, toBytes('victim'))!;
    const damaged = record.slice();
    damaged[damaged.length - 1]! ^= 1;
    const tables = harness.storage.tables.map(() => ({
      keys: [] as Uint8Array[],
      values: [] as Uint8Array[],
    }));
    tables[1] = { keys: [toBytes('victim')], values: [damaged] };
    const { committed } = harness.storage.commit({ clear: false, tables });
    await harness.platform.advance(50);
    await committed;
    expect(await whole(harness)).toBe(false);
    // What is wrong is not taken over.
    expect(await whole(harness)).toBe(false);
  });
});
