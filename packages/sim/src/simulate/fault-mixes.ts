import { FlotillaError } from '@flotilla/platform';
import { drawFaultMix, faultKinds, noFaultMix } from '../fault-mix.ts';
import type { FaultKind, FaultMix } from '../fault-mix.ts';
import type { WorldSettings } from '../settings.ts';
import type { Tape } from '../tape.ts';

/** Mixes of faults by name. `swarm` draws another one for every run; `everything` has all kinds alike. */
export type FaultMixName = keyof typeof named | 'swarm';

const named = {
  none: {},
  everything: Object.fromEntries(faultKinds.map((kind) => [kind, 1])) as Record<FaultKind, number>,
  crashes: { crash: 4, 'power cut': 2, 'crash all': 1, 'crash at a disk operation': 3 },
  partitions: {
    'cut one way': 2,
    'partition into halves': 2,
    'isolate a node': 3,
    'isolate a node one way': 2,
    'partition with a bridge': 1,
    'random partition': 2,
    'reset connections': 1,
  },
  pauses: { pause: 4, 'slow link': 2, 'slow disk': 1, 'stalled disk': 2 },
  disks: { 'slow disk': 2, 'stalled disk': 2, 'full disk': 1, 'failed sync': 1, 'failed write': 1 },
  clocks: { 'clock jump': 3, pause: 1 },
} satisfies Record<string, Partial<FaultMix>>;

export function faultMix(mix: FaultMixName | Partial<FaultMix>, tape: Tape): FaultMix {
  if (typeof mix !== 'string') return { ...noFaultMix(), ...mix };
  if (mix === 'swarm') return drawFaultMix(tape);
  const weights: Partial<FaultMix> | undefined = named[mix];
  if (weights === undefined) {
    const names = ['swarm', ...Object.keys(named)].join(', ');
    throw new FlotillaError(
      'FLOTILLA_INVALID_ARGUMENT',
      `no mix of faults is named ${String(mix)}: there are ${names}`,
    );
  }
  return { ...noFaultMix(), ...weights };
}

/** Another machine room for every run: from quick and faultless, which is what a tape of zeros gives, to awful. */
export function drawWorldSettings(tape: Tape): Partial<WorldSettings> {
  const pick = (label: string, ...choices: readonly [number, ...number[]]): number =>
    choices[tape.choose(choices.length, label)] as number;
  return {
    delayMinMs: pick('least delay', 0.2, 1, 5),
    delayMaxMs: pick('most delay', 2, 10, 60),
    spikePerMille: pick('delay spikes', 0, 5, 30),
    spikeMaxMs: pick('largest spike', 100, 500, 1500),
    lossPerMille: pick('segments lost', 0, 3, 20),
    splitPerMille: pick('deliveries split', 0, 20, 200),
    joinPerMille: pick('deliveries joined', 0, 50),
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
