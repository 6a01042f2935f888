import { DeleteRangeRequest, PutRequest, RangeRequest } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { MemoryShardStore } from '../../simulation/ordering/memory-shard-store.ts';
import { WriteBuffer } from '../mvcc/write-buffer.ts';
import { Overlay } from './overlay.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('a count has what is pending in it once, wherever the buckets end (ordering, seed 2629)', () => {
  const { keys } = new MemoryShardStore();
  for (const key of ['f', 'g', 'i']) {
    keys.executePut(PutRequest.create({ key: bytes(key) }));
    keys.end();
  }
  const overlay = new Overlay(keys, () => false);
  const origin = { session: 1, request: 1, floor: 1 };
  const count = (key: string, rangeEnd: string): number =>
    overlay.executeRange(RangeRequest.create({ key: bytes(key), rangeEnd: bytes(rangeEnd), countOnly: true }))
      .count;
  expect(count('g', 'j')).toBe(2);
  overlay.evaluate(origin, { kind: 'delete-range', request: DeleteRangeRequest.create({ key: bytes('g') }) });
  expect([count('g', 'i'), count('g', 'j'), count('a', '\0')]).toEqual([0, 1, 2]);
  overlay.evaluate(origin, { kind: 'put', request: PutRequest.create({ key: bytes('h') }) });
  overlay.evaluate(origin, { kind: 'put', request: PutRequest.create({ key: bytes('i') }) });
  expect([count('g', 'i'), count('g', 'j'), count('a', '\0')]).toEqual([1, 2, 3]);
});

test('an overlay at rest holds on to no buffer of the numbered state, and one with something pending keeps it', () => {
  const { keys } = new MemoryShardStore();
  const overlay = new Overlay(keys, () => false);
  const origin = { session: 1, request: 1, floor: 1 };
  const buffers = (): readonly WriteBuffer[] => overlay.layers.frozen;
  const [before] = buffers();
  keys.layers.stack.active = new WriteBuffer();
  expect(buffers()[0]).toBe(before);
  overlay.rest();
  expect(buffers()[0]).toBe(keys.layers.active);
  overlay.evaluate(origin, { kind: 'put', request: PutRequest.create({ key: bytes('k') }) });
  overlay.rest();
  expect(overlay.touches([{ from: bytes('k'), to: null }])).toBe(true);
  overlay.number(2);
  overlay.rest();
  expect(overlay.touches([{ from: bytes('k'), to: null }])).toBe(false);
  expect(overlay.layers.active.operations).toBe(0);
});
