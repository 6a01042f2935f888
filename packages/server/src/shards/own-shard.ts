import { assert } from '@flotilla/platform';
import type { Configuration, Group, NodeId } from '@flotilla/raft';
import {
  type OrderEntry,
  type OrderMachine,
  orderShard,
  type ShardEntry,
  type ShardMachine,
} from '@flotilla/store';
import type { HeldShard } from './held-replica.ts';
import type { ShardAnswers } from './shard-answers.ts';
import type { Patience } from './types.ts';

/** Shard 0, which group 0 has with the order. */
export class OwnShard implements HeldShard {
  readonly shard = orderShard;
  lead: HeldShard['lead'] = null;
  readonly answers: ShardAnswers;
  readonly #group: () => Group<unknown> | null;
  readonly #order: () => OrderMachine | null;
  readonly #appliedTerm: () => number;
  readonly #propose: (entry: OrderEntry, patience: Patience) => Promise<void>;

  constructor(
    group: () => Group<unknown> | null,
    order: () => OrderMachine | null,
    appliedTerm: () => number,
    propose: (entry: OrderEntry, patience: Patience) => Promise<void>,
    answers: ShardAnswers,
  ) {
    this.#group = group;
    this.#order = order;
    this.#appliedTerm = appliedTerm;
    this.#propose = propose;
    this.answers = answers;
  }

  get state(): ShardMachine | null {
    return this.#order()?.own ?? null;
  }

  get machine(): ShardMachine {
    const { state } = this;
    assert(state !== null, 'a cluster without shards has no shard 0');
    return state;
  }

  get isReady(): boolean {
    const status = this.#group()?.status();
    if (status === undefined || !status.stateReady) return false;
    return status.role !== 'leader' || this.#appliedTerm() === status.term;
  }

  get leads(): boolean {
    return this.#group()?.status().role === 'leader';
  }

  get leader(): NodeId | 0 {
    return this.#group()?.status().leader ?? 0;
  }

  get configuration(): Configuration {
    return (this.#group() as Group<unknown>).status().configuration;
  }

  log(entry: ShardEntry, patience: Patience): Promise<void> {
    return this.#propose({ kind: 'own', entry }, patience);
  }

  resume(): void {
    this.#group()?.resume();
  }
}
