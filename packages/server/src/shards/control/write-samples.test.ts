import { seededRandom } from '@flotilla/platform';
import { everyKeySpan, type ShardEntry } from '@flotilla/store';
import { PutRequest } from '@flotilla/wire';
import { expect, it } from 'vitest';
import { limits } from '../../limits.ts';
import { WriteSamples } from './write-samples.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (key: Uint8Array | null): string | null => (key === null ? null : new TextDecoder().decode(key));

function written(key: string): ShardEntry {
  const request = PutRequest.create({ key: bytes(key) });
  const origin = { session: 1, request: 1, floor: 1 };
  return { kind: 'request', origin, user: null, range: 1, write: { kind: 'put', request }, absent: [] };
}

class Load {
  nowMs = 0;
  readonly random = seededRandom(7);
  readonly samples = new WriteSamples(seededRandom(1), () => this.nowMs);

  write(count: number, key: (i: number) => string): void {
    for (let i = 0; i < count; i += 1) {
      this.nowMs += 1;
      this.samples.applied(5, written(key(i)));
    }
  }

  middle(span = everyKeySpan): { readonly key: string | null; readonly isHotKey: boolean } {
    const { key, isHotKey } = this.samples.middle(5, span);
    return { key: text(key), isHotKey };
  }
}

const padded = (number: number): string => String(number).padStart(4, '0');

it('is where the writes are, not where the keys are', () => {
  const load = new Load();
  // One write of ten goes anywhere; the others to a hot range at the end.
  load.write(4_000, (i) =>
    padded(i % 10 === 0 ? load.random.below(10_000) : 9_000 + load.random.below(1_000)),
  );
  const at = Number((load.middle().key ?? '0').padEnd(4, '0'));
  expect(at).toBeGreaterThan(9_200);
  expect(at).toBeLessThan(9_700);
});

it('leaves a share on both sides where one key has most of the writes', () => {
  const load = new Load();
  load.write(2_000, (i) => (i % 4 === 0 ? padded(load.random.below(10_000)) : '5000'));
  expect(load.middle()).toMatchObject({ isHotKey: false });
});

it('tells a key that has all of them', () => {
  const load = new Load();
  load.write(2_000, (i) => (i % 50 === 0 ? padded(load.random.below(10_000)) : '5000'));
  expect(load.middle()).toEqual({ key: null, isHotKey: true });
});

it('is nowhere before there are some, and only where the shard has keys', () => {
  const load = new Load();
  load.write(limits.writeSamplesLeast - 1, padded);
  expect(load.middle()).toEqual({ key: null, isHotKey: false });
  load.write(1_000, padded);
  const right = { from: bytes('0500'), to: null };
  expect(Number((load.middle(right).key ?? '0').padEnd(4, '0'))).toBeGreaterThan(600);
});

it('forgets what was written long ago', () => {
  const load = new Load();
  load.write(1_000, (i) => `a${padded(i)}`);
  load.nowMs += 3 * limits.loadWindowMs;
  load.write(1_000, (i) => `z${padded(i)}`);
  expect(load.middle().key).toMatch(/^z/);
});
