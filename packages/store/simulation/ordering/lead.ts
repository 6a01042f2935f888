import { OrderLeader } from '../../src/order/order-leader.ts';
import type { RequestOrigin } from '../../src/shard/request-memory.ts';
import type { CommittedOutcome } from '../../src/shard/request-memory.ts';
import type { RefusalReason } from '../../src/shard/shard-entry.ts';
import { type ShardAnswer, ShardLeader } from '../../src/shard/shard-leader.ts';
import type { ShardMachine } from '../../src/shard/shard-machine.ts';
import type { Group, Replica } from './group.ts';
import type { OrderingNode } from './node.ts';

/** What is said to whoever waits for a request at a leader. */
export type Reply =
  | { readonly kind: 'answer'; readonly answer: ShardAnswer }
  /** This shard's part of a transaction. */
  | { readonly kind: 'part'; readonly outcome: CommittedOutcome }
  | { readonly kind: 'refused'; readonly reason: RefusalReason };

export const transactionTimeoutMs = 70;
const factRetryMs = 25;

/** What a node keeps in memory for a group that it leads. It may go on for a while after it was deposed. */
export class Lead {
  readonly group: Group;
  readonly node: OrderingNode;
  readonly term: number;
  /** It has applied everything that was there before its term. */
  ready = false;
  readonly answers = new ShardLeader(factRetryMs);
  readonly ordering: OrderLeader;
  readonly waiters = new Map<string, ((reply: Reply) => void)[]>();
  /** Order group: answers that wait until every shard has heard. */
  readonly spreading: {
    readonly origin: RequestOrigin;
    readonly answer: ShardAnswer;
    readonly index: number;
  }[] = [];
  /** Order group: when the time of a lease is over, by this leader's clock. */
  readonly deadlines = new Map<bigint, number>();
  lastCutMs = -100;
  cutDue = false;

  constructor(group: Group, node: OrderingNode, term: number) {
    this.group = group;
    this.node = node;
    this.term = term;
    this.ordering = new OrderLeader(term, transactionTimeoutMs);
  }

  get replica(): Replica {
    return this.group.replicas.get(this.node) as Replica;
  }

  get shard(): ShardMachine {
    return this.replica.shard;
  }

  /** Whether this is what the node leads the group with, as far as it knows. */
  get isCurrent(): boolean {
    return this.node.up && this.node.leads.get(this.group.id) === this && this.group.replicas.has(this.node);
  }

  wait(key: string, reply: (reply: Reply) => void): void {
    const waiting = this.waiters.get(key);
    if (waiting === undefined) this.waiters.set(key, [reply]);
    else if (waiting.length < 4) waiting.push(reply);
  }

  reply({ session, request }: Pick<RequestOrigin, 'session' | 'request'>, reply: Reply): void {
    const key = `${session}.${request}`;
    const waiting = this.waiters.get(key) ?? [];
    this.waiters.delete(key);
    for (const tell of waiting) tell(reply);
  }
}
