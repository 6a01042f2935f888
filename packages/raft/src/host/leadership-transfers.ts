import { FlotillaError } from '@flotilla/platform';
import { isVoter } from '../core/quorum.ts';
import type { CoreView, NodeId, RaftCore } from '../core/types.ts';

/** Who of this member's callers waits for another leader. */
export class LeadershipTransfers {
  readonly #core: RaftCore;
  readonly #view: CoreView;
  readonly #retryMs: number;
  #pending: Set<PendingTransfer> = noTransfers;
  #closed: FlotillaError | null = null;

  constructor(core: RaftCore, retryMs: number) {
    this.#core = core;
    this.#view = core.inspect();
    this.#retryMs = retryMs;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** `to` null: whoever of the other voters this leader knows to have most of its log. */
  add(to: NodeId | null, nowMs: number, deadlineMs: number): Promise<void> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    const target = to ?? this.#best();
    if (target instanceof FlotillaError) return Promise.reject(target);
    if (!isVoter(this.#view.configuration, target)) {
      return Promise.reject(
        new FlotillaError('FLOTILLA_TRANSFER_TARGET', `member ${target} does not vote and cannot lead`),
      );
    }
    if (this.#view.leader === target) return Promise.resolve();
    return new Promise((resolve, reject) => {
      if (this.#pending === noTransfers) this.#pending = new Set();
      this.#pending.add({ target, anybody: to === null, deadlineMs, retryAtMs: nowMs, resolve, reject });
      this.step(nowMs);
    });
  }

  /** Asks the core again when the leader has given up meanwhile, or when the wish may have been lost on its way. */
  step(nowMs: number): void {
    for (const pending of this.#pending) {
      if (pending.retryAtMs > nowMs || this.#view.leader === 0) continue;
      pending.retryAtMs = nowMs + this.#retryMs;
      this.#core.step({ type: 'transfer', to: pending.target });
    }
  }

  leaderChanged(): void {
    const { leader, id } = this.#view;
    if (leader === 0) return;
    for (const pending of this.#pending) {
      if (leader !== pending.target && !(pending.anybody && leader !== id)) continue;
      this.#pending.delete(pending);
      pending.resolve();
    }
  }

  sweep(nowMs: number): void {
    for (const pending of this.#pending) {
      if (pending.deadlineMs > nowMs) continue;
      this.#pending.delete(pending);
      pending.reject(
        new FlotillaError(
          'FLOTILLA_TRANSFER_TIMEOUT',
          `member ${pending.target} did not become leader in time`,
        ),
      );
    }
    this.step(nowMs);
  }

  close(error: FlotillaError): void {
    this.#closed ??= error;
    for (const pending of this.#pending) pending.reject(error);
    this.#pending.clear();
  }

  #best(): NodeId | FlotillaError {
    const { role, progress, id } = this.#view;
    if (role !== 'leader') {
      return new FlotillaError('FLOTILLA_NOT_LEADER', 'only the leader knows who could take over');
    }
    let best: NodeId | null = null;
    let bestMatch = -1;
    for (const [peer, { match, active, learner }] of progress) {
      if (peer === id || learner || !active || match <= bestMatch) continue;
      best = peer;
      bestMatch = match;
    }
    return (
      best ?? new FlotillaError('FLOTILLA_TRANSFER_TARGET', 'no other voter is alive: nobody could take over')
    );
  }
}

interface PendingTransfer {
  readonly target: NodeId;
  /** Any other leader will do. */
  readonly anybody: boolean;
  readonly deadlineMs: number;
  retryAtMs: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Shared by all groups that have none, which is most of them: never written. */
const noTransfers: Set<PendingTransfer> = new Set();
