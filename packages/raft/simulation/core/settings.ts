import type { Tape } from '@flotilla/sim';

/**
 * The circumstances of one run, drawn afresh for each seed (swarm testing: a run that lacks a fault altogether finds
 * what that fault would hide). Times are in simulated milliseconds, rates per mille.
 */
export interface CoreSettings {
  readonly members: number;
  readonly liveness: 'ticks' | 'peers';
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
  readonly eagerBroadcast: boolean;
  readonly tickMs: number;
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  readonly maxMessageBytes: number;
  readonly maxInflightMessages: number;
  readonly maxInflightBytes: number;
  readonly maxUncommittedBytes: number;
  readonly maxApplyBytes: number;
  readonly maxCachedBytes: number;
  readonly maxPendingReads: number;
  readonly payloadBytesMax: number;

  /** Inputs that arrive within it are drained together; 0: every input on its own. */
  readonly turnMs: number;
  readonly delayMinMs: number;
  readonly delayMaxMs: number;
  readonly spikePerMille: number;
  readonly spikeMaxMs: number;
  readonly lossPerMille: number;
  readonly duplicatePerMille: number;
  readonly syncMinMs: number;
  readonly syncMaxMs: number;
  readonly stallPerMille: number;
  readonly stallMaxMs: number;
  readonly applyMaxMs: number;

  readonly proposeEveryMs: number;
  readonly readEveryMs: number;
  /** Per mille of reads that ask for a lease, where the host vouches for one; 0: hosts promise nothing. */
  readonly leasePerMille: number;
  /** How often somebody wants to change the members; 0: never. */
  readonly changeEveryMs: number;
  /** Members, learners among them, that the operator goes up to. */
  readonly membersMax: number;
  readonly reusableIds: boolean;
  readonly maxPromotionLagEntries: number;
  /** From which each member draws its own. */
  readonly priorities: readonly number[];
  /** Entries applied beyond the base before the log is compacted; 0: never. */
  readonly compactAfter: number;

  readonly faultEveryMs: number;
  /** How likely each fault is among the others; 0: it does not happen in this run. */
  readonly weights: FaultWeights;
  /** How often a new leader is crashed or cut off soon after it was elected. */
  readonly ambushPerMille: number;
  readonly faultEvents: number;
}

export const faultKinds = [
  'crash',
  'crash-all',
  'pause',
  'cut-one-way',
  'isolate',
  'isolate-leader',
  'partition',
  'heal-network',
  'redeliver',
  'redeliver-burst',
  'campaign',
  'transfer',
  'reset-connection',
  'slow-disk',
  'forget-leader',
  'resign',
  'wipe',
] as const;

export type FaultKind = (typeof faultKinds)[number];
export type FaultWeights = Readonly<Record<FaultKind, number>>;

/**
 * The circumstances of one run; those of a membership storm: everything changes, and everything fails; and those of
 * contested leaderships, which end as soon as they begin, with one entry to a message: half-replicated tails of many
 * terms meet each other, which a fair draw of circumstances seldom brings about.
 */
export type Weather = 'mixed' | 'storm' | 'contested';

/** 0 is the harmless choice everywhere: three members, no fault, least delay, generous bounds. */
export function drawSettings(tape: Tape, weather: Weather = 'mixed'): CoreSettings {
  const drawn = draw(tape, weather === 'storm');
  return weather === 'contested' ? { ...drawn, ...drawContest(tape) } : drawn;
}

function drawContest(tape: Tape): Partial<CoreSettings> {
  return {
    members: tape.chance(1, 2, 'five members') ? 5 : 3,
    checkQuorum: tape.chance(1, 3, 'check quorum'),
    preVote: tape.chance(1, 5, 'pre-vote'),
    maxMessageBytes: 1,
    maxUncommittedBytes: 100,
    lossPerMille: 0,
    duplicatePerMille: 0,
    changeEveryMs: 0,
    compactAfter: 0,
    electionTicks: 5,
    faultEveryMs: 30,
    ambushPerMille: 900,
    faultEvents: 3_000,
  };
}

