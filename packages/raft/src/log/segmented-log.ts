import {
  assert,
  present,
  FlotillaError,
  isFlotillaError,
  messageOf,
  unreachable,
  type Platform,
} from '@flotilla/platform';
import type { Entry, HardState, Index, SnapshotMeta, Write } from '../core/types.ts';
import type { GroupId } from '../host/types.ts';
import { Batch } from './batch.ts';
import type { RunLocation } from './entry-index.ts';
import { firstRecordPosition, markPosition, recordBytes, sealBytes } from './format.ts';
import { GroupState } from './group-state.ts';
import type { LogLimits } from './limits.ts';
import { LogReader } from './log-reader.ts';
import { encodeMark } from './mark.ts';
import { bodyBytes, type RecordBody } from './record-body.ts';
import type { RecoveredLog } from './recovery.ts';
import { createSegment, removeSegment, type Segment } from './segment.ts';
import { recoveredGroup } from './recovered-group.ts';
import type { LogOptions, LogRecord, LogStats, RecoveredGroup, WriteAheadLog } from './types.ts';

/** Something that somebody waits for: in the queue until all of it is in a batch. */
type Request = Content & { readonly resolve: () => void; readonly reject: (error: Error) => void };

type Content =
  /** `taken`: how many of the records are in a batch already. */
  | {
      readonly type: 'append';
      readonly records: readonly LogRecord[];
      readonly mustSync: boolean;
      taken: number;
    }
  | { readonly type: 'compact'; readonly group: GroupId; readonly through: SnapshotMeta }
  | { readonly type: 'remove'; readonly group: GroupId; readonly forgotten: boolean }
  | { readonly type: 'readmit'; readonly group: GroupId }
  | {
      readonly type: 'relocate';
      readonly group: GroupId;
      readonly from: RunLocation;
      readonly entries: readonly Entry[];
    }
  | { readonly type: 'mark' };

/** The log as a row of segment files: {@link WriteAheadLog} has the contract, `README.md` the picture. */
export class SegmentedLog implements WriteAheadLog {
  readonly #platform: Platform;
  readonly #options: LogOptions;
  readonly #limits: LogLimits;
  readonly #recovered: RecoveredLog;
  readonly #unlock: () => Promise<void>;
  readonly #reader: LogReader;
  readonly #batch: Batch;

  #position: number;
  #previous: number;
  #spare: Segment | null;
  #sparePreparation: Promise<void> | null = null;
  #removals: Promise<void> = Promise.resolve();
  #relocating: Promise<void> | null = null;
  #overBound = false;

  #queue: Request[] = [];
  /** In the batch whose sync is under way. */
  #inFlight: readonly Request[] = [];
  #busy = false;
  #writing: Promise<void> = Promise.resolve();
  /** Commit indexes that wait for a batch to ride with. */
  readonly #riders = new Map<GroupId, HardState>();
  /** Whether the tail's mark covers everything. */
  #marked: boolean;
  #markTimerArmed = false;
  #lastBatchAt: number;

  #failure: FlotillaError | null = null;
  readonly #failureListeners: ((error: Error) => void)[] = [];
  #closing: Promise<void> | null = null;

  readonly #counts = { batches: 0, records: 0, entries: 0, writtenBytes: 0, syncs: 0, relocatedBytes: 0 };

  constructor(
    platform: Platform,
    options: LogOptions,
    limits: LogLimits,
    recovered: RecoveredLog,
    unlock: () => Promise<void>,
  ) {
    this.#platform = platform;
    this.#options = options;
    this.#limits = limits;
    this.#recovered = recovered;
    this.#unlock = unlock;
    this.#reader = new LogReader(platform, limits, recovered.segments);
    this.#batch = new Batch(platform, limits);
    this.#position = recovered.position;
    this.#previous = recovered.previous;
    this.#spare = recovered.spare;
    this.#lastBatchAt = platform.now();
    this.#marked = recovered.marked || recovered.segments.length === 0;
    this.#armMark();
  }

  /** Makes the first segment. */
  async begin(): Promise<void> {
    const first = await this.#create(1, this.#limits.segmentBytes);
    this.#recovered.segments.push(first);
    this.#position = firstRecordPosition;
    this.#previous = first.checksum;
  }

  append(records: readonly LogRecord[]): Promise<void> {
    const mustSync = records.some((record) => needsSync(record.write));
    return this.#enqueue({ type: 'append', records, mustSync, taken: 0 });
  }

