/**
 * A stream of pseudo-random numbers. Streams made by {@link Random.fork} are independent of their parent, so that one
 * component drawing more numbers never changes what another one draws.
 */
export interface Random {
  /** An integer in [0, 2^32). */
  u32(): number;
  /** An integer in [0, bound); bound is in [1, 2^32]. */
  below(bound: number): number;
  /** A float in [0, 1). */
  float(): number;
  /** An independent stream, determined by this stream's seed and the label. */
  fork(label: string): Random;
}

/** A {@link Random} from a 32-bit seed: equal seeds give equal streams on every machine. */
export function seededRandom(seed: number): Random {
  return new Sfc32(seed >>> 0);
}

/** sfc32 (Chris Doty-Humphrey's Small Fast Counter): passes PractRand, and four 32-bit words suit a JIT. */
class Sfc32 implements Random {
  readonly #seed: number;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#seed = seed;
    this.#a = 0x9e3779b9 | 0;
    this.#b = 0x243f6a88 | 0;
    this.#c = seed | 0;
    // The first words mirror the seed; twelve rounds mix it through the whole state.
    for (let round = 0; round < 12; round += 1) this.u32();
  }

  u32(): number {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  below(bound: number): number {
    // Multiply-shift: no modulo bias worth speaking of for the small bounds used here.
    return Math.floor((this.u32() / 0x1_0000_0000) * bound);
  }

  float(): number {
    return this.u32() / 0x1_0000_0000;
  }

  fork(label: string): Random {
    let hash = 0x811c9dc5 ^ this.#seed;
    for (let i = 0; i < label.length; i += 1) {
      hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193);
    }
    return new Sfc32(hash >>> 0);
  }
}
