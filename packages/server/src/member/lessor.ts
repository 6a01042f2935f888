import { messageOf, type Platform, type Timer } from '@flotilla/platform';
import type { Group, RoleChange } from '@flotilla/raft';
import {
  type Database,
  encodeLeaseCheckpoint,
  encodeLeaseExpire,
  type Lease,
  type LeaseKeeper,
} from '@flotilla/store';
import { AlarmType } from '@flotilla/wire';
import { limits } from '../limits.ts';
import type { LeaseTime } from './backend.ts';
import { type Due, DeadlineHeap } from './deadline-heap.ts';
import { LeaseClock } from './lease-clock.ts';

export interface LessorParts {
  readonly platform: Platform;
  readonly database: Database;
  readonly group: Pick<Group<unknown>, 'status' | 'onRoleChange' | 'readBarrier'>;
  readonly electionTimeoutMs: number;
  /** Replicates a request of this member's own. Rejects also when it was refused where it is applied. */
  readonly propose: (kind: 'lease-expire' | 'lease-checkpoint', request: Uint8Array) => Promise<void>;
}

/** What a member knows of the time of one lease. */
interface Tracked extends Due {
  readonly id: bigint;
  ttl: number;
  generation: number;
  /** When the others are told how much is left. */
  readonly checkpoint: CheckpointDue;
}

interface CheckpointDue extends Due {
  readonly id: bigint;
}

/**
 * Keeps the time of leases. Every member does, from what it applied, so that whoever leads next knows what is left
 * of each; only the leader says that one has expired, after the cluster has confirmed that it leads, and the log has
 * the last word.
 *
 * No lease dies before its time: deadlines only ever count time in which its client could be heard, see
 * {@link LeaseClock}; a new leader gives every lease the least time that one can be granted for, in which clients
 * find it; what a restart forgets makes a lease live longer, up to what was left at its last checkpoint, which is
 * half of its time or five minutes ago.
 */
export class Lessor implements LeaseKeeper {
  /** What a lease is granted for at least: an election must fit into it. */
  readonly minimumTtlSeconds: number;
  readonly #parts: LessorParts;
  readonly #clock: LeaseClock;
  readonly #leases = new Map<bigint, Tracked>();
  readonly #expiries = new DeadlineHeap<Tracked>();
  readonly #checkpoints = new DeadlineHeap<CheckpointDue>();
  readonly #unsubscribe: () => void;
  /** In which this member took over; 0: it does not lead. */
  #leadingTerm = 0;
  #timer: Timer | null = null;
  #expiring = false;
  /** Of the platform's clock: after what had failed. */
  #expiresAgainMs = 0;
  #checkpointing = false;
  #stopped = false;

  constructor(parts: LessorParts) {
    this.#parts = parts;
    this.minimumTtlSeconds = minimumTtlSeconds(parts.electionTimeoutMs);
    this.#clock = new LeaseClock(parts.platform, limits.leaseClockStepMs);
    this.#roleChanged(parts.group.status());
    this.#unsubscribe = parts.group.onRoleChange((change) => this.#roleChanged(change));
    parts.database.keepLeases(this);
    this.restored();
  }

