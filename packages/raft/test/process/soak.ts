// The portable scenarios marked P of the catalogue, over real processes, real files and proxied links.
//
//   node --import tsx packages/raft/test/process/soak.ts [--only 17,19] [--times 1] [--share 1]
//
// Prints a line per scenario; ends with 1 when one fails.
import { parseArgs } from 'node:util';
import { runScenario } from './run-scenario.ts';
import { processScenarios } from './scenarios.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    times: { type: 'string', default: '1' },
    share: { type: 'string', default: '1' },
  },
});
const only = values.only?.split(',').map(Number);

let failures = 0;
for (const scenario of processScenarios) {
  if (only !== undefined && !only.includes(scenario.number)) continue;
  for (let time = 0; time < Number(values.times); time += 1) {
    try {
      const tookMs = await runScenario(scenario, Number(values.share));
      console.log(`ok   ${scenario.number}: ${scenario.name} (${(tookMs / 1000).toFixed(1)} s)`);
    } catch (error) {
      failures += 1;
      console.log(
        `FAIL ${scenario.number}: ${scenario.name}\n${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
}
console.log(failures === 0 ? 'all scenarios hold' : `${failures} failed`);
process.exitCode = failures === 0 ? 0 : 1;
