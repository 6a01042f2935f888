import { decodeMembershipChange } from '../../src/core/membership-codec.ts';
import type { Entry, MembershipChange } from '../../src/core/types.ts';

/**
 * Which committed entries etcd would hand to the state machine: several batches may be out at once, as long as they
 * stay within a bound together. (Our core has one batch out at a time; see `exceptions.ts`.)
 */
export class ScriptApplying {
  /** Handed out up to here. */
  #through: number;
  readonly #maxBytes: number;
  #bytes = 0;
  #paused = false;

  constructor(through: number, maxBytes: number) {
    this.#through = through;
    this.#maxBytes = maxBytes;
  }

  /** Whether a batch of entries up to `limit` would have any. */
  has(limit: number): boolean {
    return !this.#paused && this.#through < limit;
  }

  /** The next batch of entries up to `limit`: one at least, and no more than the bound leaves room for. */
  next(limit: number, entryAt: (index: number) => Entry): readonly Entry[] {
    if (!this.has(limit)) return [];
    const batch = [entryAt(this.#through + 1)];
    let bytes = encodedBytes(batch);
    for (let index = this.#through + 2; index <= limit; index += 1) {
      const entry = entryAt(index);
      bytes += encodedBytes([entry]);
      if (this.#bytes + bytes > this.#maxBytes) break;
      batch.push(entry);
    }
    this.#through += batch.length;
    this.#bytes += encodedBytes(batch);
    this.#paused = this.#bytes >= this.#maxBytes || this.#through < limit;
    return batch;
  }

  applied(entries: readonly Entry[]): void {
    this.#bytes = Math.max(0, this.#bytes - encodedBytes(entries));
    this.#paused = this.#bytes >= this.#maxBytes;
  }

  /** A snapshot took the place of everything up to `index`. */
  installed(index: number): void {
    this.#through = Math.max(this.#through, index);
  }
}

/** About what protobuf makes of entries: term and index of two bytes each, type and payload where they are given. */
function encodedBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const { kind, payload } of entries) {
    if (kind === 'no-op') bytes += 4;
    else if (kind === 'command') bytes += 6 + payload.length;
    else bytes += changeBytes(decodeMembershipChange(payload));
  }
  return bytes;
}

/** A change in the older form has no list of steps, and no transition. */
function changeBytes({ steps, context }: MembershipChange): number {
  return context.length > 0 ? 12 : 10 + 6 * steps.length;
}
