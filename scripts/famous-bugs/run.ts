// Brings about bugs of other Raft implementations in our own code, one at a time: searches for each in the simulation,
// shrinks what it finds, and says what is left in words, what it violates, and why.
//
//   node --import tsx scripts/famous-bugs/run.ts [--only ID,ID] [--reports DIRECTORY] [--record]
//   node --import tsx scripts/famous-bugs/run.ts --page | --check
//
// --reports leaves a page for each, which a browser shows; --record writes down what was found, and docs/famous-bugs.md;
// --page only writes that page anew, from what was recorded; --check says whether it is that already. The exit code is 1 when a bug is not found, or the code
// without it is not clean on the same seeds.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { patchesOf } from '../mutations/registry.ts';
import { foundFile, readFound } from './found.ts';
import type { Found } from './found.ts';
import { loadHunted } from './hunted.ts';
import type { Hunted } from './hunted.ts';
import { runHunt } from './hunting.ts';
import type { HuntResult } from './hunting.ts';
import { pageFile, renderPage } from './page.ts';

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      reports: { type: 'string' },
      record: { type: 'boolean', default: false },
      page: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
    },
  });
  const all = await loadHunted();
  if (values.check) return check(all);
  if (values.page) {
    writePage(all);
    return 0;
  }
  const found: Record<string, Found> = { ...readFound() };
  let isComplete = true;
  for (const hunted of selected(all, values.only)) {
    const result = await hunt(hunted);
    if (result.type !== 'caught' || !(await isCleanWithout(hunted, result))) {
      isComplete = false;
      continue;
    }
    const { type: _type, searchSeconds: _seconds, html, ...kept } = result;
    found[hunted.bug.id] = kept;
    if (values.reports === undefined) continue;
    const path = join(values.reports, `${hunted.bug.id}.report.html`);
    writeFileSync(path, html);
    console.log(`report: ${path} (open it in a browser)`);
  }
  if (values.record) record(all, found);
  return isComplete ? 0 : 1;
}

function selected(all: readonly Hunted[], only: string | undefined): readonly Hunted[] {
  if (only === undefined) return all;
  const ids = only.split(',');
  const unknown = ids.filter((id) => !all.some(({ bug }) => bug.id === id));
  if (unknown.length > 0) {
    throw new Error(
      `no bug is called ${unknown.join(', ')}: there are ${all.map(({ bug }) => bug.id).join(', ')}`,
    );
  }
  return all.filter(({ bug }) => ids.includes(bug.id));
}

async function hunt({ bug, mutation, scenario }: Hunted): Promise<HuntResult> {
  console.log(`\n=== ${bug.name} (${bug.source.name}, ${bug.source.url})\n`);
  console.log(`there: ${bug.there}\nhere:  ${bug.here}\n`);
  const result = await runHunt({
    id: bug.id,
    title: bug.name,
    scenario,
    patches: patchesOf(mutation),
    from: 1,
    seeds: mutation.seeds,
    seedsForShortest: bug.seedsForShortest,
  });
  if (result.type === 'caught') tell(bug.explanation, scenario, result);
  else if (result.type === 'clean') console.log(`NOT FOUND by ${scenario} in ${result.seedsTried} seeds`);
  else console.log(`BROKEN: ${result.message}`);
  return result;
}

function tell(explanation: string, scenario: string, result: Extract<HuntResult, { type: 'caught' }>): void {
  const { seed, seedsTried, searchSeconds, shrunkSeed, attempts } = result;
  console.log(`found by ${scenario}, seed ${seed}: ${seedsTried} seeds in ${searchSeconds.toFixed(1)} s`);
  const { faultsBefore, faultsLeft, choicesBefore, choicesLeft } = result;
  console.log(
    `shrunk (seed ${shrunkSeed}) in ${attempts} runs from ${faultsBefore} faults and ${choicesBefore} choices to ${faultsLeft} and ${choicesLeft}:\n`,
  );
  for (const line of result.story) console.log(`  ${line}`);
  console.log(`  VIOLATION of ${result.invariant}: ${result.message}\n\n${explanation}\n`);
}

/** The same seeds without the bug, in the circumstances that it needs: it is the bug that was caught, and nothing else. */
async function isCleanWithout({ bug, mutation, scenario }: Hunted, { seedsTried }: Found): Promise<boolean> {
  const patches = mutation.circumstances ?? [];
  const job = { id: bug.id, title: bug.name, scenario, patches, from: 1, seeds: seedsTried };
  const result = await runHunt({ ...job, seedsForShortest: 0 });
  const without = patches.length === 0 ? 'without it' : 'without it, in the same circumstances';
  if (result.type === 'clean') console.log(`${without}: clean on the same ${seedsTried} seeds`);
  else if (result.type === 'caught')
    console.log(`${without}: VIOLATION of ${result.invariant} in seed ${result.seed}`);
  else console.log(`${without}: BROKEN: ${result.message}`);
  return result.type === 'clean';
}

function record(all: readonly Hunted[], found: Readonly<Record<string, Found>>): void {
  const inOrder = all.flatMap(({ bug }) => (found[bug.id] === undefined ? [] : [[bug.id, found[bug.id]]]));
  writeFileSync(foundFile, `${JSON.stringify(Object.fromEntries(inOrder), null, 2)}\n`);
  writePage(all);
}

function writePage(all: readonly Hunted[]): void {
  writeFileSync(pageFile, renderPage(all, readFound()));
}

function check(all: readonly Hunted[]): number {
  if (readFileSync(pageFile, 'utf8') === renderPage(all, readFound())) return 0;
  console.log('docs/famous-bugs.md is not what was recorded: npm run famous-bugs -- --page');
  return 1;
}

process.exitCode = await main();
