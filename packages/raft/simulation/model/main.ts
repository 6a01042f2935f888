// `npm run model-check -- [--members 3] [--terms 2] [--entries 1] [--crashes 1] [--losses 1] [--repetitions 0]
// [--reorder] [--states N]`: every state that a small group of real cores can come to. Ends with 1 at the first violation.
import { parseArgs } from 'node:util';
import { exploreModel } from './explore.ts';

const whole = (name: string): { readonly type: 'string'; readonly default: string } => ({
  type: 'string',
  default: String({ members: 3, terms: 2, entries: 1, crashes: 1, losses: 1, repetitions: 0 }[name] ?? 0),
});
const { values } = parseArgs({
  options: {
    members: whole('members'),
    terms: whole('terms'),
    entries: whole('entries'),
    crashes: whole('crashes'),
    losses: whole('losses'),
    repetitions: whole('repetitions'),
    states: { type: 'string', default: 'Infinity' },
    reorder: { type: 'boolean', default: false },
  },
});
const bounds = {
  members: Number(values.members),
  terms: Number(values.terms),
  entries: Number(values.entries),
  crashes: Number(values.crashes),
  losses: Number(values.losses),
  repetitions: Number(values.repetitions),
  order: values.reorder ? ('any' as const) : ('streams' as const),
};
const start = performance.now();
const processor = process.cpuUsage();
const onLevel = (depth: number, states: number): void => {
  if (depth % 5 === 0) console.error(`depth ${depth}, ${states} states`);
};
const found = exploreModel(bounds, { statesMax: Number(values.states), onLevel });
const seconds = (performance.now() - start) / 1000;
const used = process.cpuUsage(processor);
const { violation, ...counts } = found;
console.log(
  JSON.stringify({
    model: bounds,
    ...counts,
    seconds: Math.round(seconds * 10) / 10,
    statesPerSecond: Math.round(found.states / seconds),
    // On a busy machine this says more.
    statesPerProcessorSecond: Math.round(found.states / ((used.user + used.system) / 1e6)),
  }),
);
if (violation !== null) console.log(violation.message);
process.exitCode = violation === null ? 0 : 1;
