import { messageOf, type Platform, type Timer } from '@flotilla/platform';
import type { AutoCompaction } from '../configuration/configuration.ts';
import { limits } from '../limits.ts';

/** What the compactor needs of its member. */
export interface CompactionTarget {
  currentRevision(): number;
  compactedRevision(): number;
  /** Only the leader proposes; the others would only repeat it. */
  leads(): boolean;
  compact(revision: number): Promise<void>;
}

/**
 * Forgets history that is older than the retention, by etcd's rules: `periodic` samples the revision ten times a
 * period (an hour at most) and compacts once a period to what was current one retention ago; `revision` looks every
 * five minutes and keeps the last so many revisions. A sample is one time and one number, and their count is bounded.
 */
export class AutoCompactor {
  readonly #platform: Platform;
  readonly #policy: AutoCompaction;
  readonly #target: CompactionTarget;
  readonly #intervalMs: number;
  #samples: { readonly atMs: number; readonly revision: number }[] = [];
  #lastCompactionMs: number;
  #timer: Timer | null = null;
  #stopped = false;

  constructor(platform: Platform, policy: AutoCompaction, target: CompactionTarget) {
    this.#platform = platform;
    this.#policy = policy;
    this.#target = target;
    this.#intervalMs =
      policy.mode === 'revision' ? limits.revisionCompactionMs : periodMs(policy.retentionMs) / 10;
    this.#lastCompactionMs = platform.now();
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = this.#platform.timer(this.#intervalMs, 'auto-compaction', () => {
      this.#platform.spawn('auto-compaction', () => this.#look());
    });
  }

  async #look(): Promise<void> {
    const revision =
      this.#policy.mode === 'revision' ? this.#byRevision(this.#policy) : this.#byTime(this.#policy);
    if (revision !== null && this.#target.leads() && revision > this.#target.compactedRevision()) {
      try {
        await this.#target.compact(revision);
        this.#lastCompactionMs = this.#platform.now();
        this.#platform.log.info('compacted by retention', { revision });
      } catch (error) {
        this.#platform.log.warn('compaction by retention failed, will be tried again', {
          revision,
          error: messageOf(error),
        });
      }
    }
    this.#schedule();
  }

  #byRevision(policy: AutoCompaction & { readonly mode: 'revision' }): number | null {
    const revision = this.#target.currentRevision() - policy.retention;
    return revision > 0 ? revision : null;
  }

  #byTime(policy: AutoCompaction & { readonly mode: 'periodic' }): number | null {
    const now = this.#platform.now();
    this.#samples.push({ atMs: now, revision: this.#target.currentRevision() });
    const old = this.#samples.filter((sample) => sample.atMs <= now - policy.retentionMs);
    const newestOld = old.at(-1);
    if (newestOld === undefined) return null;
    // Older samples are of no use any more.
    this.#samples = this.#samples.slice(old.length - 1);
    return now - this.#lastCompactionMs >= periodMs(policy.retentionMs) ? newestOld.revision : null;
  }
}

/** A retention of a day is still looked at every hour. */
function periodMs(retentionMs: number): number {
  return Math.min(retentionMs, 3_600_000);
}
