import { FlotillaError } from '@flotilla/platform';
import { ByteReader } from './encoding/byte-reader.ts';
import { ByteWriter } from './encoding/byte-writer.ts';

export type ProposalKind = 'put' | 'delete-range' | 'txn' | 'compact' | 'member';

/** What the log carries for one request: who asked for what, and the request's own protobuf bytes. */
export interface Proposal {
  readonly kind: ProposalKind;
  /** Chosen by the member that proposes; a safe integer. For traces. */
  readonly requestId: number;
  readonly request: Uint8Array;
}

/** Members apply equal entries equally or not at all, so an envelope of a newer version stops a member. */
const proposalVersion = 1;

const kinds: readonly (ProposalKind | null)[] = [null, 'put', 'delete-range', 'txn', 'compact', 'member'];

/**
 * @example
 * const payload = encodeProposal({ kind: 'put', requestId: 7, request: PutRequest.encode(request) });
 * await group.propose(payload, { timeoutMs: 5_000 });
 */
export function encodeProposal(proposal: Proposal): Uint8Array {
  // The log keeps the payload, so it gets memory of its own.
  const writer = new ByteWriter(proposal.request.length + 16);
  writer.byte(proposalVersion);
  writer.byte(kinds.indexOf(proposal.kind));
  writer.varint(proposal.requestId);
  writer.bytes(proposal.request);
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
  if (version !== proposalVersion) {
    throw new FlotillaError(
      'FLOTILLA_PROPOSAL_VERSION',
      `a log entry has proposal version ${version}; this program applies ${proposalVersion}`,
    );
  }
  const code = reader.byte();
  const kind = kinds[code] ?? null;
  if (kind === null) {
    throw new FlotillaError('FLOTILLA_PROPOSAL_KIND', `a log entry has the unknown proposal kind ${code}`);
  }
  return { kind, requestId: reader.varint(), request: reader.rest() };
}
