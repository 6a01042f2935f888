import type { Platform } from '@flotilla/platform';
import { anyOverlap, type KeySpan, singleKeyOf } from '@flotilla/store';

/** The place of one transaction among those of its node. */
export interface Turn {
  /** Resolves when all that came before it and want some of the same keys have ended; or after so long. */
  come(patienceMs: number): Promise<void>;
  /** Idempotent. */
  end(): void;
}

/**
 * Transactions of this node over several shards that want the same keys, one after the other: at once they would only
 * meet each other's locks, and the more of them, the less likely is it that any gets all of its own. Those of other
 * nodes are met all the same.
 */
export class TransactionTurns {
  readonly #platform: Platform;
  /** Those that have come, by each single key of theirs. */
  readonly #byKey = new Map<string, Set<OneTurn>>();
  readonly #ofRanges = new Set<OneTurn>();
  readonly #all = new Set<OneTurn>();

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  of(spans: readonly KeySpan[]): Turn {
    let turn: OneTurn | null = null;
    return {
      come: async (patienceMs) => {
        if (turn !== null) return;
        turn = this.#begun(spans);
        await turn.come(this.#platform, patienceMs);
      },
      end: () => {
        if (turn !== null) this.#ended(turn);
      },
    };
  }

  /** Of those that have begun and have not ended. */
  get size(): number {
    return this.#all.size;
  }

  #begun(spans: readonly KeySpan[]): OneTurn {
    const turn = new OneTurn(spans);
    for (const other of this.#before(turn)) turn.goesAfter(other);
    for (const key of turn.keys) {
      const others = this.#byKey.get(key);
      if (others === undefined) this.#byKey.set(key, new Set([turn]));
      else others.add(turn);
    }
    if (turn.ranges.length > 0) this.#ofRanges.add(turn);
    this.#all.add(turn);
    return turn;
  }

  #before(turn: OneTurn): Set<OneTurn> {
    const found = new Set<OneTurn>();
    for (const key of turn.keys) for (const other of this.#byKey.get(key) ?? []) found.add(other);
    for (const other of this.#ofRanges) if (anyOverlap(other.ranges, turn.spans)) found.add(other);
    if (turn.ranges.length === 0) return found;
    for (const other of this.#all) if (anyOverlap(other.spans, turn.ranges)) found.add(other);
    return found;
  }

  #ended(turn: OneTurn): void {
    if (!this.#all.delete(turn)) return;
    this.#ofRanges.delete(turn);
    for (const key of turn.keys) {
      const others = this.#byKey.get(key);
      others?.delete(turn);
      if (others?.size === 0) this.#byKey.delete(key);
    }
    turn.end();
  }
}

class OneTurn {
  readonly spans: readonly KeySpan[];
  readonly keys: ReadonlySet<string>;
  readonly ranges: readonly KeySpan[];
  readonly #before = new Set<OneTurn>();
  readonly #after = new Set<OneTurn>();
  #go: (() => void) | null = null;

  constructor(spans: readonly KeySpan[]) {
    const keys = new Set<string>();
    const ranges: KeySpan[] = [];
    for (const span of spans) {
      const key = singleKeyOf(span);
      if (key === null) ranges.push(span);
      else keys.add(Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1'));
    }
    this.spans = spans;
    this.keys = keys;
    this.ranges = ranges;
  }

  goesAfter(other: OneTurn): void {
    this.#before.add(other);
    other.#after.add(this);
  }

  come(platform: Platform, patienceMs: number): Promise<void> {
    if (this.#before.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = platform.timer(patienceMs, 'transaction-turn', () => this.#go?.());
      this.#go = () => {
        this.#go = null;
        timer.cancel();
        resolve();
      };
    });
  }

  end(): void {
    for (const other of this.#before) other.#after.delete(this);
    for (const other of this.#after) {
      other.#before.delete(this);
      if (other.#before.size === 0) other.#go?.();
    }
  }
}
