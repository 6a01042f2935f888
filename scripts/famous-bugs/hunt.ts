import { parentPort, workerData } from 'node:worker_threads';
import {
  explore,
  Recorder,
  renderReport,
  replayedTape,
  runScenario,
  shrink,
  describeStory,
  storyOf,
} from '../../packages/sim/src/index.ts';
import type { Finding, RunResult, Scenario, Shrunk } from '../../packages/sim/src/index.ts';
import { unloaded } from '../mutations/perform.ts';
import type { HuntJob, HuntResult } from './hunting.ts';

/** Runs of a core are short: many of them are made before shrinking ends. */
const attemptsPerPass = 6_000;
const passesMax = 4;

/** What runs in a hunt's thread: the patched code, seed by seed up to the first violation, which is then shrunk. */
export function hunt(scenarios: readonly Scenario[]): void {
  const job = workerData as HuntJob;
  result(
    scenarios.find(({ name }) => name === job.scenario)!,
    job,
  ).then(
    (done) => parentPort?.postMessage(done),
    (error: unknown) => {
      throw error;
    },
  );
}

async function result(scenario: Scenario, job: HuntJob): Promise<HuntResult> {
  const start = performance.now();
  const { from, seeds } = job;
  const { finding, seeds: seedsTried } = await explore({ scenario, from, seeds, repeatEvery: 0 });
  const missing = unloaded(job.patches);
  if (missing !== undefined) return { type: 'broken', message: `${scenario.name} does not load ${missing}` };
  if (finding === null) return { type: 'clean', seedsTried };
  const searchSeconds = (performance.now() - start) / 1_000;
  const shortest = await shortestOf(scenario, finding, job.seedsForShortest);
  const shrunk = await shrinkAgain(scenario, shortest);
  const found = { seed: finding.seed, seedsTried, searchSeconds };
  return { type: 'caught', ...found, ...(await told(scenario, job, shortest, shrunk)) };
}

/** Of the seeds after the first that fails, the one that fails in the same way the soonest: it has the least to tell. */
async function shortestOf(scenario: Scenario, first: Finding, seeds: number): Promise<Finding> {
  let shortest = first;
  const end = first.seed + 1 + seeds;
  for (let from = first.seed + 1; from < end;) {
    const { finding } = await explore({ scenario, from, seeds: end - from, repeatEvery: 0 });
    if (finding === null) break;
    from = finding.seed + 1;
    if (finding.result.violation?.name !== first.result.violation?.name) continue;
    if (finding.result.events < shortest.result.events) shortest = finding;
  }
  return shortest;
}

/** What one pass takes away often lets the next one take more. */
async function shrinkAgain(scenario: Scenario, { lanes }: Finding): Promise<Shrunk> {
  let shrunk = await shrink({ scenario, lanes, attemptsMax: attemptsPerPass });
  let { attempts } = shrunk;
  const { choicesBefore } = shrunk;
  for (let pass = 1; pass < passesMax; pass += 1) {
    const again = await shrink({ scenario, lanes: shrunk.lanes, attemptsMax: attemptsPerPass });
    attempts += again.attempts;
    const [before, after] = [shrunk, again].map(
      ({ result, choicesLeft }) => faultsOf(result) * 1_000 + choicesLeft,
    );
    if (after! >= before!) break;
    shrunk = again;
  }
  return { ...shrunk, attempts, choicesBefore };
}

type Told = Omit<Extract<HuntResult, { type: 'caught' }>, 'type' | 'seed' | 'seedsTried' | 'searchSeconds'>;

/** The shrunk run once more, written down. */
async function told(scenario: Scenario, job: HuntJob, finding: Finding, shrunk: Shrunk): Promise<Told> {
  const { seed } = finding;
  const { attempts, choicesBefore, choicesLeft, lanes } = shrunk;
  const [faultsBefore, faultsLeft] = [faultsOf(finding.result), faultsOf(shrunk.result)];
  const recorder = new Recorder();
  const run = await runScenario(scenario, replayedTape(lanes), { recorder });
  const trace = recorder.trace(run);
  const { name, message } = run.violation!;
  const words = `shrunk from ${faultsBefore} faults and ${choicesBefore} choices to ${faultsLeft} and ${choicesLeft}`;
  return {
    shrunkSeed: seed,
    invariant: name,
    message,
    attempts,
    choicesBefore,
    choicesLeft,
    faultsBefore,
    faultsLeft,
    choices: [...lanes].map(([label, values]) => {
      return { label, count: values.filter((value) => value !== 0).length };
    }),
    story: describeStory(storyOf(trace)).split('\n'),
    html: renderReport({
      scenario: `${scenario.name}, ${job.title}`,
      result: run,
      trace,
      seed,
      shrunk: words,
      replay: `npm run famous-bugs -- --only ${job.id}`,
    }),
  };
}

/** What the nemesis did; that it ended is no fault. */
function faultsOf(result: RunResult): number {
  return result.faults.filter(({ text }) => text !== 'heal everything').length;
}
