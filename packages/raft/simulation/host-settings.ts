import type { FaultMix, Tape, WorldSettings } from '@flotilla/sim';
import { drawFaultMix, noFaultMix } from '@flotilla/sim';
import type { HostConfig } from '../src/host/config.ts';

/** Everything about a run that its tape decides beforehand. On a tape of zeros: three members, no fault, defaults. */
export interface HostRunSettings {
  readonly members: number;
  readonly clients: number;
  readonly world: Partial<WorldSettings>;
  readonly mix: FaultMix;
  readonly faultIntervalMs: readonly [number, number];
  readonly faultDurationMs: readonly [number, number];
  readonly faultyMs: number;
  readonly config: HostConfig;
  readonly flushEvery: number;
  readonly flushMaxMs: number;
  readonly chunkValues: number;
  readonly readShare: number;
  readonly thinkMaxMs: number;
  readonly timeoutMs: number;
  readonly readPolicy: 'read-index' | 'lease';
  /** Leaders are cut off, paused and made to hand over while they are asked for reads. */
  readonly huntsLeaders: boolean;
  /** Operations that hand leadership to some member. */
  readonly transferPerMille: number;
  /** Chunks of snapshots that arrive with another content than they left with. */
  readonly damagePerMille: number;
  /** State machines find nothing at some starts. */
  readonly losesStates: boolean;
}

/** Swarm testing: every knob is drawn anew for each seed, extremes included. */
export function drawHostSettings(tape: Tape): HostRunSettings {
  const heartbeatMs = pick(tape, 'heartbeat', [100, 20, 50, 200]);
  const electionMs = heartbeatMs * pick(tape, 'election', [10, 5, 7]);
  return {
    members: pick(tape, 'members', [3, 5, 3, 1]),
    clients: pick(tape, 'clients', [3, 1, 6, 12]),
    world: drawWorld(tape),
    mix: tape.chance(7, 8, 'faults') ? drawFaultMix(tape) : noFaultMix(),
    faultIntervalMs: pick(tape, 'fault interval', [
      [800, 3000] as const,
      [100, 1000] as const,
      [20, 300] as const,
    ]),
    faultDurationMs: pick(tape, 'fault duration', [
      [50, 1000] as const,
      [50, 4000] as const,
      [10, 200] as const,
    ]),
    faultyMs: pick(tape, 'faulty time', [8_000, 15_000]),
    config: { heartbeatMs, electionMs, ...drawBounds(tape) },
    flushEvery: pick(tape, 'flush every', [1, 7, 40, 1000]),
    flushMaxMs: pick(tape, 'flush time', [1, 30, 500]),
    chunkValues: pick(tape, 'snapshot chunk', [64, 3, 1]),
    readShare: pick(tape, 'share of reads', [4, 1, 8]),
    thinkMaxMs: pick(tape, 'think time', [200, 20, 1000]),
    timeoutMs: pick(tape, 'operation time-out', [3000, 500, 10_000]),
    readPolicy: 'read-index',
    huntsLeaders: false,
    transferPerMille: 0,
    damagePerMille: 0,
    losesStates: false,
  };
}

function drawWorld(tape: Tape): Partial<WorldSettings> {
  return {
    delayMaxMs: pick(tape, 'delay', [1, 5, 40]),
    spikePerMille: pick(tape, 'spikes', [0, 5, 50]),
    spikeMaxMs: 300,
    lossPerMille: pick(tape, 'loss', [0, 2, 30]),
    splitPerMille: pick(tape, 'split', [0, 100, 500]),
    joinPerMille: pick(tape, 'join', [0, 100, 300]),
    bytesPerMs: pick(tape, 'bandwidth', [0, 0, 20]),
    refusePerMille: pick(tape, 'refuse', [0, 50]),
    syncMaxMs: pick(tape, 'sync', [2, 10, 60]),
    stallPerMille: pick(tape, 'sync stalls', [0, 10]),
    stallMaxMs: 800,
    driftPpmMax: pick(tape, 'drift', [0, 500, 50_000]),
    skewMaxMs: pick(tape, 'skew', [0, 10_000]),
    turnMaxMs: pick(tape, 'turns', [0, 1, 5]),
  };
}

/** Bounds so small that they are met. */
function drawBounds(tape: Tape): Partial<HostConfig> {
  const maxMessageBytes = pick(tape, 'message bytes', [1 << 20, 64]);
  return {
    snapshotCount: pick(tape, 'snapshot count', [10_000, 30, 5, 1]),
    tailEntries: pick(tape, 'tail', [5_000, 20, 3, 0]),
    laggingEntries: pick(tape, 'lagging', [50_000, 10, 0]),
    limits: {
      applySliceEntries: pick(tape, 'apply slice', [256, 1]),
      proposalsPerTurn: pick(tape, 'proposals per turn', [4096, 1]),
      pendingProposals: pick(tape, 'pending proposals', [65_536, 4]),
      readRounds: pick(tape, 'read rounds', [16, 1]),
      snapshotWindowChunks: pick(tape, 'snapshot window', [8, 1]),
      snapshotSends: pick(tape, 'snapshot sends', [4, 1]),
      snapshotStallMs: pick(tape, 'snapshot stall', [30_000, 500]),
      sendQueueBytes: pick(tape, 'send queue', [64 * 1024 * 1024, 2048]),
      frameTargetBytes: pick(tape, 'frame target', [1024 * 1024, 64]),
    },
    coreLimits: {
      maxMessageBytes,
      maxInflightMessages: pick(tape, 'inflight', [256, 1, 3]),
      maxApplyBytes: pick(tape, 'apply bytes', [1 << 20, 1]),
      maxUncommittedBytes: pick(tape, 'uncommitted bytes', [128 << 20, maxMessageBytes]),
      maxCachedBytes: pick(tape, 'cached bytes', [32 << 20, 0, 200]),
    },
    logLimits: { segmentBytes: pick(tape, 'segment bytes', [64 * 1024, 4096]) },
  };
}

/** The first is what a tape of zeros draws. */
export function pick<T>(tape: Tape, label: string, values: readonly T[]): T {
  return values[tape.choose(values.length, label)] as T;
}
