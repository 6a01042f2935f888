import { assert, unreachable } from '@flotilla/platform';
import type {
  Configuration,
  Entry,
  EntryKind,
  HardState,
  Index,
  LogEnd,
  NodeId,
  SnapshotMeta,
  Term,
} from '../core/types.ts';
import { ByteReader, type ByteWriter } from './bytes.ts';
import { entryHeaderBytes } from './format.ts';

export interface TermRun {
  readonly from: Index;
  readonly term: Term;
}

/** What a member of a group has promised: it holds when the log is gone. */
export interface KeptOfGroup {
  readonly term: Term;
  readonly vote: NodeId;
  /** Up to here others may have counted on it. */
  readonly end: LogEnd;
}

/** What a record says. Everything in it happens or, when the record is torn, nothing of it does. */
export type RecordBody =
  /** Snapshot or truncation, then entries, then hard state: what one drain of a core makes durable. */
  | {
      readonly kind: 'write';
      readonly truncateFrom: Index | null;
      readonly snapshot: SnapshotMeta | null;
      readonly entries: readonly Entry[];
      readonly hardState: HardState | null;
    }
  /** Entries up to the snapshot's index are gone; those after it stay. */
  | { readonly kind: 'compaction'; readonly snapshot: SnapshotMeta }
  /** The first record of a segment: as many checkpoints follow, so that the segments before are not needed. */
  | { readonly kind: 'opening'; readonly checkpoints: number }
  /** A group as it is at the start of the segment, but for the entries themselves. */
  | {
      readonly kind: 'checkpoint';
      readonly snapshot: SnapshotMeta;
      readonly hardState: HardState;
      readonly lastIndex: Index;
      readonly termRuns: readonly TermRun[];
      /** Of a group that was removed and is back: where its log ended then. */
      readonly former: LogEnd | null;
    }
  /** Entries that are in the log already, moved here so that the segment that they were in can go. */
  | { readonly kind: 'relocation'; readonly entries: readonly Entry[] }
  /** The group is gone. Not `forgotten`: that it was here is remembered, so that it does not come back by mistake. */
  | { readonly kind: 'removal'; readonly forgotten: boolean; readonly kept: KeptOfGroup | null }
  /** The removed group is back, with an empty log and what was kept. */
  | { readonly kind: 'return' }
  /** The segment ends here, and the next one is there. */
  | { readonly kind: 'seal' };

type Kind = RecordBody['kind'];

/** In the log; a number never changes its meaning. */
const kinds: readonly Kind[] = [
  'opening',
  'checkpoint',
  'write',
  'compaction',
  'relocation',
  'seal',
  'removal',
  'return',
];
const entryKinds: readonly EntryKind[] = ['command', 'no-op', 'membership'];

const hasTruncation = 1;
const hasSnapshot = 2;
const hasHardState = 4;

const hardStateBytes = 24;
const logEndBytes = 16;

/** How a removal begins. One with nothing that was kept is what a group leaves that never voted. */
const removals = { remembered: 0, forgotten: 1, kept: 2 } as const;

export function kindNumber(kind: Kind): number {
  return kinds.indexOf(kind) + 1;
}

export function bodyBytes(body: RecordBody): number {
  switch (body.kind) {
    case 'write':
      return (
        1 +
        (body.truncateFrom === null ? 0 : 8) +
        (body.snapshot === null ? 0 : snapshotBytes(body.snapshot)) +
        (body.hardState === null ? 0 : hardStateBytes) +
        entriesBytes(body.entries)
      );
    case 'compaction':
      return snapshotBytes(body.snapshot);
    case 'opening':
      return 4;
    case 'checkpoint':
      return (
        snapshotBytes(body.snapshot) +
        hardStateBytes +
        8 +
        4 +
        body.termRuns.length * 16 +
        (body.former === null ? 0 : logEndBytes)
      );
    case 'relocation':
      return entriesBytes(body.entries);
    case 'removal':
      return body.kept === null || body.forgotten ? 1 : 1 + 16 + logEndBytes;
    case 'return':
    case 'seal':
      return 0;
    default:
      return unreachable(body);
  }
}

export function encodeBody(body: RecordBody, to: ByteWriter): void {
  switch (body.kind) {
    case 'write':
      to.u8(
        (body.truncateFrom === null ? 0 : hasTruncation) |
          (body.snapshot === null ? 0 : hasSnapshot) |
          (body.hardState === null ? 0 : hasHardState),
      );
      if (body.truncateFrom !== null) to.u64(body.truncateFrom);
      if (body.snapshot !== null) encodeSnapshot(body.snapshot, to);
      if (body.hardState !== null) encodeHardState(body.hardState, to);
      encodeEntries(body.entries, to);
      return;
    case 'compaction':
      encodeSnapshot(body.snapshot, to);
      return;
    case 'opening':
      to.u32(body.checkpoints);
      return;
    case 'checkpoint':
      encodeSnapshot(body.snapshot, to);
      encodeHardState(body.hardState, to);
      to.u64(body.lastIndex);
      to.u32(body.termRuns.length);
      for (const run of body.termRuns) {
        to.u64(run.from);
        to.u64(run.term);
      }
      if (body.former !== null) encodeLogEnd(body.former, to);
      return;
    case 'relocation':
      encodeEntries(body.entries, to);
      return;
    case 'removal':
      encodeRemoval(body, to);
      return;
    case 'return':
    case 'seal':
      return;
    default:
      unreachable(body);
  }
}

/** Payloads of entries are views of `bytes`. */
export function decodeBody(kindByte: number, bytes: Uint8Array, start: number, end: number): RecordBody {
  const kind = kinds[kindByte - 1];
  assert(kind !== undefined, () => `a record of the log has the unknown kind ${kindByte}`);
  const from = new ByteReader(bytes, start, end);
  const body = decodeKind(kind, from);
  assert(from.done, () => `a ${kind} record of the log is longer than its content`);
  return body;
}

