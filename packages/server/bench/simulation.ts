import { generatedTape, runScenario } from '@flotilla/sim';
import { scenarios } from '../simulation/index.ts';

/**
 * How fast the simulations are, one JSON line each: events per second of one core, by the clock and by the processor's
 * own count, which other programs on the machine disturb less. Warm: the first seeds are not counted.
 */
const plans = [
  { name: 'core', warmUp: 30, seeds: 200 },
  { name: 'host', warmUp: 10, seeds: 40 },
  { name: 'cluster', warmUp: 10, seeds: 60 },
] as const;

for (const { name, warmUp, seeds } of plans) {
  const scenario = scenarios.get(name);
  if (scenario === undefined) throw new Error(`there is no scenario ${name}`);
  for (let seed = 0; seed < warmUp; seed += 1) await runScenario(scenario, generatedTape(seed));
  const start = performance.now();
  const cpu = process.cpuUsage();
  let [events, simulatedMs] = [0, 0];
  for (let seed = warmUp; seed < warmUp + seeds; seed += 1) {
    const result = await runScenario(scenario, generatedTape(seed));
    events += result.events;
    simulatedMs += result.simulatedMs;
  }
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = (user + system) / 1e6;
  console.log(
    JSON.stringify({
      scenario: name,
      seeds,
      events,
      eventsPerSecond: Math.round(events / seconds),
      eventsPerCpuSecond: Math.round(events / cpuSeconds),
      timesRealTime: Math.round(simulatedMs / 1000 / seconds),
      msPerSeed: Math.round((seconds * 1000) / seeds),
    }),
  );
}
