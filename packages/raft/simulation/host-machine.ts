import { assert } from '@flotilla/platform';
import type { Entry, Index, Term } from '../src/core/types.ts';
import { decodeMembershipChange } from '../src/core/membership-codec.ts';
import type { MembershipChange, SnapshotMeta } from '../src/core/types.ts';
import type { SnapshotSink, SnapshotSource, StateMachine } from '../src/host/types.ts';

/** What the machine answers to an append: how many values there are now, and a hash of all of them in order. */
export interface ListResult {
  readonly count: number;
  readonly hash: number;
}

interface Position {
  readonly index: Index;
  readonly term: Term;
}

/** What survives a crash of a {@link ListMachine}: its state as of the last flush. Belongs to the machine's disk. */
export class ListImage {
  values: readonly number[] = [];
  hash = 0;
  applied: Position = { index: 0 as Index, term: 0 as Term };
  /** The snapshot that the state came from, as long as nothing was flushed after it. */
  installed: SnapshotMeta | null = null;
  /** A snapshot was being installed: the rest means nothing. */
  installing = false;
}

export interface ListMachineOptions {
  /** Entries after which the state is flushed by itself; 1 for always. */
  readonly flushEvery?: number;
  /** Values in one chunk of a snapshot. */
  readonly chunkValues?: number;
  /** Runs `call` when a slow disk would be done. */
  readonly later?: (call: () => void) => void;
  /** Called after every entry, and after a snapshot was installed. */
  readonly onApplied?: (machine: ListMachine) => void;
  /** Called for every change of membership. */
  readonly onMembership?: (index: Index, change: MembershipChange) => void;
  /** Called when a snapshot is installed and durable, before the host knows. */
  readonly onInstalled?: () => void;
}

/**
 * The smallest state machine that notices everything: a list of numbers. An entry applied twice, left out, or in another
 * order changes the count or the hash of everything after it.
 */
export class ListMachine implements StateMachine<ListResult> {
  readonly #image: ListImage;
  readonly #flushEvery: number;
  readonly #chunkValues: number;
  readonly #later: (call: () => void) => void;
  readonly #onApplied: (machine: ListMachine) => void;
  readonly #onInstalled: () => void;
  readonly #onMembership: (index: Index, change: MembershipChange) => void;
  #flushing: Index = 0 as Index;
  values: number[];
  hash: number;
  applied: Position;

  constructor(image: ListImage, options: ListMachineOptions = {}) {
    this.#image = image;
    this.#flushEvery = options.flushEvery ?? 1;
    this.#chunkValues = options.chunkValues ?? 1024;
    this.#later = options.later ?? ((call) => call());
    this.#onApplied = options.onApplied ?? (() => undefined);
    this.#onInstalled = options.onInstalled ?? (() => undefined);
    this.#onMembership = options.onMembership ?? (() => undefined);
    if (image.installing) Object.assign(image, new ListImage());
    this.values = [...image.values];
    this.hash = image.hash;
    this.applied = image.applied;
  }

  get flushed(): Position {
    return this.#image.applied;
  }

  get installed(): SnapshotMeta | null {
    return this.#image.installed;
  }

  apply(entries: readonly Entry[]): readonly ListResult[] {
    const results: ListResult[] = [];
    for (const entry of entries) {
      assert(entry.index === this.applied.index + 1, 'entries come in order');
      assert(!this.#image.installing, 'nothing is applied to a state that is being replaced');
      if (entry.kind === 'command') {
        const value = readValue(entry.payload);
        this.values.push(value);
        this.hash = nextHash(this.hash, value);
      } else if (entry.kind === 'membership') {
        this.#onMembership(entry.index, decodeMembershipChange(entry.payload));
      }
      this.applied = { index: entry.index, term: entry.term };
      results.push({ count: this.values.length, hash: this.hash });
      this.#onApplied(this);
    }
    const flushed = Math.max(this.#image.applied.index, this.#flushing);
    if (this.applied.index - flushed >= this.#flushEvery) this.#flush();
    return results;
  }

  /** Takes the state as it is now, and has it on the disk later. */
  #flush(): void {
    const { hash, applied } = this;
    const values = [...this.values];
    const image = this.#image;
    this.#flushing = applied.index;
    this.#later(() => {
      // A snapshot may have replaced everything since.
      if (image.installing || image.applied.index >= applied.index) return;
      Object.assign(image, { values, hash, applied, installed: null });
    });
  }

  snapshot(): SnapshotSource {
    const values = [...this.values];
    const { index, term } = this.applied;
    const chunkValues = this.#chunkValues;
    return {
      index,
      term,
      // oxlint-disable-next-line typescript/require-await -- the interface is asynchronous, this source is not
      async *chunks() {
        for (let at = 0; at < values.length; at += chunkValues) {
          yield encodeValues(values.slice(at, at + chunkValues));
        }
      },
      release: () => undefined,
    };
  }

  install(meta: SnapshotMeta): Promise<SnapshotSink> {
    const received: number[] = [];
    const image = this.#image;
    image.installing = true;
    const sink: SnapshotSink = {
      write: (chunk) =>
        this.#afterwards(() => {
          received.push(...decodeValues(chunk));
        }),
      finish: () =>
        this.#afterwards(() => {
          this.values = received;
          this.hash = received.reduce(nextHash, 0);
          this.applied = { index: meta.index, term: meta.term };
          this.#flushing = meta.index;
          const { hash, applied } = this;
          Object.assign(image, {
            values: [...received],
            hash,
            applied,
            installed: meta,
            installing: false,
          });
          this.#onApplied(this);
          this.#onInstalled();
        }),
      abort: () => this.#afterwards(() => undefined),
    };
    return this.#afterwards(() => sink);
  }

  #afterwards<T>(call: () => T): Promise<T> {
    return new Promise((resolve) => {
      this.#later(() => resolve(call()));
    });
  }
}

/** A command that appends `value`. */
export function appendCommand(value: number, sizeBytes = 4): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

export function nextHash(hash: number, value: number): number {
  return Math.imul(hash ^ value, 0x9e37_79b1) ^ (hash >>> 15);
}

function readValue(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getUint32(0);
}

function encodeValues(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => view.setUint32(i * 4, value));
  return bytes;
}

function decodeValues(bytes: Uint8Array): readonly number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values: number[] = [];
  for (let at = 0; at < bytes.length; at += 4) values.push(view.getUint32(at));
  return values;
}
