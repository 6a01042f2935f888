import { FlotillaError } from '@flotilla/platform';
import { bytesToText, textToBytes } from './encoding/text.ts';
import { ByteReader } from './encoding/byte-reader.ts';
import { ByteWriter } from './encoding/byte-writer.ts';

/** The requests of each kind are the protobuf messages of its RPC, or records of the module that applies it. */
export type ProposalKind =
  | 'put'
  | 'delete-range'
  | 'txn'
  | 'compact'
  /** What a member tells every other one of itself, see {@link encodeMember}. */
  | 'member'
  | 'lease-grant'
  | 'lease-revoke'
  /** A batch of leases whose clients are alive. */
  | 'lease-renew'
  /** What is left of the time of leases, so that the next leader does not begin anew. */
  | 'lease-checkpoint'
  /** A lease whose time is over, unless it was renewed before this entry. */
  | 'lease-expire'
  /** Whatever changes users, roles, and whether they count. */
  | 'auth'
  /** A client asks for a token. */
  | 'authenticate'
  /** Sessions that have not been heard of for long. */
  | 'session-expire'
  | 'alarm'
  /** A further try of a change of membership, which is no proposal itself: asks for the answer of the first. */
  | 'cluster'
  | 'downgrade'
  /** An entry of the order of a sharded cluster, see `order/order-entry-codec.ts`. */
  | 'order';

/** What the log carries for one request: who asked for what, and the request's own bytes. */
export interface Proposal {
  readonly kind: ProposalKind;
  /** Chosen by the member that proposes; a safe integer. For traces. */
  readonly requestId: number;
  readonly request: Uint8Array;
  readonly origin: Origin;
}

/** On whose behalf a request is made. Apply checks it again: what was true at the API may be true no more. */
export interface Origin {
  /** Null: auth was off, or the request is a member's own. */
  readonly user: RequestUser | null;
  /** Null: the client does not want to be able to ask again. */
  readonly session: RequestSession | null;
  /** How long its client waits, from when it was asked: whoever tries again may stop then. No part of the proposal. */
  readonly timeoutMs?: number;
}

export interface RequestUser {
  readonly name: string;
  /** Of the auth state by which the user was identified; an older one is refused at apply. */
  readonly authRevision: number;
}

/** `flotilla-session`, `flotilla-request` and `flotilla-done` of the call's metadata. */
export interface RequestSession {
  readonly id: string;
  /** From 1. Of one session, each stands for one request: the same number is the same request. */
  readonly request: number;
  /** Replies of requests up to this one have arrived, and may be forgotten. */
  readonly done: number;
  /**
   * By which the request is told from another one of the same number. Empty: by the proposal's own bytes. Given where
   * those are not the client's alone, as with an id or a salted password that a member has chosen.
   */
  readonly digest: Uint8Array;
}

/** A proposal to encode; without an origin it is the member's own, or that of a client that said nothing of itself. */
export type ProposalInput = Omit<Proposal, 'origin'> & { readonly origin?: Origin };

export const noOrigin: Origin = { user: null, session: null };

/**
 * Members apply equal entries equally or not at all, so an envelope of a newer version stops a member. Each proposal
 * has the oldest version that can say what it says, for the sake of members that know no other.
 */
const proposalVersions = { plain: 1, full: 2, sharded: 3 } as const;

/** By code. The log has them: a code is never used for another kind. */
const kinds: readonly (ProposalKind | null)[] = [
  null,
  'put',
  'delete-range',
  'txn',
  'compact',
  'member',
  'lease-grant',
  'lease-revoke',
  'lease-renew',
  'lease-checkpoint',
  'lease-expire',
  'auth',
  'authenticate',
  'session-expire',
  'alarm',
  'cluster',
  'downgrade',
  'order',
];
const codes = new Map(kinds.map((kind, code) => [kind, code]));
const lastPlainCode = codes.get('member') as number;

const withUser = 1;
const withSession = 2;