  /** Null: it knows of no such lease. */
  timeOf(id: bigint): LeaseTime | null {
    const tracked = this.#leases.get(id);
    if (tracked === undefined) return null;
    return { grantedSeconds: tracked.ttl, remainingMs: Math.max(0, tracked.atMs - this.#clock.now()) };
  }

  /** By what is left of their time, as etcd lists them. */
  list(): bigint[] {
    return [...this.#leases.values()]
      .sort((a, b) => a.atMs - b.atMs || (a.id < b.id ? -1 : 1))
      .map(({ id }) => id);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#unsubscribe();
  }

  // What was applied.

  renewed(lease: Lease): void {
    this.#track(lease, lease.ttl);
  }

  /** The leader knows best: what one before it had seen takes nothing from what this one gives. Others take the less. */
  checkpointed(lease: Lease): void {
    const tracked = this.#leases.get(lease.id);
    if (tracked === undefined) return this.#track(lease, lease.remaining);
    const nowMs = this.#clock.now();
    if (this.#leadingTerm === 0) tracked.atMs = Math.min(tracked.atMs, nowMs + lease.remaining * 1_000);
    if (tracked.position >= 0) this.#expiries.place(tracked);
    this.#planCheckpoint(tracked, nowMs);
  }

  removed(id: bigint): void {
    const tracked = this.#leases.get(id);
    if (tracked === undefined) return;
    this.#leases.delete(id);
    this.#expiries.remove(tracked);
    this.#checkpoints.remove(tracked.checkpoint);
  }

  restored(): void {
    const gone = new Set(this.#leases.keys());
    for (const lease of this.#parts.database.leases.all()) {
      gone.delete(lease.id);
      if (this.#leases.get(lease.id)?.generation === lease.generation) this.checkpointed(lease);
      else this.#track(lease, lease.remaining);
    }
    for (const id of gone) this.removed(id);
  }

  #track(lease: Lease, leftSeconds: number): void {
    const nowMs = this.#clock.now();
    let tracked = this.#leases.get(lease.id);
    if (tracked === undefined) {
      const { id, ttl, generation } = lease;
      const checkpoint = { id, atMs: 0, position: -1 };
      tracked = { id, ttl, generation, atMs: 0, position: -1, checkpoint };
      this.#leases.set(id, tracked);
    }
    tracked.ttl = lease.ttl;
    tracked.generation = lease.generation;
    tracked.atMs = nowMs + leftSeconds * 1_000;
    this.#expiries.place(tracked);
    this.#planCheckpoint(tracked, nowMs);
    this.#schedule();
  }

  /** A client that keeps its lease alive renews it more often than this. */
  #planCheckpoint({ checkpoint, ttl }: Tracked, nowMs: number): void {
    const afterSeconds = Math.max(ttl / 2, this.minimumTtlSeconds);
    checkpoint.atMs = nowMs + Math.min(afterSeconds, limits.leaseCheckpointSeconds) * 1_000;
    this.#checkpoints.place(checkpoint);
  }

  #roleChanged({ role, term, leader }: Pick<RoleChange, 'role' | 'term' | 'leader'>): void {
    this.#clock.run(leader !== 0);
    const leadingTerm = role === 'leader' ? term : 0;
    if (leadingTerm !== 0 && leadingTerm !== this.#leadingTerm) this.#takeOver();
    this.#leadingTerm = leadingTerm;
  }

  /**
   * Clients that had the last leader's ear need some time to find another. What is left of the leases of those that do
   * not is written down soon: a member that has started again knows nothing better than what the log says, and if it
   * led next, elections would make a lease live for ever.
   */
  #takeOver(): void {
    const leastMs = this.#clock.now() + this.minimumTtlSeconds * 1_000;
    for (const tracked of this.#leases.values()) {
      const { checkpoint } = tracked;
      checkpoint.atMs = Math.min(checkpoint.atMs, leastMs);
      this.#checkpoints.place(checkpoint);
      if (tracked.atMs >= leastMs) continue;
      tracked.atMs = leastMs;
      if (tracked.position >= 0) this.#expiries.place(tracked);
    }
  }

  /** There is no timer while there is no lease. */
  #schedule(): void {
    if (this.#timer !== null || this.#stopped || this.#leases.size === 0) return;
    this.#timer = this.#parts.platform.timer(limits.leaseLookMs, 'leases', () => {
      this.#timer = null;
      this.#look();
      this.#schedule();
    });
  }

  #look(): void {
    const nowMs = this.#clock.now();
    if (this.#leadingTerm === 0) return;
    const { platform } = this.#parts;
    const term = this.#leadingTerm;
    if (!this.#expiring && this.#mayExpire() && isDue(this.#expiries.first, nowMs)) {
      this.#expiring = true;
      platform.spawn('lease-expiry', () => this.#expire(term));
    }
    if (!this.#checkpointing && isDue(this.#checkpoints.first, nowMs)) {
      this.#checkpointing = true;
      platform.spawn('lease-checkpoint', () => this.#checkpoint(term));
    }
  }

  /** While the state is known to be corrupt the log refuses it on every member, and would only grow. */
  #mayExpire(): boolean {
    const { platform, database } = this.#parts;
    if (platform.now() < this.#expiresAgainMs) return false;
    return !database.alarms.some(({ alarm }) => alarm === AlarmType.CORRUPT);
  }

  /** Revokes what has expired, a bounded number at a time. What is renewed meanwhile has another generation. */
  async #expire(term: number): Promise<void> {
    try {
      if (!(await this.#confirmed(term))) return;
      const due = this.#takeExpired();
      try {
        const leases = due.map(({ id, generation }) => ({ id, generation }));
        if (leases.length > 0) {
          await this.#parts.propose('lease-expire', encodeLeaseExpire({ term, leases }));
        }
      } finally {
        // Those that are still there were renewed, or it was not to be: they are looked at again.
        for (const tracked of due)
          if (this.#leases.get(tracked.id) === tracked) this.#expiries.place(tracked);
      }
    } catch (error) {
      this.#expiresAgainMs = this.#parts.platform.now() + limits.leaseExpiryRetryMs;
      this.#parts.platform.log.warn('leases could not be expired, will be tried again', {
        error: messageOf(error),
      });
    } finally {
      this.#expiring = false;
    }
  }

  /** What one entry revokes is bounded by leases and by their keys: everything else waits while it is applied. */
  #takeExpired(): Tracked[] {
    const { leases } = this.#parts.database;
    const nowMs = this.#clock.now();
    const due: Tracked[] = [];
    let keysLeft = limits.leaseExpiryKeys as number;
    while (due.length < limits.leaseExpiryBatch && keysLeft > 0 && isDue(this.#expiries.first, nowMs)) {
      const tracked = this.#expiries.first as Tracked;
      this.#expiries.remove(tracked);
      due.push(tracked);
      keysLeft -= leases.countKeys(tracked.id, keysLeft);
    }
    return due;
  }

  /** Whether the cluster still knows this member as the leader of `term`, as of now and not of before a pause. */
  async #confirmed(term: number): Promise<boolean> {
    await this.#parts.group.readBarrier({ timeoutMs: this.#parts.electionTimeoutMs });
    const { role, term: current } = this.#parts.group.status();
    return role === 'leader' && current === term && !this.#stopped;
  }

  async #checkpoint(term: number): Promise<void> {
    try {
      const nowMs = this.#clock.now();
      const checkpoints = [];
      while (checkpoints.length < limits.leaseCheckpointBatch && isDue(this.#checkpoints.first, nowMs)) {
        const due = this.#checkpoints.first as CheckpointDue;
        const tracked = this.#leases.get(due.id) as Tracked;
        this.#planCheckpoint(tracked, nowMs);
        const remaining = Math.ceil(Math.max(0, tracked.atMs - nowMs) / 1_000);
        checkpoints.push({ id: tracked.id, generation: tracked.generation, remaining });
      }
      if (checkpoints.length > 0 && this.#leadingTerm === term) {
        await this.#parts.propose('lease-checkpoint', encodeLeaseCheckpoint(checkpoints));
      }
    } catch (error) {
      this.#parts.platform.log.warn('what is left of leases could not be written down', {
        error: messageOf(error),
      });
    } finally {
      this.#checkpointing = false;
    }
  }
}

/** etcd's rule: one and a half election time-outs, in whole seconds. */
export function minimumTtlSeconds(electionTimeoutMs: number): number {
  return Math.ceil((1.5 * electionTimeoutMs) / 1_000);
}

function isDue(deadline: Due | null, nowMs: number): boolean {
  return deadline !== null && deadline.atMs <= nowMs;
}
