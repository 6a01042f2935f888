import type { Entry, Index, Term } from '@flotilla/raft';
import { encodeProposal } from '../src/proposal.ts';
import type { ProposalKind } from '../src/proposal.ts';

/** A log entry for an encoded request. */
export function entryOf(
  index: number,
  request: { readonly kind: ProposalKind; readonly bytes: Uint8Array },
): Entry {
  const payload = encodeProposal({ kind: request.kind, requestId: index, request: request.bytes });
  return { index: index as Index, term: 1 as Term, kind: 'command', payload };
}
