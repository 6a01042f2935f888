import type { Random } from '@flotilla/platform';
import { RpcError, type Shard, ShardController, Shards } from '@flotilla/wire';
import type { Administration } from './administration.ts';
import type { KnownKeys } from './known-keys.ts';

export type ChurnKind = 'merge' | 'move' | 'split' | 'transfer';

export interface ChurnCounts {
  readonly done: Readonly<Record<ChurnKind, number>>;
  /** By what the cluster said to it. */
  readonly refused: ReadonlyMap<string, number>;
}

export interface ChurnerParts {
  readonly nodes: readonly Administration[];
  readonly keys: KnownKeys;
  readonly random: Random;
  /** So many shards there are about. */
  readonly shards: number;
  /** Shard 0 is led by whoever leads it. */
  readonly keepsOrderLeader: boolean;
}

/**
 * Splits, merges and moves shards and changes their leaders without end, through `flotilla.v1`, several at once. What the
 * cluster refuses is counted and left: the map may have changed, or a node may be stopped.
 */
export class Churner {
  readonly #parts: ChurnerParts;
  readonly #done: Record<ChurnKind, number> = { merge: 0, move: 0, split: 0, transfer: 0 };
  readonly #refused = new Map<string, number>();
  /** Shards that one of the operations under way is about. */
  readonly #busy = new Set<number>();
  readonly #loops: readonly Promise<void>[];
  #stopped = false;
  #wake: (() => void)[] = [];

  constructor(parts: ChurnerParts) {
    this.#parts = parts;
    this.#loops = Array.from({ length: OPERATIONS_AT_ONCE }, () => this.#loop());
  }

