import type { CommandContext, ReplicaStateMachine } from '../../src/replica/index.ts';
import type { Index, Term } from '../../src/core/types.ts';
import { nextHash } from '../host-machine.ts';
import type { ListResult } from '../host-machine.ts';

export interface ListStateHooks {
  /** A command was applied. */
  applied(state: ListState): void;
  /** The state was replaced by that of a snapshot. */
  restored(state: ListState): void;
  /** A view was asked for, or a snapshot begins to come in. */
  snapshot(): void;
}

/** A list of numbers, as a user of {@link Replica} would write it: in memory, and with no idea of logs and disks. */
export class ListState implements ReplicaStateMachine<ListResult> {
  values: number[] = [];
  hash = 0;
  /** Of the last command. */
  applied = { index: 0 as Index, term: 0 as Term };
  readonly #hooks: ListStateHooks;

  constructor(hooks: ListStateHooks) {
    this.#hooks = hooks;
  }

  apply(command: Uint8Array, { index, term }: CommandContext): ListResult {
    const value = new DataView(command.buffer, command.byteOffset).getUint32(0);
    this.values.push(value);
    this.hash = nextHash(this.hash, value);
    this.applied = { index: index as Index, term: term as Term };
    this.#hooks.applied(this);
    return { count: this.values.length, hash: this.hash };
  }

  /** Read bit by bit, while the list grows. */
  snapshot(): Iterable<Uint8Array> {
    this.#hooks.snapshot();
    return encoded(this.values, this.values.length);
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    this.#hooks.snapshot();
    const bytes: number[] = [];
    for await (const chunk of chunks) bytes.push(...chunk);
    const view = new DataView(Uint8Array.from(bytes).buffer);
    this.values = Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i));
    this.hash = this.values.reduce(nextHash, 0);
    this.#hooks.restored(this);
  }
}

/** What is there is never changed, only more comes: the first `count` are a consistent view without a copy. */
function* encoded(values: readonly number[], count: number): Generator<Uint8Array> {
  for (let i = 0; i < count; i += 1) {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, values[i] as number);
    yield bytes;
  }
}
