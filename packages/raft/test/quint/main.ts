// The published specification of consensus, spec/raft.qnt: typechecked, simulated with the invariants of SPEC.md, its
// traces played to the real core, and bugs put into it on purpose, which it must notice.
//
//   npm run spec -- [--samples 300] [--steps 80] [--traces 300] [--seed 1] [--record FILE]
//
// Installs Quint into spec/node_modules when it is not there. Ends with 1 when an invariant does not hold, the core does
// something else than a trace says, or a bug is not noticed. `--record` writes the trace in which most is committed.
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { mutants, mutated } from './mutants.ts';
import { requireQuint, simulate, simulateText, specificationFile, typecheck } from './quint.ts';
import { recordable } from './recorded.ts';
import { replay } from './replay.ts';
import { specTrace } from './spec-trace.ts';

const { values } = parseArgs({
  options: {
    samples: { type: 'string', default: '300' },
    steps: { type: 'string', default: '80' },
    traces: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    record: { type: 'string' },
  },
});
const options = {
  samples: Number(values.samples),
  steps: Number(values.steps),
  seed: Number(values.seed),
  traces: Number(values.traces),
};

requireQuint();
typecheck(specificationFile);
console.log('spec/raft.qnt has no errors');
const begin = performance.now();
const found = simulate(specificationFile, options);
const seconds = ((performance.now() - begin) / 1_000).toFixed(0);
console.log(`${options.samples} runs of up to ${options.steps} steps in ${seconds} s: ${found.outcome}`);
if (found.outcome === 'ok') replayAll();
else fail(found.text);
noticeMutants();

function replayAll(): void {
  const actions = new Map<string, number>();
  let replayed = 0;
  for (const trace of found.traces) {
    const steps = specTrace(trace);
    for (const { action } of steps) actions.set(action, (actions.get(action) ?? 0) + 1);
    try {
      replay(steps);
      replayed += 1;
    } catch (error) {
      fail(String(error));
    }
  }
  const counts = [...actions].map(([action, count]) => `${count} ${action}`).join(', ');
  console.log(`${replayed} of ${found.traces.length} traces are what the core does: ${counts}`);
  if (found.traces.length < Math.min(options.traces, options.samples))
    fail('Quint has kept fewer traces than asked');
  if (values.record !== undefined)
    writeFileSync(values.record, `${JSON.stringify(recordable(found.traces))}\n`);
}

function noticeMutants(): void {
  const text = readFileSync(specificationFile, 'utf8');
  for (const mutant of mutants) {
    const { outcome } = simulateText(mutated(text, mutant), { ...options, traces: 0 });
    console.log(`${outcome === 'violated' ? 'noticed' : 'NOT NOTICED'}: ${mutant.name}`);
    if (outcome !== 'violated') process.exitCode = 1;
  }
}

function fail(text: string): void {
  console.log(text);
  process.exitCode = 1;
}
