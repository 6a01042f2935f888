import { generatedTape, noFaultMix, runScenario } from '@flotilla/sim';
import type { FaultMix, Scenario, Tape } from '@flotilla/sim';
import type { HostConfig } from '../src/host/config.ts';
import { HostSimulation } from './host.ts';
import { drawHostSettings, pick } from './host-settings.ts';
import type { HostRunSettings } from './host-settings.ts';

/**
 * Whole hosts whose logs keep next to nothing, so that every member that was away for a moment needs a snapshot, in many
 * small chunks, over connections that break in the middle, with chunks that arrive damaged, to disks that are slow, from
 * senders that hold back, at members that crash while they install it or have lost their state altogether.
 */
export const hostSnapshotsScenario: Scenario = {
  name: 'host-snapshots',
  run: (tape) => new HostSimulation(tape, drawSnapshotSettings(tape)).run(),
};

/** The scenario of mutations of snapshots. */
export async function run(
  seed: number,
): Promise<{ readonly violation: null | { readonly invariant: string; readonly message: string } }> {
  const { violation } = await runScenario(hostSnapshotsScenario, generatedTape(seed));
  return { violation: violation === null ? null : { invariant: violation.name, message: violation.message } };
}

/** Bytes of one value in a chunk of the list machine's. */
const valueBytes = 4;

function drawSnapshotSettings(tape: Tape): HostRunSettings {
  const base = drawHostSettings(tape);
  const chunkValues = pick(tape, 'values of a chunk', [1, 3, 16]);
  const snapshotStallMs = pick(tape, 'stall of a snapshot', [30_000, 3000]);
  const limits: NonNullable<HostConfig['limits']> = {
    ...base.config.limits,
    snapshotChunkBytes: chunkValues * valueBytes,
    snapshotWindowChunks: pick(tape, 'window of a snapshot', [8, 1, 2]),
    snapshotSends: pick(tape, 'sends of snapshots', [4, 1]),
    snapshotStallMs,
    snapshotResumeMs: pick(tape, 'patience for a resumption', [30_000, 2000, 100]),
    snapshotRetryMs: pick(tape, 'pause after a failed snapshot', [200, 20]),
    snapshotDamages: pick(tape, 'damages until another is asked', [2, 1]),
  };
  return {
    ...base,
    members: pick(tape, 'members with snapshots', [3, 5]),
    world: { ...base.world, delayMaxMs: pick(tape, 'delay of chunks', [1, 10, 30]) },
    mix: drawCuts(tape),
    config: {
      ...base.config,
      snapshotCount: pick(tape, 'entries until a compaction', [1, 5, 20]),
      tailEntries: pick(tape, 'entries that stay', [0, 3]),
      laggingEntries: 0,
      snapshotBytesPerSecond: pick(tape, 'throttle', [0, 2000, 600]),
      limits,
    },
    chunkValues,
    flushMaxMs: pick(tape, 'slow receiver', [1, 20, 100]),
    flushEvery: pick(tape, 'flush of states', [1, 7, 40]),
    thinkMaxMs: pick(tape, 'think time between values', [20, 5, 100]),
    readShare: 3,
    damagePerMille: pick(tape, 'damage', [0, 5, 50]),
    losesStates: tape.chance(1, 3, 'states are lost'),
  };
}

/** Mostly what ends connections in the middle of something, and members in the middle of an installation. */
function drawCuts(tape: Tape): FaultMix {
  return {
    ...noFaultMix(),
    'reset connections': 1 + tape.choose(5, 'weight of resets'),
    'isolate a node': 1 + tape.choose(3, 'weight of isolation'),
    'isolate a node one way': tape.choose(3, 'weight of one-way isolation'),
    'partition into halves': tape.choose(2, 'weight of halves'),
    'slow link': tape.choose(2, 'weight of slow links'),
    crash: tape.choose(3, 'weight of crashes'),
    'crash at a disk operation': tape.choose(3, 'weight of crashes at the disk'),
    'power cut': tape.choose(2, 'weight of power cuts'),
    pause: tape.choose(3, 'weight of pauses'),
    'slow disk': tape.choose(2, 'weight of slow disks'),
  };
}
