import { emptyConfiguration } from '../core/configuration.ts';
import type { Entry, EntryKind, HardState, Index, NodeId, SnapshotMeta, Term, Write } from '../core/types.ts';
import type { WriteSequence } from '../core/types.ts';
import type { GroupId } from '../host/types.ts';
import type { LogRecord, OpenedLog, RecoveredGroup, WriteAheadLog } from '../log/types.ts';
import { demand, demandEqual } from './case.ts';

/** What one group of a log must hold: plain, and in memory. */
interface GroupModel {
  hardState: HardState;
  snapshot: SnapshotMeta;
  /** From `snapshot.index + 1` on. */
  entries: Entry[];
}

/** What can be asked of a log, in the order of the calls. */
export type LogOperation =
  | { readonly type: 'append'; readonly records: readonly LogRecord[] }
  | { readonly type: 'compact'; readonly group: GroupId; readonly through: SnapshotMeta };

/** What a whole log must hold. */
export class LogModel {
  readonly #groups = new Map<GroupId, GroupModel>();

  /** With the first `records` records of the operations, where a compaction counts as one. */
  static after(operations: readonly LogOperation[], records = Number.POSITIVE_INFINITY): LogModel {
    const model = new LogModel();
    let left = records;
    for (const operation of operations) {
      const steps = operation.type === 'append' ? operation.records : [operation];
      for (const step of steps) {
        if (left === 0) return model;
        left -= 1;
        if ('write' in step) model.#write(step.group, step.write);
        else model.#compact(step.group, step.through);
      }
    }
    return model;
  }

  get groups(): readonly GroupId[] {
    return [...this.#groups.keys()];
  }

  lastIndex(id: GroupId): number {
    const group = this.#group(id);
    return group.snapshot.index + group.entries.length;
  }

  hardState(id: GroupId): HardState {
    return this.#group(id).hardState;
  }

  entries(id: GroupId): readonly Entry[] {
    return this.#group(id).entries;
  }

  /** Demands that the log holds this and nothing else, as recovery tells it and as it is read. */
  async demandHeld(opened: OpenedLog): Promise<void> {
    const difference = await this.differenceTo(opened);
    demand(difference === null, () => difference ?? '');
  }

  /** In words, or null. A group that was never written to may be there or not. */
  async differenceTo({ log, groups }: OpenedLog): Promise<string | null> {
    const ids = new Set([...this.#groups.keys(), ...groups.keys()]);
    for (const id of ids) {
      const difference = await this.#groupDifference(id, log, groups.get(id) ?? nothing);
      if (difference !== null) return `group ${id}: ${difference}`;
    }
    return null;
  }

  async #groupDifference(id: GroupId, log: WriteAheadLog, found: RecoveredGroup): Promise<string | null> {
    const wanted = this.#group(id);
    const first = wanted.snapshot.index + 1;
    try {
      demandEqual(votesOf(found.hardState), votesOf(wanted.hardState), 'term, vote and commit');
      demandEqual(plain(found.snapshot), plain(wanted.snapshot), 'snapshot');
      demandEqual(found.lastIndex, this.lastIndex(id), 'last index');
      demandEqual(runsOf(found.termRuns), runsOf(termRuns(wanted.entries)), 'runs of terms');
      demandEqual(
        found.membership.map((entry) => entry.index),
        wanted.entries.filter((entry) => entry.kind === 'membership').map((entry) => entry.index),
        'indexes of membership entries',
      );
      demandEntries(await readAll(log, id, first, found.lastIndex), wanted.entries);
      if (found.snapshot.index > 0) {
        demandEqual(
          await log.read(id, found.snapshot.index, (first + 1) as Index, 100),
          'compacted',
          'a read of what the snapshot covers',
        );
      }
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  }

  #write(id: GroupId, write: Write): void {
    const group = this.#group(id);
    this.#groups.set(id, group);
    if (write.snapshot !== null) {
      group.snapshot = write.snapshot;
      group.entries = [];
    } else if (write.truncateFrom !== null) {
      group.entries.splice(write.truncateFrom - group.snapshot.index - 1);
    }
    group.entries.push(...write.entries);
    if (write.hardState !== null) group.hardState = write.hardState;
  }

  #compact(id: GroupId, through: SnapshotMeta): void {
    const group = this.#group(id);
    if (through.index <= group.snapshot.index) return;
    group.entries.splice(0, through.index - group.snapshot.index);
    group.snapshot = through;
  }

  #group(id: GroupId): GroupModel {
    return this.#groups.get(id) ?? { hardState: nothing.hardState, snapshot: nothing.snapshot, entries: [] };
  }
}