  compact(group: GroupId, through: SnapshotMeta): Promise<void> {
    return this.#enqueue({ type: 'compact', group, through });
  }

  remove(group: GroupId): Promise<void> {
    return this.#enqueue({ type: 'remove', group, forgotten: false });
  }

  forget(group: GroupId): Promise<void> {
    return this.#enqueue({ type: 'remove', group, forgotten: true });
  }

  async readmit(group: GroupId): Promise<RecoveredGroup> {
    await this.#enqueue({ type: 'readmit', group });
    return recoveredGroup(this.#group(group), []);
  }

  async read(
    group: GroupId,
    from: Index,
    to: Index,
    maxBytes: number,
  ): Promise<readonly Entry[] | 'compacted'> {
    this.#requireOpen();
    const state = this.#recovered.groups.get(group);
    if (state === undefined) return [];
    if (from <= state.snapshot.index) return 'compacted';
    try {
      return await this.#reader.read(group, state, from, to, maxBytes);
    } catch (error) {
      // The index knows of records from when they are encoded: one whose write has failed is not damaged.
      throw this.#failure ?? error;
    }
  }

  stats(): LogStats {
    const { segments, live } = this.#recovered;
    return {
      ...this.#counts,
      totalBytes: this.#totalBytes(),
      liveBytes: live.total,
      segments: segments.length,
      failure: this.#failure,
    };
  }

  pinning(): readonly GroupId[] {
    const oldest = this.#oldest;
    const pins: GroupId[] = [];
    if (oldest === this.#tail) return pins;
    for (const [id, state] of this.#recovered.groups) {
      if (state.index.findIn(oldest.sequence, 0, state.lastIndex) !== null) pins.push(id);
    }
    return pins;
  }

  onFailure(listener: (error: Error) => void): void {
    if (this.#failure === null) this.#failureListeners.push(listener);
    else listener(this.#failure);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  get #tail(): Segment {
    return present(this.#recovered.segments.at(-1), 'the last segment');
  }

  get #oldest(): Segment {
    return present(this.#recovered.segments[0], 'the first segment');
  }

  #group(id: GroupId): GroupState {
    let group = this.#recovered.groups.get(id);
    if (group === undefined) {
      group = new GroupState(this.#recovered.live);
      this.#recovered.groups.set(id, group);
    }
    return group;
  }

  #requireOpen(): void {
    if (this.#failure !== null) throw this.#failure;
    if (this.#closing !== null) throw new FlotillaError('FLOTILLA_LOG_CLOSED', 'the log is closed');
  }

  #enqueue(content: Content): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#requireOpen();
      this.#push({ ...content, resolve, reject });
    });
  }

  /** An idle log has the batch on its way to the disk when this returns. */
  #push(request: Request): void {
    this.#queue.push(request);
    if (this.#busy) return;
    this.#busy = true;
    this.#writing = this.#writeBatches();
  }

  /** One batch after the other until the queue is empty: what arrives during a sync goes into the next batch. */
  async #writeBatches(): Promise<void> {
    try {
      while (this.#queue.length > 0 && this.#failure === null) {
        if (!this.#queue.some(mustSync)) this.#deferQueue();
        else if (this.#encodeBatch()) await this.#commitBatch();
        else await this.#roll(this.#batch.neededBytes);
      }
    } catch (cause) {
      this.#fail(cause);
    }
    this.#busy = false;
    this.#armMark();
  }

  /**
   * Nothing in the queue has to be synced, and everything before it has been. Commit indexes are kept in memory until
   * a batch comes along, which saves a write for each; a crash forgets them, as it may.
   */
  #deferQueue(): void {
    this.#inFlight = this.#queue.splice(0);
    for (const request of this.#inFlight) {
      const records = request.type === 'append' ? request.records : [];
      for (const { group, write } of records) {
        if (write.hardState === null) continue;
        const { term, vote } = this.#group(group).hardState;
        assert(
          write.hardState.term === term && write.hardState.vote === vote,
          'a term or a vote must be synced',
        );
        this.#riders.set(group, write.hardState);
      }
      request.resolve();
    }
    this.#inFlight = [];
  }

  /**
   * Encodes what fits of the queue. False: not even one record fits in this segment. The index of entries moves here
   * and not after the sync: checkpoints and checks must see records in the order in which they are in the log.
   */
  #encodeBatch(): boolean {
    this.#batch.begin(this.#tail, this.#position, this.#previous, this.#recovered.groups);
    let done = 0;
    for (const request of this.#queue) {
      if (!this.#encodeRequest(request)) {
        if (this.#batch.records === 0 && done === 0) return false;
        break;
      }
      done += 1;
    }
    this.#inFlight = this.#queue.splice(0, done);
    this.#encodeRiders();
    return true;
  }

  /** Whether all of it is in the batch. */
  #encodeRequest(request: Request): boolean {
    switch (request.type) {
      case 'append':
        for (const record of request.taken === 0 ? request.records : request.records.slice(request.taken)) {
          if (!this.#encodeWrite(record)) return false;
          request.taken += 1;
        }
        return true;
      case 'compact':
        return this.#encodeCompaction(request.group, request.through);
      case 'remove':
        return this.#encodeRemoval(request.group, request.forgotten);
      case 'readmit':
        return this.#encodeReturn(request.group);
      case 'relocate':
        return this.#encodeRelocation(request.group, request.from, request.entries);
      case 'mark':
        return this.#encodeRiders();
      default:
        return unreachable(request);
    }
  }

  #encodeWrite({ group, write }: LogRecord): boolean {
    const state = this.#group(group);
    const { truncateFrom, snapshot, entries } = write;
    const hardState = write.hardState ?? this.#riders.get(group) ?? null;
    const body: Extract<RecordBody, { kind: 'write' }> = {
      kind: 'write',
      truncateFrom,
      snapshot,
      entries,
      hardState,
    };
    state.check(body);
    const place = this.#batch.add(group, body);
    if (place === null) return false;
    this.#riders.delete(group);
    state.write(body, place);
    this.#counts.entries += entries.length;
    return true;
  }

  #encodeCompaction(group: GroupId, through: SnapshotMeta): boolean {
    const state = this.#recovered.groups.get(group);
    if (state === undefined || state.removed || through.index <= state.snapshot.index) return true;
    if (this.#batch.add(group, { kind: 'compaction', snapshot: through }) === null) return false;
    state.compact(through);
    return true;
  }

  #encodeRemoval(group: GroupId, forgotten: boolean): boolean {
    const state = this.#group(group);
    const { kept } = state;
    if (this.#batch.add(group, { kind: 'removal', forgotten, kept }) === null) return false;
    this.#riders.delete(group);
    state.remove(kept);
    if (forgotten) this.#recovered.groups.delete(group);
    return true;
  }

  #encodeReturn(group: GroupId): boolean {
    const state = this.#group(group);
    if (!state.removed) return true;
    if (this.#batch.add(group, { kind: 'return' }) === null) return false;
    state.readmit();
    return true;
  }

  /** Only what is still where it was read from: entries may have been truncated or compacted meanwhile. */
  #encodeRelocation(group: GroupId, from: RunLocation, read: readonly Entry[]): boolean {
    const state = this.#recovered.groups.get(group);
    const now = state?.index.find(Math.max(from.first, state.snapshot.index + 1), state.lastIndex) ?? null;
    if (state === undefined || now === null || now.segment !== from.segment || now.offset !== from.offset)
      return true;
    const entries = read.filter((entry) => entry.index >= now.first && entry.index <= now.last);
    const place = this.#batch.add(group, { kind: 'relocation', entries });
    if (place === null) return false;
    state.relocate(entries, place);
    this.#counts.relocatedBytes += place.length;
    return true;
  }

  /** Commit indexes of groups that have nothing else in this batch. Whether there was room for all of them. */
  #encodeRiders(): boolean {
    for (const [group, hardState] of this.#riders) {
      const state = this.#group(group);
      const body = { kind: 'write', truncateFrom: null, snapshot: null, entries: [], hardState } as const;
      state.check(body);
      const place = this.#batch.add(group, body);
      if (place === null) return false;
      state.write(body, place);
      this.#riders.delete(group);
    }
    return true;
  }

