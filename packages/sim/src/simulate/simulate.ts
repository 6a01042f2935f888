import { FlotillaError } from '@flotilla/platform';
import { Coverage } from '../coverage.ts';
import { explore, runScenario } from '../explore.ts';
import type { Exploration, Finding } from '../explore.ts';
import { limits } from '../limits.ts';
import type { RunResult } from '../scenario.ts';
import type { WorldSettings } from '../settings.ts';
import { strategyNamed } from '../strategies/index.ts';
import type { Strategy, StrategyName } from '../strategies/index.ts';
import { replayedTape } from '../tape.ts';
import type { UncontrolledUse } from '../world.ts';
import type { TapeFile } from '../tape-file.ts';
import { SimulatedScenario } from './simulated-scenario.ts';
import type { SimulationBody } from './simulated-scenario.ts';
import { failureOf, unshrunkFailure } from './found-failure.ts';
import { readTape, replayOrders } from './tape-store.ts';

export interface SimulateOptions {
  /** Names the simulation in messages and tape files. */
  readonly name?: string;
  /** How many runs, and the seed of the first. */
  readonly seeds?: number;
  readonly from?: number;
  /** No run starts later than this, in real time. */
  readonly budgetMs?: number;
  /** How the next run is chosen: a strategy, or the name of one. */
  readonly strategy?: StrategyName | Strategy;
  /** The machine room. Without it, another one is drawn for every run. */
  readonly world?: Partial<WorldSettings>;
  /** A tape file (or its path) to run instead of a search. The variable `FLOTILLA_SIM_REPLAY` asks for the same. */
  readonly replay?: string | TapeFile;
  /** Every so many seeds a run is made twice, and must be the same. */
  readonly repeatEvery?: number;
  /** Where the tape of a failure is written; null: nowhere. */
  readonly tapeDirectory?: string | null;
  /** Real time for shrinking a failure, and runs; 0: it is not shrunk. */
  readonly shrinkMs?: number;
  readonly shrinkRuns?: number;
  /** Real time after which one run counts as stuck. */
  readonly runRealMaxMs?: number;
  readonly onSeed?: (seed: number, result: RunResult) => void;
}

/** What a search without a finding has done. */
export interface SimulateReport {
  readonly strategy: string;
  readonly seeds: number;
  readonly events: number;
  readonly simulatedMs: number;
  /** Whether the strategy has made every run that there is. */
  readonly exhausted: boolean;
  /** Faults, marks and situations, and how often they occurred. */
  readonly coverage: Coverage;
  /** What programs used that the simulation does not control, each once: with any, a run need not repeat. */
  readonly uncontrolled: readonly UncontrolledUse[];
}

/**
 * Runs a distributed program in the simulator, again and again under other faults, until something is violated that the
 * body says must hold. Then it throws one {@link SimulationFailure}, with the failure shrunk. Works in any test runner
 * and without one.
 *
 * @example
 * await simulate({ name: 'counter', seeds: 200 }, async (sim) => {
 *   const servers = sim.nodes(3, (platform) => startServer(platform));
 *   const history = sim.history<Operation, Result>('counter', (calls) => judge(calls));
 *   sim.clients(2, async (platform, client) => {
 *     while (client.goesOn) await history.call(client, 'add', () => add(platform));
 *   });
 *   sim.nemesis();
 *   sim.eventually('a leader', { hotLimitMs: 10_000, holds: () => servers.some((n) => n.instance?.leads) });
 *   await sim.run({ faultsMs: 20_000 });
 * });
 */
export async function simulate(options: SimulateOptions, body: SimulationBody): Promise<SimulateReport> {
  const scenario = new SimulatedScenario({
    name: options.name ?? 'simulation',
    body,
    settings: options.world,
    runRealMaxMs: options.runRealMaxMs ?? limits.runRealMaxMs,
  });
  const orders = replayOrders(options, scenario.name);
  if (orders.replay !== null) return await replay(scenario, options, orders.replay);
  const strategy =
    typeof options.strategy === 'object' ? options.strategy : strategyNamed(options.strategy ?? 'portfolio');
  const uncontrolled = new Map<string, UncontrolledUse>();
  const onSeed = (seed: number, result: RunResult): void => {
    for (const use of result.uncontrolled ?? [])
      uncontrolled.set(`${use.what} ${use.node} ${use.place}`, use);
    options.onSeed?.(seed, result);
  };
  const exploration = await search(scenario, { ...options, onSeed }, strategy, orders.seed);
  const { finding } = exploration;
  if (finding !== null) throw await failureOf(scenario, options, strategy.seeded, finding);
  const missed = [...scenario.marks].filter((name) => exploration.coverage.get(name) === 0);
  if (missed.length > 0 && orders.seed === null) {
    throw new FlotillaError(
      'FLOTILLA_SIMULATION_UNREACHED',
      `simulation «${scenario.name}»: in ${exploration.seeds} runs it never came to ${missed.map((name) => `«${name}»`).join(', ')}`,
    );
  }
  return { strategy: strategy.name, ...exploration, uncontrolled: [...uncontrolled.values()] };
}

function search(
  scenario: SimulatedScenario,
  options: SimulateOptions,
  strategy: Strategy,
  seed: number | null,
): Promise<Exploration> {
  const end = performance.now() + (options.budgetMs ?? Infinity);
  return explore({
    scenario,
    strategy,
    from: seed ?? options.from ?? 0,
    seeds: seed === null ? (options.seeds ?? limits.simulateSeeds) : 1,
    repeatEvery: options.repeatEvery ?? limits.simulateRepeatEvery,
    onSeed: (made, result) => {
      options.onSeed?.(made, result);
      return performance.now() < end;
    },
  });
}

/** The failure that a tape repeats, or a report that it repeats none. */
async function replay(
  scenario: SimulatedScenario,
  options: SimulateOptions,
  from: string | TapeFile,
): Promise<SimulateReport> {
  const file = typeof from === 'string' ? readTape(from) : from;
  const path = typeof from === 'string' ? from : null;
  if (file.scenario !== scenario.name) {
    const message = `the tape is of the simulation «${file.scenario}», this one is «${scenario.name}»`;
    throw new FlotillaError('FLOTILLA_TAPE_INVALID', message);
  }
  const finding: Finding = {
    seed: file.seed,
    result: await runScenario(scenario, replayedTape(file.lanes)),
    lanes: file.lanes,
  };
  const { result } = finding;
  options.onSeed?.(file.seed, result);
  if (result.violation !== null) throw unshrunkFailure(scenario, finding, 'it was replayed', path);
  const coverage = new Coverage();
  coverage.add(result.coverage);
  const { events, simulatedMs, uncontrolled = [] } = result;
  return { strategy: 'replay', seeds: 1, exhausted: false, events, simulatedMs, coverage, uncontrolled };
}
