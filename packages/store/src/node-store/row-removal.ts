import { copyBytes, successor } from '../bytes.ts';
import { limits } from '../limits.ts';
import type { LayerStack } from '../mvcc/layer-stack.ts';
import { Layers } from '../mvcc/layers.ts';
import { KeyScope } from '../mvcc/key-scope.ts';
import { bucketLevel, groupLevel, type Level, placeOf } from '../mvcc/key-counts.ts';
import { eventKey, eventsEnd } from '../mvcc/keys.ts';
import { ShardLogs } from '../mvcc/shard-logs.ts';
import type { WriteBuffer } from '../mvcc/write-buffer.ts';
import type { KeySpan } from '../shard/key-span.ts';
import type { ShardId } from '../shard/shard-entry.ts';
import type { Cursor, ScanRange } from '../storage.ts';
import type { ByteTree } from '../tree/byte-tree.ts';

/** Rows go through the write buffer as everything that is applied does; some at a time. */
type RemoveRows = (most: number) => number;

/** What a shard has: its keys with their history, their counts, and its own records. Not its event logs. */
export class ShardRemoval {
  readonly #steps: RemoveRows[];

  constructor(stack: LayerStack, shard: ShardId, span: KeySpan) {
    const layers = new Layers(stack, new KeyScope(shard, span, new ShardLogs(null)));
    const counts = (level: Level): ScanRange => ({
      from: placeOf(level, span.from),
      to: span.to === null ? Uint8Array.of(level + 1) : placeOf(level, span.to),
      reverse: false,
    });
    const table = <V>(
      range: ScanRange,
      scan: (range: ScanRange) => Cursor<V>,
      target: (buffer: WriteBuffer) => ByteTree<V | null>,
    ): RemoveRows => removing(stack, range, scan, target);
    this.#steps = [
      table(
        everything,
        (range) => layers.scanLatest(range),
        ({ latest }) => latest,
      ),
      table(
        everything,
        (range) => layers.scanHistory(range),
        ({ history }) => history,
      ),
      table(
        counts(bucketLevel),
        (range) => layers.scanBuckets(range),
        ({ buckets }) => buckets,
      ),
      table(
        counts(groupLevel),
        (range) => layers.scanBuckets(range),
        ({ buckets }) => buckets,
      ),
      table(
        everything,
        (range) => layers.scanSystem(range),
        ({ system }) => system,
      ),
    ];
  }

  /** True when nothing is left. */
  slice(most: number): boolean {
    let left = most;
    for (let step = this.#steps[0]; step !== undefined; step = this.#steps[0]) {
      left -= step(left);
      if (left <= 0) return false;
      this.#steps.shift();
    }
    return true;
  }
}

/** The rows of an event log that nobody lists any more. */
export class LogRemoval {
  readonly #remove: RemoveRows;

  constructor(stack: LayerStack, log: number) {
    const layers = new Layers(stack);
    const range = { from: eventKey(log, 0, 0), to: eventsEnd(log), reverse: false };
    this.#remove = removing(
      stack,
      range,
      (rest) => layers.scanEvents(rest),
      ({ events }) => events,
    );
  }

  /** True when nothing is left. */
  slice(most: number): boolean {
    return this.#remove(most) < most;
  }
}

const everything: ScanRange = { from: null, to: null, reverse: false };

function removing<V>(
  stack: LayerStack,
  { from, to }: ScanRange,
  scan: (range: ScanRange) => Cursor<V>,
  target: (buffer: WriteBuffer) => ByteTree<V | null>,
): RemoveRows {
  let next = from;
  return (most) => {
    const keys: Uint8Array[] = [];
    const cursor = scan({ from: next, to, reverse: false });
    for (; cursor.key !== null && keys.length < most; cursor.advance()) keys.push(copyBytes(cursor.key));
    cursor.close();
    const { active } = stack;
    for (const key of keys) target(active).set(key, null);
    active.bytes += keys.length * limits.bufferedRecordBytes;
    const last = keys.at(-1);
    if (last !== undefined) next = successor(last);
    return keys.length;
  };
}
