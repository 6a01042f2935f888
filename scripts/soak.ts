// Everything that is too long for `npm test`, in rounds of new seeds, until the time is over or something is found:
// thousands of seeds of every simulation, every mutation from its first seed, real processes killed and paused.
//
//   npm run soak                     one round
//   npm run soak -- --hours 8        rounds for as long as that; what runs then is brought to its end
//   npm run soak -- --from 100000    the first seed of the first round
//   npm run soak -- --simulations    nothing but the simulations
//   npm run soak -- --only core,sharded-bank
//
// A simulation that finds something leaves a tape and a page in this directory, tells the shrunk run in words, and how
// to replay it. At the end stands what was run of each, which faults and situations it met, and what never happened.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SoakTable } from './soak-table.ts';
import type { SearchOutcome } from './soak-table.ts';

const { values } = parseArgs({
  options: {
    hours: { type: 'string', default: '0' },
    from: { type: 'string', default: '0' },
    simulations: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
});
const hours = Number(values.hours);
const firstSeed = Number(values.from);
const only = values.only?.split(',');
if (!(hours >= 0) || !Number.isSafeInteger(firstSeed) || firstSeed < 0) {
  console.error('soak: --hours takes a number that is not negative, --from a whole one');
  process.exit(2);
}
const endsAtMs = Date.now() + hours * 3_600_000;
const seedsOfScenarios = 200;
const seedsPerRound: Readonly<Record<string, number>> = {
  core: 5000,
  storm: 2000,
  contested: 2000,
  host: 2000,
  'host-membership': 500,
  'host-snapshots': 500,
  'host-leases': 500,
  replica: 1000,
  placement: 500,
  ordering: 2000,
  cluster: 5000,
  members: 500,
  leases: 500,
  auth: 500,
  client: 500,
  bank: 1000,
  'list-append': 1000,
  'long-fork': 1000,
  'write-skew': 1000,
  phantom: 1000,
  registers: 1000,
  'sharded-bank': 200,
  'sharded-list-append': 200,
  'sharded-long-fork': 200,
  'sharded-write-skew': 200,
  'sharded-phantom': 200,
  'sharded-registers': 200,
};
/** So that an hour has some of everything in it: the seeds of a round come in turns. */
const turnsPerRound = 10;

const unknown = (only ?? []).filter((name) => !(name in seedsPerRound));
if (unknown.length > 0) {
  console.error(
    `soak: no simulation is called ${unknown.join(', ')}: there are ${Object.keys(seedsPerRound).join(', ')}`,
  );
  process.exit(2);
}

const table = new SoakTable();
const directory = mkdtempSync(join(tmpdir(), 'flotilla-soak-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
let round = 0;

/** Runs one program of the round; the soak ends with the first that finds something, and when the time is over. */
function run(name: string, commandLine: readonly string[]): string | null {
  if (hours > 0 && Date.now() >= endsAtMs) end(0);
  console.log(`--- ${name}`);
  const { status, signal } = spawnSync(process.execPath, commandLine, { stdio: 'inherit' });
  return status === 0 ? null : `soak: ${name} ended with ${status ?? signal ?? 'nothing'}`;
}

function runOrEnd(name: string, commandLine: readonly string[]): void {
  const failure = run(name, commandLine);
  if (failure !== null) end(1, failure);
}

function simulate(scenario: string, from: number, seeds: number): void {
  const outcome = join(directory, `${scenario}.json`);
  const options = ['--scenario', scenario, '--seeds', `${seeds}`, '--from', `${from}`, '--outcome', outcome];
  const failure = run(`simulate ${scenario}, seeds ${from} to ${from + seeds - 1}`, [
    'packages/server/bin/flotilla.js',
    'simulate',
    ...options,
  ]);
  if (existsSync(outcome)) table.add(JSON.parse(readFileSync(outcome, 'utf8')) as SearchOutcome);
  rmSync(outcome, { force: true });
  if (failure !== null) end(1, failure);
}

function end(status: number, failure?: string): never {
  console.log(`\n${table.toString()}`);
  if (failure !== undefined) console.log(failure);
  else console.log(`soak: ${round} ${round === 1 ? 'round' : 'rounds'} to the end, without a finding`);
  process.exit(status);
}

function simulations(): void {
  for (let turn = 0; turn < turnsPerRound; turn += 1) {
    for (const [scenario, seeds] of Object.entries(seedsPerRound)) {
      if (only !== undefined && !only.includes(scenario)) continue;
      const share = seeds / turnsPerRound;
      simulate(scenario, firstSeed + round * seeds + turn * share, share);
    }
  }
}

function processes(): void {
  const tsx = (name: string, ...commandLine: readonly string[]): void =>
    runOrEnd(name, ['--import', 'tsx', ...commandLine]);
  const scenariosFrom = String(firstSeed + 1 + round * seedsOfScenarios);
  const scenarios = ['--seeds', String(seedsOfScenarios), '--from', scenariosFrom];
  tsx("the courses' tests", 'packages/raft/test/scenarios/soak.ts', ...scenarios);
  const seed = String(firstSeed + round + 1);
  tsx("the courses' tests over real processes", 'packages/raft/test/process/soak.ts');
  tsx('real processes', 'packages/server/test/process/soak.ts', '--seed', seed);
  const sharded = ['packages/server/test/process/sharded/soak.ts', '--seed', seed];
  tsx("the courses' tests of shards over real processes", ...sharded);
  tsx('a lost node', 'packages/server/test/process/node-loss-soak.ts', '--repair-minutes', '0');
  const transactions = ['--seconds', '300', '--seed', seed];
  tsx('transactions', 'packages/server/test/process/transaction-soak.ts', ...transactions);
  tsx("Maelstrom's workloads", 'packages/server/test/maelstrom/soak.ts', '--seed', seed);
  tsx('the specification', 'packages/raft/test/quint/main.ts', '--seed', seed);
  if (round === 0) tsx('mutations', 'scripts/mutations/run.ts');
}

do {
  simulations();
  if (!values.simulations && only === undefined) processes();
  round += 1;
} while (hours > 0 && Date.now() < endsAtMs);
end(0);
