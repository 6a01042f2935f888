import { unreachable } from '@flotilla/platform';
import type { MembershipChange, MembershipStep } from '@flotilla/raft';
import { etcdErrors } from '@flotilla/wire';
import type { RpcError } from '@flotilla/wire';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import { limits } from '../limits.ts';
import { Namespace } from '../system/namespaces.ts';
import type { SystemTable } from '../system/system-table.ts';
import {
  decodeMemberRecord,
  decodeMembershipContext,
  encodeMemberRecord,
  type MembershipContext,
  type RegisteredMember,
} from './registered-member.ts';

/**
 * Who the members of Raft's configuration are, from the first change of membership that a client has asked for. Until
 * then it is empty: the members are those that the cluster was begun with, as each of them has it in `cluster.json`.
 *
 * A change and its record are **one entry**: Raft's steps say who votes, their context says who that is, and both come
 * into force as the entry is applied. Of two entries a crash could leave one: a member that votes and that nobody can
 * reach, or a record of somebody who is not there. The steps alone decide who is in the registry, so that it equals the
 * configuration by construction, also after a recovery has forced steps without a context into the log.
 *
 * What two callers may not have both (one peer URL, one learner too many) is judged by the leader's registry as it
 * appends the entry, see `StateMachine.admits`: at apply it would be too late, Raft takes the step in any case.
 */
export class MemberRegistry {
  readonly #system: SystemTable;
  readonly #members = new Map<number, RegisteredMember>();
  /** Member ids that are never used again, the oldest first, with their node ids. */
  readonly #removed = new Map<bigint, number>();
  #lastNodeId = 0;
  #changedAt = 0;

  constructor(system: SystemTable) {
    this.#system = system;
    const summary = system.get(Namespace.MEMBER, summaryKey);
    if (summary !== null) this.#readSummary(summary);
    const cursor = system.scan(Namespace.MEMBER, memberPrefix);
    for (; cursor.key !== null; cursor.advance()) {
      const member = decodeMemberRecord(cursor.value);
      this.#members.set(member.nodeId, member);
    }
  }

  /** Whether a client has ever changed who is in the cluster. */
  get isInUse(): boolean {
    return this.#changedAt > 0;
  }

  /** The entry that changed it last; 0: none has. */
  get changedAt(): number {
    return this.#changedAt;
  }

  /** By node id. Nobody, while it is not in use. */
  get members(): ReadonlyMap<number, RegisteredMember> {
    return this.#members;
  }

  /** No member has ever had a higher one. */
  get lastNodeId(): number {
    return this.#lastNodeId;
  }

  get removedIds(): bigint[] {
    return [...this.#removed.keys()];
  }

  isRemoved(memberId: bigint): boolean {
    return this.#removed.has(memberId);
  }

  /** What etcd answers to such a change in this state; null: it may be made. */
  judge(change: MembershipChange): RpcError | null {
    const context = decodeMembershipContext(change.context);
    if (context === null) return null;
    const members = this.isInUse ? this.#members : byNodeId(context.founders);
    for (const step of change.steps) {
      const problem = this.#judgeStep(step, context, members);
      if (problem !== null) return problem;
    }
    return null;
  }

  /** `index`: of the entry. Leaving a joint configuration changes nothing here: its steps have. */
  apply(change: MembershipChange, index: number): void {
    const context = decodeMembershipContext(change.context);
    // Forced by a recovery of a cluster that nobody has changed: the configuration says enough of it.
    if (!this.isInUse && context === null) return;
    if (change.steps.length === 0) return;
    if (!this.isInUse) for (const founder of context?.founders ?? []) this.#put(founder);
    for (const step of change.steps) this.#take(step, context);
    this.#changedAt = index;
    this.#system.set(Namespace.MEMBER, summaryKey, this.#summary());
  }

  #judgeStep(
    step: MembershipStep,
    context: MembershipContext,
    members: ReadonlyMap<number, RegisteredMember>,
  ): RpcError | null {
    const given = context.members.find((member) => member.nodeId === step.id);
    const present = members.get(step.id);
    switch (step.operation) {
      case 'add-learner':
      case 'add-voter':
        if (given !== undefined) return this.#judgeNew(given, step, context, members);
        if (present === undefined) return etcdErrors.memberNotFound;
        return present.isLearner ? null : etcdErrors.memberNotLearner;
      case 'remove':
        return present === undefined ? etcdErrors.memberNotFound : null;
      case 'update':
        if (present === undefined || given === undefined) return etcdErrors.memberNotFound;
        return urlsTaken(given, members) ? etcdErrors.peerUrlExists : null;
      default:
        return unreachable(step.operation);
    }
  }

