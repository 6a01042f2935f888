import { drainPromises } from '../drain.ts';
import { resultOf, type RunResult, type Scenario } from '../scenario.ts';
import type { WorldSettings } from '../settings.ts';
import type { Tape } from '../tape.ts';
import type { World } from '../world.ts';
import { Simulation } from './simulation.ts';
import { finishesWithin } from './watchdog.ts';

/** Says what a run is made of; called anew for each. May be `async`, and then awaits nothing but the simulation. */
export type SimulationBody = (sim: Simulation) => void | Promise<void>;

export interface SimulatedScenarioOptions {
  readonly name: string;
  readonly body: SimulationBody;
  readonly settings: Partial<WorldSettings> | undefined;
  readonly runRealMaxMs: number;
}

/** The body of `simulate` as a scenario that can be explored, replayed and shrunk. */
export class SimulatedScenario implements Scenario {
  readonly name: string;
  /** What `sometimes` has named in any run so far. */
  readonly marks = new Set<string>();
  readonly #options: SimulatedScenarioOptions;

  constructor(options: SimulatedScenarioOptions) {
    this.name = options.name;
    this.#options = options;
  }

  run(tape: Tape): RunResult {
    const sim = new Simulation(tape, this.#options.settings, this.marks);
    const { world } = sim;
    // Once a run and not once a phase: each time takes a thread that watches.
    if (!finishesWithin(this.#options.runRealMaxMs, () => this.#perform(sim))) violateStuck(world);
    world.end();
    return resultOf(world);
  }

  #perform(sim: Simulation): void {
    let settled = false;
    const settle = (): void => {
      settled = true;
    };
    const fail = (error: unknown): void => {
      settled = true;
      sim.failed(error);
    };
    try {
      const answer = this.#options.body(sim);
      if (answer === undefined) settled = true;
      else answer.then(settle, fail);
    } catch (error) {
      fail(error);
    }
    drive(sim, () => settled);
    sim.finish();
  }
}

/**
 * Carries out the phases that the body asks for, and lets it go on. They must run from here and not where they are
 * asked for: promises cannot be drained inside of a promise reaction.
 */
function drive(sim: Simulation, settled: () => boolean): void {
  for (;;) {
    drainPromises();
    if (sim.perform()) continue;
    if (settled() || sim.world.violation !== null) return;
    sim.world.violate(
      'FLOTILLA_SIMULATION_BODY',
      'the body of the simulation awaits something that is no part of the simulation: it may await sim.run() only',
    );
    return;
  }
}

function violateStuck(world: World): void {
  const who = world.current === null ? 'the simulation' : world.current.node.name;
  world.current = null;
  world.violate(
    'stuck',
    `${who} does not give control back: a loop without an end, or promises that wake each other for ever, after event ${world.events}`,
  );
}
