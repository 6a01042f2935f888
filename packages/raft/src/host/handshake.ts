import type { ErrorCode } from '@flotilla/platform';
import { FlotillaError } from '@flotilla/platform';
import type { NodeId } from '../core/types.ts';
import { ByteReader } from './bytes.ts';
import type { ByteWriter } from './bytes.ts';
import type { GroupId } from './types.ts';

/**
 * What the two sides of a connection tell each other before anything else. The dialer says hello, the accepting side
 * answers with a welcome or a refusal; neither sends a batch before the welcome.
 */
export interface Hello {
  /** The protocol versions that the dialer speaks, both included. */
  readonly minVersion: number;
  readonly maxVersion: number;
  readonly clusterId: bigint;
  readonly from: NodeId;
  /** Whom the dialer believes to have dialed. */
  readonly to: NodeId;
  /** The life of the sender. */
  readonly incarnation: number;
  /** Of the sender's data: a member that comes back without its data has another one. */
  readonly instance: bigint;
  /**
   * How many forwarded proposals of the receiver's life `knows` have arrived at the sender in all. With another life than
   * the receiver's it says nothing, and the sender begins to count at zero.
   */
  readonly knows: number;
  readonly forwardsReceived: number;
}

export interface Welcome {
  /** The highest version that both speak. */
  readonly version: number;
  readonly clusterId: bigint;
  readonly from: NodeId;
  readonly incarnation: number;
  /** Of the sender's data: a member that comes back without its data has another one. */
  readonly instance: bigint;
  /** As in a hello: from before the hello that this answers. */
  readonly knows: number;
  readonly forwardsReceived: number;
}

export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
  /**
   * Of `FLOTILLA_PEER_REMOVED`: the groups that have removed the member. It may be a member of others, which the sender
   * does not know, or not as they are now. At most {@link refusedGroups}.
   */
  readonly groups?: readonly GroupId[];
}

export type RefusalCode = (typeof refusalCodes)[number];

/** Position is what travels: only ever append. */
const refusalCodes = [
  'FLOTILLA_PEER_REFUSED',
  'FLOTILLA_PEER_VERSION',
  'FLOTILLA_PEER_CLUSTER_MISMATCH',
  'FLOTILLA_PEER_ID_MISMATCH',
  'FLOTILLA_PEER_UNKNOWN',
  'FLOTILLA_PEER_DUPLICATE_ID',
  'FLOTILLA_PEER_OTHER_INSTANCE',
  'FLOTILLA_PEER_CERTIFICATE',
  'FLOTILLA_PEER_REMOVED',
] as const satisfies readonly ErrorCode[];

/** A refusal that is part of a handshake has no room for more. */
export const refusedGroups = 128;

/** The versions of the peer protocol that this build speaks. */
export const protocolVersions = { min: 1, max: 1 } as const;

/** A hello, welcome or refusal never needs more. */
export const handshakeFrameBytes = 1024;

export function encodeHello(writer: ByteWriter, hello: Hello): void {
  writer.u16(hello.minVersion);
  writer.u16(hello.maxVersion);
  writer.u64(hello.clusterId);
  writer.u32(hello.from);
  writer.u32(hello.to);
  writer.u53(hello.incarnation);
  writer.u64(hello.instance);
  writer.u53(hello.knows);
  writer.u53(hello.forwardsReceived);
}

/** Fields that a later version appends to a hello are ignored: the version range alone decides. */
export function decodeHello(body: Uint8Array): Hello {
  const reader = new ByteReader(body);
  return {
    minVersion: reader.u16(),
    maxVersion: reader.u16(),
    clusterId: reader.u64(),
    from: reader.u32() as NodeId,
    to: reader.u32() as NodeId,
    incarnation: reader.u53(),
    instance: reader.u64(),
    knows: reader.u53(),
    forwardsReceived: reader.u53(),
  };
}

export function encodeWelcome(writer: ByteWriter, welcome: Welcome): void {
  writer.u16(welcome.version);
  writer.u64(welcome.clusterId);
  writer.u32(welcome.from);
  writer.u53(welcome.incarnation);
  writer.u64(welcome.instance);
  writer.u53(welcome.knows);
  writer.u53(welcome.forwardsReceived);
}

export function decodeWelcome(body: Uint8Array): Welcome {
  const reader = new ByteReader(body);
  return {
    version: reader.u16(),
    clusterId: reader.u64(),
    from: reader.u32() as NodeId,
    incarnation: reader.u53(),
    instance: reader.u64(),
    knows: reader.u53(),
    forwardsReceived: reader.u53(),
  };
}

export function encodeRefusal(writer: ByteWriter, refusal: Refusal): void {
  writer.u16(refusalCodes.indexOf(refusal.code));
  writer.blob(new TextEncoder().encode(refusal.message.slice(0, 200)));
  const groups = refusal.groups?.slice(0, refusedGroups) ?? [];
  writer.u32(groups.length);
  for (const group of groups) writer.u32(group);
}

