import type { Platform } from '@flotilla/platform';
import { isFlotillaError, messageOf } from '@flotilla/platform';
import { type Configuration, isJoint } from '@flotilla/raft';
import {
  type Frontier,
  type OrderEntry,
  type OrderMachine,
  orderShard,
  type RangeChange,
  type ShardEntry,
  type ShardId,
  ShardLeader,
  type ShardMachine,
  type Vote,
} from '@flotilla/store';
import { limits } from '../limits.ts';
import type { ReportRow } from './node-messages.ts';

/** A replica that this node leads with. */
export interface LedReplica {
  readonly shard: ShardId;
  readonly state: ShardMachine | null;
  /** It leads, and has applied everything that was there before its term. */
  readonly isReady: boolean;
  readonly configuration: Configuration;
}

export interface ShardLeadParts {
  readonly platform: Platform;
  readonly replica: LedReplica;
  readonly order: () => OrderMachine | null;
  readonly frontier: () => Promise<Frontier>;
  /** Has the shard, or the order group, log an entry; nobody waits for it. */
  readonly log: (entry: ShardEntry) => void;
  readonly propose: (entry: OrderEntry) => void;
  readonly report: (row: ReportRow) => void;
  readonly vote: (vote: Vote) => void;
  /** Whether whoever leads the order has heard of this node. */
  readonly isKnown: () => boolean;
  /** Nodes for the child of shard 0. */
  readonly nodesForChild: (order: OrderMachine) => readonly number[];
  /** Something that it waited for has come: it wants to act. */
  readonly wake: () => void;
}

/**
 * What the leader of a shard does, in memory, for one term of it: logs what the order says to it, tells how far it is and
 * what it votes, fetches the frontier that requests wait for, and proposes the change of its range that it has drained
 * for (rules 2, 4, 7, 8, 13). All of it may be lost, or done twice, by anybody.
 */
export class ShardLead {
  readonly #parts: ShardLeadParts;
  readonly #leader = new ShardLeader(limits.factRetryMs);
  /** Of the last report. */
  #reportedSeq = 0;
  #reportedOrdered = 0;
  #votedMs = -Infinity;
  #rangeMs = -Infinity;
  /** Until it is proposed again. */
  #rangePauseMs = 0;
  #proposedRange = -1;
  #membersMs = -Infinity;
  #ended = false;

  constructor(parts: ShardLeadParts) {
    this.#parts = parts;
  }

  end(): void {
    this.#ended = true;
  }