/** In several reads, as a follower that catches up makes them. */
export async function readAll(
  log: WriteAheadLog,
  group: GroupId,
  from: number,
  last: number,
): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  while (from + entries.length <= last) {
    const next = from + entries.length;
    const read = await log.read(group, next as Index, (last + 1) as Index, 4096);
    demand(read !== 'compacted', () => `group ${group}: entry ${next} is said to be compacted`);
    demand(read.length > 0, () => `group ${group}: a read from ${next} up to ${last} answers nothing`);
    entries.push(...read);
  }
  return entries;
}

export function demandEntries(found: readonly Entry[], wanted: readonly Entry[]): void {
  demandEqual(found.map(nameOf), wanted.map(nameOf), 'entries (index/term kind length)');
  for (const [at, entry] of found.entries()) {
    const other = wanted[at]?.payload ?? new Uint8Array(0);
    demand(
      entry.payload.every((byte, offset) => byte === other[offset]),
      () => `the payload of entry ${entry.index} is not the one that was written`,
    );
  }
}

export function record(group: GroupId, content: Partial<Write>): LogRecord {
  return { group, write: { ...emptyWrite, ...content } };
}

export function entriesOf(from: number, to: number, term: number, sizeBytes = 20): Entry[] {
  const entries: Entry[] = [];
  for (let index = from; index <= to; index += 1) entries.push(entryOf(index, term, 'command', sizeBytes));
  return entries;
}

/** Its payload differs from that of any other index, term or size. */
export function entryOf(index: number, term: number, kind: EntryKind, sizeBytes = 20): Entry {
  const payload = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; at += 1) payload[at] = index * 17 + term * 101 + at * 7 + (at >>> 8);
  return { index: index as Index, term: term as Term, kind, payload };
}

export function hardStateOf(term: number, vote: number, commit: number): HardState {
  return { term: term as Term, vote: vote as NodeId, commit: commit as Index };
}

export function snapshotOf(index: number, term: number): SnapshotMeta {
  const configuration = {
    ...emptyConfiguration,
    voters: [1, 2, 3] as NodeId[],
    learners: [5] as NodeId[],
    removed: [4] as NodeId[],
  };
  return { index: index as Index, term: term as Term, configuration };
}

const emptyWrite: Write = {
  sequence: 1 as WriteSequence,
  truncateFrom: null,
  entries: [],
  hardState: null,
  snapshot: null,
  mustSync: true,
  thenSend: [],
};

const nothing: RecoveredGroup = {
  hardState: hardStateOf(0, 0, 0),
  snapshot: { index: 0 as Index, term: 0 as Term, configuration: emptyConfiguration },
  termRuns: [],
  lastIndex: 0 as Index,
  membership: [],
};

/** Field by field in a fixed order, whatever the order in which an implementation makes its objects. */
function plain({ index, term, configuration }: SnapshotMeta): unknown {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave, removed } = configuration;
  return [index, term, voters, votersOutgoing, learners, learnersNext, autoLeave, removed];
}

function votesOf({ term, vote, commit }: HardState): readonly number[] {
  return [term, vote, commit];
}

function termRuns(entries: readonly Entry[]): RecoveredGroup['termRuns'] {
  return entries
    .filter((entry, at) => entry.term !== entries[at - 1]?.term)
    .map(({ index, term }) => ({ from: index, term }));
}

function runsOf(runs: RecoveredGroup['termRuns']): readonly string[] {
  return runs.map(({ from, term }) => `${from}:${term}`);
}

function nameOf({ index, term, kind, payload }: Entry): string {
  return `${index}/${term} ${kind} ${payload.length}`;
}
