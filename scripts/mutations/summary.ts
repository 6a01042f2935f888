// What the recorded killing seeds say of all mutations, as the table of the README.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { KillingSeeds } from './killing-seeds.ts';
import type { Mutation } from './mutation.ts';
import { title } from './registry.ts';

export const readmeFile: string = fileURLToPath(new URL('../../README.md', import.meta.url));

const begin = '<!-- mutations: npm run mutations -- --summary -->';
const end = '<!-- end of mutations -->';

/** What the packages are to somebody who reads of their mutations; the table has them in this order. */
const areas: Readonly<Record<string, string>> = {
  raft: 'consensus, log and host (`raft`)',
  store: 'the state and its order over shards (`store`)',
  server: 'members, shards and placement (`server`)',
  client: 'the client (`client`)',
  check: 'the checkers themselves (`check`)',
};

/**
 * A row for each package and one for all. A mutation counts as noticed when a killing seed of it is recorded: the first
 * of the seeds 1, 2, 3… that violated something, and so the number of seeds that it took.
 */
export function summaryTable(mutations: readonly Mutation[], seeds: KillingSeeds): string {
  const packages = new Set(mutations.map(packageOf));
  for (const name of packages) if (areas[name] === undefined) throw new Error(`no words for ${name}`);
  const rows = Object.entries(areas)
    .filter(([name]) => packages.has(name))
    .map(([name, words]) =>
      row(
        words,
        mutations.filter((mutation) => packageOf(mutation) === name),
        seeds,
      ),
    );
  return [
    '| bugs planted in | mutations | noticed | seeds until noticed: median | nine of ten within | most |',
    '| --- | ---: | ---: | ---: | ---: | ---: |',
    ...rows,
    row('all', mutations, seeds),
  ].join('\n');
}

function row(words: string, mutations: readonly Mutation[], seeds: KillingSeeds): string {
  const taken = mutations
    .map((mutation) => seeds[title(mutation)])
    .filter((seed) => seed !== undefined)
    .sort((a, b) => a - b);
  const percent = Math.floor((100 * taken.length) / mutations.length);
  const cells = [words, mutations.length, `${taken.length} (${percent} %)`, quantile(taken, 0.5), quantile(taken, 0.9), quantile(taken, 1)]; // prettier-ignore
  return `| ${cells.join(' | ')} |`;
}

/** The smallest of the sorted values that so large a share does not exceed. */
function quantile(sorted: readonly number[], share: number): number | string {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? '–';
}

/** Whose sources a mutation changes. */
function packageOf({ file }: Mutation): string {
  return /^packages\/([^/]+)\//.exec(file)?.[1] ?? file;
}

/** The README with `table` in the place that is marked for it. */
export function withSummary(readme: string, table: string): string {
  const [from, to] = [readme.indexOf(begin), readme.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the README has no place for the table: ${begin} … ${end}`);
  return `${readme.slice(0, from + begin.length)}\n\n${table}\n\n${readme.slice(to)}`;
}

export function writeSummary(table: string): void {
  writeFileSync(readmeFile, withSummary(readFileSync(readmeFile, 'utf8'), table));
}
