import { assert, present, type Platform } from '@flotilla/platform';
import type { GroupId } from '../host/types.ts';
import { ByteWriter } from './bytes.ts';
import { recordBytes, sealBytes, firstRecordPosition } from './format.ts';
import type { GroupState, RecordPlace } from './group-state.ts';
import type { LogLimits } from './limits.ts';
import { bodyBytes, type RecordBody } from './record-body.ts';
import { encodeRecord } from './record-header.ts';
import type { Segment } from './segment.ts';

const initialBytes = 64 * 1024;

/** The records of one write to the file, encoded into a buffer that is used again for the next. */
export class Batch {
  readonly #platform: Platform;
  readonly #limits: LogLimits;
  #buffer = new ByteWriter(initialBytes);
  #segment: Segment | null = null;
  #position = 0;
  #previous = 0;
  #records = 0;
  #neededBytes = 0;

  constructor(platform: Platform, limits: LogLimits) {
    this.#platform = platform;
    this.#limits = limits;
  }

  /** Begins a new batch at `position`. At the start of a segment it begins with the checkpoints of all groups. */
  begin(
    segment: Segment,
    position: number,
    previous: number,
    groups: ReadonlyMap<GroupId, GroupState>,
  ): void {
    if (this.#buffer.bytes.length > 2 * this.#limits.batchBytes) this.#buffer = new ByteWriter(initialBytes);
    this.#buffer.length = 0;
    this.#segment = segment;
    this.#position = position;
    this.#previous = previous;
    this.#records = 0;
    this.#neededBytes = 0;
    if (position !== firstRecordPosition) return;
    const written = [...groups].filter(([, state]) => state.written);
    this.#encode(0, { kind: 'opening', checkpoints: written.length });
    for (const [id, state] of written) this.#encode(id, state.checkpoint());
  }

  /**
   * Answers where the record will lie. Null: it does not fit, in the bounds of a batch or in the segment; the first
   * record of a batch has no other bound than the segment.
   */
  add(group: GroupId, body: RecordBody): RecordPlace | null {
    const length = bodyBytes(body);
    const size = recordBytes(length);
    assert(size <= this.#limits.recordBytes, () => `a record of ${size} bytes is over the limit of the log`);
    const segment = this.#target;
    const room = segment.sizeBytes - sealBytes - this.#position - this.#buffer.length;
    const fits = this.#records === 0 || this.#buffer.length + size <= this.#limits.batchBytes;
    if (size > room || !fits) {
      this.#neededBytes = size;
      return null;
    }
    const offset = this.#position + this.#buffer.length;
    this.#encode(group, body, length);
    this.#records += 1;
    return { segment: segment.sequence, offset, length: size };
  }

  /** The last record of the segment. There is always room for it. */
  seal(): void {
    this.#encode(0, { kind: 'seal' });
    const end = this.#position + this.#buffer.length;
    assert(end <= this.#target.sizeBytes, 'a segment must keep room for its seal');
  }

  get #target(): Segment {
    return present(this.#segment, 'the segment of a batch that has begun');
  }

  /** Without the checkpoints. */
  get records(): number {
    return this.#records;
  }

  /** The size of the record that did not fit. */
  get neededBytes(): number {
    return this.#neededBytes;
  }

  /** Valid until the next batch begins. */
  get bytes(): Uint8Array {
    return this.#buffer.bytes.subarray(0, this.#buffer.length);
  }

  /** The checksum of the last record. */
  get previous(): number {
    return this.#previous;
  }

  #encode(group: GroupId, body: RecordBody, length = bodyBytes(body)): void {
    const links = {
      seed: this.#target.checksum,
      position: this.#position + this.#buffer.length,
      previous: this.#previous,
      // The sync of the batch before has succeeded: this is what lets recovery tell a torn tail from damage.
      synced: this.#position,
      group,
    };
    this.#previous = encodeRecord(this.#platform, this.#buffer, links, body, length);
  }
}
