import { FlotillaError, messageOf } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import {
  decodeMembershipChange,
  encodeMembershipChange,
  leaveJointChange,
} from '../core/membership-codec.ts';
import { applyChange } from '../core/membership.ts';
import { membersOf } from '../core/quorum.ts';
import type {
  Configuration,
  Entry,
  Index,
  MembershipChange,
  MembershipOperation,
  NodeId,
  Term,
  WriteSequence,
} from '../core/types.ts';
import { restoration } from '../host/restore.ts';
import type { StateOnDisk } from '../host/restore.ts';
import type { GroupId } from '../host/types.ts';
import { openLog } from '../log/open-log.ts';
import { readLogIdentity } from '../log/segment-header.ts';
import type { LogOpener, OpenedLog, RecoveredGroup } from '../log/types.ts';
import { snapshotDirectoryOf } from '../replica/data-directory.ts';
import { latestSnapshotHeader } from '../replica/snapshot-files.ts';
import { backUp } from './backup.ts';
import { recoveryLimits } from './limits.ts';

/** Whose data is looked at or rewritten. Its member must not run. */
export interface RecoveryOptions {
  readonly platform: Platform;
  /** Of the member: holds `lock` and `raft/log`, as those of {@link Replica} and of Flotilla's own members do. */
  readonly dataDir: string;
  readonly group: GroupId;
  /** Who voted when the group was made: the log does not say before its first compaction. */
  readonly initialConfiguration: Configuration;
  readonly openLog?: LogOpener;
  /**
   * What the group's state machine says of the state that it has stored, looked up while the directory is held. By default
   * that of a {@link Replica}'s latest snapshot file.
   */
  readonly readState?: () => Promise<StateOnDisk>;
}

/** What a member has of a group. */
export interface RecoveryFindings {
  readonly clusterId: bigint;
  readonly nodeId: NodeId;
  readonly group: GroupId;
  readonly term: Term;
  /** The log begins behind this. */
  readonly compactedIndex: Index;
  /** What this member knows to be committed; more may be. */
  readonly commitIndex: Index;
  readonly lastIndex: Index;
  readonly lastTerm: Term;
  /** With everything in the log in force, whether it is known to be committed or not. */
  readonly configuration: Configuration;
}

/** What a recovery does, or has done. */
export interface RecoveryPlan {
  readonly voters: readonly NodeId[];
  /** Members that will never be any again: their ids are refused for ever. */
  readonly removed: readonly NodeId[];
  /** Learners that vote from now on. */
  readonly promoted: readonly NodeId[];
  /** The entries that say so, forced into the log. */
  readonly changes: readonly MembershipChange[];
  readonly firstIndex: Index;
  readonly lastIndex: Index;
  readonly term: Term;
}

/**
 * Makes a group of what is left of it when a majority of its voters is lost for ever. **The last resort**: everything
 * that the lost ones had and this member has not is gone, acknowledged or not; and when one of those that were thought to
 * be lost comes back with another one, there are two groups that both believe to be the one.
 *
 * It forces changes of membership into the log of *one* member, the one with the highest last term and, among equals,
 * the highest last index; everything before them counts as committed from then on. The voters that are kept beside it
 * follow by themselves when they are started; their data is not touched.
 *
 * @example
 * const recovery = await Recovery.open({ platform, dataDir, group: 0, initialConfiguration });
 * console.log(recovery.findings, recovery.plan([1])); // nothing is changed so far
 * const backup = await recovery.force(recovery.plan([1]));
 * await recovery.close();
 */
export class Recovery {
  readonly findings: RecoveryFindings;
  readonly #options: RecoveryOptions;
  readonly #opened: OpenedLog;
  readonly #unlock: () => Promise<void>;
  #closing: Promise<void> | null = null;

  private constructor(
    options: RecoveryOptions,
    findings: RecoveryFindings,
    opened: OpenedLog,
    unlock: () => Promise<void>,
  ) {
    this.#options = options;
    this.findings = findings;
    this.#opened = opened;
    this.#unlock = unlock;
  }

