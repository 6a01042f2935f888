import type { OrderedGeneration } from '../../src/order/order-entry.ts';
import type { Outcome, RequestOrigin } from '../../src/shard/request-memory.ts';
import type { Decision } from '../../src/shard/shard-entry.ts';
import type { ShardMachine } from '../../src/shard/shard-machine.ts';
import type { Replica } from './group.ts';
import type { OrderingWorld } from './world.ts';

export interface OrderingViolation {
  readonly name: string;
  readonly message: string;
}

/** One life of a lease: the same id granted again is another one. */
export interface LeaseTimes {
  readonly lease: bigint;
  readonly grantedAtMs: number;
  /** Writes after this revision may use it. */
  readonly grantedRevision: number;
  removedAtMs: number;
  removedRevision: number;
}

/** Sees everything that is applied, on every node, and remembers what cannot be read from the keys afterwards. */
export class Witness {
  readonly #world: OrderingWorld;
  violation: OrderingViolation | null = null;
  /** Who wrote each revision: a request, or a lease that ended. */
  readonly writers = new Map<number, string>();
  readonly revisions = new Map<string, number>();
  readonly leases: LeaseTimes[] = [];
  readonly #seen = new Set<string>();
  /** By the entry that granted or renewed a lease: until when. */
  readonly #promised = new Map<number, number>();
  /** Of each group, by applied index: what every replica must agree on. */
  readonly #signatures = new Map<number, number[]>();
  commits = 0;
  aborts = 0;

  constructor(world: OrderingWorld) {
    this.#world = world;
  }

  fail(name: string, message: string): void {
    this.violation ??= { name, message };
  }

  applied(replica: Replica): void {
    const { shard, group, applied } = replica;
    const signature = signatureOf(shard);
    let signatures = this.#signatures.get(group.id);
    if (signatures === undefined) this.#signatures.set(group.id, (signatures = []));
    const before = signatures[applied];
    if (before === undefined) signatures[applied] = signature;
    else if (before !== signature) this.fail('replicas differ', `shard ${group.id} after entry ${applied}`);
    const { waiting } = shard;
    const { bounds } = group;
    const held = waiting + shard.prepared.size;
    const isTooMuch = held > 1 && shard.heldBytes > bounds.heldBytes;
    if (waiting > bounds.waitingEntries || shard.prepared.size > bounds.preparedTransactions || isTooMuch) {
      this.fail(
        'beyond its bounds',
        `shard ${group.id} holds ${waiting} waiting and ${shard.prepared.size} prepared`,
      );
    }
  }

  outcome(_replica: Replica, origin: RequestOrigin, outcome: Outcome): void {
    if (outcome.kind === 'written' && outcome.revision !== null) {
      this.#wrote(nameOf(origin), outcome.revision);
    }
  }

  numbered(_replica: Replica, origin: RequestOrigin, revision: number): void {
    this.#wrote(nameOf(origin), revision);
  }

  decided(decision: Decision): void {
    const { transaction, verdict, effective, revision, revokes, origin } = decision;
    if (!this.#isFirst(`decided ${transaction}`)) return;
    if (verdict === 'abort') {
      this.aborts += 1;
      return;
    }
    this.commits += 1;
    if (effective)
      this.#wrote(revokes === null ? nameOf(origin) : `lease ${revokes}@${origin.request}`, revision);
  }

  leaseRenewed(lease: bigint, generation: number, revision: number, ttl: number): void {
    if (!this.#isFirst(`renewed ${lease} ${generation}`)) return;
    this.#promised.set(generation, this.#world.now + ttl);
    if (this.lifeOf(lease) !== null) return;
    const grantedAtMs = this.#world.now;
    const times = { lease, grantedAtMs, grantedRevision: revision };
    this.leases.push({ ...times, removedAtMs: Infinity, removedRevision: Infinity });
    this.#world.coverage.count('lease granted');
  }

  /** Whoever has renewed a lease has been promised its whole time. */
  expired(
    { order }: Replica,
    leases: readonly OrderedGeneration[],
    effects: readonly { readonly kind: string; readonly lease?: bigint }[],
  ): void {
    for (const { lease, generation } of leases) {
      const ends = effects.some((effect) => effect.kind === 'lease-removed' && effect.lease === lease);
      if (!ends && order.leases.get(lease)?.revokedAt !== order.index) continue;
      if (this.#world.now < (this.#promised.get(generation) ?? 0)) {
        this.fail('a lease that ends before its time', `lease ${lease} of entry ${generation}`);
      }
    }
  }

  leaseRemoved(replica: Replica, lease: bigint, revision: number): void {
    if (!this.#isFirst(`removed ${lease} ${replica.order.index}`)) return;
    const life = this.lifeOf(lease);
    if (life === null) return;
    life.removedAtMs = this.#world.now;
    life.removedRevision = revision;
    this.#world.coverage.count('lease removed');
  }

  /** The life that a lease has at the moment. */
  lifeOf(lease: bigint): LeaseTimes | null {
    return this.leases.find((life) => life.lease === lease && life.removedAtMs === Infinity) ?? null;
  }

  #wrote(writer: string, revision: number): void {
    const other = this.writers.get(revision);
    if (other !== undefined && other !== writer) {
      this.fail('two writes at one revision', `revision ${revision} is ${other}'s and ${writer}'s`);
    }
    const before = this.revisions.get(writer);
    if (before !== undefined && before !== revision) {
      this.fail('applied twice', `${writer} has the revisions ${before} and ${revision}`);
    }
    this.writers.set(revision, writer);
    this.revisions.set(writer, revision);
  }

  #isFirst(name: string): boolean {
    if (this.#seen.has(name)) return false;
    this.#seen.add(name);
    return true;
  }
}

const lives = { serving: 0, draining: 1, retired: 2 } as const;

/** Numbers of a shard that differ when anything has gone apart, soon. */
function signatureOf(shard: ShardMachine): number {
  const { ordered, known, numbered, seq, waiting, life, epoch, prepared, memory, store } = shard;
  let sum: number = lives[life];
  for (const part of [ordered, known, numbered, seq, waiting, epoch.range, prepared.size, memory.size]) {
    sum = (Math.imul(sum, 0x9e37_79b1) + part) | 0;
  }
  return (Math.imul(sum, 0x9e37_79b1) + store.keys.revision) | 0;
}

export function nameOf({ session, request }: Pick<RequestOrigin, 'session' | 'request'>): string {
  return `${session}.${request}`;
}