  #judgeNew(
    given: RegisteredMember,
    step: MembershipStep,
    context: MembershipContext,
    members: ReadonlyMap<number, RegisteredMember>,
  ): RpcError | null {
    if (this.#removed.has(given.memberId)) return etcdErrors.memberNotFound;
    const present = [...members.values()];
    if (present.some(({ memberId }) => memberId === given.memberId)) return etcdErrors.memberExists;
    // Two callers that have chosen the same number: the later one has to choose again.
    if (members.has(given.nodeId) || given.nodeId <= this.#lastNodeId) return etcdErrors.memberExists;
    if (urlsTaken(given, members)) return etcdErrors.peerUrlExists;
    const learners = present.filter(({ isLearner }) => isLearner).length;
    const tooMany = step.operation === 'add-learner' && learners + 1 > context.maxLearners;
    return tooMany ? etcdErrors.tooManyLearners : null;
  }

  #take({ operation, id }: MembershipStep, context: MembershipContext | null): void {
    const given = context?.members.find((member) => member.nodeId === id);
    const present = this.#members.get(id);
    const member = present ?? given;
    switch (operation) {
      case 'add-learner':
      case 'add-voter':
        if (member !== undefined) this.#put({ ...member, isLearner: operation === 'add-learner' });
        return;
      case 'remove':
        if (present !== undefined) this.#remove(present);
        return;
      case 'update':
        if (present !== undefined && given !== undefined) {
          this.#put({ ...present, peerUrls: given.peerUrls });
        }
        return;
      default:
        unreachable(operation);
    }
  }

  #put(member: RegisteredMember): void {
    this.#members.set(member.nodeId, member);
    this.#lastNodeId = Math.max(this.#lastNodeId, member.nodeId);
    this.#system.set(Namespace.MEMBER, memberKey(member.nodeId), encodeMemberRecord(member));
  }

  #remove({ nodeId, memberId }: RegisteredMember): void {
    this.#members.delete(nodeId);
    this.#system.set(Namespace.MEMBER, memberKey(nodeId), null);
    this.#removed.set(memberId, nodeId);
    if (this.#removed.size <= limits.removedMembers) return;
    const [oldest] = this.#removed.keys();
    this.#removed.delete(oldest as bigint);
  }

  #summary(): Uint8Array {
    const writer = new ByteWriter(64 + 16 * this.#removed.size);
    writer.byte(summaryVersion);
    writer.varint(this.#changedAt);
    writer.varint(this.#lastNodeId);
    writer.varint(this.#removed.size);
    for (const [memberId, nodeId] of this.#removed) {
      writer.bigint64(memberId);
      writer.varint(nodeId);
    }
    return writer.take();
  }

  #readSummary(record: Uint8Array): void {
    const reader = new ByteReader(record, 1);
    this.#changedAt = reader.varint();
    this.#lastNodeId = reader.varint();
    for (let left = reader.varint(); left > 0; left -= 1) {
      const memberId = BigInt.asUintN(64, reader.bigint64());
      this.#removed.set(memberId, reader.varint());
    }
  }
}

const summaryVersion = 1;

/** Keys of the namespace: what is true of the whole, and each member by node id. */
const summaryKey = Uint8Array.of(0);
const memberPrefix = Uint8Array.of(1);

function memberKey(nodeId: number): Uint8Array {
  const key = new Uint8Array(5);
  key[0] = memberPrefix[0] as number;
  new DataView(key.buffer).setUint32(1, nodeId);
  return key;
}

function byNodeId(members: readonly RegisteredMember[]): ReadonlyMap<number, RegisteredMember> {
  return new Map(members.map((member) => [member.nodeId, member]));
}

function urlsTaken(given: RegisteredMember, members: ReadonlyMap<number, RegisteredMember>): boolean {
  for (const member of members.values()) {
    if (member.nodeId === given.nodeId) continue;
    if (member.peerUrls.some((url) => given.peerUrls.includes(url))) return true;
  }
  return false;
}
