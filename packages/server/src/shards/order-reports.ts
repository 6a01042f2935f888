import { isFlotillaError, type Platform } from '@flotilla/platform';
import type { NodeId } from '@flotilla/raft';
import type { OrderMachine, ShardId, Vote } from '@flotilla/store';
import { limits } from '../limits.ts';
import { encodeMessage, paths, type ReportMessage, type ReportRow } from './node-messages.ts';
import type { Patience } from './types.ts';

export interface OrderReportsParts {
  readonly platform: Platform;
  readonly nodeId: NodeId;
  readonly order: () => OrderMachine | null;
  /** Who leads the order group, and in which term; null: nobody is known to. */
  readonly leader: () => { readonly node: NodeId; readonly term: number } | null;
  readonly ask: (node: NodeId, path: string, body: Uint8Array, patience: Patience) => Promise<Uint8Array>;
  /** This node leads it. False: it does not, or has not begun to. */
  readonly take: (report: ReportMessage) => boolean;
}

/**
 * What this node has to say to the one that leads the order group (rules 2, 8): how far its shards are, and what they vote.
 * One message is under way; what comes meanwhile goes with the next one, and what was lost is said again.
 */
export class OrderReports {
  readonly #parts: OrderReportsParts;
  #rows = new Map<ShardId, ReportRow>();
  #votes = new Map<string, Vote>();
  /** Who leads, and in which term, that a message is under way to; null: none is. */
  #asked: string | null = null;
  #scheduled = false;
  #stopped = false;
  /** To whom, in which term, the last message went through. */
  #heard: string | null = null;

  constructor(parts: OrderReportsParts) {
    this.#parts = parts;
  }

  /** Whether the leader of now has heard this node before: if not, all that it should know has to be said. */
  get isKnown(): boolean {
    return this.#heard !== null && this.#heard === this.#leaderName;
  }

  report(row: ReportRow): void {
    this.#rows.set(row.shard, row);
    this.#soon();
  }

  vote(vote: Vote): void {
    this.#votes.set(`${vote.shard} ${vote.transaction}`, vote);
    this.#soon();
  }

  /** Whether there is something that was not delivered. */
  get isPending(): boolean {
    return this.#rows.size > 0 || this.#votes.size > 0;
  }

  /** Whether this one has not answered yet. Whoever led before may never answer, and holds nobody up. */
  #isAsked(leader: string | null): boolean {
    return this.#asked !== null && this.#asked === leader;
  }

  /** What was not delivered is tried again. */
  tick(): void {
    if (this.isPending) this.#soon();
  }

  stop(): void {
    this.#stopped = true;
  }

  get #leaderName(): string | null {
    const leader = this.#parts.leader();
    return leader === null ? null : `${leader.node} ${leader.term}`;
  }

  /** All that one turn brings goes in one message. */
  #soon(): void {
    if (this.#scheduled || this.#stopped || this.#isAsked(this.#leaderName)) return;
    this.#scheduled = true;
    this.#parts.platform.defer(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  #send(): void {
    const leader = this.#parts.leader();
    const name = this.#leaderName;
    if (leader === null || this.#stopped || !this.isPending || this.#isAsked(name)) return;
    const rows = [...this.#rows.values()];
    const votes = [...this.#votes.values()].slice(0, limits.votesPerReport);
    if (leader.node === this.#parts.nodeId) {
      if (this.#parts.take({ rows, votes })) this.#delivered(rows, votes, name);
      return;
    }
    this.#asked = name;
    const answered = (): void => {
      if (this.#asked === name) this.#asked = null;
    };
    this.#parts.platform.spawn('order-report', async () => {
      try {
        const patience = { timeoutMs: limits.reportMs };
        await this.#parts.ask(leader.node, paths.report, encodeMessage({ rows, votes }), patience);
        this.#delivered(rows, votes, name);
      } catch (error) {
        // Who leads may be another one by now: it is said again with the next tick.
        if (isFlotillaError(error, 'FLOTILLA_STOPPED')) this.#stopped = true;
        answered();
        return;
      }
      answered();
      if (this.isPending) this.#soon();
    });
  }

  /** What was said since stays. */
  #delivered(rows: readonly ReportRow[], votes: readonly Vote[], name: string | null): void {
    this.#heard = name;
    for (const row of rows) if (this.#rows.get(row.shard) === row) this.#rows.delete(row.shard);
    for (const vote of votes) {
      const key = `${vote.shard} ${vote.transaction}`;
      if (this.#votes.get(key) === vote) this.#votes.delete(key);
    }
  }
}
