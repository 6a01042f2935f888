// Kills, restarts and pauses real members under traffic, and checks everything that was answered.
//
//   node --import tsx packages/server/test/process/soak.ts [--leader-kills 20] [--full-kills 10] [--pauses 10]
//
// Ends with 1 when a checker finds anything, or when service comes back too late after a kill.
import { parseArgs } from 'node:util';
import { describeReport, isClean, median, runProcesses } from './process-run.ts';

const { values } = parseArgs({
  options: {
    'leader-kills': { type: 'string', default: '20' },
    'full-kills': { type: 'string', default: '10' },
    pauses: { type: 'string', default: '10' },
    clients: { type: 'string', default: '16' },
    seed: { type: 'string', default: '1' },
  },
});

/** What the project promises for a kill, in milliseconds. */
const medianMsMax = 2_500;
const worstMsMax = 8_000;

const report = await runProcesses({
  clients: Number(values.clients),
  seed: Number(values.seed),
  leaderKills: Number(values['leader-kills']),
  fullKills: Number(values['full-kills']),
  pauses: Number(values.pauses),
  onProgress: (line) => console.log(line),
});
console.log(describeReport(report));
const kills = [...report.leaderKillMs, ...report.fullKillMs];
const inTime = kills.length === 0 || (median(kills) < medianMsMax && Math.max(...kills) < worstMsMax);
if (!inTime) console.log(`too late: promised are a median of ${medianMsMax} ms and at most ${worstMsMax} ms`);
process.exitCode = isClean(report) && inTime ? 0 : 1;
