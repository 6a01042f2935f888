import type { Platform, Timer } from '@flotilla/platform';
import { assert, messageOf } from '@flotilla/platform';
import type { SnapshotMeta, Term } from '../core/types.ts';
import type { HostLimits } from './limits.ts';
import type { SnapshotFailure } from './messages.ts';
import type { HostMetrics } from './metrics.ts';
import type { PeerLink } from './peer-link.ts';
import type { SnapshotThrottle } from './snapshot-throttle.ts';
import type { GroupId, SnapshotSource } from './types.ts';

export interface SnapshotSendOptions {
  readonly platform: Platform;
  readonly limits: HostLimits;
  readonly metrics: HostMetrics;
  readonly throttle: SnapshotThrottle;
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
  /** Called once, when it is known what became of it; null: the receiver has taken it in. */
  readonly over: (failure: SnapshotFailure | null) => void;
}

interface Chunk {
  readonly number: number;
  readonly checksum: number;
  readonly bytes: Uint8Array;
}

/**
 * - `streaming`: chunks leave.
 * - `cut`: the connection is broken; the source stays pinned, for a while.
 * - `asking`: there is a connection again, and the receiver is asked how far it is.
 */
type Phase = 'streaming' | 'cut' | 'asking';

/**
 * One snapshot on its way to a peer: chunks leave as long as no more than a window of them is unwritten over there, so
 * that neither side holds more than that in memory, however slow the other's disk is. The window stays in memory until
 * the receiver has written it: a source cannot be read twice, and after a broken connection the receiver may be anywhere
 * within it.
 */
export class SnapshotSend {
  readonly meta: SnapshotMeta;
  readonly link: PeerLink;
  readonly group: GroupId;
  readonly transfer: number;
  /** The life of the receiver that it goes to: another one has nothing of it. */
  readonly incarnation: number;
  /** The core waits to hear what becomes of it. */
  asked: boolean;
  readonly #options: SnapshotSendOptions;
  #phase: Phase = 'streaming';
  /** Chunks that were read and are not known to be written over there; the first has number `#written`. */
  readonly #window: Chunk[] = [];
  #written = 0;
  #writtenBytes = 0;
  /** The number of the chunk that leaves next. */
  #next = 0;
  #readBytes = 0;
  #checksum = 0;
  #exhausted = false;
  #endSent = false;
  /** The chunk that the throttle was asked for, and when it may leave. */
  #paid: Chunk | null = null;
  #leavesAtMs = 0;
  #over = false;
  #wake: (() => void) | null = null;
  #stall: Timer | null = null;
  #resume: Timer | null = null;

  constructor(options: SnapshotSendOptions) {
    this.#options = options;
    this.meta = options.meta;
    this.link = options.link;
    this.group = options.group;
    this.transfer = options.transfer;
    this.incarnation = options.link.incarnation;
    this.asked = options.session > 0;
  }

