import type { KeySpan, OrderMachine } from '@flotilla/store';
import type { Sample } from '../metrics/registry.ts';

/** What clients ask for that may concern several shards. */
export type CountedKind = 'delete-range' | 'put' | 'range' | 'txn';

/** Requests of clients, by how many shards had their keys when they came. */
export class ShardRequests {
  readonly #counts = new Map<
    string,
    { readonly kind: CountedKind; readonly shards: string; value: number }
  >();

  count(kind: CountedKind, spans: readonly KeySpan[], order: OrderMachine | null): void {
    if (order === null) return;
    const shards = order.map.of(spans).length > 1 ? 'several' : 'one';
    const name = `${kind} ${shards}`;
    const counted = this.#counts.get(name) ?? { kind, shards, value: 0 };
    counted.value += 1;
    this.#counts.set(name, counted);
  }

  *samples(): Iterable<Sample> {
    for (const { kind, shards, value } of this.#counts.values()) yield { labels: { kind, shards }, value };
  }
}
