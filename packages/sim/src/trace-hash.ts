/**
 * A rolling hash of everything that a run did, in order. Two runs of one tape must end with equal hashes; a difference
 * means that something reached around the platform. Not cryptographic: two 32-bit lanes with unlike multipliers, as
 * cyrb53 has them, give 53 bits, and adding a number costs a few nanoseconds.
 */
export class TraceHash {
  #low = 0x5eed_1e55 | 0;
  #high = 0x41c6_ce57 | 0;

  /** Adds any number: integers by value, fractions by their bits. */
  add(value: number): void {
    const integer = value | 0;
    if (integer === value) {
      this.#mix(integer);
      return;
    }
    bits.setFloat64(0, value, true);
    this.#mix(bits.getInt32(0, true));
    this.#mix(bits.getInt32(4, true));
  }

  addString(value: string): void {
    this.#mix(value.length);
    for (let i = 0; i < value.length; i += 1) this.#mix(value.charCodeAt(i));
  }

  addBytes(bytes: Uint8Array): void {
    const length = bytes.length;
    this.#mix(length);
    let i = 0;
    for (; i + 4 <= length; i += 4) {
      this.#mix(
        (bytes[i] as number) |
          ((bytes[i + 1] as number) << 8) |
          ((bytes[i + 2] as number) << 16) |
          ((bytes[i + 3] as number) << 24),
      );
    }
    for (; i < length; i += 1) this.#mix(bytes[i] as number);
  }

  /** The hash so far: a non-negative safe integer. */
  get value(): number {
    let low = Math.imul(this.#low ^ (this.#low >>> 16), 0x85eb_ca6b);
    low ^= Math.imul(this.#high ^ (this.#high >>> 13), 0xc2b2_ae35);
    let high = Math.imul(this.#high ^ (this.#high >>> 16), 0x85eb_ca6b);
    high ^= Math.imul(low ^ (low >>> 13), 0xc2b2_ae35);
    return 0x1_0000_0000 * (high & 0x1f_ffff) + (low >>> 0);
  }

  /** The hash as 14 hexadecimal digits. */
  toString(): string {
    return this.value.toString(16).padStart(14, '0');
  }

  #mix(word: number): void {
    // The rotation carries an earlier word into every later bit, so that order counts.
    this.#low = Math.imul(this.#low ^ word, 0x9e37_79b1);
    this.#low = (this.#low << 13) | (this.#low >>> 19);
    this.#high = Math.imul(this.#high ^ word, 0x5f35_6495);
    this.#high = (this.#high << 17) | (this.#high >>> 15);
  }
}

const bits = new DataView(new ArrayBuffer(8));