function draw(tape: Tape, storm: boolean): CoreSettings {
  const pick = <Value>(values: readonly Value[], label: string): Value =>
    values[tape.choose(values.length, label)] as Value;
  const tickMs = 10;
  const electionTicks = pick([10, 5, 20, 3], 'election ticks');
  const network = pick(['near', 'far', 'wild'] as const, 'network');
  const disk = pick(['fast', 'slow', 'stalling'] as const, 'disk');
  const faulty = storm || tape.chance(19, 20, 'faults');
  return {
    members: storm ? pick([3, 1, 2, 4, 5, 6, 7], 'members') : pick([3, 5, 3, 4, 7, 2, 5, 3, 1, 6], 'members'),
    liveness: pick(['ticks', 'peers'] as const, 'liveness'),
    preVote: pick([true, true, true, false], 'pre-vote'),
    checkQuorum: pick([true, true, true, false], 'check quorum'),
    eagerBroadcast: pick([false, false, true], 'eager broadcast'),
    tickMs,
    electionTicks,
    heartbeatTicks: pick([1, 1, 2], 'heartbeat ticks'),
    maxMessageBytes: pick([1 << 20, 200, 1, 1000], 'message bytes'),
    maxInflightMessages: pick([64, 1, 2, 8], 'inflight messages'),
    maxInflightBytes: pick([1 << 20, 0, 300], 'inflight bytes'),
    maxUncommittedBytes: pick([8000, 2000, 100], 'uncommitted bytes'),
    maxApplyBytes: pick([1 << 20, 1, 300], 'apply bytes'),
    maxCachedBytes: pick([1 << 20, 0, 500], 'cached bytes'),
    maxPendingReads: pick([1000, 2], 'pending reads'),
    payloadBytesMax: pick([16, 64, 200], 'payload bytes'),
    turnMs: pick([0, 0, 1, 4], 'turn'),
    delayMinMs: network === 'near' ? 0.5 : 1,
    delayMaxMs: network === 'near' ? 2 : network === 'far' ? 12 : 40,
    spikePerMille: network === 'wild' ? 50 : pick([0, 5], 'spikes'),
    spikeMaxMs: 400,
    lossPerMille: faulty ? pick([0, 0, 10, 100, 300], 'loss') : 0,
    duplicatePerMille: faulty ? pick([0, 20, 200], 'duplication') : 0,
    syncMinMs: 0.3,
    syncMaxMs: disk === 'fast' ? 2 : disk === 'slow' ? 30 : 5,
    stallPerMille: disk === 'stalling' ? 60 : 0,
    stallMaxMs: 500,
    applyMaxMs: pick([0, 5, 50], 'apply delay'),
    proposeEveryMs: pick([8, 3, 30, 100], 'proposals'),
    readEveryMs: pick([15, 5, 60], 'reads'),
    leasePerMille: pick([0, 0, 500], 'leases'),
    changeEveryMs: storm ? pick([80, 30, 200], 'changes') : pick([0, 0, 0, 100], 'changes'),
    membersMax: 7,
    reusableIds: pick([false, false, true], 'reusable ids'),
    maxPromotionLagEntries: pick([Infinity, 0, 20], 'promotion lag'),
    priorities: pick([[100], [100], [100, 50, 200], [100, 0]], 'priorities'),
    compactAfter: pick([0, 40, 10, 3], 'compaction'),
    faultEveryMs: faulty ? pick([120, 40, 400, 15], 'fault interval') : 0,
    weights: drawWeights(tape, storm),
    ambushPerMille: faulty ? pick([0, 300, 700], 'ambush') : 0,
    faultEvents: pick([3_000, 1_500, 6_000], 'events'),
  };
}

/** In a storm these happen in every run. */
const stormy: readonly FaultKind[] = ['crash', 'partition', 'transfer', 'wipe'];

function drawWeights(tape: Tape, storm: boolean): FaultWeights {
  const weights: Partial<Record<FaultKind, number>> = {};
  for (const kind of faultKinds) {
    const weight = [0, 1, 4][tape.choose(3, 'fault weight')] as number;
    weights[kind] = storm && stormy.includes(kind) ? weight + 2 : weight;
  }
  return weights as FaultWeights;
}