/** What members must understand to apply a proposal: see `member/cluster-level.ts` of the server. */
export function levelOf(kind: ProposalKind, origin: Origin): number {
  if (kind === 'order') return proposalVersions.sharded;
  const plain = origin.user === null && origin.session === null && codeOf(kind) <= lastPlainCode;
  return plain ? proposalVersions.plain : proposalVersions.full;
}

/** The highest level that this program understands. */
export const highestLevel: number = proposalVersions.sharded;

/**
 * @example
 * const request = PutRequest.encode(put);
 * const payload = encodeProposal({ kind: 'put', requestId: 7, request });
 * await group.propose(payload, { timeoutMs: 5_000 });
 */
export function encodeProposal({ kind, requestId, request, origin = noOrigin }: ProposalInput): Uint8Array {
  const version = levelOf(kind, origin);
  // The log keeps the payload, so it gets memory of its own.
  const writer = new ByteWriter(request.length + (version === proposalVersions.plain ? 16 : 128));
  writer.byte(version);
  writer.byte(codeOf(kind));
  writer.varint(requestId);
  if (version !== proposalVersions.plain) writeOrigin(writer, origin);
  writer.bytes(request);
  return writer.take();
}

/** What a member wants every other one to know of it, in bytes that only the server understands. */
export interface MemberRecord {
  readonly nodeId: number;
  readonly record: Uint8Array;
}

/** The request of a `member` proposal. */
export function encodeMember(member: MemberRecord): Uint8Array {
  const writer = new ByteWriter(member.record.length + 16);
  writer.varint(member.nodeId);
  writer.bytes(member.record);
  return writer.take();
}

export function decodeMember(request: Uint8Array): MemberRecord {
  const reader = new ByteReader(request);
  return { nodeId: reader.varint(), record: reader.rest() };
}

/** Throws `FLOTILLA_PROPOSAL_VERSION` for what a newer version proposed, before anything of it is looked at. */
export function decodeProposal(payload: Uint8Array): Proposal {
  const reader = new ByteReader(payload);
  const version = reader.byte();
  if (version < proposalVersions.plain || version > proposalVersions.sharded) {
    throw new FlotillaError(
      'FLOTILLA_PROPOSAL_VERSION',
      `a log entry has proposal version ${version}; this program applies ${proposalVersions.sharded}`,
    );
  }
  const code = reader.byte();
  const kind = kinds[code] ?? null;
  if (kind === null) {
    throw new FlotillaError('FLOTILLA_PROPOSAL_KIND', `a log entry has the unknown proposal kind ${code}`);
  }
  const requestId = reader.varint();
  const origin = version === proposalVersions.plain ? noOrigin : readOrigin(reader);
  return { kind, requestId, origin, request: reader.rest() };
}

/** Whether it is an entry of an order. Reads two bytes. */
export function isOrderEntry(payload: Uint8Array): boolean {
  return payload[0] === proposalVersions.sharded && kinds[payload[1] ?? 0] === 'order';
}

function codeOf(kind: ProposalKind): number {
  return codes.get(kind) as number;
}

export function writeOrigin(writer: ByteWriter, { user, session }: Origin): void {
  writer.byte((user === null ? 0 : withUser) | (session === null ? 0 : withSession));
  if (user !== null) {
    writer.lengthPrefixed(textToBytes(user.name));
    writer.varint(user.authRevision);
  }
  if (session !== null) {
    writer.lengthPrefixed(textToBytes(session.id));
    writer.varint(session.request);
    writer.varint(session.done);
    writer.lengthPrefixed(session.digest);
  }
}

export function readOrigin(reader: ByteReader): Origin {
  const flags = reader.byte();
  const user =
    (flags & withUser) === 0
      ? null
      : { name: bytesToText(reader.lengthPrefixed()), authRevision: reader.varint() };
  const session =
    (flags & withSession) === 0
      ? null
      : {
          id: bytesToText(reader.lengthPrefixed()),
          request: reader.varint(),
          done: reader.varint(),
          digest: reader.lengthPrefixed(),
        };
  return { user, session };
}
