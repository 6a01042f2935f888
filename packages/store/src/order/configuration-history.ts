import { ChangedParts } from '../changed-parts.ts';
import { decodePlain, encodePlain } from '../encoding/plain.ts';
import { limits } from '../limits.ts';
import type { RangeChange, ShardId } from '../shard/shard-entry.ts';
import type { WishKind } from './cluster-wishes.ts';
import type { NodeState } from './order-entry.ts';
import { numberedKey, OrderPart, type WritePart } from './order-parts.ts';
import { ShardMap, type ShardRow } from './shard-map.ts';

/** What made one configuration out of the one before it. */
export type ConfigurationStep =
  | { readonly kind: 'begin' }
  | { readonly kind: 'split'; readonly shard: ShardId; readonly at: Uint8Array; readonly child: ShardId }
  | { readonly kind: 'merge'; readonly shard: ShardId; readonly into: ShardId }
  | { readonly kind: 'refused'; readonly change: RangeChange }
  | { readonly kind: 'members'; readonly shard: ShardId; readonly nodes: readonly number[] }
  | { readonly kind: 'node'; readonly node: number; readonly state: NodeState }
  | { readonly kind: 'assign'; readonly shard: ShardId; readonly nodes: readonly number[] }
  | { readonly kind: 'wish'; readonly wish: WishKind; readonly id: number; readonly value: number | null }
  | { readonly kind: 'presplit'; readonly keys: number };

export interface ConfigurationChange {
  /** The number of the configuration that it made. */
  readonly configuration: number;
  /** Of the entry that made it, and the frontier there: revisions up to it were written before. */
  readonly index: number;
  readonly revision: number;
  readonly step: ConfigurationStep;
  /** Rows of the map that it took away, and that it put in their place. */
  readonly before: readonly ShardRow[];
  readonly after: readonly ShardRow[];
}

/** The last configurations, each as the change that made it. An older one follows from the present one backwards. */
export class ConfigurationHistory {
  /** The oldest first, numbered without a gap. */
  #changes: ConfigurationChange[] = [];
  readonly #changed = new ChangedParts<number>();

  get changes(): readonly ConfigurationChange[] {
    return this.#changes;
  }

  /** Every configuration from this one on can still be asked for. */
  oldest(present: ShardMap): number {
    return present.configuration - this.#changes.length;
  }

  add(change: ConfigurationChange): void {
    this.#changes.push(change);
    this.#changed.add(change.configuration);
    if (this.#changes.length <= limits.orderConfigurations) return;
    const [oldest] = this.#changes.splice(0, 1);
    if (oldest !== undefined) this.#changed.add(oldest.configuration);
  }

  /** The map of a configuration; null: it is not there yet, or no longer kept. */
  map(present: ShardMap, configuration: number): ShardMap | null {
    if (configuration > present.configuration || configuration < this.oldest(present)) return null;
    let rows = new Map(present.rows.map((row) => [row.shard, row]));
    for (let i = this.#changes.length - 1; i >= 0; i -= 1) {
      const change = this.#changes[i] as ConfigurationChange;
      if (change.configuration <= configuration) break;
      rows = new Map(rows);
      for (const { shard } of change.after) rows.delete(shard);
      for (const row of change.before) rows.set(row.shard, row);
    }
    return new ShardMap([...rows.values()], configuration);
  }

  flush(write: WritePart, everything: boolean): void {
    const kept = new Map(this.#changes.map((change) => [change.configuration, change]));
    for (const number of everything ? kept.keys() : this.#changed.take()) {
      const change = kept.get(number);
      write(numberedKey(OrderPart.CHANGE, number), change === undefined ? null : encodePlain(change));
    }
  }

  /** Records come in the order of their numbers. */
  restore(record: Uint8Array): void {
    this.#changes.push(decodePlain<ConfigurationChange>(record));
  }
}
