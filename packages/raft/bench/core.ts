// How fast cores are simulated: events per second of one thread, invariants checked after each.
//
//   node --import tsx packages/raft/bench/core.ts [--seeds 300]
import { parseArgs } from 'node:util';
import { runCoreSeed } from '../simulation/core/core-seed.ts';
import type { CoreRunOptions } from '../simulation/core/core-seed.ts';
import { faultKinds } from '../simulation/core/settings.ts';
import type { FaultWeights } from '../simulation/core/settings.ts';

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '300' } } });
const seeds = Number(values.seeds);

/** Three members in a quiet room, one proposal or two at a time. */
const quiet: CoreRunOptions = {
  settings: {
    members: 3,
    liveness: 'ticks',
    preVote: true,
    checkQuorum: true,
    eagerBroadcast: false,
    electionTicks: 10,
    heartbeatTicks: 1,
    maxMessageBytes: 1 << 20,
    maxInflightMessages: 64,
    maxInflightBytes: 1 << 20,
    maxUncommittedBytes: 1 << 20,
    maxApplyBytes: 1 << 20,
    maxCachedBytes: 1 << 20,
    maxPendingReads: 1000,
    turnMs: 0,
    delayMinMs: 0.5,
    delayMaxMs: 2,
    spikePerMille: 0,
    lossPerMille: 0,
    duplicatePerMille: 0,
    syncMinMs: 0.3,
    syncMaxMs: 1,
    stallPerMille: 0,
    applyMaxMs: 0,
    proposeEveryMs: 2,
    readEveryMs: 5,
    leasePerMille: 0,
    changeEveryMs: 0,
    priorities: [100],
    compactAfter: 40,
    faultEveryMs: 0,
    weights: Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as FaultWeights,
    ambushPerMille: 0,
    faultEvents: 20_000,
  },
};

function measure(circumstances: string, runs: number, options: CoreRunOptions): void {
  for (let seed = 1; seed <= Math.max(3, runs / 10); seed += 1) runCoreSeed(seed, options);
  let events = 0;
  let simulatedMs = 0;
  const start = performance.now();
  const processor = process.cpuUsage();
  for (let seed = 1; seed <= runs; seed += 1) {
    const result = runCoreSeed(seed, options);
    if (result.violation !== null) throw new Error(`seed ${seed}: ${result.violation.message}`);
    events += result.events;
    simulatedMs += result.simulatedMs;
  }
  const seconds = (performance.now() - start) / 1_000;
  const used = process.cpuUsage(processor);
  const processorSeconds = (used.user + used.system) / 1_000_000;
  const line = {
    benchmark: 'raft core',
    circumstances,
    seeds: runs,
    events,
    eventsPerSecond: Math.round(events / seconds),
    // On a busy machine this says more.
    eventsPerProcessorSecond: Math.round(events / processorSeconds),
    timesRealTime: Math.round(simulatedMs / 1_000 / seconds),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

measure('quiet', Math.ceil(seeds / 10), quiet);
measure('drawn', seeds, {});