  /**
   * Takes the directory, as a member would, and looks. Rejects with `FLOTILLA_DISK_LOCKED` while a process holds it, with
   * `FLOTILLA_RECOVERY_IMPOSSIBLE` when there is nothing to go on from, with `FLOTILLA_RECOVERY_REFUSED` when a crash came
   * between a snapshot from a peer and the log's record of it (starting the member once writes that), and with the errors
   * of the log and the snapshots.
   */
  static async open(options: RecoveryOptions): Promise<Recovery> {
    const { platform, dataDir, group } = options;
    const { disk } = platform;
    const directory = `${dataDir}/raft/log`;
    if (!(await disk.exists(directory))) throw impossible(`there is no log in ${directory}`);
    const unlock = await disk.lock(`${dataDir}/lock`);
    try {
      const identity = await readLogIdentity(platform, directory);
      if (identity === null) throw impossible(`the log in ${directory} is empty`);
      const { clusterId } = identity;
      const nodeId = identity.nodeId as NodeId;
      const opened = await (options.openLog ?? openLog)(platform, { directory, clusterId, nodeId });
      try {
        const recovered = opened.groups.get(group);
        if (recovered === undefined)
          throw impossible(`the log in ${directory} knows nothing of group ${group}`);
        await requireWholeLog(options, clusterId, recovered);
        const findings = { clusterId, nodeId, group, ...findingsOf(recovered, options.initialConfiguration) };
        return new Recovery(options, findings, opened, unlock);
      } catch (error) {
        await opened.log.close();
        throw error;
      }
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  /**
   * What it takes until exactly `voters` vote. Learners stay what they are unless they are named, or all of them are
   * dropped. Changes nothing. Throws `FLOTILLA_RECOVERY_REFUSED` for what would not help: strangers, a group without
   * this member, no change.
   */
  plan(voters: readonly number[], { dropsLearners = false } = {}): RecoveryPlan {
    const { nodeId, configuration, lastIndex, lastTerm, term } = this.findings;
    const wanted = [...new Set(voters as readonly NodeId[])].sort((a, b) => a - b);
    const members = membersOf(configuration);
    const stranger = wanted.find((id) => !members.includes(id));
    if (stranger !== undefined) throw refused(`${stranger} is no member: members are ${members.join(', ')}`);
    if (!wanted.includes(nodeId)) {
      throw refused(`this is the data of member ${nodeId}, which has to be among the voters`);
    }
    const changes = changesTo(configuration, wanted, dropsLearners);
    if (changes.length === 0) throw refused(`the voters are ${wanted.join(', ')} already`);
    return {
      voters: wanted,
      removed: named(changes, 'remove'),
      promoted: named(changes, 'add-voter'),
      changes,
      firstIndex: (lastIndex + 1) as Index,
      lastIndex: (lastIndex + changes.length) as Index,
      // Others may have entries of terms that nobody here has heard of: this one must be unlike all of them.
      term: (Math.max(term, lastTerm) + recoveryLimits.termJump) as Term,
    };
  }

  /** Copies the log, then changes it, durably. Resolves to where the copy is. */
  async force(plan: RecoveryPlan): Promise<string> {
    const { platform, dataDir, group } = this.#options;
    const { nodeId } = this.findings;
    const backup = await backUp(platform, `${dataDir}/raft/log`, dataDir);
    const entries = plan.changes.map((change, i): Entry => ({
      term: plan.term,
      index: (plan.firstIndex + i) as Index,
      kind: 'membership',
      payload: encodeMembershipChange(change),
    }));
    const write = {
      sequence: 0 as WriteSequence,
      truncateFrom: null,
      entries,
      // As if this member had been elected by all: nobody else may be in this term.
      hardState: { term: plan.term, vote: nodeId, commit: plan.lastIndex },
      snapshot: null,
      mustSync: true,
      thenSend: [],
    };
    platform.log.warn('forcing a new configuration into the log', {
      group,
      voters: plan.voters.join(','),
      removed: plan.removed.join(','),
      index: plan.lastIndex,
      backup,
    });
    await this.#opened.log.append([{ group, write }]);
    return backup;
  }

  /** Lets go of the directory. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      await this.#opened.log.close();
    } finally {
      await this.#unlock();
    }
  }
}

/**
 * A log without the record of a snapshot that was installed is dropped at the next start, and everything that was forced
 * into it with it; until then it also says less than what this member has.
 */
async function requireWholeLog(
  options: RecoveryOptions,
  clusterId: bigint,
  recovered: RecoveredGroup,
): Promise<void> {
  const state = await (options.readState?.() ?? replicaState(options, clusterId));
  if (restoration(recovered, state, options.initialConfiguration).repair === null) return;
  throw refused(
    `a snapshot at ${state.applied.index} was installed, and the log, which ends at ${recovered.lastIndex}, ` +
      'does not say so yet: start the member once before recovering',
  );
}

async function replicaState(options: RecoveryOptions, clusterId: bigint): Promise<StateOnDisk> {
  const { platform, dataDir } = options;
  const latest = await latestSnapshotHeader({ platform, directory: snapshotDirectoryOf(dataDir), clusterId });
  const applied = { index: latest?.index ?? (0 as Index), term: latest?.term ?? (0 as Term) };
  return { applied, installed: latest?.received === true ? latest : null };
}

function findingsOf(
  recovered: RecoveredGroup,
  initial: Configuration,
): Omit<RecoveryFindings, 'clusterId' | 'nodeId' | 'group'> {
  const { snapshot, hardState, lastIndex, termRuns, membership } = recovered;
  let configuration = snapshot.index === 0 ? initial : snapshot.configuration;
  if (membersOf(configuration).length === 0) {
    throw impossible('this member was to join a group, and has nothing of it yet');
  }
  for (const { index, payload } of membership) {
    try {
      const result = applyChange(configuration, decodeMembershipChange(payload));
      if (result.ok) configuration = result.configuration;
    } catch (error) {
      throw impossible(`the change of membership at ${index} cannot be read: ${messageOf(error)}`);
    }
  }
  return {
    term: hardState.term,
    compactedIndex: snapshot.index,
    commitIndex: Math.max(hardState.commit, snapshot.index) as Index,
    lastIndex,
    lastTerm: termRuns.at(-1)?.term ?? snapshot.term,
    configuration,
  };
}

/**
 * One voter at a time, as a leader might have done it: every member that finds these entries in its log applies them as
 * any others. Who comes, comes first, so that there is a voter at each step.
 */
function changesTo(
  from: Configuration,
  voters: readonly NodeId[],
  dropsLearners: boolean,
): readonly MembershipChange[] {
  const changes: MembershipChange[] = [];
  let configuration = from;
  const make = (change: MembershipChange): void => {
    const result = applyChange(configuration, change);
    if (!result.ok) throw refused(`the configuration cannot be reached: ${result.problem}`);
    configuration = result.configuration;
    changes.push(change);
  };
  if (configuration.votersOutgoing.length > 0) make(leaveJointChange);
  for (const id of voters) if (!configuration.voters.includes(id)) make(step('add-voter', id));
  for (const id of configuration.voters) if (!voters.includes(id)) make(step('remove', id));
  if (dropsLearners) for (const id of configuration.learners) make(step('remove', id));
  return changes;
}

function step(operation: MembershipOperation, id: NodeId): MembershipChange {
  return { steps: [{ operation, id }], transition: 'auto', context: new Uint8Array(0) };
}

function named(changes: readonly MembershipChange[], operation: MembershipOperation): readonly NodeId[] {
  return changes.flatMap(({ steps }) =>
    steps.filter((each) => each.operation === operation).map(({ id }) => id),
  );
}

function impossible(message: string): FlotillaError {
  return new FlotillaError('FLOTILLA_RECOVERY_IMPOSSIBLE', message);
}

function refused(message: string): FlotillaError {
  return new FlotillaError('FLOTILLA_RECOVERY_REFUSED', message);
}
