import type { Platform, Timer } from '@flotilla/platform';
import { assert } from '@flotilla/platform';
import type { SnapshotMeta, Term } from '../core/types.ts';
import type { HostLimits } from './limits.ts';
import type { HostMetrics } from './metrics.ts';
import type { PeerLink } from './peer-link.ts';
import type { GroupId, SnapshotSource } from './types.ts';

export interface SnapshotSendOptions {
  readonly platform: Platform;
  readonly limits: HostLimits;
  readonly metrics: HostMetrics;
  readonly link: PeerLink;
  readonly group: GroupId;
  readonly transfer: number;
  /** Of the core's wish; both 0 when the receiver asked. */
  readonly term: Term;
  readonly session: number;
  readonly meta: SnapshotMeta;
  readonly source: SnapshotSource;
  /** What was queued on the link should leave with the end of this turn. */
  readonly flushSoon: () => void;
}

/**
 * One snapshot on its way to a peer: chunks leave as long as no more than a window of them is unwritten over there, so
 * that neither side holds more than that in memory, however slow the other's disk is.
 */
export class SnapshotSend {
  readonly meta: SnapshotMeta;
  readonly link: PeerLink;
  readonly group: GroupId;
  readonly transfer: number;
  readonly #options: SnapshotSendOptions;
  #sent = 0;
  #written = 0;
  #result: boolean | null = null;
  #wake: (() => void) | null = null;
  #stall: Timer | null = null;

  constructor(options: SnapshotSendOptions) {
    this.#options = options;
    this.meta = options.meta;
    this.link = options.link;
    this.group = options.group;
    this.transfer = options.transfer;
  }

  /** Whether the receiver has taken it in. Rejects when the state machine cannot read its own state. */
  async run(): Promise<boolean> {
    const { source, metrics } = this.#options;
    try {
      const arrived = await this.#stream();
      if (arrived) metrics.snapshotsSent += 1;
      return arrived;
    } finally {
      this.#stall?.cancel();
      source.release();
    }
  }

  /** The receiver has written this many chunks. */
  progressed(chunks: number): void {
    if (chunks <= this.#written || chunks > this.#sent) return;
    this.#written = chunks;
    this.#armStall();
    this.#wakeUp();
  }

  finished(ok: boolean): void {
    this.#result ??= ok;
    this.#wakeUp();
  }

  async #stream(): Promise<boolean> {
    const { platform, limits, metrics, link, source, group, term, session, meta, transfer, flushSoon } =
      this.#options;
    let sizeBytes = 0;
    let checksum = 0;
    link.sendHost({ type: 'snapshot-begin', group, transfer, term, session, meta });
    flushSoon();
    this.#armStall();
    for await (const bytes of source.chunks()) {
      assert(bytes.length <= limits.snapshotChunkBytes, 'a chunk of a snapshot is within its bound');
      while (this.#result === null && this.#sent - this.#written >= limits.snapshotWindowChunks) {
        await this.#woken();
      }
      if (this.#result !== null) return false;
      checksum = platform.checksum(bytes, checksum);
      sizeBytes += bytes.length;
      link.sendHost({ type: 'snapshot-chunk', transfer, number: this.#sent, bytes });
      this.#sent += 1;
      metrics.snapshotBytesSent += bytes.length;
      flushSoon();
    }
    if (this.#result !== null) return false;
    link.sendHost({ type: 'snapshot-end', transfer, chunks: this.#sent, sizeBytes, checksum });
    flushSoon();
    while (this.#result === null) await this.#woken();
    return this.#result;
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  #armStall(): void {
    const { platform, limits, link, flushSoon } = this.#options;
    this.#stall?.cancel();
    this.#stall = platform.timer(limits.snapshotStallMs, 'snapshot-send-stall', () => {
      if (this.#result !== null) return;
      link.sendHost({ type: 'snapshot-cancel', transfer: this.transfer });
      flushSoon();
      this.finished(false);
    });
  }
}
