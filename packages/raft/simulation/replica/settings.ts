import type { FaultMix, Tape, WorldSettings } from '@flotilla/sim';
import { drawHostSettings } from '../host-settings.ts';
import type { HostConfig } from '../../src/host/config.ts';

/** Everything about a run that its tape decides beforehand. On a tape of zeros: three members, no fault, defaults. */
export interface ReplicaRunSettings {
  readonly members: number;
  /** Members that may come later. */
  readonly newcomers: number;
  readonly clients: number;
  readonly world: Partial<WorldSettings>;
  readonly mix: FaultMix;
  readonly faultIntervalMs: readonly [number, number];
  readonly faultDurationMs: readonly [number, number];
  readonly faultyMs: number;
  readonly host: HostConfig;
  readonly snapshotEvery: number;
  readonly readShare: number;
  readonly thinkMaxMs: number;
  readonly timeoutMs: number;
  /** Between two wishes about who is in the group; 0: nobody comes or goes. */
  readonly wishMaxMs: number;
  /** Snapshot files of member 1 are found damaged at some starts. */
  readonly damage: boolean;
}

export function drawReplicaSettings(tape: Tape): ReplicaRunSettings {
  const { config, ...drawn } = drawHostSettings(tape);
  // When the log is compacted follows from `snapshotEvery`.
  const { snapshotCount: _, tailEntries: __, ...host } = config;
  const { members, clients, world, mix, faultIntervalMs, faultDurationMs, faultyMs, readShare, thinkMaxMs } =
    drawn;
  return {
    members,
    newcomers: 4,
    clients,
    world,
    mix,
    faultIntervalMs,
    faultDurationMs,
    faultyMs,
    host: {
      ...host,
      limits: { ...host.limits, snapshotChunkBytes: pick(tape, 'chunk bytes', [64, 700]) },
    },
    snapshotEvery: pick(tape, 'snapshot every', [8, 3, 3, 30]),
    readShare,
    thinkMaxMs: Math.min(thinkMaxMs, 200),
    timeoutMs: drawn.timeoutMs,
    wishMaxMs: pick(tape, 'wishes', [2000, 500, 0]),
    damage: tape.chance(3, 4, 'damaged snapshots'),
  };
}

function pick<T>(tape: Tape, label: string, values: readonly T[]): T {
  return values[tape.choose(values.length, label)] as T;
}
