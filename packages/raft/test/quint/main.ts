// The published specification of consensus, spec/raft.qnt: typechecked, simulated with the invariants of SPEC.md, its
// traces played to the real core, and bugs put into it on purpose, which it must notice.
//
//   npm run spec -- [--samples 200] [--steps 80] [--traces 200] [--seed 1] [--record FILE]
//
// Installs Quint into spec/node_modules when it is not there. Ends with 1 when an invariant does not hold, the core does
// something else than a trace says, or a bug is not noticed. `--record` writes the trace with pre-votes in which most is committed.
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { mutants, mutated, withPreVotes } from './mutants.ts';
import { requireQuint, simulateText, specificationFile, typecheck } from './quint.ts';
import { recordable } from './recorded.ts';
import { replay } from './replay.ts';
import { specTrace } from './spec-trace.ts';

const { values } = parseArgs({
  options: {
    samples: { type: 'string', default: '200' },
    steps: { type: 'string', default: '80' },
    traces: { type: 'string', default: '200' },
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
const specification = readFileSync(specificationFile, 'utf8');
play('without pre-votes', specification, false);
play('with pre-votes', withPreVotes(specification), true);
noticeMutants();

function play(name: string, text: string, preVote: boolean): void {
  const begin = performance.now();
  const found = simulateText(text, options);
  const seconds = ((performance.now() - begin) / 1_000).toFixed(0);
  console.log(
    `${name}: ${options.samples} runs of up to ${options.steps} steps in ${seconds} s: ${found.outcome}`,
  );
  if (found.outcome === 'ok') replayAll(found.traces, preVote);
  else fail(found.text);
}

function replayAll(traces: readonly unknown[], preVote: boolean): void {
  const actions = new Map<string, number>();
  let replayed = 0;
  for (const trace of traces) {
    const steps = specTrace(trace);
    for (const { action } of steps) actions.set(action, (actions.get(action) ?? 0) + 1);
    try {
      replay(steps, preVote);
      replayed += 1;
    } catch (error) {
      fail(String(error));
    }
  }
  const counts = [...actions].map(([action, count]) => `${count} ${action}`).join(', ');
  console.log(`  ${replayed} of ${traces.length} traces are what the core does: ${counts}`);
  if (traces.length < Math.min(options.traces, options.samples))
    fail('Quint has kept fewer traces than asked');
  if (values.record !== undefined && preVote) {
    writeFileSync(values.record, `${JSON.stringify(recordable(traces))}\n`);
  }
}

function noticeMutants(): void {
  for (const mutant of mutants) {
    const text = mutant.preVote === true ? withPreVotes(specification) : specification;
    const { outcome } = simulateText(mutated(text, mutant), { ...options, traces: 0 });
    console.log(`${outcome === 'violated' ? 'noticed' : 'NOT NOTICED'}: ${mutant.name}`);
    if (outcome !== 'violated') process.exitCode = 1;
  }
}

function fail(text: string): void {
  console.log(text);
  process.exitCode = 1;
}
