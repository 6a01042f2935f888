// Everything that is too long for `npm test`, in rounds of new seeds, until the time is over or something is found:
// thousands of seeds of every simulation, every mutation from its first seed, real processes killed and paused.
//
//   npm run soak                     one round
//   npm run soak -- --hours 8        rounds for as long as that
//   npm run soak -- --from 100000    the first seed of the first round
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { hours: { type: 'string', default: '0' }, from: { type: 'string', default: '0' } },
});
const endsAtMs = Date.now() + Number(values.hours) * 3_600_000;
const seedsOfScenarios = 200;
const seedsPerRound = {
  core: 5000,
  storm: 2000,
  host: 2000,
  'host-membership': 500,
  'host-snapshots': 500,
  'host-leases': 500,
  replica: 1000,
  placement: 500,
  cluster: 5000,
  bank: 1000,
  'list-append': 1000,
  'long-fork': 1000,
  'write-skew': 1000,
  phantom: 1000,
  registers: 1000,
};

/** Runs one program of the round; the soak ends with the first that finds something. */
function run(name, commandLine) {
  console.log(`--- ${name}`);
  const { status, signal } = spawnSync(process.execPath, commandLine, { stdio: 'inherit' });
  if (status === 0) return;
  console.log(`soak: ${name} ended with ${status ?? signal}`);
  process.exit(1);
}

let round = 0;
do {
  for (const [scenario, seeds] of Object.entries(seedsPerRound)) {
    const from = Number(values.from) + round * seeds;
    const options = ['--scenario', scenario, '--seeds', String(seeds), '--from', String(from)];
    run(`simulate ${scenario}`, ['packages/server/bin/flotilla.js', 'simulate', ...options]);
  }
  const scenariosFrom = String(Number(values.from) + 1 + round * seedsOfScenarios);
  const scenarios = ['--seeds', String(seedsOfScenarios), '--from', scenariosFrom];
  run("the courses' tests", ['--import', 'tsx', 'packages/raft/test/scenarios/soak.ts', ...scenarios]);
  const seed = String(Number(values.from) + round + 1);
  run("the courses' tests over real processes", ['--import', 'tsx', 'packages/raft/test/process/soak.ts']);
  run('real processes', ['--import', 'tsx', 'packages/server/test/process/soak.ts', '--seed', seed]);
  const sharded = ['packages/server/test/process/sharded/soak.ts', '--seed', seed];
  run("the courses' tests of shards over real processes", ['--import', 'tsx', ...sharded]);
  const nodeLoss = ['packages/server/test/process/node-loss-soak.ts', '--repair-minutes', '0'];
  run('a lost node', ['--import', 'tsx', ...nodeLoss]);
  const transactions = ['--seconds', '300', '--seed', seed];
  run('transactions', [
    '--import',
    'tsx',
    'packages/server/test/process/transaction-soak.ts',
    ...transactions,
  ]);
  const maelstrom = ['packages/server/test/maelstrom/soak.ts', '--seed', seed];
  run("Maelstrom's workloads", ['--import', 'tsx', ...maelstrom]);
  run('the specification', ['--import', 'tsx', 'packages/raft/test/quint/main.ts', '--seed', seed]);
  if (round === 0) run('mutations', ['--import', 'tsx', 'scripts/mutations/run.ts']);
  round += 1;
} while (Date.now() < endsAtMs);
console.log(`soak: ${round} ${round === 1 ? 'round' : 'rounds'} without a finding`);
