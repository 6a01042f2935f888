import { isFlotillaError, messageOf } from '@flotilla/platform';
import type { Platform, Timer } from '@flotilla/platform';
import type { HostLimits } from './limits.ts';
import type { HostMessage, SnapshotFailure } from './messages.ts';
import type { HostMetrics } from './metrics.ts';
import type { PeerLink } from './peer-link.ts';
import { Queue } from './queue.ts';
import type { SnapshotSink } from './types.ts';

export type SnapshotBegin = Extract<HostMessage, { type: 'snapshot-begin' }>;
type SnapshotChunk = Extract<HostMessage, { type: 'snapshot-chunk' }>;
type SnapshotEnd = Extract<HostMessage, { type: 'snapshot-end' }>;

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
 * One snapshot that a peer streams here, into the state machine. What is wrong with the stream (damage, a gap, a cut that
 * lasts, a newer version) is a failed transfer, and everything that came is dropped; what is wrong with the state machine rejects
 * {@link run} and stops the member.
 *
 * A broken connection alone drops only what is not written yet: the sender keeps that, and goes on from what is.
 */
export class SnapshotReceive {
  readonly begin: SnapshotBegin;
  readonly link: PeerLink;
  /** The life of the sender: another one cannot go on with it. */
  readonly incarnation: number;
  readonly #options: SnapshotReceiveOptions;
  readonly #parts = new Queue<SnapshotChunk | SnapshotEnd>();
  #chunks = 0;
  #sizeBytes = 0;
  #checksum = 0;
  #failure: SnapshotFailure | null = null;
  #isCut = false;
  /** Everything is here, and becomes the state: nothing can go wrong with the stream any more. */
  #isWhole = false;
  #resumeDue = false;
  #wake: (() => void) | null = null;
  #stall: Timer | null = null;
  #resume: Timer | null = null;

  constructor(options: SnapshotReceiveOptions) {
    this.#options = options;
    this.begin = options.begin;
    this.link = options.link;
    this.incarnation = options.link.incarnation;
  }

  /** Nothing will come of it, or only when its sender comes back: another one may take its place. */
  get replaceable(): boolean {
    return !this.#isWhole && (this.#isCut || this.#failure !== null);
  }

  get chunks(): number {
    return this.#chunks;
  }

  /** Resolves when the sink has finished (null) or has given up (why). */
  async run(): Promise<SnapshotFailure | null> {
    this.#armStall();
    const sink = await this.#options.open();
    while (this.#failure === null && !this.#isWhole) await this.#step(sink);
    this.#stall?.cancel();
    this.#resume?.cancel();
    if (!this.#isWhole) {
      await sink.abort();
      return this.#failure;
    }
    await sink.finish();
    this.#options.metrics.snapshotsReceived += 1;
    return null;
  }

  offer(part: SnapshotChunk | SnapshotEnd): void {
    // What was on its way when the connection broke comes again after the resumption.
    if (this.#isCut || this.#resumeDue) return;
    // A sender that ignores the window would fill our memory.
    if (this.#parts.length > this.#options.limits.snapshotWindowChunks) this.abort('FLOTILLA_SNAPSHOT_CUT');
    else this.#parts.push(part);
    this.#wakeUp();
  }

  /** The sender gave up, its life has ended, another one takes its place, or this member stops. */
  abort(failure: SnapshotFailure): void {
    this.#failure ??= failure;
    this.#wakeUp();
  }

  /** The connection broke. */
  cut(): void {
    if (this.#isWhole || this.#isCut) return;
    const { platform, limits } = this.#options;
    this.#isCut = true;
    this.#resumeDue = false;
    this.#stall?.cancel();
    while (this.#parts.shift() !== undefined);
    // One bound for all attempts until it goes on.
    this.#resume ??= platform.timer(limits.snapshotResumeMs, 'snapshot-receive-resume', () =>
      this.abort('FLOTILLA_SNAPSHOT_CUT'),
    );
  }

  /** The sender is back and asks from where to go on. It hears so when a write that is on its way is done. */
  resume(): void {
    if (!this.#isCut) return;
    this.#isCut = false;
    this.#resumeDue = true;
    this.#wakeUp();
  }

  async #step(sink: SnapshotSink): Promise<void> {
    if (this.#resumeDue) this.#sayHowFar();
    const part = this.#parts.shift();
    if (part === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    } else if (part.type === 'snapshot-chunk') await this.#write(sink, part);
    else this.#end(part);
  }

  async #write(sink: SnapshotSink, chunk: SnapshotChunk): Promise<void> {
    const { platform, metrics, link, begin, flushSoon } = this.#options;
    if (chunk.number !== this.#chunks || platform.checksum(chunk.bytes) !== chunk.checksum) {
      this.#damaged();
      return;
    }
    this.#checksum = platform.checksum(chunk.bytes, this.#checksum);
    if (!(await this.#taken(sink, chunk))) return;
    this.#chunks += 1;
    this.#sizeBytes += chunk.bytes.length;
    metrics.snapshotChunksReceived += 1;
    metrics.snapshotBytesReceived += chunk.bytes.length;
    if (this.#isCut || this.#resumeDue) return;
    this.#armStall();
    link.sendHost({ type: 'snapshot-progress', transfer: begin.transfer, chunks: this.#chunks });
    flushSoon();
  }

  /** False: it is refused. Stopping for it would help nobody: after a restart it would come again. */
  async #taken(sink: SnapshotSink, chunk: SnapshotChunk): Promise<boolean> {
    try {
      await sink.write(chunk.bytes);
      return true;
    } catch (error) {
      if (isFlotillaError(error, 'FLOTILLA_SNAPSHOT_BUSY')) {
        this.abort('FLOTILLA_SNAPSHOT_BUSY');
        return false;
      }
      if (!isFlotillaError(error, 'FLOTILLA_SNAPSHOT_VERSION')) throw error;
      this.#options.platform.log.error('a snapshot comes from a newer version: upgrade this member', {
        peer: this.link.id,
        reason: messageOf(error),
      });
      this.abort('FLOTILLA_SNAPSHOT_VERSION');
      return false;
    }
  }

  #end(end: SnapshotEnd): void {
    const whole =
      end.chunks === this.#chunks && end.sizeBytes === this.#sizeBytes && end.checksum === this.#checksum;
    if (whole) this.#isWhole = true;
    else this.#damaged();
  }

  #damaged(): void {
    this.#options.metrics.snapshotsDamaged += 1;
    this.abort('FLOTILLA_SNAPSHOT_DAMAGED');
  }

  #sayHowFar(): void {
    const { metrics, link, begin, flushSoon } = this.#options;
    this.#resumeDue = false;
    this.#resume?.cancel();
    this.#resume = null;
    metrics.snapshotResumes += 1;
    this.#armStall();
    link.sendHost({
      type: 'snapshot-resume',
      transfer: begin.transfer,
      chunks: this.#chunks,
      sizeBytes: this.#sizeBytes,
    });
    flushSoon();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  #armStall(): void {
    const { platform, limits } = this.#options;
    this.#stall?.cancel();
    this.#stall = platform.timer(limits.snapshotStallMs, 'snapshot-receive-stall', () =>
      this.abort('FLOTILLA_SNAPSHOT_CUT'),
    );
  }
}
