import { assert } from '@flotilla/platform';
import { ChangedParts } from '../changed-parts.ts';
import type { Fact, FactChange, ShardId } from '../shard/shard-entry.ts';
import { FactChain } from './fact-chain.ts';
import { numberedKey, OrderPart, type WritePart } from './order-parts.ts';

/** What the order group has said to every shard but its own, to which it need not say anything: see {@link FactChain}. */
export class FactChains {
  readonly #chains = new Map<ShardId, FactChain>();
  /** Of those that say something in this entry. */
  readonly #speaking = new Set<FactChain>();
  /** Shards that are no more, and that their neighbours may still have to hear of. */
  readonly #ended = new Set<ShardId>();
  /** Shards that may have something to hear of users or compaction. */
  readonly #announced = new Set<ShardId>();
  /** Those that have to be written down again. */
  readonly #changed = new ChangedParts<ShardId>();

  // What is known of them.

  /** See `FactChain.lastAt`. Null: there is no such shard any more. */
  lastFact(shard: ShardId, index: number): number | null {
    return this.#chains.get(shard)?.lastAt(index) ?? null;
  }

  after(shard: ShardId, ordered: number): Fact[] {
    return this.#chains.get(shard)?.after(ordered) ?? [];
  }

  revisionOf(shard: ShardId, seq: number): number | null {
    return this.#chains.get(shard)?.revisionOf(seq) ?? null;
  }

  numbered(shard: ShardId): number | null {
    const chain = this.#chains.get(shard);
    return chain === undefined || chain.ended !== null ? null : chain.numbered;
  }

  logged(shard: ShardId): number {
    return this.#chains.get(shard)?.logged ?? Infinity;
  }

  isEverywhere(index: number): boolean {
    for (const shard of this.#announced) {
      const chain = this.#chains.get(shard);
      // It drained before, and its neighbour was told too.
      const oldest = chain === undefined || chain.ended !== null ? null : oldestAnnouncement(chain);
      if (oldest === null) this.#announced.delete(shard);
      else if (oldest <= index) return false;
    }
    return true;
  }

  mayForget(logged: (shard: ShardId) => number): boolean {
    for (const shard of this.#ended) {
      const ended = this.#chains.get(shard)?.ended;
      if (ended === undefined || ended === null) continue;
      if (Math.max(this.logged(ended.into), logged(ended.into)) >= ended.index) return true;
    }
    return false;
  }

  /** Facts that are kept. */
  get size(): number {
    let size = 0;
    for (const chain of this.#chains.values()) size += chain.size;
    return size;
  }

  of(shard: ShardId): FactChain {
    const chain = this.#chains.get(shard);
    assert(chain !== undefined, 'every shard has its facts');
    return chain;
  }

  // What is said.

  open(shard: ShardId, born: number): void {
    this.#chains.set(shard, new FactChain(born));
    this.#changed.add(shard);
  }

  /** The chain of a shard that something is said to. */
  speaks(shard: ShardId): FactChain {
    const chain = this.of(shard);
    this.#speaking.add(chain);
    this.#changed.add(shard);
    return chain;
  }

  say(shard: ShardId, index: number, change: FactChange): void {
    this.speaks(shard).change(index, change);
    if (change.kind === 'auth' || change.kind === 'compacted') this.#announced.add(shard);
  }

  /** Nothing more is said to it: since this entry it is part of a neighbour. */
  end(shard: ShardId, index: number, into: ShardId): void {
    this.of(shard).ended = { index, into };
    this.#ended.add(shard);
  }

  /** The entry at `index` is applied: every fact learns the frontier. */
  close(index: number, frontier: number): void {
    for (const chain of this.#speaking) chain.close(index, frontier);
    this.#speaking.clear();
  }

  /** What shards have applied need not be kept, nor those that have ended when their neighbour knows. */
  forget(logged: readonly { readonly shard: ShardId; readonly index: number }[]): void {
    for (const { shard, index } of logged) {
      this.#chains.get(shard)?.forgetThrough(index);
      this.#changed.add(shard);
    }
    for (const shard of this.#ended) {
      const ended = this.#chains.get(shard)?.ended;
      // The neighbour has everything that was to be had of it.
      if (ended === undefined || ended === null || this.logged(ended.into) < ended.index) continue;
      this.#chains.delete(shard);
      this.#changed.add(shard);
      this.#ended.delete(shard);
    }
  }

  // Their records.

  flush(write: WritePart, everything: boolean): void {
    for (const shard of everything ? this.#chains.keys() : this.#changed.take()) {
      write(numberedKey(OrderPart.CHAIN, shard), this.#chains.get(shard)?.encode() ?? null);
    }
  }

  restore(shard: ShardId, chain: FactChain): void {
    this.#chains.set(shard, chain);
    if (chain.ended !== null) this.#ended.add(shard);
    else if (oldestAnnouncement(chain) !== null) this.#announced.add(shard);
  }
}

function oldestAnnouncement(chain: FactChain): number | null {
  const [auth, compacted] = [chain.oldest('auth'), chain.oldest('compacted')];
  return auth === null || compacted === null ? (auth ?? compacted) : Math.min(auth, compacted);
}
