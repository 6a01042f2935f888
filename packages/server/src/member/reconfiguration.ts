import { FlotillaError, isFlotillaError, type Platform } from '@flotilla/platform';
import type { Group, Host, MembershipChange, MembershipStep, NodeId } from '@flotilla/raft';
import {
  type Answers,
  type Database,
  encodeMembershipContext,
  noOrigin,
  type Origin,
  type RegisteredMember,
} from '@flotilla/store';
import { etcdErrors, RpcError, Status } from '@flotilla/wire';
import type { Configuration } from '../configuration/configuration.ts';
import { limits } from '../limits.ts';
import type { BackendReconfiguration } from './backend.ts';
import type { DataDirectory } from './data-directory.ts';
import { type LeadershipView, toEtcdError } from './failures.ts';
import { addedMemberId } from './identity.ts';
import type { MemberInfo, Membership } from './membership.ts';

export interface ReconfigurationParts {
  readonly platform: Platform;
  readonly configuration: Pick<Configuration, 'strictReconfigCheck' | 'maxLearners' | 'electionTimeoutMs'>;
  readonly directory: DataDirectory;
  readonly database: Database;
  readonly host: Host;
  readonly group: Group<unknown>;
  readonly membership: Membership;
  readonly leadership: LeadershipView;
  /** Asks the log for what it answered to a change of a session. */
  readonly recall: (request: Uint8Array, origin: Origin) => Promise<Answers['cluster']>;
}

/** The level of proposals from which on every member knows of a registry. */
const registryLevel = 2;

/**
 * Changes who is in the cluster, with etcd's checks in etcd's words. What depends on this member's view (is the cluster
 * healthy, has everybody started) is checked here; what must hold at the entry itself is judged here for its text, and
 * again by the leader, see `MemberRegistry`. When the leader refuses, something has changed meanwhile: look again.
 */
export class Reconfiguration implements BackendReconfiguration {
  readonly #parts: ReconfigurationParts;
  readonly #timeoutMs: number;

  constructor(parts: ReconfigurationParts) {
    this.#parts = parts;
    this.#timeoutMs = limits.requestBaseMs + 2 * parts.configuration.electionTimeoutMs;
  }

