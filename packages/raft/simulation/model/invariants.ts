import type { Entry } from '@flotilla/raft';
import { Violation } from '../core/violation.ts';
import type { MemberState } from './members.ts';
import type { World } from './world.ts';

/** Those of SPEC.md that say something about what one step may change. `applied` null: it was a crash. */
export function requireStep(
  world: World,
  before: MemberState,
  after: MemberState,
  applied: readonly Entry[] | null,
): void {
  const { id } = before;
  if (after.term < before.term) fail('I2', `${id} goes back from term ${before.term} to ${after.term}`);
  if (after.term === before.term && before.disk.vote !== 0 && after.vote !== before.vote) {
    fail('I2', `${id} votes for ${before.vote} and for ${after.vote} in term ${after.term}`);
  }
  if (applied === null) return;
  if (after.commit < before.commit) fail('I7', `${id} commits ${after.commit} after ${before.commit}`);
  let expected = before.applied + 1;
  for (const entry of applied) {
    if (entry.index !== expected) fail('I9', `${id} applies ${entry.index} after ${expected - 1}`);
    expected += 1;
  }
  if (after.role !== 'leader' || before.role === 'leader') return;
  const other = world.leaders[after.term - 1] ?? 0;
  if (other !== 0 && other !== id) fail('I1', `${other} and ${id} are elected in term ${after.term}`);
  for (const [at, text] of world.committed.entries()) {
    if ((world.committedIn[at] as number) >= after.term) continue;
    if (after.entries[at] !== text) {
      fail('I6', `${id} is elected in term ${after.term} without ${text}, which is committed`);
    }
  }
}

/** Those that every state has to fulfil, when it came about by a change of one member. */
export function requireInvariants({ members, committed }: World, changed: MemberState): void {
  for (const member of members) requireMember(member, members, committed);
  for (const [at, text] of committed.entries()) {
    const holders = members.filter(({ entries }) => entries[at] === text).length;
    if (2 * holders <= members.length) fail('I4', `${text} is committed and on ${holders} disks`);
  }
  for (const other of members) if (other !== changed) requireMatchingLogs(changed, other);
}

function requireMember(
  member: MemberState,
  members: readonly MemberState[],
  committed: readonly string[],
): void {
  const { id, commit, applied, lastIndex, disk, vote, term } = member;
  if (commit > lastIndex) fail('I7', `${id} commits ${commit} beyond its log, which ends at ${lastIndex}`);
  if (applied > commit || applied > disk.entries.length) fail('I9', `${id} applies ${applied} of ${commit}`);
  if (disk.term !== term || disk.vote !== vote) fail('I4', `${id} is in another term than its disk says`);
  if (disk.entries.length !== lastIndex) fail('I11', `${id} has another log than it wrote`);
  for (let at = 0; at < commit; at += 1) {
    if (member.entries[at] !== committed[at]) {
      fail('I8', `${id} commits another entry at ${at + 1} than ${committed[at]}`);
    }
  }
  const commands = disk.entries.filter(({ kind }) => kind === 'command');
  if (
    commands.length > 1 &&
    new Set(commands.map(({ payload }) => payload.join('.'))).size < commands.length
  ) {
    fail('I10', `${id} has a proposal twice in its log`);
  }
  for (const [other, match] of member.matches) {
    const its = members[other - 1] as MemberState;
    if (match === 0 || its.disk.term > term) continue;
    if (member.entries[match - 1] !== its.entries[match - 1]) {
      fail('I5', `${id} believes that ${other} has ${match}, its disk ends at ${its.entries.length}`);
    }
  }
}

/** I3: equal index and term mean equal entries and equal logs before them. */
function requireMatchingLogs(a: MemberState, b: MemberState): void {
  let agreed = false;
  for (let at = Math.min(a.entries.length, b.entries.length) - 1; at >= 0; at -= 1) {
    if ((a.disk.entries[at] as Entry).term === (b.disk.entries[at] as Entry).term) agreed = true;
    if (agreed && a.entries[at] !== b.entries[at]) {
      fail('I3', `${a.id} and ${b.id} agree later on, and differ at ${at + 1}`);
    }
  }
}

function fail(invariant: string, message: string): never {
  throw new Violation(invariant, message);
}
