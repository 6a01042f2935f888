import type { KeyValue } from '@flotilla/wire';
import { compareBytes } from '../bytes.ts';
import type { Cursor, ScanRange } from '../storage.ts';
import { historyStart } from './keys.ts';
import type { Layers } from './layers.ts';
import type { PastVersion } from './records.ts';

/** Walks the keys of a range as they were at `revision`: latest versions and past ones, merged by key. */
export function scanVisible(layers: Layers, range: ScanRange, revision: number): Cursor<KeyValue> {
  return new VisibleCursor(layers, range, revision);
}

class VisibleCursor implements Cursor<KeyValue> {
  key: Uint8Array | null = null;
  value!: KeyValue;
  readonly #revision: number;
  readonly #reverse: boolean;
  readonly #latest: Cursor<KeyValue>;
  readonly #past: Cursor<PastVersion>;
  /** What the two cursors stand on, if it is visible at the revision. */
  #live: KeyValue | null = null;
  #dead: KeyValue | null = null;

  constructor(layers: Layers, range: ScanRange, revision: number) {
    this.#revision = revision;
    this.#reverse = range.reverse;
    this.#latest = layers.scanLatest(range);
    this.#past = layers.scanHistory({
      from: range.from === null ? null : historyStart(range.from),
      to: range.to === null ? null : historyStart(range.to),
      reverse: range.reverse,
    });
    this.#nextLive();
    this.#nextDead();
    this.#settle();
  }

  advance(): void {
    if (this.key === null) return;
    if (this.value === this.#live) this.#nextLive();
    else this.#nextDead();
    this.#settle();
  }

  close(): void {
    this.key = null;
    this.#live = null;
    this.#dead = null;
    this.#latest.close();
    this.#past.close();
  }

  /** To the next latest version that was there at the revision. */
  #nextLive(): void {
    this.#live = null;
    while (this.#latest.key !== null && this.#live === null) {
      const kv = this.#latest.value;
      if (kv.modRevision <= this.#revision) this.#live = kv;
      this.#latest.advance();
    }
  }

  /** To the next past version that was the newest one at the revision. A key has at most one. */
  #nextDead(): void {
    this.#dead = null;
    while (this.#past.key !== null && this.#dead === null) {
      const { kv, end } = this.#past.value;
      if (kv.modRevision <= this.#revision && this.#revision < end) this.#dead = kv;
      this.#past.advance();
    }
  }

  /** Never equal keys: a key's version at a revision is either its latest one or a past one. */
  #settle(): void {
    const live = this.#live;
    const dead = this.#dead;
    let kv = live ?? dead;
    if (live !== null && dead !== null) {
      const order = compareBytes(live.key, dead.key);
      kv = order < 0 === this.#reverse ? dead : live;
    }
    this.key = kv?.key ?? null;
    if (kv !== null) this.value = kv;
  }
}
