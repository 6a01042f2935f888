import type { HostConfig } from '@flotilla/raft';
import { drawFaultMix } from '@flotilla/sim';
import type { FaultMix, Tape, WorldSettings } from '@flotilla/sim';

/** What one seed's cluster is like. Drawn anew for each: a fixed configuration hides what another one would show. */
export interface ClusterSettings {
  readonly members: number;
  readonly clients: number;
  readonly watchers: number;
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly snapshotCount: number;
  readonly host: HostConfig;
  readonly commitDelayMs: number;
  readonly flushDelayMs: number;
  /** Whether clients compact; then nobody can ask for the whole history at the end. */
  readonly compacts: boolean;
  readonly thinkMs: number;
  readonly requestTimeoutMs: number;
  readonly world: Partial<WorldSettings>;
  readonly faults: FaultMix;
  readonly faultIntervalMinMs: number;
  readonly faultIntervalMaxMs: number;
  readonly faultDurationMaxMs: number;
}

/** The first of each list is the harmless choice, so a tape of zeros is a quiet cluster of three. */
export function drawClusterSettings(tape: Tape): ClusterSettings {
  const pick = <T>(label: string, ...choices: readonly [T, ...T[]]): T =>
    choices[tape.choose(choices.length, label)] as T;
  const electionMs = pick('election time-out', 1000, 1500, 2000, 700);
  return {
    members: pick('members', 3, 3, 3, 5),
    clients: pick('clients', 3, 4, 5),
    watchers: pick('watchers', 2, 1, 3),
    heartbeatMs: electionMs / pick('heartbeats per election time-out', 5, 5, 5, 10),
    electionMs,
    snapshotCount: pick('snapshot count', 10_000, 100, 20, 5),
    host: hostSettings(pick),
    commitDelayMs: pick('commit delay', 0, 5, 100),
    flushDelayMs: pick('flush delay', 0, 100, 3000),
    compacts: pick('compacts', false, false, true),
    thinkMs: pick('think time', 400, 250, 600),
    requestTimeoutMs: pick('request time-out', 3000, 1500, 8000),
    world: worldSettings(pick),
    faults: drawFaultMix(tape),
    faultIntervalMinMs: pick('shortest fault interval', 1000, 300, 100),
    faultIntervalMaxMs: pick('longest fault interval', 6000, 3000, 1500),
    faultDurationMaxMs: pick('longest fault', 3000, 8000, 1000, 15_000),
  };
}

type Pick = <T>(label: string, ...choices: readonly [T, ...T[]]) => T;

/** Small bounds make in seconds what large ones make in days: full batches, full windows, new segments, snapshots. */
function hostSettings(pick: Pick): HostConfig {
  const segmentBytes = pick('segment size', 256 * 1024, 64 * 1024, 16 * 1024);
  return {
    tailEntries: pick('tail entries', 5000, 50, 0),
    laggingEntries: pick('lagging entries', 50_000, 100, 0),
    limits: {
      applySliceEntries: pick('entries applied at once', 256, 4, 1),
      snapshotWindowChunks: pick('snapshot window', 8, 2, 1),
    },
    coreLimits: {
      maxInflightMessages: pick('inflight messages', 256, 4, 1),
      maxMessageBytes: pick('message size', 1024 * 1024, 1024, 1),
      maxApplyBytes: pick('apply size', 1024 * 1024, 256, 1),
      maxCachedBytes: pick('cached entries', 4 * 1024 * 1024, 2048, 0),
    },
    logLimits: {
      segmentBytes,
      totalBytes: segmentBytes * pick('segments at most', 64, 8),
      chunkBytes: pick('chunk size', 64 * 1024, 4096),
    },
  };
}

function worldSettings(pick: Pick): Partial<WorldSettings> {
  return {
    delayMinMs: pick('least delay', 0.2, 1, 5),
    delayMaxMs: pick('most delay', 2, 10, 60),
    spikePerMille: pick('delay spikes', 0, 5, 30),
    spikeMaxMs: pick('largest spike', 100, 500, 1500),
    lossPerMille: pick('segments lost', 0, 3, 20),
    splitPerMille: pick('deliveries split', 0, 20, 200),
    joinPerMille: pick('deliveries joined', 0, 50),
    duplicatePerMille: pick('messages duplicated', 0, 5, 50),
    reorderPerMille: pick('messages reordered', 0, 5, 50),
    redeliverPerMille: pick('old messages delivered again', 0, 5, 50),
    refusePerMille: pick('connects refused', 0, 50),
    giveUpMinMs: pick('give up at the soonest', 4000, 1000),
    syncMaxMs: pick('longest sync', 2, 20, 100),
    stallPerMille: pick('syncs stalled', 0, 5),
    stallMaxMs: pick('longest stall', 500, 3000),
    driftPpmMax: pick('clock drift', 0, 200, 20_000),
    skewMaxMs: pick('clock skew', 0, 500, 60_000),
    turnMaxMs: pick('longest turn', 0, 1, 5),
  };
}
