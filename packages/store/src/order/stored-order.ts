import { assert, FlotillaError } from '@flotilla/platform';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import { RequestMemory } from '../shard/request-memory.ts';
import type { ShardId } from '../shard/shard-entry.ts';
import { ClusterConfiguration } from './cluster-configuration.ts';
import { FactChain } from './fact-chain.ts';
import { LeaseRegistry } from './lease-registry.ts';
import { idOf, OrderPart, partOf, type StoredParts } from './order-parts.ts';

/** What is small and changes all the time. */
export interface OrderHead {
  readonly index: number;
  readonly frontier: number;
  readonly compactRevision: number;
  readonly configuration: number;
  readonly nextSession: number;
  readonly nextShard: number;
}

/** An order's state, as its records had it. */
export interface RestoredOrder extends Omit<OrderHead, 'configuration'> {
  readonly configuration: ClusterConfiguration;
  readonly leases: LeaseRegistry;
  readonly own: Uint8Array;
  readonly memory: RequestMemory;
  readonly chains: readonly (readonly [ShardId, FactChain])[];
  readonly sessions: readonly (readonly [number, Uint8Array])[];
}

const headVersion = 1;
const writer = new ByteWriter(4 * 1024);

export function encodeHead(head: OrderHead): Uint8Array {
  writer.byte(headVersion);
  writer.varint(head.index);
  writer.varint(head.frontier);
  writer.varint(head.configuration);
  // −1 means that nothing was ever compacted.
  writer.varint(head.compactRevision + 1);
  writer.varint(head.nextSession);
  writer.varint(head.nextShard);
  return writer.take();
}

function decodeHead(record: Uint8Array): OrderHead {
  const reader = new ByteReader(record);
  const version = reader.byte();
  if (version !== headVersion) {
    throw new FlotillaError(
      'FLOTILLA_STORAGE_VERSION',
      `the stored order has version ${version}; this program reads ${headVersion}`,
    );
  }
  return {
    index: reader.varint(),
    frontier: reader.varint(),
    configuration: reader.varint(),
    compactRevision: reader.varint() - 1,
    nextSession: reader.varint(),
    nextShard: reader.varint(),
  };
}

/** The records of an order, by what they are of. */
export class StoredOrder {
  readonly #parts = new Map<OrderPart, (readonly [Uint8Array, Uint8Array])[]>();

  constructor(parts: StoredParts) {
    for (const [key, record] of parts) {
      const part = partOf(key);
      const before = this.#parts.get(part);
      if (before === undefined) this.#parts.set(part, [[key, record]]);
      else before.push([key, record]);
    }
  }

  one(part: OrderPart): Uint8Array {
    const [only] = this.#all(part);
    assert(only !== undefined, () => `an order has a record of part ${part}`);
    return only[1];
  }

  restored(): RestoredOrder {
    const head = decodeHead(this.one(OrderPart.HEAD));
    const leases = new LeaseRegistry();
    for (const [key, record] of this.#all(OrderPart.LEASE)) leases.restore(key, record);
    const memory = new RequestMemory();
    memory.restore(null, this.one(OrderPart.EXPIRED));
    for (const [key, record] of this.#all(OrderPart.MEMORY)) memory.restore(idOf(key), record);
    return {
      ...head,
      configuration: ClusterConfiguration.restored(head.configuration, {
        rows: this.#records(OrderPart.ROW),
        nodes: this.#records(OrderPart.NODE),
        assignments: this.#records(OrderPart.ASSIGNMENT),
        changes: this.#records(OrderPart.CHANGE),
        wishes: this.#records(OrderPart.WISH),
        presplit: this.#records(OrderPart.PRESPLIT)[0] ?? null,
      }),
      leases,
      own: this.one(OrderPart.OWN),
      memory,
      chains: this.#all(OrderPart.CHAIN).map(([key, record]) => [idOf(key), FactChain.decode(record)]),
      sessions: this.#all(OrderPart.SESSION).map(([key, record]) => [idOf(key), record]),
    };
  }

  #all(part: OrderPart): readonly (readonly [Uint8Array, Uint8Array])[] {
    return this.#parts.get(part) ?? [];
  }

  #records(part: OrderPart): Uint8Array[] {
    return this.#all(part).map(([, record]) => record);
  }
}
