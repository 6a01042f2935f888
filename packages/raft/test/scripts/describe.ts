import type { Configuration, ProgressView, Role } from '../../src/core/types.ts';
import type { Address, ScriptEntry, ScriptMessage, ScriptSnapshot } from './script-message.ts';

/** The texts of etcd-io/raft's scripts: field order, indentation and names are part of what is compared. */
export function describeMessage(message: ScriptMessage, indent = ''): string {
  const { from, to, type, term, logTerm, index } = message;
  let text = `${indent}${describeAddress(from)}->${describeAddress(to)} ${type} Term:${term} Log:${logTerm}/${index}`;
  if (message.rejected) text += ` Rejected (Hint: ${message.hint})`;
  if (message.commit !== 0) text += ` Commit:${message.commit}`;
  if (message.vote !== 0) text += ` Vote:${message.vote}`;
  text += describeList(message.entries.map(describeEntry), indent);
  if (message.snapshot !== null) text += `\n${indent}  Snapshot: ${describeSnapshot(message.snapshot)}`;
  if (message.responses.length > 0) {
    const responses = message.responses.map((response) => `\n${describeMessage(response, `${indent}  `)}`);
    text += ` Responses:[${responses.join('')}\n${indent}]`;
  }
  return text;
}

/** One entry stays on the line of its message. */
function describeList(entries: readonly string[], indent: string): string {
  if (entries.length === 0) return '';
  if (entries.length === 1) return ` Entries:[${entries[0]}]`;
  return ` Entries:[${entries.map((entry) => `\n${indent}  ${entry}`).join('')}\n${indent}]`;
}

export function describeEntry(entry: ScriptEntry): string {
  const text = entry.text === '' ? '' : ` ${entry.text}`;
  return `${entry.term}/${entry.index} ${entry.type}${text}`;
}

export function describeSnapshot({ index, term, configuration }: ScriptSnapshot): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = configuration;
  return (
    `Index:${index} Term:${term} ConfState:Voters:${spaced(voters)} VotersOutgoing:${spaced(votersOutgoing)} ` +
    `Learners:${spaced(learners)} LearnersNext:${spaced(learnersNext)} AutoLeave:${autoLeave}`
  );
}

/** `voters=(1 2)&&(1) learners=(3) learners_next=(1) autoleave`; what is empty is left out, except voters. */
export function describeConfiguration(configuration: Configuration): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = configuration;
  let text = `voters=(${voters.join(' ')})`;
  if (votersOutgoing.length > 0) text += `&&(${votersOutgoing.join(' ')})`;
  if (learners.length > 0) text += ` learners=(${learners.join(' ')})`;
  if (learnersNext.length > 0) text += ` learners_next=(${learnersNext.join(' ')})`;
  return autoLeave ? `${text} autoleave` : text;
}

/** What the scripts print of a leader's knowledge of one member. */
export type DescribedProgress = Pick<
  ProgressView,
  'state' | 'match' | 'next' | 'learner' | 'paused' | 'pendingSnapshot' | 'active' | 'inflight'
> & { readonly windowFull: boolean };

const progressNames = {
  probe: 'StateProbe',
  replicate: 'StateReplicate',
  snapshot: 'StateSnapshot',
} as const;

export function describeProgress(progress: DescribedProgress): string {
  let text = `${progressNames[progress.state]} match=${progress.match} next=${progress.next}`;
  if (progress.learner) text += ' learner';
  if (progress.paused) text += ' paused';
  if (progress.pendingSnapshot > 0) text += ` pendingSnap=${progress.pendingSnapshot}`;
  if (!progress.active) text += ' inactive';
  if (progress.inflight > 0) text += ` inflight=${progress.inflight}${progress.windowFull ? '[full]' : ''}`;
  return text;
}

const roleNames: Readonly<Record<Role, string>> = {
  follower: 'StateFollower',
  'pre-candidate': 'StatePreCandidate',
  candidate: 'StateCandidate',
  leader: 'StateLeader',
};

export function describeRole(role: Role): string {
  return roleNames[role];
}

/** Go's `%q`, for the characters that the scripts use. */
export function quoted(payload: Uint8Array): string {
  let text = '"';
  for (const character of new TextDecoder().decode(payload)) {
    if (character === '"' || character === '\\') text += `\\${character}`;
    else if (character === '\n') text += '\\n';
    else if (character === '\t') text += '\\t';
    else if (character === '\r') text += '\\r';
    else if (character < ' ') text += `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
    else text += character;
  }
  return `${text}"`;
}

/** Go's `%v` of a list. */
function spaced(ids: readonly number[]): string {
  return `[${ids.join(' ')}]`;
}

function describeAddress(address: Address): string {
  return typeof address === 'number' ? address.toString(16) : address;
}
