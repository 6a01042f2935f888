import { assert, FlotillaError } from '@flotilla/platform';
import { type Configuration, emptyConfiguration, type Group, type NodeId } from '@flotilla/raft';
import type { ShardEntry, ShardId, ShardMachine, ShardReplica } from '@flotilla/store';
import { encodeShardEntry } from '@flotilla/store';
import type { ShardAnswers } from './shard-answers.ts';
import type { LedReplica, ShardLead } from './shard-lead.ts';
import type { SubmitTarget } from './shard-submitter.ts';
import type { NodeShard, Patience } from './types.ts';

/** What a node has of a shard: its replica, the Raft group of it, and who waits for answers of it. */
export interface HeldShard extends NodeShard, SubmitTarget, LedReplica {
  readonly shard: ShardId;
  /** Not null while this node leads it. */
  lead: ShardLead | null;
  /** Asks again what was held, see `Group.resume`. */
  resume(): void;
}

/** How far others had come when it was opened. */
export interface Opened {
  readonly appliedIndex: number;
  readonly orderIndex: number;
}

const withItsParent: Opened = { appliedIndex: 0, orderIndex: 0 };

/** Any shard but shard 0. */
export class HeldReplica implements HeldShard {
  readonly replica: ShardReplica;
  readonly answers: ShardAnswers;
  lead: ShardLead | null = null;
  /** What had been applied where it was asked to open: what was said of this node's membership before is over. */
  readonly openedAt: number;
  readonly sinceMs: number;
  readonly #openedOrder: number;
  /** Null: it is being opened. */
  #group: Group<unknown> | null = null;
  #opening: Promise<void> | null = null;

  constructor(replica: ShardReplica, answers: ShardAnswers, sinceMs: number, opened: Opened = withItsParent) {
    this.replica = replica;
    this.answers = answers;
    this.sinceMs = sinceMs;
    this.openedAt = opened.appliedIndex;
    this.#openedOrder = opened.orderIndex;
  }

  /** An order that has not come so far may not know of it yet. */
  get bornBefore(): number {
    return Math.max(this.#openedOrder, this.state?.ordered ?? 0);
  }

  opened(group: Group<unknown>): void {
    this.#group = group;
  }

  /** Opens its group, unless that is done already or under way. */
  open(open: () => Promise<void>): Promise<void> {
    this.#opening ??= open();
    return this.#opening;
  }

  /** Resolves when it is known whether there will be a group. */
  async settled(): Promise<void> {
    await this.#opening?.catch(() => undefined);
  }

  get group(): Group<unknown> | null {
    return this.#group;
  }

  get shard(): ShardId {
    return this.replica.id;
  }

  get state(): ShardMachine | null {
    return this.replica.isReady ? this.replica.machine : null;
  }

  get machine(): ShardMachine {
    const { state } = this;
    assert(state !== null, 'a replica that waits for a snapshot is not asked for its state');
    return state;
  }

  get isReady(): boolean {
    const status = this.#group?.status();
    if (status === undefined || !status.stateReady || !this.replica.isReady) return false;
    return status.role !== 'leader' || this.replica.applied.term === status.term;
  }

  get leads(): boolean {
    return this.#group?.status().role === 'leader';
  }

  get leader(): NodeId | 0 {
    return this.#group?.status().leader ?? 0;
  }

  get configuration(): Configuration {
    return this.#group?.status().configuration ?? emptyConfiguration;
  }

  async log(entry: ShardEntry, { timeoutMs }: Patience): Promise<void> {
    if (this.#group === null) {
      throw new FlotillaError('FLOTILLA_NO_LEADER', `shard ${this.shard} is being opened`);
    }
    await this.#group.propose(encodeShardEntry(entry), { timeoutMs });
  }

  resume(): void {
    this.#group?.resume();
  }
}