  async add(peerUrls: readonly string[], isLearner: boolean, origin: Origin): Promise<bigint> {
    const { platform, membership } = this.#parts;
    const memberId = addedMemberId(peerUrls, Math.floor(platform.wallClock() / 1000));
    const earlier = await this.#change(origin, () => {
      this.#requireReadyToAdd(isLearner);
      const nodeId = this.#nextNodeId();
      const { level } = membership;
      const member = { nodeId, memberId, name: '', peerUrls: [...peerUrls].sort(), isLearner, level };
      return this.#changeOf(
        { operation: isLearner ? 'add-learner' : 'add-voter', id: nodeId },
        [member],
        origin,
      );
    });
    return earlier ?? memberId;
  }

  async remove(memberId: bigint, origin: Origin): Promise<void> {
    const { directory, group, membership } = this.#parts;
    try {
      await this.#change(origin, () => {
        const member = this.#require(memberId);
        this.#requireReadyToRemove(member);
        return this.#changeOf({ operation: 'remove', id: member.nodeId }, [], origin);
      });
    } catch (error) {
      // Applied here, or told by the others before it could be: with it everything ended that this member waited for.
      const isGone = membership.self === null || group.status().life === 'removed';
      if (memberId !== directory.self.memberId || !isGone || error !== etcdErrors.stopped) throw error;
    }
  }

  async update(memberId: bigint, peerUrls: readonly string[], origin: Origin): Promise<void> {
    await this.#change(origin, () => {
      const { clientUrls: _, isStarted: __, ...member } = this.#require(memberId);
      // In the order in which they were given, as etcd keeps them: the first is the one that is dialed.
      const updated = { ...member, peerUrls };
      return this.#changeOf({ operation: 'update', id: member.nodeId }, [updated], origin);
    });
  }

  async promote(memberId: bigint, origin: Origin): Promise<void> {
    const { database } = this.#parts;
    await this.#change(origin, () => {
      const member = this.#require(memberId);
      if (!member.isLearner) throw etcdErrors.memberNotLearner;
      // Its vote counts from then on: the log must say whose data it votes by.
      if (!database.members.has(member.nodeId)) throw etcdErrors.learnerNotReady;
      this.#requireReadyToPromote();
      return this.#changeOf({ operation: 'add-voter', id: member.nodeId }, [], origin);
    });
  }

  async moveLeader(memberId: bigint): Promise<void> {
    const { group, directory, membership, leadership, platform } = this.#parts;
    if (group.status().leader !== directory.self.nodeId) throw etcdErrors.notLeader;
    const target = membership.byMemberId(memberId);
    if (target === null || target.isLearner) throw etcdErrors.badLeaderTransferee;
    if (target.nodeId === directory.self.nodeId) return;
    const startMs = platform.now();
    try {
      await group.transferLeadership(target.nodeId, { timeoutMs: this.#timeoutMs });
    } catch (error) {
      if (isFlotillaError(error, 'FLOTILLA_TRANSFER_TARGET')) throw etcdErrors.badLeaderTransferee;
      if (isFlotillaError(error, 'FLOTILLA_NOT_LEADER')) throw etcdErrors.notLeader;
      if (isFlotillaError(error, 'FLOTILLA_TRANSFER_TIMEOUT')) throw transferTimeout();
      throw toEtcdError(error, leadership, startMs);
    }
  }

  /**
   * `plan`: looks at the present members and says what to change, or throws why not. Null: it was changed; otherwise what
   * was answered when an earlier try of the same request has changed it.
   */
  async #change(origin: Origin, plan: () => MembershipChange): Promise<bigint | null> {
    const { platform, group, database, leadership } = this.#parts;
    const startMs = platform.now();
    const deadlineMs = startMs + this.#timeoutMs;
    let last: unknown = new FlotillaError(
      'FLOTILLA_PROPOSAL_TIMEOUT',
      'the members could not be changed in time',
    );
    while (platform.now() < deadlineMs) {
      try {
        await group.readBarrier({ timeoutMs: deadlineMs - platform.now() });
        if (origin.session !== null && database.settles(origin.session)) return await this.#earlier(origin);
        if (this.#isUnderstood(startMs)) {
          const change = plan();
          const refusal = database.registry.judge(change);
          if (refusal !== null) throw refusal;
          await group.changeMembership(change, { timeoutMs: Math.max(1, deadlineMs - platform.now()) });
          return null;
        }
      } catch (error) {
        if (isFlotillaError(error, 'FLOTILLA_LEARNER_BEHIND')) throw etcdErrors.learnerNotReady;
        if (!isFlotillaError(error) || !isPassing(error)) throw toEtcdError(error, leadership, startMs);
        last = error;
      }
      await this.#pause();
    }
    throw toEtcdError(last, leadership, startMs);
  }

  /** As the log has it: the answer of the first try, or why there is none. */
  async #earlier(origin: Origin): Promise<bigint> {
    const { memberId } = await this.#parts.recall(new Uint8Array(0), origin);
    return memberId;
  }

  /**
   * Whether every member knows of the registry: one that does not would apply the change without it and have another
   * state than the others. A member that has told nothing of itself may just be starting, so it is waited for; but not
   * for long: who has never started has no state, and may be the one that is to be removed.
   */
  #isUnderstood(startMs: number): boolean {
    const { membership, database, platform } = this.#parts;
    if (membership.level >= registryLevel) return true;
    const isSilent = membership.members.some(({ nodeId }) => !database.members.has(nodeId));
    if (isSilent && platform.now() - startMs < limits.unpublishedPatienceMs) return false;
    if (membership.levelOfStarted >= registryLevel) return true;
    throw etcdErrors.notCapable;
  }

  #changeOf(
    step: MembershipStep,
    members: readonly RegisteredMember[],
    { user, session }: Origin,
  ): MembershipChange {
    const { database, membership, configuration } = this.#parts;
    const founders = database.registry.isInUse ? [] : membership.members;
    const { maxLearners } = configuration;
    const origin = session === null ? noOrigin : { user, session };
    const context = encodeMembershipContext({ origin, founders, members, maxLearners });
    return { steps: [step], transition: 'auto', context };
  }

  #require(memberId: bigint): MemberInfo {
    const member = this.#parts.membership.byMemberId(memberId);
    if (member === null) throw etcdErrors.memberNotFound;
    return member;
  }

  #nextNodeId(): NodeId {
    const { database, membership, group, directory } = this.#parts;
    const used = [
      database.registry.lastNodeId,
      ...membership.members.map(({ nodeId }) => nodeId),
      ...directory.identity.members.map(({ nodeId }) => nodeId),
      ...group.status().configuration.removed,
    ];
    return (Math.max(...used) + 1) as NodeId;
  }

  /** etcd's `IsReadyToAddVotingMember` and `isConnectedToQuorumAfterAddingNewMemberSince`. */
  #requireReadyToAdd(isLearner: boolean): void {
    if (!this.#parts.configuration.strictReconfigCheck) return;
    const voters = this.#voters();
    const started = voters.filter(({ isStarted }) => isStarted).length;
    const restores = started === 1 && voters.length === 1;
    if (!isLearner && !restores && started < quorumOf(voters.length + 1))
      throw etcdErrors.memberNotEnoughStarted;
    if (voters.length > 1 && this.#connected(voters) < quorumOf(voters.length + 1))
      throw etcdErrors.unhealthy;
  }

  /** etcd's `mayRemoveMember`: a learner always, a voter that is down, another one while enough of the rest are well. */
  #requireReadyToRemove(member: MemberInfo): void {
    const voters = this.#voters();
    const rest = voters.filter(({ nodeId }) => nodeId !== member.nodeId);
    // Nobody could agree to it: etcd without its check ends with a panic.
    if (rest.length === 0 && !member.isLearner) throw etcdErrors.memberNotEnoughStarted;
    if (!this.#parts.configuration.strictReconfigCheck || member.isLearner) return;
    const started = rest.filter(({ isStarted }) => isStarted).length;
    if (started < quorumOf(rest.length)) throw etcdErrors.memberNotEnoughStarted;
    const { self } = this.#parts.directory;
    if (member.nodeId !== self.nodeId && this.#connectedSince(member) === null) return;
    if (this.#connected(voters) - 1 < quorumOf(rest.length)) throw etcdErrors.unhealthy;
  }

  /** etcd's `IsReadyToPromoteMember`: the learner counts as a voter that has started. */
  #requireReadyToPromote(): void {
    if (!this.#parts.configuration.strictReconfigCheck) return;
    const voters = this.#voters();
    const started = voters.filter(({ isStarted }) => isStarted).length;
    if (started + 1 < quorumOf(voters.length + 1)) throw etcdErrors.memberNotEnoughStarted;
  }

  #voters(): readonly MemberInfo[] {
    return this.#parts.membership.members.filter(({ isLearner }) => !isLearner);
  }

  /** How many of them, this member included, have been connected for etcd's `HealthInterval`. */
  #connected(members: readonly MemberInfo[]): number {
    const { platform, directory } = this.#parts;
    const latestMs = platform.now() - limits.healthIntervalMs;
    return members.filter((member) => {
      if (member.nodeId === directory.self.nodeId) return true;
      const sinceMs = this.#connectedSince(member);
      return sinceMs !== null && sinceMs < latestMs;
    }).length;
  }

  #connectedSince({ nodeId }: MemberInfo): number | null {
    return this.#parts.host.status().peers.find(({ id }) => id === nodeId)?.connectedSinceMs ?? null;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#parts.platform.timer(limits.reconfigurationPauseMs, 'reconfiguration-pause', resolve);
    });
  }
}

/** etcd has this text and no code for it. */
function transferTimeout(): RpcError {
  return new RpcError(Status.UNKNOWN, 'etcdserver: request timed out, leader transfer took too long');
}

function quorumOf(members: number): number {
  return Math.floor(members / 2) + 1;
}

/** What a moment later may be otherwise, and was not done for sure. */
function isPassing(error: FlotillaError): boolean {
  switch (error.code) {
    case 'FLOTILLA_MEMBERSHIP_INVALID':
    case 'FLOTILLA_MEMBERSHIP_PENDING':
    case 'FLOTILLA_MEMBERSHIP_ID_REUSED':
    case 'FLOTILLA_TERM_NOT_COMMITTED':
    case 'FLOTILLA_TRANSFERRING':
      return true;
    default:
      return false;
  }
}
