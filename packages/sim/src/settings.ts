/** How the simulated network behaves while nothing in particular is wrong with it. */
export interface NetworkSettings {
  /** One way. Most delays lie near the minimum. */
  readonly delayMinMs: number;
  readonly delayMaxMs: number;
  /** Out of 1,000 writes, how many take up to `spikeMaxMs` longer. */
  readonly spikePerMille: number;
  readonly spikeMaxMs: number;
  /**
   * Out of 1,000 writes, how many lose a segment: on a byte stream that shows as a stall of `retransmitMs` to four
   * times that, for everything written after it too.
   */
  readonly lossPerMille: number;
  readonly retransmitMs: number;
  /** Out of 1,000 deliveries, how many are handed over in pieces, and how small. */
  readonly splitPerMille: number;
  /** Out of 1,000 deliveries, how many wait for the next one and come joined to it. */
  readonly joinPerMille: number;
  /** Out of 1,000 messages on ports with declared frames, how many come twice, late, or again from long ago. */
  readonly duplicatePerMille: number;
  readonly reorderPerMille: number;
  readonly redeliverPerMille: number;
  /** 0: unlimited. */
  readonly bytesPerMs: number;
  /** Out of 1,000 attempts to connect, how many are refused for no reason. */
  readonly refusePerMille: number;
  /**
   * Whether a refusal that is slow on its way gives way to the time-out of the attempt. `simulate` has it so; false
   * keeps seeds that were recorded before.
   */
  readonly refusesInTime: boolean;
  /** How long unacknowledged bytes wait on a cut link before their sender gives the connection up, at least. */
  readonly giveUpMinMs: number;
  readonly giveUpMaxMs: number;
}

export interface DiskSettings {
  readonly syncMinMs: number;
  readonly syncMaxMs: number;
  /** Out of 1,000 syncs, how many take up to `stallMaxMs`. */
  readonly stallPerMille: number;
  readonly stallMaxMs: number;
  /** Reads, opens, names. */
  readonly accessMs: number;
}

export interface ClockSettings {
  /** Monotonic clocks run fast or slow by up to this many parts per million. */
  readonly driftPpmMax: number;
  /** Wall clocks are off by up to this much, either way. */
  readonly skewMaxMs: number;
}

export interface TurnSettings {
  /** An event-loop turn is up to this long: what is deferred in it runs later, together with what came meanwhile. */
  readonly turnMaxMs: number;
}

export type WorldSettings = NetworkSettings & DiskSettings & ClockSettings & TurnSettings;

/** A quick, faultless machine room: what a run has where its own settings say nothing else. */
export const calmSettings: WorldSettings = {
  delayMinMs: 0.2,
  delayMaxMs: 1,
  spikePerMille: 0,
  spikeMaxMs: 0,
  lossPerMille: 0,
  retransmitMs: 200,
  splitPerMille: 0,
  joinPerMille: 0,
  duplicatePerMille: 0,
  reorderPerMille: 0,
  redeliverPerMille: 0,
  bytesPerMs: 0,
  refusePerMille: 0,
  refusesInTime: false,
  giveUpMinMs: 4_000,
  giveUpMaxMs: 16_000,
  syncMinMs: 0.3,
  syncMaxMs: 2,
  stallPerMille: 0,
  stallMaxMs: 0,
  accessMs: 0.05,
  driftPpmMax: 0,
  skewMaxMs: 0,
  turnMaxMs: 0,
};
