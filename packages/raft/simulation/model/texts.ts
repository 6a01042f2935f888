import type { Entry, NodeId, PeerMessage } from '@flotilla/raft';
import type { CoreState } from '../../src/core/state.ts';

/** Another name for each member: place i has the new name of member i + 1. Nobody (0) stays nobody. */
export type Renaming = readonly number[];

export function renamed(renaming: Renaming, id: number): number {
  return id === 0 ? 0 : (renaming[id - 1] as number);
}

/** Every way to name `members` members; the first one changes nothing. */
export function renamings(members: number): readonly Renaming[] {
  if (members === 0) return [[]];
  const all: Renaming[] = [];
  for (const shorter of renamings(members - 1)) {
    for (let at = members - 1; at >= 0; at -= 1)
      all.push([...shorter.slice(0, at), members, ...shorter.slice(at)]);
  }
  return all;
}

/** What a member's disk holds: all that a crash leaves. */
export interface Disk {
  readonly term: number;
  readonly vote: number;
  /** The newest commit index that a crash cannot take: writes of a commit index alone are not synced. */
  readonly commit: number;
  readonly entries: readonly Entry[];
}

export function diskText({ term, vote, commit, entries }: Disk, renaming: Renaming): string {
  return `disk ${term} ${renamed(renaming, vote)} ${commit} ${entries.map(entryText).join(' ')}`;
}

/**
 * All of a core at rest that can decide what it does next: nothing waits in its outbox, and every write and every batch
 * of the state machine is done. Not there: the indexes of a window of appends that is never full.
 */
export function stateText(state: CoreState, wins: number, renaming: Renaming): string {
  const { log } = state;
  const members = (of: Iterable<readonly [number, string]>): string =>
    [...of]
      .map(([id, text]) => `${renamed(renaming, id)}:${text}`)
      .sort()
      .join(' ');
  const progress = [...state.progress].map(([id, its]): [number, string] => [
    id,
    `${its.state} ${its.match} ${its.next} ${its.paused} ${its.active} ${its.toldCommit} ${its.knownCommit} ` +
      `${its.pendingSnapshot} ${its.priority} ${its.learner} ${sessionOf(its.session, renaming)}`,
  ]);
  return [
    state.role,
    state.term,
    renamed(renaming, state.vote),
    renamed(renaming, state.leader),
    `${log.base} ${log.last} ${log.commit} ${log.applied} ${log.durable} ${firstInMemory(state)}`,
    members([...state.votes].map(([id, granted]): [number, string] => [id, String(granted)])),
    members(progress),
    `${state.electionElapsed} ${state.electionTimeout} ${state.heartbeatElapsed} ${renamed(renaming, state.transferee)}`,
    `${state.lastChange} ${state.retired} ${state.leaseGivenUp} ${state.calledUpon} ${state.restTicks}`,
    `${state.topPriority} ${state.patience} ${state.transferTries} ${state.uncommittedBytes} ${wins}`,
  ].join(';');
}

/** A leader numbers its members in the order of their ids, all of them again in each leadership. */
function sessionOf(session: number, renaming: Renaming): number {
  const members = renaming.length;
  if (session === 0) return 0;
  const place = ((session - 1) % members) + 1;
  return session - place + renamed(renaming, place);
}

function firstInMemory({ log }: CoreState): number {
  let index = log.last + 1;
  while (index > log.base + 1 && log.slice(index - 1, index, Infinity) !== null) index -= 1;
  return index;
}

export function messageText(message: PeerMessage, renaming: Renaming): string {
  let text = '';
  for (const [name, value] of Object.entries(message) as [string, unknown][]) {
    if (name === 'from' || name === 'to' || name === 'transferee')
      text += `${name}=${renamed(renaming, value as NodeId)} `;
    else if (name === 'session') text += `session=${sessionOf(value as number, renaming)} `;
    else if (name === 'entries') text += `entries=[${(value as readonly Entry[]).map(entryText).join(' ')}] `;
    else text += `${name}=${String(value)} `;
  }
  return text.trimEnd();
}

export function entryText({ term, index, kind, payload }: Entry): string {
  return `${term}/${index}/${kind}${payload.length > 0 ? payload.join('.') : ''}`;
}
