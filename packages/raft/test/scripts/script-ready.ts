import type { Entry, HardState, NodeId, Role, SnapshotMeta } from '../../src/core/types.ts';
import { describeEntry, describeMessage, describeRole, describeSnapshot } from './describe.ts';
import type { ScriptMessage } from './script-message.ts';
import { toScriptEntry } from './script-translation.ts';

/** What etcd hands to its host at once: everything that a member wants done. */
export interface ScriptReady {
  /** Null: as before. */
  readonly role: { readonly leader: NodeId; readonly role: Role } | null;
  readonly hardState: HardState | null;
  readonly entries: readonly Entry[];
  readonly snapshot: SnapshotMeta | null;
  readonly committed: readonly Entry[];
  readonly messages: readonly ScriptMessage[];
  readonly mustSync: boolean;
}

export function describeReady(ready: ScriptReady): string {
  const lines: string[] = [];
  const { role, hardState, entries, snapshot, committed, messages } = ready;
  if (role !== null) lines.push(`Lead:${role.leader} State:${describeRole(role.role)}`);
  if (hardState !== null) lines.push(`HardState ${describeHardState(hardState)}`);
  if (entries.length > 0) lines.push('Entries:', ...describeEntries(entries));
  if (snapshot !== null) lines.push(`Snapshot ${describeSnapshot(snapshot)}`);
  if (committed.length > 0) lines.push('CommittedEntries:', ...describeEntries(committed));
  if (messages.length > 0) lines.push('Messages:', ...messages.map((message) => describeMessage(message)));
  if (lines.length === 0) return '<empty Ready>';
  return `Ready MustSync=${ready.mustSync}:\n${lines.join('\n')}\n`;
}

export function describeEntries(entries: readonly Entry[]): readonly string[] {
  return entries.map((entry) => describeEntry(toScriptEntry(entry)));
}

function describeHardState({ term, vote, commit }: HardState): string {
  return `Term:${term}${vote === 0 ? '' : ` Vote:${vote}`} Commit:${commit}`;
}
