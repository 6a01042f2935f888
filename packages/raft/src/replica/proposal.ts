import { FlotillaError } from '@flotilla/platform';
import type { Address } from '@flotilla/platform';
import type { NodeId } from '../core/types.ts';
import { ByteReader, ByteWriter } from '../host/bytes.ts';
import { formatAddress, parseAddress } from './address.ts';

/** What the command entries of a replica's log hold. The first byte says which. */
export type Proposal =
  /** For the state machine. */
  | { readonly kind: 'command'; readonly command: Uint8Array }
  /** A member says where it is and which data it has. */
  | {
      readonly kind: 'publication';
      readonly id: NodeId;
      readonly address: Address;
      readonly instance: bigint;
    };

/** What stands before a command in the log. */
export const proposalOverheadBytes = 1;

const commandKind = 1;
const publicationKind = 2;

export function encodeCommand(command: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + command.length);
  bytes[0] = commandKind;
  bytes.set(command, 1);
  return bytes;
}

export function encodePublication(id: NodeId, address: Address, instance: bigint): Uint8Array {
  const writer = new ByteWriter(64);
  writer.u8(publicationKind);
  writer.u32(id);
  writer.u64(instance);
  writer.blob(new TextEncoder().encode(formatAddress(address)));
  return writer.take();
}

/**
 * Throws `FLOTILLA_PROPOSAL_KIND`: a newer version has proposed what this one does not know, and would apply it
 * differently.
 */
export function decodeProposal(payload: Uint8Array): Proposal {
  const kind = payload[0];
  if (kind === commandKind) return { kind: 'command', command: payload.subarray(1) };
  if (kind !== publicationKind) {
    throw new FlotillaError(
      'FLOTILLA_PROPOSAL_KIND',
      `an entry of kind ${kind} is not known to this version`,
    );
  }
  const reader = new ByteReader(payload, 1);
  const id = reader.u32() as NodeId;
  const instance = reader.u64();
  const address = parseAddress(new TextDecoder().decode(reader.blob()));
  reader.end();
  return { kind: 'publication', id, address, instance };
}
