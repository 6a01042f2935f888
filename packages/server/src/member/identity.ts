import { createHash } from 'node:crypto';
import type { NodeId } from '@flotilla/raft';
import type { InitialMember } from '../configuration/configuration.ts';

/** Which cluster it is. Clients know members by 64-bit ids; Raft, the log and the peer protocol by small numbers. */
export interface ClusterIdentity {
  /** Unsigned 64 bits. */
  readonly clusterId: bigint;
  readonly token: string;
  /**
   * Those that the cluster was begun with, in the order of their node ids: they voted before the log says otherwise.
   * Nobody at a member that has joined later. Who is in the cluster now `Membership` knows.
   */
  readonly members: readonly MemberIdentity[];
}

export interface MemberIdentity {
  readonly nodeId: NodeId;
  /** Unsigned 64 bits. */
  readonly memberId: bigint;
  readonly name: string;
  readonly peerUrls: readonly string[];
}

/**
 * Every member derives the same identity from the same `--initial-cluster`. Ids are etcd's (`computeMemberId`,
 * `genID`): the first eight bytes of a SHA-1 over sorted peer URLs and token, and over the sorted member ids. Node ids
 * number the members by name, so that logs read well.
 *
 * @example
 * clusterIdentity([{ name: 'default', peerUrls: ['http://localhost:2380'] }], 'etcd-cluster').clusterId
 * // 0xcdf818194e3a8c32n, as every etcd on default settings says
 */
export function clusterIdentity(members: readonly InitialMember[], token: string): ClusterIdentity {
  const identities = [...members]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((member, position): MemberIdentity => ({
      nodeId: (position + 1) as NodeId,
      memberId: memberIdOf(member.peerUrls, token),
      name: member.name,
      peerUrls: [...member.peerUrls].sort(),
    }));
  return { clusterId: clusterIdOf(identities.map((member) => member.memberId)), token, members: identities };
}

/** etcd's id of a member that is added at that time; the same one when it is added twice within a second. */
export function addedMemberId(peerUrls: readonly string[], unixSeconds: number): bigint {
  return firstEightBytes([...peerUrls].sort().join('') + unixSeconds.toFixed(0));
}

function memberIdOf(peerUrls: readonly string[], token: string): bigint {
  return firstEightBytes([...peerUrls].sort().join('') + token);
}

function clusterIdOf(memberIds: readonly bigint[]): bigint {
  const sorted = [...memberIds].sort((a, b) => (a < b ? -1 : 1));
  const bytes = new Uint8Array(8 * sorted.length);
  const view = new DataView(bytes.buffer);
  sorted.forEach((id, i) => view.setBigUint64(8 * i, id));
  return firstEightBytes(bytes);
}

function firstEightBytes(input: string | Uint8Array): bigint {
  const digest = createHash('sha1').update(input).digest();
  return digest.readBigUInt64BE(0);
}
