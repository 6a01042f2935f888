/**
 * What an object should do, one operation at a time. A model is deterministic and total, and its states are never
 * changed in place.
 */
export interface Model<State, Operation, Result> {
  /** Names the model in reports: `register`. */
  readonly name: string;
  /**
   * The part of the object that the operation touches. A history is linearizable exactly when the history of each
   * part is (Herlihy and Wing's locality), and checking parts alone is what makes long histories affordable.
   */
  partition(operation: Operation): string;
  readonly initial: State;
  /**
   * The state after `operation`, or undefined when it could not have answered `result` in `state`. A result of null is
   * an unknown outcome: any answer would do.
   */
  step(state: State, operation: Operation, result: Result | null): State | undefined;
  /** Operations that never change the state; those of them with unknown outcome say nothing and are left out. */
  readOnly(operation: Operation): boolean;
  equal(a: State, b: State): boolean;
  /** 32 bits; equal states have equal hashes. */
  hash(state: State): number;
  describe(operation: Operation, result: Result | null): string;
  describeState(state: State): string;
}

/** FNV-1a over UTF-16 code units, continued from `seed`: good enough for caches that compare exactly. */
export function hashText(text: string, seed = 0x811c9dc5): number {
  let hash = seed;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash | 0;
}
