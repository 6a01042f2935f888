import type { LabState } from './lab-protocol.ts';

/**
 * What the member processes of the lab replicate: a list of numbers. An entry applied twice, left out or in another
 * order shows in the list, and the lists of two members must always agree as far as both go.
 */
export class Journal {
  #values: number[] = [];
  #restored = 0;

  apply(command: Uint8Array): number {
    this.#values.push(new DataView(command.buffer, command.byteOffset, command.byteLength).getUint32(0));
    return this.#values.length;
  }

  snapshot(): Uint8Array {
    const values = Uint32Array.from(this.#values);
    return new Uint8Array(values.buffer);
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    const bytes = Uint8Array.from(Buffer.concat(parts));
    this.#values = Array.from(new Uint32Array(bytes.buffer));
    this.#restored += 1;
  }

  get state(): LabState {
    return { values: this.#values, restored: this.#restored };
  }
}

/** A value as it is proposed. */
export function encodeValue(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
