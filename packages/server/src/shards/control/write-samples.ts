import type { Random } from '@flotilla/platform';
import { type KeySpan, holdsKey, type ShardEntry, type ShardId } from '@flotilla/store';
import { limits } from '../../limits.ts';
import { compareKeys } from './compare-keys.ts';

/** Keys of one window of time: each write of it is as likely to be among them as any other. */
class Reservoir {
  readonly keys: Uint8Array[] = [];
  #seen = 0;

  note(random: Random, key: () => Uint8Array | null): void {
    this.#seen += 1;
    const place = this.#seen <= limits.writeSamples ? this.#seen - 1 : random.below(this.#seen);
    if (place >= limits.writeSamples) return;
    const taken = key();
    if (taken !== null) this.keys[Math.min(place, this.keys.length)] = taken;
  }
}

interface Windows {
  beganMs: number;
  now: Reservoir;
  before: Reservoir;
}

/** Where a shard's writes are. */
export interface WriteMiddle {
  /** With as many writes before it as behind it, as nearly as there is a key for; null: nothing is known. */
  readonly key: Uint8Array | null;
  /** All but a few are of one key: no split would share them. */
  readonly isHotKey: boolean;
}

const nothingKnown: WriteMiddle = { key: null, isHotKey: false };

/**
 * A few of the keys that were written lately, by shard: where half of the keys are need not be where half of the writes
 * are, and a shard that is split for its load must be split there.
 */
export class WriteSamples {
  readonly #random: Random;
  readonly #now: () => number;
  readonly #shards = new Map<ShardId, Windows>();

  constructor(random: Random, now: () => number) {
    this.#random = random;
    this.#now = now;
  }

  applied(shard: ShardId, entry: ShardEntry): void {
    if (entry.kind !== 'request') return;
    this.#windows(shard).now.note(this.#random, () => firstKey(entry.write));
  }

  keepOnly(shards: ReadonlySet<ShardId>): void {
    for (const shard of this.#shards.keys()) if (!shards.has(shard)) this.#shards.delete(shard);
  }

  middle(shard: ShardId, span: KeySpan): WriteMiddle {
    const windows = this.#shards.get(shard);
    if (windows === undefined) return nothingKnown;
    const all = [...windows.before.keys, ...windows.now.keys];
    const keys = all.filter((key) => holdsKey(span, key)).sort(compareKeys);
    if (keys.length < limits.writeSamplesLeast) return nothingKnown;
    let best = 0;
    for (let place = 1; place < keys.length; place += 1) {
      const isBorder = compareKeys(keys[place - 1] as Uint8Array, keys[place] as Uint8Array) < 0;
      if (isBorder && sideOf(keys, place) < sideOf(keys, best)) best = place;
    }
    const isHotKey = sideOf(keys, best) > keys.length * limits.hotKeyShare;
    if (best === 0 || isHotKey) return { key: null, isHotKey };
    return { key: borderOf(keys[best - 1] as Uint8Array, keys[best] as Uint8Array), isHotKey };
  }

  #windows(shard: ShardId): Windows {
    const nowMs = this.#now();
    let windows = this.#shards.get(shard);
    if (windows === undefined) {
      windows = { beganMs: nowMs, now: new Reservoir(), before: new Reservoir() };
      this.#shards.set(shard, windows);
    } else if (nowMs - windows.beganMs >= limits.loadWindowMs) {
      const isOld = nowMs - windows.beganMs >= 2 * limits.loadWindowMs;
      windows.before = isOld ? new Reservoir() : windows.now;
      windows.now = new Reservoir();
      windows.beganMs = nowMs;
    }
    return windows;
  }
}

/** How many are on the larger side of a border. */
function sideOf({ length }: readonly Uint8Array[], place: number): number {
  return Math.max(place, length - place);
}

/** The shortest key behind one and not behind the other. */
function borderOf(before: Uint8Array, key: Uint8Array): Uint8Array {
  let same = 0;
  while (same < before.length && before[same] === key[same]) same += 1;
  return key.slice(0, same + 1);
}

function firstKey(write: Extract<ShardEntry, { kind: 'request' }>['write']): Uint8Array | null {
  if (write.kind !== 'txn') return write.request.key;
  for (const { request } of write.request.success) {
    if (request?.case === 'requestPut' || request?.case === 'requestDeleteRange') return request.value.key;
  }
  return null;
}
