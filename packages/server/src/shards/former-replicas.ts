import { isFlotillaError, messageOf, type Platform } from '@flotilla/platform';
import type { NodeId } from '@flotilla/raft';
import type { KeySpan, OrderMachine, ShardId } from '@flotilla/store';
import { limits } from '../limits.ts';
import type { GoneAnswer, Heir, Heirs } from './heirs.ts';
import { decodeMessage, encodeMessage, paths } from './node-messages.ts';
import type { Patience } from './types.ts';

/** A replica of this node, as who may have to let go of it sees it. */
export interface Claim {
  readonly shard: ShardId;
  /** An order that has not come so far may not know of it yet. */
  readonly bornBefore: number;
  /** What it has keys of; null: it has no state. */
  readonly span: KeySpan | null;
  /** The version of that. */
  readonly range: number | null;
  /**
   * It is what its shard began with, and never took part in it. Whatever ended the shard was logged by most of those that
   * did, who had all of it by then.
   */
  readonly isSpare: boolean;
  /** It leaves this node. Harmless when it has left. */
  drop(): void;
}

export interface FormerReplicasParts {
  readonly platform: Platform;
  readonly heirs: Heirs;
  /** Others that have the order. */
  readonly orderNodes: () => readonly NodeId[];
  readonly ask: (node: NodeId, path: string, body: Uint8Array, patience: Patience) => Promise<Uint8Array>;
}

/**
 * Lets go of replicas of this node that are nobody's any more: their shards have ended, or are elsewhere. They may be in
 * the way of what came of them, and yet they go only when others have that for good.
 */
export class FormerReplicas {
  readonly #parts: FormerReplicasParts;
  /** By shard and heirs. */
  readonly #asking = new Set<string>();
  #isAskingAll = false;
  /** Those that were to go and could not: since when, and when that was asked last. */
  readonly #tried = new Map<ShardId, { readonly sinceMs: number; readonly lastMs: number }>();

  constructor(parts: FormerReplicasParts) {
    this.#parts = parts;
  }

  /** Its keys are others', as this node's own order says. */
  letGo(claim: Claim, order: OrderMachine): void {
    const { shard, span, range } = claim;
    if (claim.isSpare && order.isGone(shard)) claim.drop();
    else this.#letGo(claim, range, span === null ? [] : this.#parts.heirs.of(order, span));
  }

  /**
   * The order here cannot go on without a snapshot, which may wait for room that replicas take which are none any more:
   * who knows a newer order says so.
   */
  askAbout(claims: readonly Claim[]): void {
    if (claims.length === 0 || this.#isAskingAll) return;
    this.#isAskingAll = true;
    this.#parts.platform.spawn('shard-gone', async () => {
      await Promise.all(this.#parts.orderNodes().map((node) => this.#askOne(node, claims)));
      this.#isAskingAll = false;
    });
  }

  async #askOne(node: NodeId, claims: readonly Claim[]): Promise<void> {
    const asked = claims.map(({ shard, span, range }) => ({ shard, range, span: span ?? noKeys }));
    try {
      const body = encodeMessage({ replicas: asked });
      const answer = await this.#parts.ask(node, paths.gone, body, { timeoutMs: limits.reportMs });
      const { index, gone } = decodeMessage<GoneAnswer>(answer);
      for (const { shard, heirs } of gone) {
        const place = claims.findIndex((one) => one.shard === shard);
        const claim = claims[place];
        // One that is younger than what was asked is none of those.
        if (claim === undefined || claim.bornBefore > index) continue;
        if (claim.isSpare) claim.drop();
        else this.#letGo(claim, asked[place]?.range ?? null, heirs);
      }
    } catch (error) {
      const fields = { node, reason: messageOf(error) };
      this.#parts.platform.log.debug('a node did not say which shards are gone', fields);
    }
  }

  /** `range`: of the keys that they are the heirs of. */
  #letGo(claim: Claim, range: number | null, heirs: readonly Heir[]): void {
    if (claim.range === null) {
      claim.drop();
      return;
    }
    const asked = [claim, ...heirs].map((one) => `${one.shard}.${one.range}`).join();
    if (this.#asking.has(asked)) return;
    this.#asking.add(asked);
    this.#parts.platform.spawn('shard-heirs', async () => {
      try {
        const have = await this.#parts.heirs.haveAll(heirs, claim.shard, this.#waitedMs(claim.shard));
        if (!have || claim.range !== range) return;
        this.#tried.delete(claim.shard);
        claim.drop();
      } catch (error) {
        if (!isFlotillaError(error, 'FLOTILLA_STOPPED')) throw error;
      } finally {
        this.#asking.delete(asked);
      }
    });
  }

  /** For how long it has been tried without a pause. */
  #waitedMs(shard: ShardId): number {
    const nowMs = this.#parts.platform.now();
    const before = this.#tried.get(shard);
    const isPaused = before === undefined || nowMs - before.lastMs > limits.heldPatienceMs;
    const sinceMs = isPaused ? nowMs : before.sinceMs;
    this.#tried.set(shard, { sinceMs, lastMs: nowMs });
    return nowMs - sinceMs;
  }
}

const noKeys: KeySpan = { from: new Uint8Array(0), to: new Uint8Array(0) };
