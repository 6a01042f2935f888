import { compareBytes, emptyBytes } from '../bytes.ts';
import { writeUint32 } from '../encoding/byte-writer.ts';
import { intersection, type KeySpan } from '../shard/key-span.ts';
import type { ScanRange } from '../storage.ts';
import { Namespace } from '../system/namespaces.ts';
import { historyStart } from './keys.ts';
import type { LogUse } from './log-use.ts';
import { ShardLogs } from './shard-logs.ts';

/**
 * What of the tables is a shard's: the keys of its span, its records of the system table, and the event logs that have
 * events of it. What has no bounds of its own is read within these.
 */
export class KeyScope {
  readonly shard: number;
  readonly logs: ShardLogs;
  #span: KeySpan;
  #isWhole: boolean;

  constructor(shard: number, span: KeySpan, logs: ShardLogs) {
    this.shard = shard;
    this.logs = logs;
    this.#span = span;
    this.#isWhole = isWhole(span);
  }

  /** All keys, and what there was before there were shards. */
  static whole(use: LogUse | null = null): KeyScope {
    return new KeyScope(0, wholeSpan, new ShardLogs(0, [], use));
  }

  /** Of a database whose state is away, beside shards that have theirs. */
  static nothing(use: LogUse): KeyScope {
    return new KeyScope(0, { from: emptyBytes, to: emptyBytes }, new ShardLogs(null, [], use));
  }

  get span(): KeySpan {
    return this.#span;
  }

  set span(span: KeySpan) {
    this.#span = span;
    this.#isWhole = isWhole(span);
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** As it is now. */
  clone(): KeyScope {
    return new KeyScope(this.shard, this.#span, this.logs.clone());
  }

  keys(range: ScanRange): ScanRange {
    return this.#isWhole ? range : clipped(range, this.#span);
  }

  /** Places of the history. */
  history(range: ScanRange): ScanRange {
    return this.#isWhole ? range : clipped(range, historyOf(this.#span));
  }

  /** Places of the system table. */
  system({ from, to, reverse }: ScanRange): ScanRange {
    if (from !== null && to !== null) return { from, to, reverse };
    const whole = systemOf(this.shard);
    return { from: from ?? whole.from, to: to ?? whole.to, reverse };
  }

  /** `end`, or the end of the span if that is before it. */
  earlierEnd(end: Uint8Array | null): Uint8Array | null {
    const { to } = this.#span;
    return to !== null && (end === null || compareBytes(end, to) > 0) ? to : end;
  }

  /** What of the keys is the shard's; an empty one begins where it ends. */
  counted(from: Uint8Array, to: Uint8Array | null): KeySpan {
    if (this.#isWhole) return { from, to };
    return intersection(this.#span, { from, to }) ?? { from, to: from };
  }
}

export const wholeSpan: KeySpan = { from: new Uint8Array(0), to: null };

function isWhole({ from, to }: KeySpan): boolean {
  return from.length === 0 && to === null;
}

function historyOf({ from, to }: KeySpan): KeySpan {
  return { from: historyStart(from), to: to === null ? null : historyStart(to) };
}

function clipped(range: ScanRange, { from: first, to: end }: KeySpan): ScanRange {
  const isLater = range.from !== null && compareBytes(range.from, first) > 0;
  const isEarlier = range.to !== null && (end === null || compareBytes(range.to, end) < 0);
  return { from: isLater ? range.from : first, to: isEarlier ? range.to : end, reverse: range.reverse };
}

/** Group 0's own records are those that there were before shards; all of the others' are in one namespace, by shard. */
function systemOf(shard: number): { readonly from: Uint8Array | null; readonly to: Uint8Array } {
  if (shard === 0) return { from: null, to: Uint8Array.of(Namespace.SHARD) };
  const from = shardPlace(shard);
  return { from, to: shardPlace(shard + 1) };
}

function shardPlace(shard: number): Uint8Array {
  const place = new Uint8Array(5);
  place[0] = Namespace.SHARD;
  writeUint32(place, 1, shard);
  return place;
}
