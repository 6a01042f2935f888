import { generatedTape, noFaultMix, runScenario } from '@flotilla/sim';
import type { FaultMix, Scenario, Tape } from '@flotilla/sim';
import { HostSimulation } from './host.ts';
import { drawHostSettings, pick } from './host-settings.ts';
import type { HostRunSettings } from './host-settings.ts';

/**
 * Whole hosts with leases on, whose clocks run as differently as `leaseDriftFraction` allows, under pauses, cuts in one
 * direction, resets and transfers, with many clients that read at every member: whatever a lease answers must be as new
 * as everything that was complete before.
 */
export const hostLeasesScenario: Scenario = {
  name: 'host-leases',
  run: (tape) => new HostSimulation(tape, drawLeaseSettings(tape)).run(),
};

/** The scenario of mutations of leases. */
export async function run(
  seed: number,
): Promise<{ readonly violation: null | { readonly invariant: string; readonly message: string } }> {
  const { violation } = await runScenario(hostLeasesScenario, generatedTape(seed));
  return { violation: violation === null ? null : { invariant: violation.name, message: violation.message } };
}

/**
 * One clock runs at rate 1 + d and the other at 1 - d; the lease holds as long as
 * (1 - fraction) / (1 - d) ≤ 1 / (1 + d), so d ≤ fraction / (2 - fraction).
 */
const clocks = [
  { leaseDriftFraction: 0.1, driftPpmMax: 0 },
  { leaseDriftFraction: 0.5, driftPpmMax: 330_000 },
  { leaseDriftFraction: 0.1, driftPpmMax: 52_000 },
  { leaseDriftFraction: 0.5, driftPpmMax: 330_000 },
] as const;

const beats = [
  { heartbeatMs: 20, electionMs: 200 },
  { heartbeatMs: 20, electionMs: 100 },
  { heartbeatMs: 50, electionMs: 400 },
] as const;

function drawLeaseSettings(tape: Tape): HostRunSettings {
  const base = drawHostSettings(tape);
  const { leaseDriftFraction, driftPpmMax } = pick(tape, 'clocks', clocks);
  const beat = pick(tape, 'beat of leases', beats);
  return {
    ...base,
    members: pick(tape, 'members with leases', [3, 5, 3]),
    clients: 6,
    world: {
      driftPpmMax,
      delayMaxMs: pick(tape, 'delay of heartbeats', [1, 5]),
      lossPerMille: pick(tape, 'loss of heartbeats', [0, 5]),
    },
    mix: tape.chance(1, 3, 'other faults too') ? drawCuts(tape) : noFaultMix(),
    faultyMs: 4_000,
    config: { ...beat, leases: true, leaseDriftFraction },
    thinkMaxMs: pick(tape, 'think time with leases', [40, 10]),
    flushEvery: 1,
    flushMaxMs: 1,
    // An operation that dies with its member keeps its client for twice as long.
    timeoutMs: 80,
    readShare: 3,
    huntsLeaders: true,
    readPolicy: 'lease',
    transferPerMille: pick(tape, 'transfers', [0, 2, 20]),
  };
}

/** What leaves a leader believing in its office while others elect another one. */
function drawCuts(tape: Tape): FaultMix {
  return {
    ...noFaultMix(),
    'cut one way': tape.choose(3, 'weight of one-way cuts'),
    'isolate a node': 1 + tape.choose(3, 'weight of isolation'),
    'isolate a node one way': 1 + tape.choose(3, 'weight of one-way isolation'),
    'partition into halves': tape.choose(2, 'weight of halves'),
    'partition with a bridge': tape.choose(2, 'weight of bridges'),
    'reset connections': tape.choose(3, 'weight of resets'),
    'slow link': tape.choose(2, 'weight of slow links'),
    crash: tape.choose(2, 'weight of crashes'),
    pause: tape.choose(4, 'weight of pauses'),
    'clock jump': tape.choose(2, 'weight of clock jumps'),
  };
}
