import type { Platform } from '@flotilla/platform';
import type { ShardedBackend } from '../shards/sharded-backend.ts';
import type { Database, EtcdClusterFacts, KeyValueHash, ShardedContents } from '@flotilla/store';
import { type AlarmMember, etcdErrors } from '@flotilla/wire';
import { limits } from '../limits.ts';
import { OutgoingSnapshot } from '../snapshot/outgoing-snapshot.ts';
import type { BackendMember, BackendOperations } from './backend.ts';
import { SpaceAlarm } from './space-alarm.ts';
import { API_VERSION } from './version.ts';

/** What is read of all shards together. */
export type ShardContents = Pick<ShardedBackend, 'hashKeyValues' | 'withContents'>;

export interface MemberOperationsParts {
  readonly platform: Platform;
  readonly database: Database;
  readonly dataDirectory: string;
  readonly quotaBytes: number;
  readonly memberId: () => bigint;
  /** See `SpaceAlarmTarget`. */
  readonly lowersAlarmsFor: (memberId: bigint) => boolean;
  /** On this member's own behalf. */
  readonly propose: (kind: 'alarm', request: Uint8Array) => Promise<unknown>;
  readonly spareDisk: (spare: boolean) => void;
  readonly members: () => readonly BackendMember[];
  /** Null: all keys are group 0's. */
  readonly sharded: () => ShardContents | null;
}

/** What whoever runs a cluster asks of a member. */
export class MemberOperations implements BackendOperations {
  readonly space: SpaceAlarm;
  readonly #parts: MemberOperationsParts;
  #snapshots = 0;

  constructor(parts: MemberOperationsParts) {
    const { platform, database, dataDirectory, quotaBytes, memberId, lowersAlarmsFor, propose, spareDisk } =
      parts;
    this.#parts = parts;
    this.space = new SpaceAlarm(platform, {
      quotaBytes,
      get looksItself() {
        return parts.sharded() !== null;
      },
      liveBytes: () => database.liveBytes,
      diskBytes: () => platform.disk.freeBytes(dataDirectory),
      reusableBytes: () => database.reusableBytes,
      spareDisk,
      alarms: () => database.alarms,
      memberId,
      lowersFor: lowersAlarmsFor,
      propose: (request) => propose('alarm', request),
    });
    if (quotaBytes > limits.quotaAdvisedBytes && quotaBytes !== Number.MAX_SAFE_INTEGER) {
      platform.log.warn('quota exceeds the largest advised value', {
        quotaBytes,
        advisedBytes: limits.quotaAdvisedBytes,
      });
    }
  }

  get alarms(): readonly AlarmMember[] {
    return this.#parts.database.alarms;
  }

  get downgradeTarget(): string | null {
    return this.#parts.database.downgradeTarget;
  }

  raiseSpaceAlarm(): Promise<void> {
    return this.space.raise();
  }

  stop(): void {
    this.space.stop();
  }

  hashKeyValues(revision: number): Promise<KeyValueHash> {
    const { database, sharded } = this.#parts;
    return sharded()?.hashKeyValues(revision) ?? database.hashKeyValues(revision);
  }

  hash(): Promise<number> {
    const { database, sharded } = this.#parts;
    return (
      sharded()?.withContents((contents) => database.hashEtcdContents(this.#facts(), contents)) ??
      database.hashEtcdContents(this.#facts())
    );
  }

  async snapshot(use: (snapshot: OutgoingSnapshot) => Promise<void>): Promise<void> {
    if (this.#snapshots >= limits.outgoingSnapshots) throw etcdErrors.tooManyRequests;
    this.#snapshots += 1;
    try {
      const create = (contents: ShardedContents | null = null): Promise<OutgoingSnapshot> => {
        const { platform, dataDirectory, database } = this.#parts;
        return OutgoingSnapshot.create(platform, dataDirectory, database, this.#facts(), contents);
      };
      const snapshot = await (this.#parts.sharded()?.withContents(create) ?? create());
      try {
        await use(snapshot);
      } finally {
        await snapshot.remove();
      }
    } finally {
      this.#snapshots -= 1;
    }
  }

  #facts(): EtcdClusterFacts {
    return {
      clusterVersion: API_VERSION,
      storageVersion: API_VERSION,
      members: this.#parts.members().map((member) => ({ ...member, id: member.memberId })),
      removedMembers: this.#parts.database.registry.removedIds,
    };
  }
}
