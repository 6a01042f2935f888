import { present } from '../assert.ts';
import { CallTable } from './call-table.ts';
import type { Dependency, DependencyGraph } from './dependency-graph.ts';
import type { RegisterCall } from './read-write-registers.ts';
import type { RegisterObservations, RegisterReading } from './register-observations.ts';

export interface RegisterDependency extends Dependency {
  /** The later one's, or of `wr` the earlier one's. */
  readonly version: number;
  /** `rw`: nothing was found in a range where the other then put something. */
  readonly isPhantom: boolean;
}

export interface RegisterGraph extends DependencyGraph<RegisterDependency> {
  readonly transactions: readonly RegisterCall[];
}

/** Who came before whom, as far as versions tell. */
export function registerGraphOf({ calls, versions, readings }: RegisterObservations): RegisterGraph {
  const builder = new GraphBuilder(calls);
  const orders = new Map<string, readonly number[]>();
  for (const [key, writers] of versions) {
    const order = [...writers.keys()].sort((a, b) => a - b);
    orders.set(key, order);
    builder.order(key, order, writers);
  }
  for (const reading of readings) {
    builder.reading(reading, orders.get(reading.key) ?? [], versions.get(reading.key) ?? new Map());
  }
  return builder;
}

class GraphBuilder implements RegisterGraph {
  readonly transactions: readonly RegisterCall[];
  readonly dependencies: RegisterDependency[][];
  readonly #positions: CallTable;

  constructor(transactions: readonly RegisterCall[]) {
    this.transactions = transactions;
    this.dependencies = transactions.map(() => []);
    this.#positions = new CallTable(transactions);
    for (const [at, call] of transactions.entries()) this.#positions.set(call, at);
  }

  order(key: string, order: readonly number[], writers: ReadonlyMap<number, RegisterCall>): void {
    for (const [at, version] of order.entries()) {
      const next = order[at + 1];
      if (next === undefined) continue;
      this.#add('ww', writers.get(version), writers.get(next), key, next, false);
    }
  }

  reading(
    { call, key, version, inRange }: RegisterReading,
    order: readonly number[],
    writers: ReadonlyMap<number, RegisterCall>,
  ): void {
    if (version > 0) this.#add('wr', writers.get(version), call, key, version, false);
    const next = order[firstAbove(order, version)];
    if (next === undefined) return;
    this.#add('rw', call, writers.get(next), key, next, inRange && version === 0);
  }

  #add(
    type: RegisterDependency['type'],
    earlier: RegisterCall | undefined,
    later: RegisterCall | undefined,
    key: string,
    version: number,
    isPhantom: boolean,
  ): void {
    const from = present(this.#positions.get(present(earlier, 'the earlier one')), 'its position');
    const to = present(this.#positions.get(present(later, 'the later one')), 'its position');
    if (from !== to) this.dependencies[from]?.push({ type, from, to, key, version, isPhantom });
  }
}

/** Where in the ascending `order` everything is above `version`. */
function firstAbove(order: readonly number[], version: number): number {
  let [low, high] = [0, order.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (present(order[middle], 'a version') > version) high = middle;
    else low = middle + 1;
  }
  return low;
}
