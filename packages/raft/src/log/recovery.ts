import { FlotillaError, messageOf, unreachable, type Platform } from '@flotilla/platform';
import type { Entry } from '../core/types.ts';
import type { GroupId } from '../host/types.ts';
import { damaged } from './errors.ts';
import {
  isTemporary,
  recordBytes,
  recordHeaderBytes,
  firstRecordPosition,
  markBytes,
  markPosition,
  segmentHeaderBytes,
  segmentName,
  sequenceOf,
} from './format.ts';
import { GroupState } from './group-state.ts';
import type { LogLimits } from './limits.ts';
import { LiveBytes } from './live-bytes.ts';
import { decodeMark } from './mark.ts';
import { decodeBody, kindNumber, type RecordBody } from './record-body.ts';
import type { RecordHeader } from './record-header.ts';
import { inspectRemainder, walkChain, type Chain } from './scan.ts';
import { decodeSegmentHeader, type LogIdentity } from './segment-header.ts';
import { fillWithZeros, Segment } from './segment.ts';

export interface RecoveredLog {
  readonly groups: Map<GroupId, GroupState>;
  /** Configuration entries by group and index. */
  readonly membership: ReadonlyMap<GroupId, ReadonlyMap<number, Entry>>;
  readonly live: LiveBytes;
  /** In use, oldest first; the last one takes the next record. Empty: there was no log. */
  readonly segments: Segment[];
  /** Made ahead of its use. */
  readonly spare: Segment | null;
  /** Where the next record goes, and the checksum that it must name. */
  readonly position: number;
  readonly previous: number;
  /** Whether the tail's mark covers everything. */
  readonly marked: boolean;
}

/**
 * Brings back what a log holds.
 *
 * ## Torn tail or damage?
 *
 * The writer has one sync outstanding at a time and writes a batch only when the sync of the batch before has
 * succeeded. So whatever lies before the start of a batch was durable when the batch was written, and each record
 * says where that was (`synced`). Now let the chain of whole records end at a place H with anything but zeros behind.
 *
 * - Some whole record behind H has `synced` > H. When it was written, what was at H had been synced, and may have been
 *   acknowledged. No crash takes that back: the disk has lost it. That is **damage**, and the log refuses to start.
 * - Every whole record behind H has `synced` ≤ H. Then they and the one at H are of one batch, the last, whose sync
 *   never was followed by another batch. A crash in the middle of that batch leaves exactly this: some sectors there,
 *   some not. That is a **torn tail**. Nothing behind H is replayed, however whole it looks: Raft needs a prefix.
 *
 * Segments work the same way. The seal, synced before the next segment is written to, says that the next one exists:
 * a segment in use without a seal before it, a seal without a segment behind it, and a hole in the numbers are damage.
 *
 * What this cannot see: the last batch of all destroyed after it was synced and before anything else was written
 * looks like a torn one. A log that goes idle, or is closed, therefore writes a mark, in a sector of its own: a chain that
 * ends before the mark is **damage**. What remains is damage to the last batch of a log that was cut off while busy.
 *
 * ## Repair
 *
 * Everything behind H is overwritten with zeros and synced before the log is used. Otherwise the next crash could
 * bring leftovers of the old tail back to life behind new records. The chained checksums say the same once more.
 *
 * What was read may be in the page cache only, when the process died and the machine did not. It is synced before
 * anyone acts on it: a vote that is remembered now and forgotten after a power cut elects two leaders.
 */
export async function recover(
  platform: Platform,
  directory: string,
  identity: LogIdentity,
  limits: LogLimits,
): Promise<RecoveredLog> {
  const names = await platform.disk.list(directory);
  const segments: Segment[] = [];
  try {
    // Every header is judged before anything is changed: a newer format must be left exactly as it is.
    for (const name of names) {
      if (sequenceOf(name) !== null) segments.push(await openSegment(platform, directory, identity, name));
    }
    requireNoGap(directory, segments);
    return await replay(platform, directory, limits, names, segments);
  } catch (error) {
    for (const segment of segments) await segment.release();
    throw error;
  }
}

async function openSegment(
  platform: Platform,
  directory: string,
  identity: LogIdentity,
  name: string,
): Promise<Segment> {
  const path = `${directory}/${name}`;
  const file = await platform.disk.open(path, 'write');
  try {
    const header = decodeSegmentHeader(platform, identity, path, await file.read(0, segmentHeaderBytes));
    if (header.sequence !== sequenceOf(name)) {
      throw damaged(
        path,
        32,
        `the file is named for another segment than ${header.sequence}, which it holds`,
      );
    }
    if (file.size() < header.sizeBytes) {
      throw damaged(
        path,
        file.size(),
        `the file has been cut short; it was made with ${header.sizeBytes} bytes`,
      );
    }
    return new Segment(path, file, header);
  } catch (error) {
    await file.close();
    throw error;
  }
}

