import type { OrderApplied, ShardApplied } from './types.ts';

/** Who is told of what is applied at a node, and of its replicas. */
export class NodeListeners {
  readonly #order = new Set<(applied: OrderApplied) => void>();
  readonly #applied = new Set<(applied: ShardApplied) => void>();
  readonly #replicas = new Set<() => void>();

  onOrder(listener: (applied: OrderApplied) => void): () => void {
    this.#order.add(listener);
    return () => this.#order.delete(listener);
  }

  onApplied(listener: (applied: ShardApplied) => void): () => void {
    this.#applied.add(listener);
    return () => this.#applied.delete(listener);
  }

  onReplicas(listener: () => void): () => void {
    this.#replicas.add(listener);
    return () => this.#replicas.delete(listener);
  }

  order(applied: OrderApplied): void {
    for (const listener of this.#order) listener(applied);
  }

  applied(applied: ShardApplied): void {
    for (const listener of this.#applied) listener(applied);
  }

  replicas(): void {
    for (const listener of this.#replicas) listener();
  }
}
