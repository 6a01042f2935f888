import type { Random } from '@flotilla/platform';

/**
 * Where shards are worth splitting: between keys that are used. There are those that tests are known to use, and those
 * that were seen.
 */
export class KnownKeys {
  readonly #random: Random;
  readonly #seen = new Map<string, Uint8Array>();

  constructor(random: Random) {
    this.#random = random;
  }

  see(key: Uint8Array): void {
    const name = Buffer.from(key).toString('latin1');
    // The last ones are kept.
    this.#seen.delete(name);
    this.#seen.set(name, key);
    if (this.#seen.size <= MAX_KEYS) return;
    for (const oldest of this.#seen.keys()) {
      this.#seen.delete(oldest);
      break;
    }
  }

  pick(): Uint8Array {
    const seen = [...this.#seen.values()];
    // The newest are those that are being worked with.
    const recent = seen.slice(-RECENT_KEYS);
    const wanted = this.#random.below(3);
    const from = wanted === 0 || seen.length === 0 ? usualKeys : wanted === 1 ? recent : seen;
    return from[this.#random.below(from.length)] as Uint8Array;
  }
}

/** Where a cluster is cut before it has any key. */
export const usualKeys: readonly Uint8Array[] = [
  // Before it there is no key: shard 0 has none then.
  '\0',
  '\0\0',
  'a',
  'a\0',
  'a/1',
  'a/2',
  'ab',
  'b',
  'b/1',
  'b/x',
  'c',
  'k',
  'm/1',
  'm/15',
  'm/2',
  'm/25',
  'n',
  'z',
  '\xff',
].map((key) => Buffer.from(key, 'latin1'));

const MAX_KEYS = 1_000;
const RECENT_KEYS = 20;
