import type { Entry, GroupId, Index, RecoveredGroup, WriteAheadLog } from '@flotilla/raft';
import {
  contentOf,
  copyState,
  groupOf,
  lastIndex,
  perform,
  signature,
  type ModelEntry,
  type ModelState,
  type Operation,
} from './log-model.ts';
import { LogViolation } from './log-violation.ts';

/** Reads everything that a log gives back, through its public face only. */
export async function readLog(
  log: WriteAheadLog,
  groups: ReadonlyMap<GroupId, RecoveredGroup>,
): Promise<ModelState> {
  const state: ModelState = new Map();
  for (const [id, recovered] of groups) {
    const group = groupOf(state, id);
    const { hardState, snapshot } = recovered;
    group.term = hardState.term;
    group.vote = hardState.vote;
    group.commit = hardState.commit;
    group.snapshotIndex = snapshot.index;
    group.snapshotTerm = snapshot.term;
    group.voters = snapshot.configuration.voters.join();
    const entries = await readEntries(log, id, snapshot.index + 1, recovered.lastIndex);
    group.entries = entries.map(modelEntry);
    checkSummary(id, recovered, entries);
  }
  return state;
}

/** In several reads, as a follower that catches up makes them. */
export async function readEntries(
  log: WriteAheadLog,
  id: GroupId,
  from: number,
  last: number,
): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for (let next = from; next <= last; next = from + entries.length) {
    const read = await log.read(id, next as Index, (last + 1) as Index, 2000);
    if (read === 'compacted' || read.length === 0) {
      throw new LogViolation('log read', `entry ${next} of group ${id} up to ${last} cannot be read`);
    }
    for (const entry of read) {
      if (entry.index !== from + entries.length) {
        throw new LogViolation(
          'log read',
          `entry ${from + entries.length} of group ${id} came as ${entry.index}`,
        );
      }
      entries.push(entry);
    }
  }
  return entries;
}

export function modelEntry({ term, kind, payload }: Entry): ModelEntry {
  return { term, kind, content: contentOf(payload) };
}

/** What recovery says of the entries without reading them again must be what the entries say. */
function checkSummary(id: GroupId, recovered: RecoveredGroup, entries: readonly Entry[]): void {
  const runs: string[] = [];
  let term = 0;
  for (const entry of entries) {
    if (entry.term !== term) runs.push(`${entry.index}:${entry.term}`);
    term = entry.term;
  }
  const found = recovered.termRuns.map((run) => `${run.from}:${run.term}`);
  if (runs.join() !== found.join()) {
    throw new LogViolation(
      'log terms',
      `group ${id} has the terms ${runs.join()}, recovery says ${found.join()}`,
    );
  }
  const membership = entries.filter((entry) => entry.kind === 'membership');
  const same =
    membership.length === recovered.membership.length &&
    membership.every((entry, i) => {
      const other = recovered.membership[i];
      return other?.index === entry.index && contentOf(other.payload) === contentOf(entry.payload);
    });
  if (!same)
    throw new LogViolation(
      'log membership',
      `the configuration entries of group ${id} are not those of its log`,
    );
}

/**
 * What a log may hold after a crash: everything that was acknowledged, and of the rest a prefix. Commit indexes alone
 * may be older than what was acknowledged, as long as nothing was synced with them.
 *
 * @returns how many of the operations the log holds.
 */
export function checkRecovered(
  before: ModelState,
  operations: readonly Operation[],
  acknowledged: number,
  found: ModelState,
): number {
  const wanted = signature(found);
  const state = copyState(before);
  for (let done = 0; ; done += 1) {
    if (done >= acknowledged && signature(state) === wanted) {
      checkCommits(before, operations, done, state, found);
      return done;
    }
    const next = operations[done];
    if (next === undefined) break;
    perform(state, next);
  }
  const kept = copyState(before);
  for (const operation of operations.slice(0, acknowledged)) perform(kept, operation);
  throw new LogViolation(
    'log durability',
    `${acknowledged} of ${operations.length} operations were acknowledged, and the log holds no prefix with these.\n` +
      `acknowledged:\n${signature(kept)}found:\n${wanted}`,
  );
}

function checkCommits(
  before: ModelState,
  operations: readonly Operation[],
  done: number,
  state: ModelState,
  found: ModelState,
): void {
  const synced = copyState(before);
  const last = copyState(state);
  for (const [i, operation] of operations.entries()) {
    const unsynced = operation.type === 'write' && !operation.record.write.mustSync;
    if (i < done && !unsynced) perform(synced, operation);
    if (i >= done && unsynced) perform(last, operation);
  }
  for (const [id, group] of found) {
    const least = groupOf(synced, id).commit;
    const most = Math.max(groupOf(last, id).commit, groupOf(state, id).commit);
    if (group.commit < least || group.commit > most || group.commit > lastIndex(group)) {
      const bounds = `${least} to ${most}, with ${lastIndex(group)} the last entry`;
      throw new LogViolation(
        'log commit',
        `group ${id} has commit index ${group.commit}; possible is ${bounds}`,
      );
    }
  }
}
