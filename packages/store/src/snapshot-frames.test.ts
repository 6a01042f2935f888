import { expect, test } from 'vitest';
import { VirtualPlatform } from '../test/virtual-platform.ts';
import { limits } from './limits.ts';
import { chunksOf, type SnapshotEntry, SnapshotFrames, SnapshotIntake } from './snapshot-frames.ts';

/** On which reading an entry takes its time. */
class SlowPlatform extends VirtualPlatform {
  readonly #begunMs = super.now();
  workedMs = 0;
  turns = 0;

  override now(): number {
    return this.#begunMs + this.workedMs;
  }

  override defer(task: () => void): void {
    this.turns += 1;
    queueMicrotask(task);
  }
}

test('a frame whose entries take longer than a turn should is made in several', async () => {
  const platform = new SlowPlatform(1);
  const frames = new SnapshotFrames(platform);
  let longestMs = 0;
  let turn = 0;
  let turnMs = 0;
  function* entries(): Iterable<SnapshotEntry> {
    for (let place = 0; place < 100; place += 1) {
      platform.workedMs += 1;
      turnMs = platform.turns === turn ? turnMs + 1 : 1;
      turn = platform.turns;
      longestMs = Math.max(longestMs, turnMs);
      yield { key: Uint8Array.of(place), value: Uint8Array.of(1) };
    }
  }
  function* all(): Iterable<Uint8Array> {
    yield frames.head('shard', (writer) => writer.byte(1));
    yield* frames.table('events', entries());
    yield frames.end();
  }
  const intake = new SnapshotIntake(platform, 'shard', (reader) => reader.byte());
  let count = 0;
  for await (const chunk of chunksOf(platform, all())) {
    expect(chunk.length).toBeGreaterThan(0);
    for (const part of intake.push(chunk)) count += part.entries.length;
  }
  expect(intake.finish()).toBe(1);
  expect(count).toBe(100);
  expect(longestMs).toBeLessThanOrEqual(limits.sliceMs + 2);
});