function requireNoGap(directory: string, segments: readonly Segment[]): void {
  let expected = segments[0]?.sequence ?? 0;
  for (const segment of segments) {
    if (segment.sequence !== expected) {
      const missing = `${directory}/${segmentName(expected)}`;
      throw damaged(missing, 0, `the segment is missing, and ${segment.path} is there`);
    }
    expected += 1;
  }
}

async function replay(
  platform: Platform,
  directory: string,
  limits: LogLimits,
  names: readonly string[],
  segments: Segment[],
): Promise<RecoveredLog> {
  const replayed = new Replay();
  const first = segments[0];
  if (first === undefined) {
    await removeTemporaries(platform, directory, names);
    return { ...replayed.result(), segments, spare: null, position: 0, previous: 0, marked: false };
  }
  const seal = kindNumber('seal');
  let used = 0;
  let tail = first;
  let previous: number | null = first.sequence === 1 ? first.checksum : null;
  let beforeTail = first.checksum;
  let chain: Chain = { end: 0, previous: 0, kindOfLast: seal, broken: false };
  for (const segment of segments) {
    if (chain.kindOfLast !== seal) break;
    tail = segment;
    used += 1;
    beforeTail = previous ?? beforeTail;
    chain = await walkChain(
      platform,
      segment,
      limits.chunkBytes,
      previous,
      (kind) => kind === seal,
      (header, bytes, at) => replayed.visit(segment, header, bytes, at),
    );
    previous = chain.previous;
  }
  if (chain.kindOfLast === seal) {
    const missing = `${directory}/${segmentName(tail.sequence + 1)}`;
    throw damaged(missing, 0, `the segment is missing, and ${tail.path} says that it was there`);
  }
  const tailJudged = await judgeTail(platform, limits, tail, chain, segments.slice(used));
  const opened = chain.end > firstRecordPosition && replayed.openingIsWhole;
  if (!opened && tail === first && first.sequence > 1) {
    // Segments before the first one were removed only when its opening had been synced.
    throw damaged(tail.path, chain.end, 'the segment does not remember the groups of the segments before it');
  }
  replayed.requireWhole(directory, first.sequence);
  // A torn opening goes as a whole: without one of its checkpoints, the segments before would be needed for ever.
  const position = opened ? chain.end : firstRecordPosition;
  await repair(platform, limits, tail, position, tailJudged.tornEnd);
  // Only the tail and, right after a seal, the segment before can hold anything that was not synced.
  for (const segment of segments.slice(Math.max(0, used - 2), used)) await segment.file.sync();
  await platform.disk.syncDirectory(directory);
  await removeTemporaries(platform, directory, names);
  return {
    ...replayed.result(),
    segments: segments.slice(0, used),
    spare: segments[used] ?? null,
    position,
    previous: opened ? chain.previous : beforeTail,
    marked: tailJudged.mark === position,
  };
}

interface JudgedTail {
  /** Where the leftovers of a torn tail end; where the chain ends when there are none. */
  readonly tornEnd: number;
  /** Up to where the mark covers the segment. */
  readonly mark: number;
}

/** Throws when what lies behind the chain, or does not, is damage. */
async function judgeTail(
  platform: Platform,
  limits: LogLimits,
  tail: Segment,
  chain: Chain,
  unused: readonly Segment[],
): Promise<JudgedTail> {
  if (chain.broken) throw damaged(tail.path, chain.end, 'the record there does not follow the one before it');
  const remainder = await inspectRemainder(platform, tail, limits.chunkBytes, chain.end);
  if (remainder.witness !== null) {
    const why = `no whole record is there, but the one at offset ${remainder.witness} was written after it was synced`;
    throw damaged(tail.path, chain.end, why);
  }
  const markRead = await tail.read(markPosition, markBytes);
  const mark = decodeMark(platform, tail.checksum, markRead)?.position ?? 0;
  if (mark > chain.end) {
    throw damaged(
      tail.path,
      chain.end,
      `no whole record is there, but everything up to offset ${mark} was synced`,
    );
  }
  for (const segment of unused) {
    const content = await inspectRemainder(platform, segment, limits.chunkBytes, firstRecordPosition);
    if (content.start !== null) {
      const why = `no whole record is there, but ${segment.path} has content at offset ${content.start}`;
      throw damaged(tail.path, chain.end, why);
    }
  }
  return { tornEnd: remainder.end, mark };
}