  /** Whether it has to look again later, whatever happens. */
  get isWaiting(): boolean {
    const { replica } = this.#parts;
    const { state: machine } = replica;
    const order = this.#parts.order();
    if (machine === null || order === null || this.#ended) return false;
    if (machine.prepared.size > 0 || machine.barrier !== null || machine.frontierWantedAt !== null)
      return true;
    if (replica.shard === orderShard) return false;
    const numbered = order.numbered(replica.shard);
    if (numbered === null) return false;
    return machine.seq > numbered || this.#lacksFacts(machine, order) || this.#membersDiffer(order);
  }

  act(): void {
    const { replica, platform } = this.#parts;
    const { state: machine } = replica;
    const order = this.#parts.order();
    if (machine === null || order === null || !replica.isReady || this.#ended) return;
    const nowMs = platform.now();
    if (replica.shard !== orderShard) {
      for (const fact of this.#leader.facts(machine, order, nowMs))
        this.#parts.log({ kind: 'ordered', fact });
      this.#report(machine, order);
      this.#frontier(machine, order);
      this.#members(order, nowMs);
    }
    this.#votes(machine, nowMs);
    this.#range(machine, order, nowMs);
  }

  #lacksFacts(machine: ShardMachine, order: OrderMachine): boolean {
    const last = order.lastFact(machine.shard, order.index);
    return last !== null && last > machine.ordered;
  }

  /** Cumulative: once each to everybody who comes to lead the order. */
  #report({ shard, seq, ordered }: ShardMachine, order: OrderMachine): void {
    const isSaid = this.#parts.isKnown() && seq <= this.#reportedSeq && ordered <= this.#reportedOrdered;
    const isOfInterest = seq > (order.numbered(shard) ?? seq) || ordered > order.logged(shard);
    if (isSaid || !isOfInterest) return;
    this.#reportedSeq = seq;
    this.#reportedOrdered = ordered;
    this.#parts.report({ shard, seq, ordered });
  }

  #votes(machine: ShardMachine, nowMs: number): void {
    const againMs = this.#parts.isKnown() ? limits.voteRepeatMs : limits.voteAgainMs;
    if (machine.prepared.size === 0 || nowMs - this.#votedMs < againMs) return;
    this.#votedMs = nowMs;
    for (const vote of machine.votes()) this.#parts.vote(vote);
  }

  #frontier(machine: ShardMachine, order: OrderMachine): void {
    const { platform, log, frontier, wake } = this.#parts;
    const entry = this.#leader.frontierEntry(machine, order);
    if (entry !== null) log(entry);
    const tell = this.#leader.ask(machine);
    if (tell === null) return;
    platform.spawn('shard-frontier', async () => {
      while (!this.#ended) {
        try {
          tell(await frontier());
          wake();
          return;
        } catch (error) {
          if (isFlotillaError(error, 'FLOTILLA_STOPPED')) return;
          platform.log.debug('the frontier could not be fetched', { reason: messageOf(error) });
          await new Promise<void>((resolve) => {
            platform.timer(limits.shardTickMs, 'shard-frontier', resolve);
          });
        }
      }
    });
  }

  #range(machine: ShardMachine, order: OrderMachine, nowMs: number): void {
    const { barrier } = machine;
    if (barrier === null || !machine.isDrained) return;
    const { range } = machine.epoch;
    // Its keys wait: the next change does not wait for the pause after the one before.
    const isAgain = this.#proposedRange === range;
    if (isAgain && nowMs - this.#rangeMs < this.#rangePauseMs) return;
    // The order may have taken it long ago, and this node hear of it late.
    this.#rangePauseMs = isAgain
      ? Math.min(2 * this.#rangePauseMs, limits.rangeAgainMostMs)
      : limits.rangeAgainMs;
    this.#rangeMs = nowMs;
    this.#proposedRange = range;
    const nodes = this.#nodesFor(barrier, order);
    this.#parts.propose({ kind: 'range', change: barrier, range, nodes });
  }

  /**
   * Any child but those of shard 0 begins where its parent is. What is merged stays where it is while it drains; the one
   * that takes it over may have moved away meanwhile.
   */
  #nodesFor(change: RangeChange, order: OrderMachine): readonly number[] {
    if (change.kind === 'merge') return this.#parts.replica.configuration.voters;
    const isOfOrder = change.kind === 'split' && change.shard === orderShard;
    return isOfOrder ? this.#parts.nodesForChild(order) : [];
  }

  /** The map says who has a replica; whoever leads sees to it that this is so. */
  #members(order: OrderMachine, nowMs: number): void {
    if (!this.#membersDiffer(order) || nowMs - this.#membersMs < limits.rangeAgainMs) return;
    const { replica, propose } = this.#parts;
    const row = order.map.row(replica.shard);
    const machine = replica.state as ShardMachine;
    if (row === null) return;
    this.#membersMs = nowMs;
    const membership = Math.max(row.membership + 1, machine.epoch.membership);
    propose({ kind: 'members', shard: replica.shard, membership, nodes: replica.configuration.voters });
  }

  #membersDiffer(order: OrderMachine): boolean {
    const { shard, configuration } = this.#parts.replica;
    const row = order.map.row(shard);
    if (row === null || isJoint(configuration)) return false;
    const { voters } = configuration;
    return voters.length !== row.nodes.length || !voters.every((node) => row.nodes.includes(node));
  }
}
