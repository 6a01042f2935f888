import type { Index, NodeId, Ref } from './types.ts';

/** Somebody who wants to know from which index on a read is linearizable. */
export interface PendingRead {
  /** 0: this member's own host. */
  readonly from: NodeId;
  readonly ref: Ref;
  readonly incarnation: number;
}

/** Reads that one round of heartbeats confirms. */
export interface ReadRound {
  readonly sequence: number;
  /** The commit index when the round began: not before any of its reads was asked. */
  readonly index: Index;
  readonly reads: readonly PendingRead[];
  /** Who has confirmed that this leader still was one. */
  readonly confirmed: Map<NodeId, boolean>;
}

/**
 * ReadIndex (§6.4 of the dissertation): a leader asks a quorum whether it still leads, and reads at the commit index
 * that it had when it asked. One round is out at a time; reads that come meanwhile share the next one, because an
 * answer to the present round may have been given before they were asked. Rounds are numbered here and never twice:
 * a client's own number may come back in another life and find an old answer (etcd-io/etcd #20418).
 */
export class ReadRounds {
  #sequence = 0;
  #waiting: PendingRead[] = [];
  #round: ReadRound | null = null;

  get round(): ReadRound | null {
    return this.#round;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get pending(): number {
    return this.#waiting.length + (this.#round?.reads.length ?? 0);
  }

  add(read: PendingRead): void {
    this.#waiting.push(read);
  }

  begin(self: NodeId, index: Index): ReadRound {
    this.#sequence += 1;
    const confirmed = new Map<NodeId, boolean>([[self, true]]);
    this.#round = { sequence: this.#sequence, index, reads: this.#waiting, confirmed };
    this.#waiting = [];
    return this.#round;
  }

  finish(): void {
    this.#round = null;
  }

  /** Leadership is over: nobody can confirm these any more. */
  abandon(): readonly PendingRead[] {
    const abandoned = this.#round === null ? this.#waiting : [...this.#round.reads, ...this.#waiting];
    this.#waiting = [];
    this.#round = null;
    return abandoned;
  }
}
