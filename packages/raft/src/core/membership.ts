import { maxRemovedIds } from './limits.ts';
import { isVoter, membersOf } from './quorum.ts';
import type { Configuration, MembershipChange, MembershipStep, NodeId } from './types.ts';

/** Why a change does not apply to a configuration. */
export type ChangeProblem =
  /** A change with steps, while the changes before it are still joint. */
  | 'already-joint'
  /** Leaving a joint configuration that is none. */
  | 'not-joint'
  /** A joint change of a group that has no voter yet: nobody could agree to it. */
  | 'no-voters'
  | 'removes-all-voters'
  /** A simple change may move one voter: only then do majorities before and after it share a member. */
  | 'several-voters-change';

/** The configuration that a change leads to, or why it leads nowhere. */
export type ChangeResult =
  | { readonly ok: true; readonly configuration: Configuration }
  | { readonly ok: false; readonly problem: ChangeProblem };

/**
 * The configuration after a change, as etcd-io/raft has it (§4.1 and §4.3 of the dissertation). Pure, and idempotent
 * step by step: adding who is there and removing who is not changes nothing. Steps for id 0 are skipped.
 *
 * @example
 * const change = { steps: [{ operation: 'add-learner', id: 4 }], transition: 'auto', context };
 * const result = applyChange(configurationOf([1, 2, 3]), change);
 * // { ok: true, configuration: { voters: [1, 2, 3], learners: [4], … } }
 */
export function applyChange(configuration: Configuration, change: MembershipChange): ChangeResult {
  if (leavesJoint(change)) return leaveJoint(configuration);
  if (isJointChange(change)) {
    return enterJoint(configuration, change.steps, change.transition !== 'explicit');
  }
  return changeSimply(configuration, change.steps);
}

/** A change without steps, however it is to be taken, says no more than: leave the joint configuration. */
export function leavesJoint(change: MembershipChange): boolean {
  return change.steps.length === 0;
}

/** More than one step is taken jointly, whatever they are, as etcd does: it costs one entry, and is never wrong. */
function isJointChange(change: MembershipChange): boolean {
  return change.transition !== 'auto' || change.steps.length > 1;
}

/** Whether decisions need majorities of two sets of voters. */
export function isJoint(configuration: Configuration): boolean {
  return configuration.votersOutgoing.length > 0;
}

/** At most one voter comes or goes. */
export function changeSimply(configuration: Configuration, steps: readonly MembershipStep[]): ChangeResult {
  if (isJoint(configuration)) return refused('already-joint');
  const draft = new Draft(configuration);
  draft.take(steps);
  if (draft.voters.size === 0) return refused('removes-all-voters');
  if (differences(configuration.voters, draft.voters) > 1) return refused('several-voters-change');
  return { ok: true, configuration: draft.finish(false) };
}

/** From here until {@link leaveJoint} decisions need a majority of the voters before and of those after the steps. */
export function enterJoint(
  configuration: Configuration,
  steps: readonly MembershipStep[],
  autoLeave: boolean,
): ChangeResult {
  if (isJoint(configuration)) return refused('already-joint');
  if (configuration.voters.length === 0) return refused('no-voters');
  const draft = new Draft(configuration);
  for (const id of configuration.voters) draft.outgoing.add(id);
  draft.take(steps);
  if (draft.voters.size === 0) return refused('removes-all-voters');
  return { ok: true, configuration: draft.finish(autoLeave) };
}

/** The second half of a joint change: the outgoing voters go, and `learnersNext` become learners. */
export function leaveJoint(configuration: Configuration): ChangeResult {
  if (!isJoint(configuration)) return refused('not-joint');
  const draft = new Draft(configuration);
  for (const id of draft.learnersNext) draft.learners.add(id);
  draft.learnersNext.clear();
  draft.outgoing.clear();
  return { ok: true, configuration: draft.finish(false) };
}

/** The first id that the change would add although it was removed before. */
export function reusedId(configuration: Configuration, change: MembershipChange): NodeId | null {
  for (const { operation, id } of change.steps) {
    const adds = operation === 'add-voter' || operation === 'add-learner';
    if (adds && configuration.removed.includes(id)) return id;
  }
  return null;
}

/** A configuration while steps are taken. */
class Draft {
  readonly voters: Set<NodeId>;
  readonly outgoing: Set<NodeId>;
  readonly learners: Set<NodeId>;
  readonly learnersNext: Set<NodeId>;
  readonly #before: Configuration;

  constructor(configuration: Configuration) {
    this.#before = configuration;
    this.voters = new Set(configuration.voters);
    this.outgoing = new Set(configuration.votersOutgoing);
    this.learners = new Set(configuration.learners);
    this.learnersNext = new Set(configuration.learnersNext);
  }

  take(steps: readonly MembershipStep[]): void {
    for (const { operation, id } of steps) {
      if (id === 0) continue;
      if (operation === 'add-voter') this.#addVoter(id);
      else if (operation === 'add-learner') this.#addLearner(id);
      else if (operation === 'remove') this.#remove(id);
    }
  }

  #addVoter(id: NodeId): void {
    this.learners.delete(id);
    this.learnersNext.delete(id);
    this.voters.add(id);
  }

  /** A voter of the outgoing half stays one until the joint configuration is left: it cannot be a learner as well. */
  #addLearner(id: NodeId): void {
    this.#remove(id);
    if (this.outgoing.has(id)) this.learnersNext.add(id);
    else this.learners.add(id);
  }

  #remove(id: NodeId): void {
    this.voters.delete(id);
    this.learners.delete(id);
    this.learnersNext.delete(id);
  }

  finish(autoLeave: boolean): Configuration {
    const configuration = {
      voters: sorted(this.voters),
      votersOutgoing: sorted(this.outgoing),
      learners: sorted(this.learners),
      learnersNext: sorted(this.learnersNext),
      autoLeave,
    };
    return { ...configuration, removed: this.#removed(configuration) };
  }

  #removed(after: Omit<Configuration, 'removed'>): readonly NodeId[] {
    const members = new Set(membersOf({ ...after, removed: [] }));
    const gone = membersOf(this.#before).filter((id) => !members.has(id));
    const remembered = this.#before.removed.filter((id) => !members.has(id));
    if (gone.length === 0 && remembered.length === this.#before.removed.length) return this.#before.removed;
    return [...remembered, ...gone].slice(-maxRemovedIds);
  }
}

function refused(problem: ChangeProblem): ChangeResult {
  return { ok: false, problem };
}

function differences(before: readonly NodeId[], after: ReadonlySet<NodeId>): number {
  const kept = before.filter((id) => after.has(id)).length;
  return before.length - kept + (after.size - kept);
}

function sorted(ids: ReadonlySet<NodeId>): readonly NodeId[] {
  return [...ids].sort((a, b) => a - b);
}

/** Whether the change makes a voter of one who only learns by now. */
export function promotedLearners(configuration: Configuration, change: MembershipChange): NodeId[] {
  return change.steps
    .filter(({ operation, id }) => operation === 'add-voter' && configuration.learners.includes(id))
    .map(({ id }) => id)
    .filter((id) => !isVoter(configuration, id));
}
