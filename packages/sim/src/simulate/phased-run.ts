import type { Platform } from '@flotilla/platform';
import { Nemesis } from '../nemesis.ts';
import type { SimNode } from '../sim-node.ts';
import { beginFairSuffix } from '../strategies/strategy.ts';
import type { World } from '../world.ts';
import type { LivenessMonitor } from './liveness.ts';
import type { AttackOptions, NemesisPlan } from './nemesis-plan.ts';
import { defaultPhases } from './phases.ts';
import type { Phases } from './phases.ts';
import type { SimulatedNode } from './simulated-node.ts';

type Range = readonly [min: number, max: number];

export interface PhasedRunOptions {
  readonly world: World;
  readonly victims: readonly SimulatedNode[];
  readonly clients: readonly SimNode[];
  readonly nemesis: NemesisPlan | null;
  readonly liveness: readonly LivenessMonitor[];
  readonly clientsEnded: () => boolean;
  readonly setOver: (over: boolean) => void;
}

/** Takes a world through its phases. May be asked for several rounds of them. */
export class PhasedRun {
  readonly #options: PhasedRunOptions;
  readonly #world: World;
  readonly #nemesis: Nemesis | null;
  #readers = 0;

  constructor(options: PhasedRunOptions) {
    this.#options = options;
    this.#world = options.world;
    this.#nemesis = options.nemesis === null ? null : this.#arm(options.nemesis);
  }

  perform(phases: Phases): void {
    const { calmMs, faultsMs, convergeMs, readMs } = { ...defaultPhases, ...phases };
    const world = this.#world;
    const run = (durationMs: number, until?: () => boolean): void => {
      if (world.violation !== null) return;
      for (const monitor of this.#options.liveness) monitor.observe();
      world.run(durationMs, until);
      // A monitor that waits for too long says so also where no event happens any more.
      if (world.violation === null) for (const monitor of this.#options.liveness) monitor.observe();
    };
    this.#options.setOver(false);
    for (const node of world.nodes.values()) node.start();
    if (calmMs > 0) run(calmMs);
    this.#nemesis?.start();
    run(faultsMs);
    if (world.violation !== null) return;
    this.#options.setOver(true);
    this.#heal(phases);
    const converged = (): boolean => this.#options.clientsEnded() && phases.converged?.() !== false;
    if (!converged()) run(convergeMs, converged);
    if (world.violation === null && !converged()) {
      const what = phases.describe?.() ?? (this.#options.clientsEnded() ? '' : 'a client has not ended');
      world.violate(
        'no convergence',
        `${convergeMs} ms after the last fault${what === '' ? '' : `: ${what}`}`,
      );
    }
    // What is due now has its time, too.
    for (const monitor of this.#options.liveness) {
      if (monitor.isHot) run(monitor.hotLimitMs + 1, () => !monitor.isHot);
    }
    if (phases.readAll !== undefined) this.#read(phases.readAll, readMs, run);
  }

  #read(
    readAll: (platform: Platform) => Promise<void>,
    readMs: number,
    run: (durationMs: number, until: () => boolean) => void,
  ): void {
    let ended = false;
    this.#readers += 1;
    const name = this.#readers === 1 ? 'reader' : `reader${this.#readers}`;
    const reader = this.#world.addNode(name, async (platform) => {
      await readAll(platform);
      ended = true;
    });
    reader.start();
    run(readMs, () => ended);
    if (this.#world.violation !== null || ended) return;
    this.#world.violate('the last reads did not end', `${readMs} ms were not enough to read everything`);
  }

  /** Progress is promised only where messages arrive, and where nobody is starved. */
  #heal(phases: Phases): void {
    const world = this.#world;
    if (this.#nemesis !== null) {
      const left = this.#leftBehind(phases);
      this.#nemesis.heal();
      for (const node of left) {
        node.crash({ unreachable: true });
        world.faults.push({ timeMs: world.now, text: `${node.name} stays down for good` });
      }
    }
    const none = { lossPerMille: 0, refusePerMille: 0, stallPerMille: 0, spikePerMille: 0 };
    world.settings = { ...world.settings, ...none };
    beginFairSuffix(world.tape);
    for (const monitor of this.#options.liveness) monitor.fair();
  }

  /** A minority that the rest has to do without. */
  #leftBehind(phases: Phases): readonly SimNode[] {
    const victims = this.#victims(this.#options.nemesis?.options);
    if ((phases.heal ?? 'all') === 'all') return [];
    const minority = Math.floor((victims.length - 1) / 2);
    const count = this.#world.tape.choose(minority + 1, 'left behind');
    const rest = [...victims];
    return Array.from(
      { length: count },
      () => rest.splice(this.#world.tape.choose(rest.length, 'who is left behind'), 1)[0] as SimNode,
    );
  }

  #victims(options: AttackOptions | undefined): readonly SimNode[] {
    return (options?.victims ?? this.#options.victims).map(({ node }) => node);
  }

  #arm({ mix, options }: NemesisPlan): Nemesis {
    const { tape } = this.#world;
    const pick = (label: string, ...choices: readonly Range[]): Range =>
      choices[tape.choose(choices.length, label)] as Range;
    const { favourite } = options;
    const [intervalMinMs, intervalMaxMs] =
      options.intervalMs ?? pick('pace of faults', [1000, 6000], [300, 3000], [100, 1500]);
    const [durationMinMs, durationMaxMs] =
      options.durationMs ?? pick('length of faults', [50, 3000], [50, 8000], [50, 1000]);
    return new Nemesis({
      world: this.#world,
      victims: this.#victims(options),
      bystanders: this.#options.clients,
      mix,
      intervalMinMs,
      intervalMaxMs,
      durationMinMs,
      durationMaxMs,
      ...(favourite === undefined ? {} : { favourite: () => favourite()?.node ?? null }),
    });
  }
}