export function decodeRefusal(body: Uint8Array): Refusal {
  const reader = new ByteReader(body);
  const code = refusalCodes[reader.u16()] ?? 'FLOTILLA_PEER_REFUSED';
  const message = new TextDecoder().decode(reader.blob());
  const groups: GroupId[] = [];
  for (let left = reader.count(4); left > 0; left -= 1) groups.push(reader.u32());
  return { code, message, groups };
}

/** Who a member is and whom it accepts. */
export interface HandshakePolicy {
  readonly clusterId: bigint;
  readonly nodeId: NodeId;
  isPeer(id: NodeId): boolean;
  /** The groups here that have removed it, when none has it as a member. */
  removedFrom(id: NodeId): readonly GroupId[];
  /** The instance that a peer is known by; null: none is known. */
  instanceOf(id: NodeId): bigint | null;
}

/** The version to speak, or why not to speak at all. Checked in this order, before anything else is read. */
export function judgeHello(hello: Hello, policy: HandshakePolicy): number | Refusal {
  if (hello.minVersion > protocolVersions.max || hello.maxVersion < protocolVersions.min) {
    return {
      code: 'FLOTILLA_PEER_VERSION',
      message:
        `the peer speaks protocol versions ${hello.minVersion} to ${hello.maxVersion}, ` +
        `this member ${protocolVersions.min} to ${protocolVersions.max}`,
    };
  }
  if (hello.clusterId !== policy.clusterId) {
    return {
      code: 'FLOTILLA_PEER_CLUSTER_MISMATCH',
      message: clusterMismatch(hello.clusterId, policy.clusterId),
    };
  }
  if (hello.to !== policy.nodeId) {
    return {
      code: 'FLOTILLA_PEER_ID_MISMATCH',
      message: `the peer looked for member ${hello.to} and found member ${policy.nodeId}`,
    };
  }
  if (hello.from === policy.nodeId) {
    return { code: 'FLOTILLA_PEER_DUPLICATE_ID', message: `two members call themselves ${policy.nodeId}` };
  }
  const groups = policy.removedFrom(hello.from);
  if (groups.length > 0) return removal(hello.from, groups);
  if (!policy.isPeer(hello.from)) {
    return { code: 'FLOTILLA_PEER_UNKNOWN', message: `member ${hello.from} is not known here` };
  }
  if (isOther(hello, policy)) {
    return { code: 'FLOTILLA_PEER_OTHER_INSTANCE', message: otherInstance(hello.from) };
  }
  return Math.min(hello.maxVersion, protocolVersions.max);
}

/** The dialer's side of {@link judgeHello}. Throws a `FlotillaError` with the refusal's code. */
export function judgeWelcome(welcome: Welcome, expected: NodeId, policy: HandshakePolicy): void {
  if (welcome.version < protocolVersions.min || welcome.version > protocolVersions.max) {
    throw new FlotillaError('FLOTILLA_PEER_VERSION', `the peer chose unknown version ${welcome.version}`);
  }
  if (welcome.clusterId !== policy.clusterId) {
    throw new FlotillaError(
      'FLOTILLA_PEER_CLUSTER_MISMATCH',
      clusterMismatch(welcome.clusterId, policy.clusterId),
    );
  }
  if (welcome.from !== expected) {
    throw new FlotillaError(
      'FLOTILLA_PEER_ID_MISMATCH',
      `dialed member ${expected} and found member ${welcome.from}`,
    );
  }
  if (policy.removedFrom(welcome.from).length > 0) {
    throw new FlotillaError('FLOTILLA_PEER_REMOVED', removedText(welcome.from));
  }
  if (isOther(welcome, policy)) {
    throw new FlotillaError('FLOTILLA_PEER_OTHER_INSTANCE', otherInstance(welcome.from));
  }
}

/**
 * A member that has lost its data has lost its votes and its part of what was acknowledged with them: let in again
 * under its old id it could elect a second leader, or one that lacks committed entries.
 */
export function isOther(
  greeting: { readonly from: NodeId; readonly instance: bigint },
  policy: HandshakePolicy,
): boolean {
  const known = policy.instanceOf(greeting.from);
  return known !== null && known !== greeting.instance;
}

export function removal(id: NodeId, groups: readonly GroupId[]): Refusal {
  return { code: 'FLOTILLA_PEER_REMOVED', message: removedText(id), groups };
}

function removedText(id: NodeId): string {
  return `member ${id} was removed, and its id is never used again`;
}

export function otherInstance(id: NodeId): string {
  return `member ${id} is known with other data: two processes are this member, or it has lost its data`;
}

function clusterMismatch(theirs: bigint, ours: bigint): string {
  return `the peer belongs to cluster ${theirs.toString(16)}, this member to ${ours.toString(16)}`;
}