/** Overwrites the leftovers of a torn tail; the caller syncs. */
async function repair(
  platform: Platform,
  limits: LogLimits,
  tail: Segment,
  chainEnd: number,
  tornEnd: number,
): Promise<void> {
  if (tornEnd === chainEnd) return;
  const fields = { file: tail.path, offset: chainEnd, sizeBytes: tornEnd - chainEnd };
  platform.log.warn('repairing the torn tail of the log', fields);
  if (platform.tracing) platform.trace('log repair', fields);
  await fillWithZeros(platform, tail.file, chainEnd, tornEnd, limits.chunkBytes);
}

async function removeTemporaries(
  platform: Platform,
  directory: string,
  names: readonly string[],
): Promise<void> {
  for (const name of names) {
    if (isTemporary(name)) await platform.disk.unlink(`${directory}/${name}`);
  }
}

/** Builds the groups from their records, in log order. */
class Replay {
  readonly #groups = new Map<GroupId, GroupState>();
  readonly #membership = new Map<GroupId, Map<number, Entry>>();
  readonly #live = new LiveBytes();
  #checkpointsMissing = 0;

  visit(segment: Segment, header: RecordHeader, bytes: Uint8Array, at: number): void {
    try {
      this.#apply(segment, header, bytes, at);
    } catch (cause) {
      if (!(cause instanceof FlotillaError)) throw cause;
      throw damaged(
        segment.path,
        header.position,
        `the record contradicts what is before it: ${messageOf(cause)}`,
        cause,
      );
    }
  }

  result(): Pick<RecoveredLog, 'groups' | 'membership' | 'live'> {
    return { groups: this.#groups, membership: this.#membership, live: this.#live };
  }

  /** Whether the segment visited last has all the checkpoints that its opening promises. */
  get openingIsWhole(): boolean {
    return this.#checkpointsMissing === 0;
  }

  /** Every live entry must have turned up: at its place, or relocated. */
  requireWhole(directory: string, firstSequence: number): void {
    for (const [id, group] of this.#groups) {
      const missing = group.index.findIn(0, 0, group.lastIndex);
      if (missing === null) continue;
      const path = `${directory}/${segmentName(firstSequence - 1)}`;
      throw damaged(path, 0, `the segment is missing, and with it entry ${missing.first} of group ${id}`);
    }
  }

  #apply(segment: Segment, header: RecordHeader, bytes: Uint8Array, at: number): void {
    const start = at + recordHeaderBytes;
    const body = decodeBody(header.kind, bytes, start, start + header.length);
    const place = { segment: segment.sequence, offset: header.position, length: recordBytes(header.length) };
    switch (body.kind) {
      case 'write': {
        const group = this.#group(header.group);
        group.check(body);
        group.write(body, place);
        this.#dropMembership(header.group, body.snapshot === null ? body.truncateFrom : 0, null);
        this.#keepMembership(header.group, body.entries);
        return;
      }
      case 'opening':
        this.#checkpointsMissing = body.checkpoints;
        return;
      case 'compaction':
        this.#group(header.group).compact(body.snapshot);
        this.#dropMembership(header.group, null, body.snapshot.index);
        return;
      case 'checkpoint': {
        const known = this.#groups.get(header.group);
        if (known === undefined) this.#group(header.group).restore(body);
        else known.confirm(body);
        this.#checkpointsMissing -= 1;
        return;
      }
      case 'relocation':
        this.#group(header.group).relocate(body.entries, place);
        this.#keepMembership(header.group, body.entries);
        return;
      case 'removal':
        this.#remove(header.group, body);
        // As the first records of a segment removals stand for checkpoints.
        if (this.#checkpointsMissing > 0) this.#checkpointsMissing -= 1;
        return;
      case 'return':
        this.#group(header.group).readmit();
        return;
      case 'seal':
        return;
      default:
        unreachable(body);
    }
  }

  #remove(id: GroupId, { forgotten, kept }: Extract<RecordBody, { kind: 'removal' }>): void {
    this.#membership.delete(id);
    this.#group(id).remove(kept);
    if (forgotten) this.#groups.delete(id);
  }

  #group(id: GroupId): GroupState {
    let group = this.#groups.get(id);
    if (group === undefined) {
      group = new GroupState(this.#live);
      this.#groups.set(id, group);
    }
    return group;
  }

  #keepMembership(id: GroupId, entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.kind !== 'membership') continue;
      let kept = this.#membership.get(id);
      if (kept === undefined) {
        kept = new Map();
        this.#membership.set(id, kept);
      }
      // The bytes belong to the window in which the record was read.
      kept.set(entry.index, { ...entry, payload: entry.payload.slice() });
    }
  }

  #dropMembership(id: GroupId, from: number | null, upTo: number | null): void {
    for (const index of this.#membership.get(id)?.keys() ?? []) {
      if ((from !== null && index >= from) || (upTo !== null && index <= upTo))
        this.#membership.get(id)?.delete(index);
    }
  }
}
