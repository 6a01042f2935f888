import { messageOf, type Platform, type Timer } from '@flotilla/platform';
import type { SessionUse } from '@flotilla/store';
import { limits } from '../limits.ts';

export interface SessionExpiryParts {
  readonly platform: Platform;
  /** How long a session may be idle. */
  readonly idleMs: number;
  /** Of the last entry that this member has applied. */
  readonly appliedIndex: () => number;
  /** Those used least recently first. */
  readonly uses: () => Iterable<SessionUse>;
  /** Only the leader proposes; the others would only repeat it. */
  readonly leads: () => boolean;
  /** Through the log, which lets those live that were used after all. */
  readonly expire: (uses: readonly SessionUse[]) => Promise<void>;
}

/**
 * Ends sessions that nobody has used for long. Every member samples which entry it has applied at what time of its own
 * monotonic clock: a session whose last use lies at or before the entry of a sample has been idle since then. So
 * whoever leads next goes on where the last one was, and what a restart forgets makes sessions live longer, not
 * shorter. The samples are bounded: one each `limits.sessionCheckMs`.
 */
export class SessionExpiry {
  readonly #parts: SessionExpiryParts;
  readonly #checkMs: number;
  #samples: { readonly atMs: number; readonly index: number }[] = [];
  #timer: Timer | null = null;
  #stopped = false;

  constructor(parts: SessionExpiryParts) {
    this.#parts = parts;
    this.#checkMs = Math.min(limits.sessionCheckMs, parts.idleMs);
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = this.#parts.platform.timer(this.#checkMs, 'session-expiry', () => {
      this.#parts.platform.spawn('session-expiry', () => this.#check());
    });
  }

  async #check(): Promise<void> {
    const idle = this.#idle();
    if (idle.length > 0 && this.#parts.leads()) {
      try {
        await this.#parts.expire(idle);
      } catch (error) {
        this.#parts.platform.log.warn('idle sessions could not be ended, will be tried again', {
          error: messageOf(error),
        });
      }
    }
    this.#schedule();
  }

  /** As many as one proposal takes; the rest comes with the next check. */
  #idle(): SessionUse[] {
    const { platform, idleMs } = this.#parts;
    const nowMs = platform.now();
    this.#samples.push({ atMs: nowMs, index: this.#parts.appliedIndex() });
    let since = 0;
    while ((this.#samples[1]?.atMs ?? Infinity) <= nowMs - idleMs) this.#samples.shift();
    const [oldest] = this.#samples;
    if (oldest !== undefined && oldest.atMs <= nowMs - idleMs) since = oldest.index;
    const idle: SessionUse[] = [];
    for (const use of this.#parts.uses()) {
      if (use.usedAt > since || idle.length === limits.sessionsPerExpiry) break;
      idle.push(use);
    }
    return idle;
  }
}
