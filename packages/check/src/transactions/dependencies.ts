import { present } from '../assert.ts';
import { CallTable } from './call-table.ts';
import type { Dependency, DependencyGraph } from './dependency-graph.ts';
import type { ListCall } from './list-append.ts';
import type { Observations, Versions } from './observations.ts';

/** `ww`: right before the other's element. `wr`: the other read the element. `rw`: read the list without it. */
export interface ListDependency extends Dependency {
  /** The later one's, or of `wr` the earlier one's. */
  readonly element: number;
}

export interface ListGraph extends DependencyGraph<ListDependency> {
  readonly transactions: readonly ListCall[];
}

/** Who came before whom, as far as lists tell: transactions that had an effect, or an answer. */
export function dependenciesOf({ calls, versions, readings }: Observations): ListGraph {
  const transactions = tookEffect(calls, versions);
  const builder = new GraphBuilder(transactions);
  const effective = new CallTable(calls);
  for (const call of transactions) effective.set(call, 1);
  for (const [key, list] of versions) builder.order(key, list.order, unread(list, effective), list.writers);
  for (const { call, key, length } of readings) {
    const { order, writers } = present(versions.get(key), 'the versions of its key');
    builder.reading(call, key, length, order, writers);
  }
  return builder;
}

/** What returned, and of the rest what others have read. */
function tookEffect(calls: readonly ListCall[], versions: ReadonlyMap<string, Versions>): ListCall[] {
  const read = new CallTable(calls);
  for (const { order, writers } of versions.values()) {
    for (const element of order) read.set(present(writers.get(element), 'who appended it'), 1);
  }
  return calls.filter((call) => call.outcome.type === 'returned' || read.has(call));
}

/** Elements that were evidently appended and that nobody read: they came after all that was. */
function unread({ order, writers }: Versions, effective: CallTable): number[] {
  if (writers.size === order.length) return [];
  const read = new Set(order);
  return [...writers].filter(([element, by]) => effective.has(by) && !read.has(element)).map(([it]) => it);
}

class GraphBuilder implements ListGraph {
  readonly transactions: readonly ListCall[];
  readonly dependencies: ListDependency[][];
  readonly #positions: CallTable;
  readonly #unread = new Map<string, readonly number[]>();

  constructor(transactions: readonly ListCall[]) {
    this.transactions = transactions;
    this.dependencies = transactions.map(() => []);
    this.#positions = new CallTable(transactions);
    for (const [at, call] of transactions.entries()) this.#positions.set(call, at);
  }

  order(
    key: string,
    order: readonly number[],
    last: readonly number[],
    writers: ReadonlyMap<number, ListCall>,
  ): void {
    this.#unread.set(key, last);
    for (const [at, element] of order.entries()) {
      for (const next of this.#after(key, order, at + 1)) {
        this.#add('ww', writers.get(element), writers.get(next), key, next);
      }
    }
  }

  reading(
    call: ListCall,
    key: string,
    length: number,
    order: readonly number[],
    writers: ReadonlyMap<number, ListCall>,
  ): void {
    if (length > 0) {
      const element = present(order[length - 1], 'the last element that it read');
      this.#add('wr', writers.get(element), call, key, element);
    }
    for (const next of this.#after(key, order, length)) this.#add('rw', call, writers.get(next), key, next);
  }

  /** What comes right after the first `length` elements: the next one, or any of those that nobody read. */
  #after(key: string, order: readonly number[], length: number): readonly number[] {
    return length < order.length ? order.slice(length, length + 1) : (this.#unread.get(key) ?? []);
  }

  #add(
    type: Dependency['type'],
    earlier: ListCall | undefined,
    later: ListCall | undefined,
    key: string,
    element: number,
  ): void {
    const from = present(this.#positions.get(present(earlier, 'the earlier one')), 'its position');
    const to = present(this.#positions.get(present(later, 'the later one')), 'its position');
    if (from !== to) this.dependencies[from]?.push({ type, from, to, key, element });
  }
}
