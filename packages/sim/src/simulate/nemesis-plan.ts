import type { FaultMix } from '../fault-mix.ts';
import type { SimulatedNode } from './simulated-node.ts';

export interface AttackOptions {
  /** Who is attacked; all nodes unless it says otherwise. Clients are only cut off, slowed and reset. */
  readonly victims?: readonly SimulatedNode[];
  /** The victim that matters most just now, such as a primary: it is hit more often. */
  readonly favourite?: () => SimulatedNode | null | undefined;
  /** Between two faults, drawn for each run where it is not given. */
  readonly intervalMs?: readonly [min: number, max: number];
  /** How long partitions, pauses, outages last. */
  readonly durationMs?: readonly [min: number, max: number];
}

/** What the nemesis of a run is made from, when all nodes are known. */
export interface NemesisPlan {
  readonly mix: FaultMix;
  readonly options: AttackOptions;
}
