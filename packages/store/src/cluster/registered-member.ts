import { FlotillaError } from '@flotilla/platform';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import { bytesToText, textToBytes } from '../encoding/text.ts';
import { noOrigin, type Origin, readOrigin, writeOrigin } from '../proposal.ts';

/** Who a member of Raft's configuration is. */
export interface RegisteredMember {
  /** As Raft, the log and the peer protocol know it; never used again. */
  readonly nodeId: number;
  /** As clients know it: unsigned 64 bits. */
  readonly memberId: bigint;
  /** Of those who were there from the beginning; the others publish theirs when they start. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly isLearner: boolean;
  /** The level of proposals that was in use when it was added, which whoever takes the place understands. */
  readonly level: number;
}

/** What a change of membership says beside Raft's steps, in the change's context. */
export interface MembershipContext {
  /** Everybody before the change, as long as the registry is empty; nobody later. */
  readonly founders: readonly RegisteredMember[];
  /** Those who come, and those who have other peer URLs from now on. */
  readonly members: readonly RegisteredMember[];
  /** `--max-learners` of the member that asks. */
  readonly maxLearners: number;
  readonly origin: Origin;
}

/** A context to encode; without an origin nobody will ask for its answer again. */
export type MembershipContextInput = Omit<MembershipContext, 'origin'> & { readonly origin?: Origin };

/** What is remembered of a change of membership: who was added; 0: nobody. */
export interface ClusterAnswer {
  readonly memberId: bigint;
}

/**
 * Members apply equal entries equally or not at all: a context of another version stops a member. Each has the oldest
 * that can say what it says.
 */
const versions = { plain: 1, full: 2 } as const;
const recordVersion = 1;
const learnerFlag = 1;

export function encodeMembershipContext({
  origin = noOrigin,
  ...context
}: MembershipContextInput): Uint8Array {
  const writer = new ByteWriter(1024);
  writer.byte(origin.session === null ? versions.plain : versions.full);
  if (origin.session !== null) writeOrigin(writer, origin);
  writer.varint(context.maxLearners);
  writeMembers(writer, context.founders);
  writeMembers(writer, context.members);
  return writer.take();
}

/** Null: Raft's own change, as one that was forced by a recovery. Throws `FLOTILLA_PROPOSAL_VERSION`. */
export function decodeMembershipContext(bytes: Uint8Array): MembershipContext | null {
  if (bytes.length === 0) return null;
  const reader = new ByteReader(bytes);
  const found = reader.byte();
  if (found !== versions.plain && found !== versions.full) {
    throw new FlotillaError(
      'FLOTILLA_PROPOSAL_VERSION',
      `a change of membership has version ${found}; this program applies ${versions.full}`,
    );
  }
  const origin = found === versions.full ? readOrigin(reader) : noOrigin;
  const maxLearners = reader.varint();
  return { origin, maxLearners, founders: readMembers(reader), members: readMembers(reader) };
}

export function encodeMemberRecord(member: RegisteredMember): Uint8Array {
  const writer = new ByteWriter(256);
  writer.byte(recordVersion);
  writeMember(writer, member);
  return writer.take();
}

export function decodeMemberRecord(record: Uint8Array): RegisteredMember {
  const reader = new ByteReader(record, 1);
  return readMember(reader);
}

function writeMembers(writer: ByteWriter, members: readonly RegisteredMember[]): void {
  writer.varint(members.length);
  for (const member of members) writeMember(writer, member);
}

function readMembers(reader: ByteReader): RegisteredMember[] {
  const members: RegisteredMember[] = [];
  for (let left = reader.varint(); left > 0; left -= 1) members.push(readMember(reader));
  return members;
}

function writeMember(writer: ByteWriter, member: RegisteredMember): void {
  writer.varint(member.nodeId);
  writer.bigint64(member.memberId);
  writer.byte(member.isLearner ? learnerFlag : 0);
  writer.varint(member.level);
  writer.lengthPrefixed(textToBytes(member.name));
  writer.varint(member.peerUrls.length);
  for (const url of member.peerUrls) writer.lengthPrefixed(textToBytes(url));
}

function readMember(reader: ByteReader): RegisteredMember {
  const nodeId = reader.varint();
  const memberId = BigInt.asUintN(64, reader.bigint64());
  const isLearner = (reader.byte() & learnerFlag) !== 0;
  const level = reader.varint();
  const name = bytesToText(reader.lengthPrefixed());
  const peerUrls: string[] = [];
  for (let left = reader.varint(); left > 0; left -= 1) peerUrls.push(bytesToText(reader.lengthPrefixed()));
  return { nodeId, memberId, name, peerUrls, isLearner, level };
}
