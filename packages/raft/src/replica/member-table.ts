import { FlotillaError } from '@flotilla/platform';
import type { Address } from '@flotilla/platform';
import type { MembershipStep, NodeId } from '../core/types.ts';
import { ByteReader, ByteWriter } from '../host/bytes.ts';
import { formatAddress, parseAddress } from './address.ts';

/** What a group knows of a member beside its part in consensus. */
export interface MemberRecord {
  /** Where it listens, when the log has said so; else it is where the first configuration says. */
  readonly address: Address | null;
  /**
   * The number of its data directory. A member that comes back with another one has lost its votes and what it had
   * acknowledged, and is kept out. Null until it has published it.
   */
  readonly instance: bigint | null;
}

/**
 * Addresses and instances of members: replicated state, changed by log entries only, and part of each snapshot.
 *
 * A removed member's record is kept until the next change: in a joint configuration it still votes, and must be found.
 */
export class MemberTable {
  readonly #records = new Map<NodeId, MemberRecord>();
  readonly #leaving = new Set<NodeId>();

  get(id: NodeId): MemberRecord | null {
    return this.#records.get(id) ?? null;
  }

  get ids(): readonly NodeId[] {
    return [...this.#records.keys()].sort((a, b) => a - b);
  }

  /** A change of membership was applied. */
  changed(steps: readonly MembershipStep[], context: Uint8Array): void {
    // With the next change, or when a joint configuration is left, the last one is over.
    for (const id of this.#leaving) this.#records.delete(id);
    this.#leaving.clear();
    for (const { operation, id } of steps) if (operation === 'remove') this.#leaving.add(id);
    for (const [id, address] of decodeAddresses(context)) {
      this.#records.set(id, { address, instance: this.#records.get(id)?.instance ?? null });
    }
  }

  /**
   * A member says where it is and which data it has. The first word counts: false when the group knows it with other
   * data.
   */
  published(id: NodeId, address: Address, instance: bigint): boolean {
    const known = this.#records.get(id) ?? { address: null, instance: null };
    if (known.instance !== null && known.instance !== instance) return false;
    this.#records.set(id, { address: known.address ?? address, instance });
    return true;
  }

  encode(): Uint8Array {
    const writer = new ByteWriter(1024);
    writer.u8(version);
    writer.u32(this.#records.size);
    for (const id of this.ids) {
      const { address, instance } = this.#records.get(id) as MemberRecord;
      writer.u32(id);
      writer.u8(this.#leaving.has(id) ? 1 : 0);
      writer.blob(textBytes(address === null ? '' : formatAddress(address)));
      writer.u8(instance === null ? 0 : 1);
      writer.u64(instance ?? 0n);
    }
    return writer.take();
  }

  /** Replaces everything by what {@link encode} wrote. Throws `FLOTILLA_SNAPSHOT_VERSION`, and on damage. */
  decode(bytes: Uint8Array): void {
    const reader = new ByteReader(bytes);
    requireVersion(reader.u8(), 'FLOTILLA_SNAPSHOT_VERSION', 'a snapshot');
    this.#records.clear();
    this.#leaving.clear();
    for (let left = reader.count(18); left > 0; left -= 1) {
      const id = reader.u32() as NodeId;
      if (reader.bool()) this.#leaving.add(id);
      const text = new TextDecoder().decode(reader.blob());
      const known = reader.bool();
      const instance = reader.u64();
      this.#records.set(id, {
        address: text === '' ? null : parseAddress(text),
        instance: known ? instance : null,
      });
    }
    reader.end();
  }
}

const version = 1;

/** The context of a change of membership: where the members that it brings listen. */
export function encodeAddresses(addresses: ReadonlyMap<NodeId, Address>): Uint8Array {
  const writer = new ByteWriter(256);
  writer.u8(version);
  writer.u32(addresses.size);
  for (const [id, address] of addresses) {
    writer.u32(id);
    writer.blob(textBytes(formatAddress(address)));
  }
  return writer.take();
}

/** A change that says nothing of addresses, as leaving a joint configuration, has an empty context. */
export function decodeAddresses(context: Uint8Array): ReadonlyMap<NodeId, Address> {
  const addresses = new Map<NodeId, Address>();
  if (context.length === 0) return addresses;
  const reader = new ByteReader(context);
  requireVersion(reader.u8(), 'FLOTILLA_PROPOSAL_VERSION', 'a change of membership');
  for (let left = reader.count(8); left > 0; left -= 1) {
    const id = reader.u32() as NodeId;
    addresses.set(id, parseAddress(new TextDecoder().decode(reader.blob())));
  }
  reader.end();
  return addresses;
}

function requireVersion(
  found: number,
  code: 'FLOTILLA_SNAPSHOT_VERSION' | 'FLOTILLA_PROPOSAL_VERSION',
  what: string,
): void {
  if (found === version) return;
  throw new FlotillaError(code, `${what} of version ${found}; this program knows version ${version} only`);
}

function textBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
