import { configurationOf } from '../src/core/configuration.ts';
import type { Entry, GroupId, HardState, Index, LogRecord, NodeId, Term } from '@flotilla/raft';
import type { SnapshotMeta, Write, WriteSequence } from '@flotilla/raft';
import type { Tape } from '@flotilla/sim';
import { groupOf, lastIndex, termAt, type ModelGroup, type ModelState, type Operation } from './log-model.ts';

export interface OperationSettings {
  readonly groups: number;
  /** Payloads are up to this long, and now and then `largeBytes`. */
  readonly payloadBytes: number;
  readonly largeBytes: number;
  readonly largePerMille: number;
}

/** Draws the next thing that some core could ask of a log in this state. */
export function drawOperation(
  tape: Tape,
  settings: OperationSettings,
  state: ModelState,
  serial: number,
): Operation {
  const id = tape.choose(settings.groups, 'log: which group');
  const group = groupOf(state, id);
  const draw = tape.choose(20, 'log: which operation');
  if (draw < 11) return write(id, { entries: drawEntries(tape, settings, group, serial, lastIndex(group)) });
  if (draw < 13) return drawConflict(tape, settings, id, group, serial);
  if (draw < 15) return write(id, { hardState: laterTerm(tape, group) });
  if (draw < 17) return drawCommit(tape, id, group);
  if (draw < 19) return drawCompaction(tape, id, group);
  return drawSnapshot(tape, id, group);
}

/** A new leader's entries replace some that are not committed, in a later term, in one record. */
function drawConflict(
  tape: Tape,
  settings: OperationSettings,
  id: GroupId,
  group: ModelGroup,
  serial: number,
): Operation {
  const safe = Math.max(group.commit, group.snapshotIndex);
  const uncommitted = lastIndex(group) - safe;
  if (uncommitted === 0)
    return write(id, { entries: drawEntries(tape, settings, group, serial, lastIndex(group)) });
  const truncateFrom = safe + 1 + tape.choose(uncommitted, 'log: truncate from');
  const hardState = laterTerm(tape, group);
  const later = { ...group, term: hardState.term };
  const entries = drawEntries(tape, settings, later, serial, truncateFrom - 1);
  return write(id, { truncateFrom: truncateFrom as Index, entries, hardState });
}

/** Only the commit index moves: the one write that need not be synced. */
function drawCommit(tape: Tape, id: GroupId, group: ModelGroup): Operation {
  const commit = group.commit + tape.choose(lastIndex(group) - group.commit + 1, 'log: commit');
  return write(id, { hardState: hardState(group.term, group.vote, commit), mustSync: false });
}

function drawCompaction(tape: Tape, id: GroupId, group: ModelGroup): Operation {
  const committed = group.commit - group.snapshotIndex;
  if (committed <= 0) return drawCommit(tape, id, group);
  const index = group.snapshotIndex + 1 + tape.choose(committed, 'log: compact through');
  return { type: 'compact', group: id, through: snapshot(tape, index, termAt(group, index)) };
}

/** The leader has compacted what this member misses. */
function drawSnapshot(tape: Tape, id: GroupId, group: ModelGroup): Operation {
  const index = lastIndex(group) + 1 + tape.choose(20, 'log: snapshot ahead');
  const term = Math.max(group.term, 1);
  return write(id, { snapshot: snapshot(tape, index, term), hardState: hardState(term, group.vote, index) });
}

function drawEntries(
  tape: Tape,
  settings: OperationSettings,
  group: ModelGroup,
  serial: number,
  after: number,
): readonly Entry[] {
  const entries: Entry[] = [];
  const count = 1 + tape.choose(4, 'log: how many entries');
  const term = Math.max(group.term, termAt(group, after), 1);
  for (let i = 1; i <= count; i += 1) {
    const large = tape.chance(settings.largePerMille, 1000, 'log: large entry');
    const size = large ? settings.largeBytes : tape.choose(settings.payloadBytes, 'log: payload bytes');
    const kind = tape.chance(1, 10, 'log: membership entry') ? 'membership' : 'command';
    const index = (after + i) as Index;
    entries.push({ term: term as Term, index, kind, payload: payload(size, serial * 8 + i) });
  }
  return entries;
}

/** Bytes that tell which write they are of, none of them zero, so that a lost sector shows. */
function payload(size: number, serial: number): Uint8Array {
  const bytes = new Uint8Array(size + 4);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = 1 + (Math.imul(serial + i, 0x9e3779b1) >>> 25);
  new DataView(bytes.buffer).setUint32(0, serial);
  return bytes;
}

function laterTerm(tape: Tape, group: ModelGroup): HardState {
  const term = group.term + 1 + tape.choose(2, 'log: terms ahead');
  return hardState(term, tape.choose(4, 'log: vote'), group.commit);
}

function hardState(term: number, vote: number, commit: number): HardState {
  return { term: term as Term, vote: vote as NodeId, commit: commit as Index };
}

function snapshot(tape: Tape, index: number, term: number): SnapshotMeta {
  const voters = [1, 2, 3, 4, 5].slice(0, 1 + tape.choose(5, 'log: voters')) as NodeId[];
  const configuration = configurationOf(voters, [6]);
  return { index: index as Index, term: term as Term, configuration };
}

function write(group: GroupId, content: Partial<Write>): Operation {
  const record: LogRecord = {
    group,
    write: {
      sequence: 1 as WriteSequence,
      truncateFrom: null,
      entries: [],
      hardState: null,
      snapshot: null,
      mustSync: true,
      thenSend: [],
      ...content,
    },
  };
  return { type: 'write', record };
}
