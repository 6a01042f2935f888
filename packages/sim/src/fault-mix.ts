import type { Tape } from './tape.ts';

/** Everything that the nemesis can do. */
export const faultKinds = [
  'cut one way',
  'partition into halves',
  'isolate a node',
  'isolate a node one way',
  'partition with a bridge',
  'random partition',
  'reset connections',
  'slow link',
  'crash',
  'power cut',
  'crash all',
  'crash at a disk operation',
  'pause',
  'clock jump',
  'slow disk',
  'stalled disk',
  'full disk',
  'failed sync',
  'failed write',
] as const;

export type FaultKind = (typeof faultKinds)[number];

/** How often each fault is drawn, against the others; 0: never. */
export type FaultMix = Readonly<Record<FaultKind, number>>;

/**
 * A mix for one run, as swarm testing has it: about half of the kinds, each with a weight of its own. Runs that have
 * everything hide what a few faults alone would show.
 */
export function drawFaultMix(tape: Tape): FaultMix {
  const mix: Partial<Record<FaultKind, number>> = {};
  for (const kind of faultKinds) mix[kind] = Math.max(tape.choose(6, 'weight of a fault') - 2, 0);
  return mix as FaultMix;
}

export function noFaultMix(): FaultMix {
  return Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as Record<FaultKind, number>;
}
