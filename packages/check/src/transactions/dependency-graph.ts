import type { Call } from '../history.ts';

/**
 * Why one transaction came before another. `ww`: it wrote what stands before the other's write. `wr`: the other read
 * what it wrote. `rw`: it read what was there before the other's write.
 */
export interface Dependency {
  readonly type: 'ww' | 'wr' | 'rw';
  readonly from: number;
  /** Position in the list of transactions, as `from`. */
  readonly to: number;
  readonly key: string;
}

export interface DependencyGraph<Reason extends Dependency = Dependency> {
  readonly transactions: readonly Call<unknown, unknown>[];
  /** From each transaction, by position. */
  readonly dependencies: readonly (readonly Reason[])[];
}