  get isCut(): boolean {
    return this.#phase === 'cut';
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** Resolves when the source is let go of, which may be after it is over: a read that is on its way is waited for. */
  async run(): Promise<void> {
    const { source, platform, metrics, group } = this.#options;
    try {
      this.#greet(false);
      await this.#stream();
    } catch (error) {
      // The state machine's. Whoever waits must hear it: silence would be taken for a slow transfer.
      metrics.snapshotsUnreadable += 1;
      platform.log.error('the state cannot be read for a snapshot', { group, reason: messageOf(error) });
      this.#giveUp('FLOTILLA_SNAPSHOT_UNREADABLE');
    } finally {
      source.release();
    }
  }

  /** The receiver has written this many chunks. */
  progressed(chunks: number): void {
    if (chunks <= this.#written || chunks > this.#next) return;
    this.#moveWindow(chunks);
    this.#armStall();
    this.#wakeUp();
  }

  /** The connection broke. */
  cut(): void {
    if (this.#over) return;
    this.#phase = 'cut';
    this.#stall?.cancel();
    const { platform, limits } = this.#options;
    // One bound for all attempts until it goes on.
    this.#resume ??= platform.timer(limits.snapshotResumeMs, 'snapshot-send-resume', () =>
      this.finished('FLOTILLA_SNAPSHOT_CUT'),
    );
  }

  /** There is a connection to the same life of the receiver again. */
  reconnected(): void {
    if (this.#over || this.#phase !== 'cut') return;
    this.#phase = 'asking';
    this.#greet(true);
  }

  /** The receiver says how far it is. What it has not written leaves again. */
  resumed(chunks: number, sizeBytes: number): void {
    if (this.#over || this.#phase !== 'asking') return;
    const known = chunks >= this.#written && chunks <= this.#written + this.#window.length;
    if (known) this.#moveWindow(chunks);
    if (!known || sizeBytes !== this.#writtenBytes) {
      this.#giveUp('FLOTILLA_SNAPSHOT_CUT');
      return;
    }
    this.#options.metrics.snapshotResumes += 1;
    this.#resume?.cancel();
    this.#resume = null;
    this.#phase = 'streaming';
    this.#next = chunks;
    this.#endSent = false;
    this.#armStall();
    this.#wakeUp();
  }

  /** Idempotent. */
  finished(failure: SnapshotFailure | null): void {
    if (this.#over) return;
    this.#over = true;
    this.#stall?.cancel();
    this.#resume?.cancel();
    this.#window.length = 0;
    this.#wakeUp();
    if (failure === null) this.#options.metrics.snapshotsSent += 1;
    this.#options.over(failure);
  }

  #giveUp(failure: SnapshotFailure): void {
    if (this.#over) return;
    this.link.sendHost({ type: 'snapshot-cancel', transfer: this.transfer, failure });
    this.#options.flushSoon();
    this.finished(failure);
  }

  #greet(resumes: boolean): void {
    const { group, transfer, term, session, meta, flushSoon } = this.#options;
    this.link.sendHost({ type: 'snapshot-begin', group, transfer, term, session, resumes, meta });
    flushSoon();
    this.#armStall();
  }

  async #stream(): Promise<void> {
    const { source, limits } = this.#options;
    const chunks = source.chunks()[Symbol.asyncIterator]();
    while (!this.#over) {
      const chunk = this.#window[this.#next - this.#written];
      if (this.#phase !== 'streaming') await this.#woken();
      else if (chunk !== undefined) await this.#sendWhenPaid(chunk);
      else if (!this.#exhausted && this.#window.length < limits.snapshotWindowChunks)
        await this.#read(chunks);
      else {
        if (this.#exhausted) this.#sendEnd();
        await this.#woken();
      }
    }
    if (!this.#exhausted) await chunks.return?.();
  }

  async #read(chunks: AsyncIterator<Uint8Array>): Promise<void> {
    const { platform, limits } = this.#options;
    const next = await chunks.next();
    if (this.#over) return;
    if (next.done === true) {
      this.#exhausted = true;
      return;
    }
    const bytes = next.value;
    assert(bytes.length <= limits.snapshotChunkBytes, 'a chunk of a snapshot is within its bound');
    const number = this.#written + this.#window.length;
    this.#window.push({ number, checksum: platform.checksum(bytes), bytes });
    this.#checksum = platform.checksum(bytes, this.#checksum);
    this.#readBytes += bytes.length;
  }

  async #sendWhenPaid(chunk: Chunk): Promise<void> {
    const { platform } = this.#options;
    if (this.#paid !== chunk) this.#pay(chunk);
    if (platform.now() < this.#leavesAtMs) await this.#woken();
    else this.#sendChunk(chunk);
  }

  #pay(chunk: Chunk): void {
    const { platform, throttle, metrics } = this.#options;
    const waitMs = throttle.take(chunk.bytes.length);
    this.#paid = chunk;
    this.#leavesAtMs = platform.now() + waitMs;
    if (waitMs <= 0) return;
    metrics.snapshotThrottleWaits += 1;
    metrics.snapshotThrottleMs += waitMs;
    platform.timer(waitMs, 'snapshot-throttle', () => this.#wakeUp());
  }

  #sendChunk({ number, checksum, bytes }: Chunk): void {
    const { metrics, flushSoon, transfer } = this.#options;
    this.link.sendHost({ type: 'snapshot-chunk', transfer, number, checksum, bytes });
    this.#next = number + 1;
    metrics.snapshotChunksSent += 1;
    metrics.snapshotBytesSent += bytes.length;
    flushSoon();
  }

  #sendEnd(): void {
    if (this.#endSent) return;
    this.#endSent = true;
    const { transfer, flushSoon } = this.#options;
    const chunks = this.#written + this.#window.length;
    this.link.sendHost({
      type: 'snapshot-end',
      transfer,
      chunks,
      sizeBytes: this.#readBytes,
      checksum: this.#checksum,
    });
    flushSoon();
  }

  #moveWindow(to: number): void {
    const moved = this.#window.splice(0, to - this.#written);
    for (const { bytes } of moved) this.#writtenBytes += bytes.length;
    this.#written = to;
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
    const { platform, limits } = this.#options;
    this.#stall?.cancel();
    this.#stall = platform.timer(limits.snapshotStallMs, 'snapshot-send-stall', () =>
      this.#giveUp('FLOTILLA_SNAPSHOT_CUT'),
    );
  }
}
