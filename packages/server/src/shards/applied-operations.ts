import {
  type ApplyResult,
  type Database,
  type OrderEffect,
  orderShard,
  type ShardEffect,
  type ShardEntry,
  type WriteRequest,
} from '@flotilla/store';
import type { RequestOp } from '@flotilla/wire';
import type { ShardNode } from './types.ts';

/**
 * Counts what replicas of this node have executed, as a database counts what it has: each member's own shards, as etcd
 * counts at each member. The answer of a request that comes again counts no more.
 */
export class AppliedOperations {
  readonly #counts: Database['counts'];
  readonly #unsubscribe: readonly (() => void)[];

  constructor(node: Pick<ShardNode, 'onApplied' | 'onOrder'>, counts: Database['counts']) {
    this.#counts = counts;
    this.#unsubscribe = [
      node.onApplied(({ shard, entry, effects }) => {
        // Told of the order's own shard below, with all else that group 0 does to it.
        if (shard === orderShard) return;
        for (const effect of effects) this.#shard(shard, effect, entry);
      }),
      node.onOrder(({ entry, effects }) => {
        const own = entry?.kind === 'own' ? entry.entry : null;
        for (const effect of effects) this.#order(effect, own);
      }),
    ];
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  #order(effect: OrderEffect, own: ShardEntry | null): void {
    if (effect.kind === 'shard') this.#shard(orderShard, effect.effect, own);
    else if (effect.kind === 'lease-renewed') this.#executed('lease-renew');
    else if (effect.kind === 'outcome' && effect.outcome.result.kind !== 'error') {
      const { kind } = effect.outcome.result;
      if (kind === 'lease-grant' || kind === 'lease-revoke' || kind === 'compact') this.#executed(kind);
    }
  }

  #executed(kind: 'compact' | 'lease-grant' | 'lease-renew' | 'lease-revoke'): void {
    const { executed } = this.#counts;
    executed[kind] = (executed[kind] ?? 0) + 1;
  }

  #shard(shard: number, effect: ShardEffect, entry: ShardEntry | null): void {
    if (effect.kind !== 'outcome' || effect.known) return;
    const { origin, outcome } = effect;
    if (outcome.kind === 'committed') {
      const part = outcome.parts.get(shard);
      if (part !== undefined) this.#counts.ran(part);
      return;
    }
    const isOfEntry =
      entry?.kind === 'request' &&
      entry.origin.session === origin.session &&
      entry.origin.request === origin.request;
    this.#ran(outcome.result, isOfEntry ? entry.write : null);
  }

  /** `write`: null where it has waited, and its entry is gone. */
  #ran(result: ApplyResult, write: WriteRequest | null): void {
    if (result.kind === 'put') this.#counts.puts += 1;
    else if (result.kind === 'delete-range') this.#counts.deletes += 1;
    else if (result.kind === 'txn') this.#counts.ran(result.response);
    if (write !== null) this.#counts.putBytes += putBytes(write, result);
  }
}

function putBytes(write: WriteRequest, result: ApplyResult): number {
  if (write.kind === 'put' && result.kind === 'put') {
    return write.request.key.length + write.request.value.length;
  }
  if (write.kind !== 'txn' || result.kind !== 'txn') return 0;
  const { success, failure } = write.request;
  return (result.response.succeeded ? success : failure).reduce((sum, op) => sum + bytesOfOp(op), 0);
}

/** Of nested transactions only the first branch that there is: it is a measure, and no account. */
function bytesOfOp({ request }: RequestOp): number {
  if (request?.case === 'requestPut') return request.value.key.length + request.value.value.length;
  if (request?.case !== 'requestTxn') return 0;
  return request.value.success.reduce((sum, op) => sum + bytesOfOp(op), 0);
}