function decodeKind(kind: Kind, from: ByteReader): RecordBody {
  switch (kind) {
    case 'write': {
      const flags = from.u8();
      const truncateFrom = (flags & hasTruncation) === 0 ? null : (from.u64() as Index);
      const snapshot = (flags & hasSnapshot) === 0 ? null : decodeSnapshot(from);
      const hardState = (flags & hasHardState) === 0 ? null : decodeHardState(from);
      return { kind, truncateFrom, snapshot, entries: decodeEntries(from), hardState };
    }
    case 'compaction':
      return { kind, snapshot: decodeSnapshot(from) };
    case 'opening':
      return { kind, checkpoints: from.u32() };
    case 'checkpoint': {
      const snapshot = decodeSnapshot(from);
      const hardState = decodeHardState(from);
      const lastIndex = from.u64() as Index;
      const termRuns: TermRun[] = [];
      for (let left = from.u32(); left > 0; left -= 1) {
        termRuns.push({ from: from.u64() as Index, term: from.u64() as Term });
      }
      const former = from.done ? null : decodeLogEnd(from);
      return { kind, snapshot, hardState, lastIndex, termRuns, former };
    }
    case 'relocation':
      return { kind, entries: decodeEntries(from) };
    case 'removal':
      return decodeRemoval(from);
    case 'return':
    case 'seal':
      return { kind };
    default:
      return unreachable(kind);
  }
}

type Removal = Extract<RecordBody, { kind: 'removal' }>;

function encodeRemoval({ forgotten, kept }: Removal, to: ByteWriter): void {
  if (forgotten || kept === null) {
    to.u8(forgotten ? removals.forgotten : removals.remembered);
    return;
  }
  to.u8(removals.kept);
  to.u64(kept.term);
  to.u64(kept.vote);
  encodeLogEnd(kept.end, to);
}

function decodeRemoval(from: ByteReader): Removal {
  const way = from.u8();
  if (way !== removals.kept) {
    return { kind: 'removal', forgotten: way === removals.forgotten, kept: null };
  }
  const kept = { term: from.u64() as Term, vote: from.u64() as NodeId, end: decodeLogEnd(from) };
  return { kind: 'removal', forgotten: false, kept };
}

function encodeLogEnd(end: LogEnd, to: ByteWriter): void {
  to.u64(end.term);
  to.u64(end.index);
}

function decodeLogEnd(from: ByteReader): LogEnd {
  return { term: from.u64() as Term, index: from.u64() as Index };
}

function entriesBytes(entries: readonly Entry[]): number {
  let bytes = 4 + (entries.length === 0 ? 0 : 8) + entries.length * entryHeaderBytes;
  for (const entry of entries) bytes += entry.payload.length;
  return bytes;
}

function encodeEntries(entries: readonly Entry[], to: ByteWriter): void {
  to.u32(entries.length);
  const first = entries[0];
  if (first === undefined) return;
  to.u64(first.index);
  for (const entry of entries) {
    to.u32(entry.payload.length);
    to.u8(entryKinds.indexOf(entry.kind));
    to.u64(entry.term);
    to.append(entry.payload);
  }
}

function decodeEntries(from: ByteReader): readonly Entry[] {
  const count = from.u32();
  const entries: Entry[] = [];
  if (count === 0) return entries;
  const first = from.u64();
  for (let i = 0; i < count; i += 1) {
    const length = from.u32();
    const kind = entryKinds[from.u8()];
    assert(kind !== undefined, 'an entry in the log has an unknown kind');
    const term = from.u64() as Term;
    const at = from.skip(length);
    entries.push({ term, index: (first + i) as Index, kind, payload: from.bytes.subarray(at, at + length) });
  }
  return entries;
}

function encodeHardState(hardState: HardState, to: ByteWriter): void {
  to.u64(hardState.term);
  to.u64(hardState.vote);
  to.u64(hardState.commit);
}

function decodeHardState(from: ByteReader): HardState {
  return { term: from.u64() as Term, vote: from.u64() as NodeId, commit: from.u64() as Index };
}

function snapshotBytes(snapshot: SnapshotMeta): number {
  const { voters, votersOutgoing, learners, learnersNext, removed } = snapshot.configuration;
  const ids = [voters, votersOutgoing, learners, learnersNext, removed].reduce(
    (sum, list) => sum + list.length,
    0,
  );
  return 8 + 8 + 5 * 4 + ids * 8 + 1;
}

function encodeSnapshot(snapshot: SnapshotMeta, to: ByteWriter): void {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave, removed } = snapshot.configuration;
  to.u64(snapshot.index);
  to.u64(snapshot.term);
  for (const ids of [voters, votersOutgoing, learners, learnersNext, removed]) {
    to.u32(ids.length);
    for (const id of ids) to.u64(id);
  }
  to.u8(autoLeave ? 1 : 0);
}

function decodeSnapshot(from: ByteReader): SnapshotMeta {
  const index = from.u64() as Index;
  const term = from.u64() as Term;
  const voters = decodeIds(from);
  const votersOutgoing = decodeIds(from);
  const learners = decodeIds(from);
  const learnersNext = decodeIds(from);
  const removed = decodeIds(from);
  const configuration: Configuration = {
    voters,
    votersOutgoing,
    learners,
    learnersNext,
    autoLeave: from.u8() === 1,
    removed,
  };
  return { index, term, configuration };
}

function decodeIds(from: ByteReader): readonly NodeId[] {
  const ids: NodeId[] = [];
  for (let left = from.u32(); left > 0; left -= 1) ids.push(from.u64() as NodeId);
  return ids;
}
