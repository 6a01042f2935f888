/** Where a command stands in the log. Equal on every member. */
export interface CommandContext {
  /** From 1, growing; not without gaps, because the log holds other things than commands, too. */
  readonly index: number;
  readonly term: number;
}

/**
 * What a {@link Replica} replicates: the state that you write.
 *
 * **Deterministic**: the same commands in the same order must give the same state and the same results on every member. So
 * `apply` reads no clock, no random numbers and no files: put what it needs into the command.
 *
 * **No durability is asked of it.** It may live in memory: the replica keeps commands in its log and the state in snapshot
 * files, and gives both back at the next start. Begin with an empty state; everything else comes by `restore` and `apply`.
 *
 * @example
 * class Counter implements ReplicaStateMachine<number> {
 *   value = 0;
 *   apply(command: Uint8Array): number { return (this.value += command[0] ?? 0); }
 *   snapshot(): Uint8Array { return new TextEncoder().encode(String(this.value)); }
 *   async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
 *     const decoder = new TextDecoder();
 *     let text = '';
 *     for await (const chunk of chunks) text += decoder.decode(chunk, { stream: true });
 *     this.value = Number(text);
 *   }
 * }
 */
export interface ReplicaStateMachine<Result> {
  /**
   * Applies one command, in log order, exactly once, and answers what {@link Replica.propose} resolves to at the member
   * where it was proposed. Synchronous, so that no other command and no read comes in between.
   *
   * Say no by the result, never by throwing: a state machine that throws cannot be told from a broken one, and its member
   * stops. The bytes are the log's: copy what is kept, change nothing.
   */
  apply(command: Uint8Array, context: CommandContext): Result;
  /**
   * A consistent view of the state as of the call. An iterable may be read slowly, while commands go on being applied:
   * it must give the state as it was. Chunks may have any size.
   */
  snapshot(): SnapshotContent | Promise<SnapshotContent>;
  /**
   * Replaces the whole state by that of a snapshot. The bytes are those of {@link snapshot}, in order, but cut into
   * chunks anew. Nothing is applied or read meanwhile. Rejecting stops the member.
   */
  restore(chunks: AsyncIterable<Uint8Array>): void | Promise<void>;
}

/** All of the bytes at once, or piece by piece. */
export type SnapshotContent = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** What `apply` of a state machine answers. */
export type ResultOf<Machine> = Machine extends {
  /** See {@link ReplicaStateMachine}. */
  apply(...parameters: never[]): infer Result;
}
  ? Result
  : never;