  /** One write and one sync for everything in the batch. */
  async #commitBatch(): Promise<void> {
    await this.#writeBatch();
    if (this.#failure !== null) return;
    const settled = this.#inFlight;
    this.#inFlight = [];
    for (const request of settled) request.resolve();
    if (settled.some((request) => request.type === 'mark')) await this.#writeMark();
    this.#freeSegments();
    if (settled.some((request) => request.type === 'append')) this.#boundSize();
    if (this.#position > this.#tail.sizeBytes / 2) this.#prepareSpare();
  }

  async #writeBatch(): Promise<void> {
    const { file } = this.#tail;
    const { bytes } = this.#batch;
    if (bytes.length === 0) return;
    this.#marked = false;
    file.write(this.#position, bytes);
    this.#position += bytes.length;
    this.#previous = this.#batch.previous;
    this.#counts.batches += 1;
    this.#counts.records += this.#batch.records;
    this.#counts.writtenBytes += bytes.length;
    this.#counts.syncs += 1;
    await file.sync();
    this.#lastBatchAt = this.#platform.now();
  }

  /** Notes durably that everything so far is, for a recovery that finds the last batch gone: see {@link recover}. */
  async #writeMark(): Promise<void> {
    const { file, checksum } = this.#tail;
    const mark = { position: this.#position, previous: this.#previous };
    file.write(markPosition, encodeMark(this.#platform, checksum, mark));
    this.#counts.syncs += 1;
    await file.sync();
    this.#marked = true;
  }

  /**
   * Goes on in the next segment, which will have room for a record of `neededBytes`. The order is what recovery
   * relies on: the next segment exists durably; then the seal that says so is synced; then it is written to.
   */
  async #roll(neededBytes: number): Promise<void> {
    const next = await this.#nextSegment(neededBytes);
    this.#spare = next;
    this.#batch.begin(this.#tail, this.#position, this.#previous, this.#recovered.groups);
    this.#batch.seal();
    await this.#writeBatch();
    this.#recovered.segments.push(next);
    this.#spare = null;
    this.#position = firstRecordPosition;
  }

  async #nextSegment(neededBytes: number): Promise<Segment> {
    await this.#sparePreparation;
    if (this.#failure !== null) throw this.#failure;
    const sizeBytes = Math.max(this.#limits.segmentBytes, this.#openingBytes() + neededBytes);
    const spare = this.#spare;
    if (spare !== null && spare.sizeBytes >= sizeBytes) return spare;
    this.#spare = null;
    if (spare !== null) await removeSegment(this.#platform.disk, this.#options.directory, spare);
    return this.#create(this.#tail.sequence + 1, sizeBytes);
  }

  /** What a segment holds without a single new record. */
  #openingBytes(): number {
    let bytes = firstRecordPosition + recordBytes(bodyBytes({ kind: 'opening', checkpoints: 0 })) + sealBytes;
    for (const state of this.#recovered.groups.values()) bytes += recordBytes(bodyBytes(state.checkpoint()));
    return bytes;
  }

  #create(sequence: number, sizeBytes: number): Promise<Segment> {
    const { directory } = this.#options;
    return createSegment(
      this.#platform,
      directory,
      this.#options,
      sequence,
      sizeBytes,
      this.#limits.chunkBytes,
    );
  }

  #prepareSpare(): void {
    if (this.#spare !== null || this.#sparePreparation !== null) return;
    this.#sparePreparation = this.#create(this.#tail.sequence + 1, this.#limits.segmentBytes).then(
      (segment) => {
        this.#spare = segment;
        this.#sparePreparation = null;
      },
      (cause: unknown) => {
        this.#sparePreparation = null;
        // A full disk may have room again by the time when the segment is needed. Any other fault is for good.
        if (!isFlotillaError(cause, 'FLOTILLA_DISK_FULL')) this.#fail(cause);
        else
          this.#platform.log.warn(
            `there is no room for the next segment of the log yet: ${messageOf(cause)}`,
          );
      },
    );
  }

  /** Called right after a sync: all that the index knows is durable, and so are the tail's checkpoints. */
  #freeSegments(): void {
    const { segments, live } = this.#recovered;
    while (this.#oldest !== this.#tail && live.of(this.#oldest.sequence) === 0) {
      const segment = this.#oldest;
      segments.shift();
      if (this.#platform.tracing) this.#platform.trace('log segment freed', { sequence: segment.sequence });
      this.#removals = this.#removals
        .then(() => removeSegment(this.#platform.disk, this.#options.directory, segment))
        .catch((cause: unknown) => this.#fail(cause));
    }
  }

  #totalBytes(): number {
    let bytes = this.#spare === null ? 0 : this.#spare.sizeBytes;
    for (const segment of this.#recovered.segments) bytes += segment.sizeBytes;
    return bytes;
  }

  /**
   * Moves the entries that pin the oldest segment forward when the next segment would be one too many. Called for
   * appends only, and as long as little is live: otherwise a log full of live entries would go on moving them about.
   */
  #boundSize(): void {
    const { totalBytes, segmentBytes } = this.#limits;
    const { live } = this.#recovered;
    const over = this.#totalBytes() + segmentBytes > totalBytes && this.#oldest !== this.#tail;
    const movable = live.total <= totalBytes / 2;
    if (over && movable && this.#relocating === null) this.#relocating = this.#relocateOldest();
    if (over && !movable && !this.#overBound) {
      const fields = { totalBytes: this.#totalBytes(), liveBytes: live.total };
      this.#platform.log.warn('the log is over its bound: its groups have to be compacted', fields);
    }
    this.#overBound = over && !movable;
  }

  async #relocateOldest(): Promise<void> {
    const { sequence } = this.#oldest;
    if (this.#platform.tracing) this.#platform.trace('log relocation', { sequence });
    try {
      for (const [group, state] of this.#recovered.groups) {
        let last = 0;
        for (;;) {
          const runs = pinningRuns(state, sequence, last + 1, this.#limits.chunkBytes);
          if (runs.length === 0) break;
          last = runs.at(-1)?.last ?? last;
          const read = await this.#reader.readRuns(group, runs);
          const moved = runs.map((from, i) =>
            this.#enqueue({ type: 'relocate', group, from, entries: read[i] ?? [] }),
          );
          await Promise.all(moved);
        }
      }
    } catch (cause) {
      if (this.#closing === null) this.#fail(cause);
    }
    this.#relocating = null;
  }

  /** Nothing that was written since the last good sync can be trusted, so nothing is ever tried again (fsyncgate). */
  #fail(cause: unknown): void {
    if (this.#failure !== null) return;
    const message = `the log in ${this.#options.directory} has failed and takes nothing any more: ${messageOf(cause)}`;
    this.#failure = new FlotillaError('FLOTILLA_LOG_FAILED', message, { cause });
    this.#platform.log.error(message);
    for (const request of [...this.#inFlight, ...this.#queue]) request.reject(this.#failure);
    this.#inFlight = [];
    this.#queue = [];
    for (const listener of this.#failureListeners.splice(0)) listener(this.#failure);
  }

  /** One timer at most, which finds out when it fires whether the log has been idle for long enough. */
  #armMark(): void {
    const needed = !this.#marked || this.#riders.size > 0;
    if (!needed || this.#markTimerArmed || this.#closing !== null || this.#failure !== null) return;
    this.#markTimerArmed = true;
    this.#platform.timer(this.#limits.idleMarkMs, 'log mark', () => {
      this.#markTimerArmed = false;
      const idleMs = this.#platform.now() - this.#lastBatchAt;
      if (this.#busy || idleMs < this.#limits.idleMarkMs) this.#armMark();
      else if (this.#closing === null && this.#failure === null) this.#requestMark();
    });
  }

  #requestMark(): void {
    this.#push({ type: 'mark', resolve: nobodyWaits, reject: nobodyWaits });
  }

  async #close(): Promise<void> {
    await this.#relocating;
    await this.#writing;
    if (this.#failure === null && (!this.#marked || this.#riders.size > 0)) this.#requestMark();
    await this.#writing;
    await this.#sparePreparation;
    await this.#removals;
    for (const segment of this.#recovered.segments) await segment.release();
    await this.#spare?.release();
    await this.#unlock();
    if (this.#failure !== null) throw this.#failure;
  }
}

/** The runs of a group that keep a segment alive, from an index on, about as many as a chunk holds. */
function pinningRuns(state: GroupState, sequence: number, from: number, chunkBytes: number): RunLocation[] {
  const runs: RunLocation[] = [];
  let bytes = 0;
  for (let next = from; bytes < chunkBytes;) {
    const run = state.index.findIn(sequence, next, state.lastIndex);
    if (run === null) break;
    runs.push(run);
    bytes += run.length;
    next = run.last + 1;
  }
  return runs;
}

function mustSync(request: Request): boolean {
  return request.type !== 'append' || request.mustSync;
}

/** A write that only moves the commit index need not be synced. Whatever the core says, any other must. */
function needsSync(write: Write): boolean {
  return write.mustSync || write.entries.length > 0 || write.snapshot !== null || write.truncateFrom !== null;
}

function nobodyWaits(): void {
  // A mark is nobody's request.
}
