import type { Platform, Timer } from '@flotilla/platform';
import type { Group, RoleChange } from '@flotilla/raft';

/** Who leads, as this member knows it, and since when. */
export class Leadership {
  readonly #platform: Platform;
  readonly #electionTimeoutMs: number;
  readonly #unsubscribe: () => void;
  readonly #listeners = new Set<() => void>();
  #leader: number;
  #raftTerm: bigint;
  /** When the present leader became known, or when the last one was lost. */
  #sinceMs: number;

  constructor(platform: Platform, group: Group<unknown>, electionTimeoutMs: number) {
    this.#platform = platform;
    this.#electionTimeoutMs = electionTimeoutMs;
    const { leader, term } = group.status();
    this.#leader = leader;
    this.#raftTerm = BigInt(term);
    this.#sinceMs = platform.now();
    this.#unsubscribe = group.onRoleChange((change) => this.#changed(change));
  }

  /** As headers carry it. */
  get raftTerm(): bigint {
    return this.#raftTerm;
  }

  get known(): boolean {
    return this.#leader !== 0;
  }

  /**
   * Whether a request that began at `startMs` may have been lost with the leader before: etcd's rule, which counts
   * two election time-outs before the present leader's election as the time in which that one was failing.
   */
  electedDuring(startMs: number): boolean {
    return startMs > this.#sinceMs - 2 * this.#electionTimeoutMs && startMs < this.#sinceMs;
  }

  /** Called when a leader is found or lost. The answer unsubscribes. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Called once when no leader has been known for `patienceMs`. The answer unsubscribes. */
  onLost(patienceMs: number, listener: () => void): () => void {
    let timer: Timer | null = null;
    const look = (): void => {
      timer?.cancel();
      timer = null;
      if (this.known) return;
      const leftMs = Math.max(0, patienceMs - (this.#platform.now() - this.#sinceMs));
      timer = this.#platform.timer(leftMs, 'leader-lost', () => {
        stop();
        listener();
      });
    };
    const unsubscribe = this.onChange(look);
    const stop = (): void => {
      unsubscribe();
      timer?.cancel();
    };
    look();
    return stop;
  }

  stop(): void {
    this.#unsubscribe();
    this.#listeners.clear();
  }

  #changed(change: RoleChange): void {
    this.#raftTerm = BigInt(change.term);
    if (change.leader === this.#leader) return;
    this.#leader = change.leader;
    this.#sinceMs = this.#platform.now();
    for (const listener of this.#listeners) listener();
  }
}
