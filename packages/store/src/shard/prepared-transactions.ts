import { type Claim, conflicts, type Prepared } from './prepared.ts';
import { fragmentFootprint } from './waiting-entries.ts';

/** Transactions that have voted in a shard, and what others must keep away from for them: rule 8. */
export class PreparedTransactions {
  readonly #prepared = new Map<string, Prepared>();
  #bytes = 0;
  #ever = 0;

  /** `ever`: as {@link PreparedTransactions.ever} was. */
  constructor(prepared: readonly Prepared[] = [], ever = 0) {
    for (const one of prepared) this.add(one);
    this.#ever = ever;
  }

  /** By their ids. */
  get all(): ReadonlyMap<string, Prepared> {
    return this.#prepared;
  }

  get size(): number {
    return this.#prepared.size;
  }

  /** What their keys and values take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many were ever prepared here. */
  get ever(): number {
    return this.#ever;
  }

  get(transaction: string): Prepared | null {
    return this.#prepared.get(transaction) ?? null;
  }

  add(prepared: Prepared): void {
    this.#prepared.set(prepared.transaction, prepared);
    this.#bytes += fragmentFootprint(prepared).bytes;
    this.#ever += 1;
  }

  delete(prepared: Prepared): void {
    this.#prepared.delete(prepared.transaction);
    this.#bytes -= fragmentFootprint(prepared).bytes;
  }

  /** Whether one of them has what is claimed. */
  meets(claim: Claim): boolean {
    for (const prepared of this.#prepared.values()) if (conflicts(prepared, claim)) return true;
    return false;
  }

  /** The least revision that one of them reads at; null: all read the latest only. */
  get oldestRead(): number | null {
    let oldest: number | null = null;
    for (const { oldestRead } of this.#prepared.values()) {
      if (oldestRead > 0) oldest = Math.min(oldest ?? oldestRead, oldestRead);
    }
    return oldest;
  }
}
