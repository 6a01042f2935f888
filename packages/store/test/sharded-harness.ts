import type { Index, Term } from '@flotilla/raft';
import type { DatabaseOptions } from '../src/database.ts';
import type { NodeEntry, OrderEffect, OrderEntry } from '../src/order/order-entry.ts';
import { encodeOrderEntry } from '../src/order/order-entry-codec.ts';
import type { OrderMachine } from '../src/order/order-machine.ts';
import { noOrigin, type Origin, type ProposalKind, type RequestUser } from '../src/proposal.ts';
import type { ApplyResult } from '../src/apply-result.ts';
import type { WriteRequest } from '../src/shard/write-request.ts';
import { Harness } from './harness.ts';

export const threeNodes: readonly NodeEntry[] = [1, 2, 3].map((node) => ({ node, zone: '', labels: [] }));

/** A database whose cluster can be sharded. */
export class ShardedHarness extends Harness {
  static override open(options?: DatabaseOptions): Promise<ShardedHarness> {
    return new ShardedHarness(options).restart();
  }

  get order(): OrderMachine {
    const { order } = this.database;
    if (order === null) throw new Error('the cluster is not sharded');
    return order;
  }

  begin(nodes: readonly NodeEntry[] = threeNodes): readonly OrderEffect[] {
    return this.say({ kind: 'begin', nodes });
  }

  say(entry: OrderEntry): readonly OrderEffect[] {
    const result = this.propose('order', encodeOrderEntry(entry));
    if (result.kind !== 'order') throw new Error(`answered as a ${result.kind}`);
    return result.effects;
  }

  /** What a request of the order group, or of its shard, was answered. */
  answer(entry: OrderEntry): ApplyResult {
    for (const effect of this.say(entry)) {
      const outcome = effect.kind === 'shard' ? effect.effect : effect;
      if (outcome.kind !== 'outcome') continue;
      if (outcome.outcome.kind === 'committed') throw new Error('part of a transaction');
      return outcome.outcome.result;
    }
    throw new Error('there is no answer');
  }

  /** In shard 0. */
  write(
    write: WriteRequest,
    request: number,
    { session = 1, user = null }: { readonly session?: number; readonly user?: RequestUser | null } = {},
  ): ApplyResult {
    const range = this.order.map.row(0)?.range ?? 0;
    const origin = { session, request, floor: 1 };
    return this.answer({ kind: 'own', entry: { kind: 'request', origin, user, range, write, absent: [] } });
  }

  openSession(name: string, owner = ''): number {
    for (const effect of this.say({ kind: 'open-session', name, owner })) {
      if (effect.kind === 'session-opened') return effect.session;
    }
    throw new Error(`${name} was not opened`);
  }

  /** As {@link Harness.propose}, with errors as results. */
  attempt(kind: ProposalKind, request: Uint8Array, origin: Origin = noOrigin): ApplyResult {
    try {
      return this.propose(kind, request, origin);
    } catch (error) {
      return { kind: 'error', error: error as never };
    }
  }

  /** An entry that a new leader begins its term with. */
  pass(): void {
    const index = (this.database.applied.index + 1) as Index;
    this.database.apply([{ index, term: 1 as Term, kind: 'no-op', payload: new Uint8Array(0) }]);
  }
}
