import type { Platform } from '@flotilla/platform';
import type { World, WorldSettings } from '@flotilla/sim';
import type { Database } from '@flotilla/store';
import { MemberNode, type MemberSettings } from '../../cluster/member-node.ts';
import { WrittenHistory } from '../../cluster/written-history.ts';
import type { LateCopies } from './late-copies.ts';
import type { LabNode, ShardedLabOptions } from './sharded-lab.ts';

/** Nodes that only order. */
export const orderers = 3;

/** Between nodes a stream loses nothing: what is lost comes late, and messages come twice, late and again. */
export const unreliableWorld: Partial<WorldSettings> = {
  delayMaxMs: 26,
  lossPerMille: 100,
  retransmitMs: 20,
  duplicatePerMille: 50,
  reorderPerMille: 50,
  redeliverPerMille: 20,
};

/** A member, all that is logged and asked around which can come again. */
export class WatchedMember extends MemberNode {
  copies: LateCopies | null = null;

  override async main(platform: Platform): Promise<void> {
    await super.main(platform);
    if (this.member !== null) this.copies?.watch(this.member);
  }
}

/** Of all that is written, as two of those who order tell it: everybody's would cost more than all the rest. */
export class OrderersHistory extends WrittenHistory {
  readonly #names: readonly string[];

  constructor(world: World, names: readonly string[]) {
    super(world);
    this.#names = names;
  }

  override follow(name: string, database: Database): void {
    if (this.#names.includes(name)) super.follow(name, database);
  }
}

/** Shard 0 keeps what is before the first of them. */
export function cutOf(shard: number): string {
  return String.fromCharCode('b'.charCodeAt(0) + shard);
}

export function placesOf({ groups, nodesOfAGroup = 3 }: ShardedLabOptions): LabNode[] {
  const sizes = [orderers, ...Array.from({ length: groups }, () => nodesOfAGroup)];
  return sizes.flatMap((size, group) =>
    Array.from({ length: size }, (_, i) => ({
      name: group === 0 ? `o${i + 1}` : `g${group}n${i + 1}`,
      group,
    })),
  );
}

export function settingsOf({ snapshotEvery = null }: ShardedLabOptions): MemberSettings {
  const compacts = snapshotEvery !== null;
  return {
    heartbeatMs: 100,
    electionMs: 1_000,
    snapshotCount: compacts ? snapshotEvery : 1_000_000,
    host: {
      ...(compacts ? { tailEntries: 0, laggingEntries: 0 } : {}),
      logLimits: { segmentBytes: 64 * 1024 },
    },
    commitDelayMs: 1,
    flushDelayMs: 5,
  };
}
