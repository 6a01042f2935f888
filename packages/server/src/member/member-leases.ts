import type { Platform, Random } from '@flotilla/platform';
import type { Group } from '@flotilla/raft';
import { type ApplyResult, type Database, noOrigin, type Origin } from '@flotilla/store';
import type { BackendLeases, LeaseTime } from './backend.ts';
import type { PeerCalls } from '../peer/peer-calls.ts';
import { LeaderLeaseTime } from './leader-lease-time.ts';
import { LeaseRenewals } from './lease-renewals.ts';
import { Lessor } from './lessor.ts';

export interface MemberLeasesParts {
  readonly platform: Platform;
  readonly database: Database;
  readonly group: Group<ApplyResult>;
  readonly electionTimeoutMs: number;
  readonly propose: ProposeLease;
  readonly calls: Pick<PeerCalls, 'handle' | 'call'>;
  /** The keys that go with a lease, sorted. */
  readonly keysOf: (id: bigint) => readonly Uint8Array[] | Promise<readonly Uint8Array[]>;
  /** The peer URL of the leader; null: none is known, or it is this member. */
  readonly leaderUrl: () => string | null;
}

/** Replicates what this member has to say of leases, even while clients' writes are refused because the disk is behind. */
export type ProposeLease = (
  kind: 'lease-renew' | 'lease-expire' | 'lease-checkpoint',
  request: Uint8Array,
  origin: Origin,
) => Promise<ApplyResult>;

/** What a member knows of leases, and does for them. */
export class MemberLeases implements BackendLeases {
  readonly minimumTtlSeconds: number;
  readonly #database: Database;
  readonly #lessor: Lessor;
  readonly #renewals: LeaseRenewals;
  readonly #leader: LeaderLeaseTime;
  readonly #keysOf: MemberLeasesParts['keysOf'];
  readonly #random: Random;

  constructor(parts: MemberLeasesParts) {
    const { platform, database, group, electionTimeoutMs, propose } = parts;
    this.#database = database;
    this.#keysOf = parts.keysOf;
    this.#random = platform.random.fork('lease-ids');
    this.#lessor = new Lessor({
      platform,
      database,
      group,
      electionTimeoutMs,
      propose: async (kind, request) => {
        const result = await propose(kind, request, noOrigin);
        if (result.kind === 'error') throw result.error;
      },
    });
    this.minimumTtlSeconds = this.#lessor.minimumTtlSeconds;
    this.#leader = new LeaderLeaseTime({
      ...parts,
      remainingMs: (id) => this.#lessor.timeOf(id)?.remainingMs ?? null,
    });
    this.#renewals = new LeaseRenewals(platform, (request) => propose('lease-renew', request, noOrigin));
  }

  newId(): bigint {
    for (;;) {
      const id = BigInt.asUintN(63, (BigInt(this.#random.u32()) << 32n) | BigInt(this.#random.u32()));
      if (id !== 0n && !this.#database.leases.has(id)) return id;
    }
  }

  renew(id: bigint): Promise<number> {
    return this.#renewals.renew(id);
  }

  /** Called before anything else is proposed. */
  proposeRenewals(): void {
    this.#renewals.flush();
  }

  async timeOf(id: bigint): Promise<LeaseTime | null> {
    const own = this.#lessor.timeOf(id);
    if (own === null) return null;
    return { ...own, remainingMs: (await this.#leader.of(id)) ?? own.remainingMs };
  }

  keysOf(id: bigint): readonly Uint8Array[] | Promise<readonly Uint8Array[]> {
    return this.#keysOf(id);
  }

  list(): readonly bigint[] {
    return this.#lessor.list();
  }

  stop(): void {
    this.#lessor.stop();
  }
}
