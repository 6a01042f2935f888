import { World, generatedTape, runScenario } from '@flotilla/sim';
import { scenarios } from '../index.ts';
const counts = new Map<string, number>();
const proto = World.prototype as any;
const orig = proto.schedule;
proto.schedule = function (delay: number, event: any) {
  const name = event.constructor.name + ' ' + (event.life?.node.name[0] ?? 'world');
  counts.set(name, (counts.get(name) ?? 0) + 1);
  return orig.call(this, delay, event);
};
const simPlatform = (await import('../../../sim/src/sim-platform.ts')) as any;
const ot = simPlatform.SimPlatform.prototype.timer;
simPlatform.SimPlatform.prototype.timer = function (d: number, label: string, cb: any) {
  const n = 'timer ' + label + ' ' + this.nodeName[0];
  counts.set(n, (counts.get(n) ?? 0) + 1);
  return ot.call(this, d, label, cb);
};
let events = 0;
for (let seed = 1; seed <= 5; seed += 1)
  events += (await runScenario(scenarios.get('cluster')!, generatedTape(seed))).events;
console.log(events);
for (const [k, v] of [...counts].sort((a, b) => b[1] - a[1]).slice(0, 30)) console.log(v, k);
