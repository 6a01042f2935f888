import { assert, type Platform } from '@flotilla/platform';
import type { Entry } from '../core/types.ts';
import type { GroupId } from '../host/types.ts';
import type { RunLocation } from './entry-index.ts';
import { damaged } from './errors.ts';
import { recordHeaderBytes } from './format.ts';
import type { GroupState } from './group-state.ts';
import type { LogLimits } from './limits.ts';
import { decodeBody } from './record-body.ts';
import { decodeRecordHeader, isIntact } from './record-header.ts';
import type { Segment } from './segment.ts';

/** Runs that lie close together and are read at once. */
interface Span {
  readonly segment: Segment;
  readonly runs: RunLocation[];
  readonly start: number;
  end: number;
}

/** Brings entries back from the segments, and checks the checksum of every record on the way. */
export class LogReader {
  readonly #platform: Platform;
  readonly #limits: LogLimits;
  readonly #segments: readonly Segment[];

  constructor(platform: Platform, limits: LogLimits, segments: readonly Segment[]) {
    this.#platform = platform;
    this.#limits = limits;
    this.#segments = segments;
  }

  async read(
    group: GroupId,
    state: GroupState,
    from: number,
    to: number,
    maxBytes: number,
  ): Promise<Entry[]> {
    // The places are looked up before anything is awaited: an entry that is looked up later may be of another
    // leader's making, and a sequence that mixes both was never in any log.
    const runs = planRuns(state, from, to, maxBytes);
    const recordsBytes = runs.reduce((sum, run) => sum + run.length, 0);
    const entries: Entry[] = [];
    let bytes = 0;
    for (const run of await this.readRuns(group, runs)) {
      for (const entry of run) {
        if (entry.index < from || entry.index >= to) continue;
        bytes += entry.payload.length;
        if (bytes > maxBytes && entries.length > 0) return ownPayloads(entries, bytes, recordsBytes);
        entries.push(entry);
      }
    }
    return ownPayloads(entries, bytes, recordsBytes);
  }

  /** The live entries of each run. */
  async readRuns(group: GroupId, runs: readonly RunLocation[]): Promise<readonly (readonly Entry[])[]> {
    const read = await Promise.all(this.#spans(runs).map((span) => this.#readSpan(group, span)));
    return read.flat();
  }

  /** One read for runs that follow each other closely: a log written in small batches has thousands in a megabyte. */
  #spans(runs: readonly RunLocation[]): readonly Span[] {
    const spans: Span[] = [];
    for (const run of runs) {
      const last = spans.at(-1);
      const end = run.offset + run.length;
      const joins =
        last?.segment.sequence === run.segment &&
        run.offset >= last.end &&
        run.offset - last.end <= this.#limits.readGapBytes &&
        end - last.start <= this.#limits.chunkBytes;
      if (last !== undefined && joins) {
        last.runs.push(run);
        last.end = end;
        continue;
      }
      const segment = this.#segments.find((candidate) => candidate.sequence === run.segment);
      assert(segment !== undefined, 'the index must point into the log');
      spans.push({ segment, runs: [run], start: run.offset, end });
    }
    return spans;
  }

  async #readSpan(group: GroupId, span: Span): Promise<readonly (readonly Entry[])[]> {
    const bytes = await span.segment.read(span.start, span.end - span.start);
    return span.runs.map((run) => this.#decode(group, span.segment, run, bytes, run.offset - span.start));
  }

  #decode(
    group: GroupId,
    segment: Segment,
    run: RunLocation,
    bytes: Uint8Array,
    at: number,
  ): readonly Entry[] {
    const header = decodeRecordHeader(bytes, at);
    const whole =
      header !== null &&
      header.position === run.offset &&
      header.group === group &&
      isIntact(this.#platform, segment.checksum, header, bytes, at);
    if (!whole)
      throw damaged(
        segment.path,
        run.offset,
        `the record with entry ${run.first} of group ${group} is not whole`,
      );
    const start = at + recordHeaderBytes;
    const body = decodeBody(header.kind, bytes, start, start + header.length);
    assert(body.kind === 'write' || body.kind === 'relocation', 'the index must point at entries');
    return body.entries.filter((entry) => entry.index >= run.first && entry.index <= run.last);
  }
}

/** The records that hold the entries, as far as `maxBytes` can reach. */
function planRuns(state: GroupState, from: number, to: number, maxBytes: number): readonly RunLocation[] {
  const runs: RunLocation[] = [];
  let bytes = 0;
  for (let index = from; index < to && bytes <= maxBytes;) {
    const run = state.index.find(index, state.lastIndex);
    if (run === null) break;
    runs.push(run);
    // How long an entry is only the record knows: one of which a part is asked for counts nothing.
    if (index === run.first && run.last < to) bytes += run.length - recordHeaderBytes;
    index = run.last + 1;
  }
  return runs;
}

/** Entries that are a small part of what was read must not keep the rest in memory. */
function ownPayloads(entries: Entry[], bytes: number, recordsBytes: number): Entry[] {
  if (bytes * 2 >= recordsBytes) return entries;
  return entries.map((entry) => ({ ...entry, payload: entry.payload.slice() }));
}
