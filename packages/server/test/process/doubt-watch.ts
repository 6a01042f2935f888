import { type MemberProcess, pause } from './process-cluster.ts';

const pollMs = 250;
const timeoutMs = 2_000;

/** What the replicas of one member have not finished. */
export interface Unfinished {
  readonly prepared: number;
  readonly oldestMs: number;
  readonly waiting: number;
  readonly draining: number;
}

/**
 * Looks all the time at which transactions hold locks, on every member, and for how long: while a fault lasts they may, and
 * after it each has to be decided soon.
 */
export class DoubtWatch {
  /** The longest that a transaction was in doubt after everybody was back. */
  longestMs = 0;
  readonly #running: Promise<unknown>;
  /** Of the last fault's end; null: there is one. */
  #calmSinceMs: number | null = null;
  #stopped = false;

  constructor(members: readonly MemberProcess[]) {
    this.#running = Promise.all(members.map((member) => this.#watch(member)));
  }

  faultBegins(): void {
    this.#calmSinceMs = null;
  }

  faultEnds(): void {
    this.#calmSinceMs = performance.now();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #watch(member: MemberProcess): Promise<void> {
    while (!this.#stopped) {
      const calmSinceMs = this.#calmSinceMs;
      const found = await unfinishedOf(member);
      // A fault that has begun meanwhile may be why.
      if (found !== null && calmSinceMs !== null && calmSinceMs === this.#calmSinceMs) {
        const calmMs = performance.now() - calmSinceMs;
        this.longestMs = Math.max(this.longestMs, Math.min(found.oldestMs, calmMs));
      }
      await pause(pollMs);
    }
  }
}

/** Null: the member does not answer. */
export async function unfinishedOf({ endpoint }: MemberProcess): Promise<Unfinished | null> {
  let page: string;
  try {
    const response = await fetch(`${endpoint}/metrics`, { signal: AbortSignal.timeout(timeoutMs) });
    page = await response.text();
  } catch {
    return null;
  }
  const value = (name: string): number =>
    Number(new RegExp(`^flotilla_shard_${name} (\\S+)$`, 'm').exec(page)?.[1] ?? 0);
  return {
    prepared: value('transactions_prepared'),
    oldestMs: 1_000 * value('oldest_prepared_seconds'),
    waiting: value('requests_waiting'),
    draining: value('replicas_draining'),
  };
}
