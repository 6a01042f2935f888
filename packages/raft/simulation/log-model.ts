import type { GroupId, LogRecord, SnapshotMeta } from '@flotilla/raft';

/** What one group's log must hold: plain, and all in memory. Entries are named by what was written into them. */
export interface ModelGroup {
  term: number;
  vote: number;
  commit: number;
  snapshotIndex: number;
  snapshotTerm: number;
  /** The voters of the snapshot's configuration: enough to know one configuration from another. */
  voters: string;
  /** From `snapshotIndex + 1` on. */
  entries: ModelEntry[];
}

export interface ModelEntry {
  readonly term: number;
  readonly kind: string;
  /** The payload's content in short. */
  readonly content: string;
}

/** One thing that was asked of the log. */
export type Operation =
  | { readonly type: 'write'; readonly record: LogRecord }
  | { readonly type: 'compact'; readonly group: GroupId; readonly through: SnapshotMeta };

export type ModelState = Map<GroupId, ModelGroup>;

export function lastIndex(group: ModelGroup): number {
  return group.snapshotIndex + group.entries.length;
}

export function termAt(group: ModelGroup, index: number): number {
  if (index === group.snapshotIndex) return group.snapshotTerm;
  return group.entries[index - group.snapshotIndex - 1]?.term ?? 0;
}

export function groupOf(state: ModelState, id: GroupId): ModelGroup {
  let group = state.get(id);
  if (group === undefined) {
    group = { term: 0, vote: 0, commit: 0, snapshotIndex: 0, snapshotTerm: 0, voters: '', entries: [] };
    state.set(id, group);
  }
  return group;
}

export function perform(state: ModelState, operation: Operation): void {
  if (operation.type === 'compact') {
    const group = groupOf(state, operation.group);
    const { through } = operation;
    if (through.index <= group.snapshotIndex) return;
    group.entries.splice(0, through.index - group.snapshotIndex);
    setSnapshot(group, through);
    return;
  }
  const { write } = operation.record;
  const group = groupOf(state, operation.record.group);
  if (write.snapshot !== null) {
    group.entries = [];
    setSnapshot(group, write.snapshot);
  } else if (write.truncateFrom !== null) {
    group.entries.splice(write.truncateFrom - group.snapshotIndex - 1);
  }
  for (const { term, kind, payload } of write.entries) {
    group.entries.push({ term, kind, content: contentOf(payload) });
  }
  if (write.hardState === null) return;
  group.term = write.hardState.term;
  group.vote = write.hardState.vote;
  group.commit = write.hardState.commit;
}

function setSnapshot(group: ModelGroup, snapshot: SnapshotMeta): void {
  group.snapshotIndex = snapshot.index;
  group.snapshotTerm = snapshot.term;
  group.voters = snapshot.configuration.voters.join();
}

export function copyState(state: ModelState): ModelState {
  return new Map([...state].map(([id, group]) => [id, { ...group, entries: [...group.entries] }]));
}

/**
 * Everything of a state but the commit indexes, which a crash may put back: equal strings, equal states. Groups that
 * were never written to do not count.
 */
export function signature(state: ModelState): string {
  const groups = [...state].sort(([a], [b]) => a - b);
  let text = '';
  for (const [id, group] of groups) {
    const { term, vote, snapshotIndex, snapshotTerm, voters, entries } = group;
    if (term === 0 && lastIndex(group) === 0 && voters === '') continue;
    text += `group ${id}: term ${term}, vote ${vote}, snapshot ${snapshotIndex}/${snapshotTerm} of ${voters}, entries`;
    for (const entry of entries) text += ` ${entry.term}${entry.kind[0]}${entry.content}`;
    text += '\n';
  }
  return text;
}

/** Length and a hash: payloads are drawn so that no two of them have both in common by design. */
export function contentOf(payload: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of payload) hash = Math.imul(hash ^ byte, 0x01000193);
  return `${payload.length}.${(hash >>> 0).toString(36)}`;
}