  get counts(): ChurnCounts {
    return { done: { ...this.#done }, refused: this.#refused };
  }

  /** Operations under way are not waited for: they go on, or end with the cluster. */
  stop(): void {
    this.#stopped = true;
    for (const wake of this.#wake.splice(0)) wake();
  }

  /** Resolves when none of its calls is open any more: after {@link stop}, and when the channels are closed. */
  async ended(): Promise<void> {
    await Promise.all(this.#loops);
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      const startMs = performance.now();
      let pauseMs = 0;
      try {
        await this.#step();
        // On a machine that is busy clients are to come to their turn.
        pauseMs = Math.max(PAUSE_MS, performance.now() - startMs);
      } catch (error) {
        if (this.#stopped) return;
        if (!(error instanceof RpcError)) throw error;
        this.#count('list', error);
        pauseMs = REFUSED_PAUSE_MS;
      }
      await this.#pause(pauseMs);
    }
  }

  async #step(): Promise<void> {
    const { nodes, random } = this.#parts;
    const open = nodes.filter(({ isOpen }) => isOpen);
    const node = open[random.below(Math.max(1, open.length))];
    if (node === undefined) return;
    const { shards } = await node.list(LIST_MS);
    const plan = this.#plan(shards);
    if (plan === null || this.#stopped) return;
    for (const shard of plan.shards) this.#busy.add(shard);
    try {
      await plan.run(node);
      this.#done[plan.kind] += 1;
    } catch (error) {
      if (this.#stopped || !(error instanceof RpcError)) throw error;
      this.#count(plan.kind, error);
      await this.#pause(REFUSED_PAUSE_MS);
    } finally {
      for (const shard of plan.shards) this.#busy.delete(shard);
    }
  }

  #plan(shards: readonly Shard[]): Plan | null {
    const { random, shards: wanted } = this.#parts;
    const choice = random.below(100);
    // Below what is wanted rather split, above rather merge; about it as often.
    const splitting = Math.min(70, Math.max(5, 33 + 6 * (wanted - shards.length)));
    if (choice < splitting) return this.#split(shards);
    if (choice < 75) return this.#merge(shards);
    if (choice < 92) return this.#move(shards);
    return this.#transfer(shards);
  }

  #split(shards: readonly Shard[]): Plan | null {
    const key = this.#parts.keys.pick();
    const its = shards.find(
      ({ start, end }) =>
        Buffer.compare(start, key) < 0 && (end.length === 0 || Buffer.compare(key, end) < 0),
    );
    if (its === undefined || this.#busy.has(its.shard)) return null;
    const request = { shard: its.shard, key, configuration: 0 };
    return {
      kind: 'split',
      shards: [its.shard],
      run: (node) => node.follow(Shards.methods.Split, request, OPERATION_MS),
    };
  }

  #merge(shards: readonly Shard[]): Plan | null {
    const at = this.#parts.random.below(Math.max(1, shards.length - 1));
    const pair = [shards[at], shards[at + 1]];
    if (this.#parts.random.below(2) === 1) pair.reverse();
    const [one, other] = pair;
    if (one === undefined || other === undefined || this.#busy.has(one.shard) || this.#busy.has(other.shard))
      return null;
    // Shard 0 takes others in, and is never taken in.
    const [from, into] = one.shard === 0 ? [other, one] : [one, other];
    const request = { shard: from.shard, into: into.shard, configuration: 0 };
    return {
      kind: 'merge',
      shards: [from.shard, into.shard],
      run: (node) => node.follow(Shards.methods.Merge, request, OPERATION_MS),
    };
  }

  #move(shards: readonly Shard[]): Plan | null {
    const its = this.#anyOf(shards.filter(({ shard }) => shard !== 0 && !this.#busy.has(shard)));
    if (its === undefined) return null;
    const holders = its.replicas.map(({ node }) => node);
    const from = this.#anyOf(holders);
    // Shard 0 is on every node.
    const everywhere = shards.find(({ shard }) => shard === 0)?.replicas ?? [];
    const to = this.#anyOf(everywhere.map(({ node }) => node).filter((node) => !holders.includes(node)));
    if (from === undefined || to === undefined) return null;
    const request = { shard: its.shard, from, to, configuration: 0 };
    return {
      kind: 'move',
      shards: [its.shard],
      run: (node) => node.follow(ShardController.methods.Move, request, OPERATION_MS),
    };
  }

  #transfer(shards: readonly Shard[]): Plan | null {
    const { keepsOrderLeader } = this.#parts;
    const mayChange = ({ shard }: Shard): boolean =>
      !this.#busy.has(shard) && !(shard === 0 && keepsOrderLeader);
    const its = this.#anyOf(shards.filter(mayChange));
    const to = this.#anyOf(
      (its?.replicas ?? []).map(({ node }) => node).filter((node) => node !== its?.leader),
    );
    if (its === undefined || to === undefined) return null;
    return {
      kind: 'transfer',
      shards: [its.shard],
      run: (node) => node.transferLeader(its.shard, to, OPERATION_MS),
    };
  }

  #anyOf<T>(list: readonly T[]): T | undefined {
    return list[this.#parts.random.below(Math.max(1, list.length))];
  }

  #count(asked: ChurnKind | 'list', { message }: RpcError): void {
    const what = `${asked}: ${/^flotilla: ([a-z-]+)/.exec(message)?.[1] ?? message}`;
    this.#refused.set(what, (this.#refused.get(what) ?? 0) + 1);
  }

  #pause(pauseMs: number): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pauseMs);
      this.#wake.push(() => {
        clearTimeout(timer);
        resolve();
      });
      if (this.#wake.length > 4 * OPERATIONS_AT_ONCE) this.#wake = this.#wake.slice(-OPERATIONS_AT_ONCE);
    });
  }
}

interface Plan {
  readonly kind: ChurnKind;
  readonly shards: readonly number[];
  readonly run: (node: Administration) => Promise<unknown>;
}

const OPERATIONS_AT_ONCE = 3;
const PAUSE_MS = 20;
const REFUSED_PAUSE_MS = 100;
const LIST_MS = 5_000;
/** A merge moves its shard first. Whatever takes longer is counted as refused, with what gRPC says of it. */
const OPERATION_MS = 30_000;
