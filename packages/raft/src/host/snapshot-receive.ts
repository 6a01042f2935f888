import type { Platform, Timer } from '@flotilla/platform';
import type { HostLimits } from './limits.ts';
import type { HostMessage } from './messages.ts';
import type { HostMetrics } from './metrics.ts';
import type { PeerLink } from './peer-link.ts';
import { Queue } from './queue.ts';
import type { SnapshotSink } from './types.ts';

export type SnapshotBegin = Extract<HostMessage, { type: 'snapshot-begin' }>;
type SnapshotPart = Extract<HostMessage, { type: 'snapshot-chunk' | 'snapshot-end' }>;

export interface SnapshotReceiveOptions {
  readonly platform: Platform;
  readonly limits: HostLimits;
  readonly metrics: HostMetrics;
  readonly link: PeerLink;
  readonly begin: SnapshotBegin;
  readonly open: () => Promise<SnapshotSink>;
  readonly flushSoon: () => void;
}

/**
 * One snapshot that a peer streams here, into the state machine. What is wrong with the stream (a cut, a gap, a wrong
 * checksum) aborts it and is a failed transfer; what is wrong with the state machine rejects {@link run} and stops the
 * member.
 */
export class SnapshotReceive {
  readonly begin: SnapshotBegin;
  readonly link: PeerLink;
  readonly #options: SnapshotReceiveOptions;
  readonly #parts = new Queue<SnapshotPart>();
  #aborted = false;
  #wake: (() => void) | null = null;
  #stall: Timer | null = null;

  constructor(options: SnapshotReceiveOptions) {
    this.#options = options;
    this.begin = options.begin;
    this.link = options.link;
  }

  /** Resolves when the sink has finished (true) or has given up (false). */
  async run(): Promise<boolean> {
    this.#armStall();
    const sink = await this.#options.open();
    try {
      const whole = await this.#takeIn(sink);
      if (!whole || this.#aborted) {
        await sink.abort();
        return false;
      }
      this.#stall?.cancel();
      await sink.finish();
      this.#options.metrics.snapshotsReceived += 1;
      return true;
    } finally {
      this.#stall?.cancel();
    }
  }

  offer(part: SnapshotPart): void {
    // A sender that ignores the window would fill our memory.
    if (this.#parts.length > this.#options.limits.snapshotWindowChunks) this.abort();
    else this.#parts.push(part);
    this.#wakeUp();
  }

  /** The connection broke, the sender gave up, or this member stops. */
  abort(): void {
    this.#aborted = true;
    this.#wakeUp();
  }

  async #takeIn(sink: SnapshotSink): Promise<boolean> {
    const { platform, metrics, link, begin, flushSoon } = this.#options;
    let chunks = 0;
    let sizeBytes = 0;
    let checksum = 0;
    for (;;) {
      const part = await this.#next();
      if (part === null) return false;
      if (part.type === 'snapshot-end') {
        return part.chunks === chunks && part.sizeBytes === sizeBytes && part.checksum === checksum;
      }
      if (part.number !== chunks) return false;
      checksum = platform.checksum(part.bytes, checksum);
      sizeBytes += part.bytes.length;
      await sink.write(part.bytes);
      chunks += 1;
      metrics.snapshotBytesReceived += part.bytes.length;
      this.#armStall();
      link.sendHost({ type: 'snapshot-progress', transfer: begin.transfer, chunks });
      flushSoon();
    }
  }

  /** Null: aborted. */
  async #next(): Promise<SnapshotPart | null> {
    for (;;) {
      if (this.#aborted) return null;
      const part = this.#parts.shift();
      if (part !== undefined) return part;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  #armStall(): void {
    const { platform, limits } = this.#options;
    this.#stall?.cancel();
    this.#stall = platform.timer(limits.snapshotStallMs, 'snapshot-receive-stall', () => this.abort());
  }
}
