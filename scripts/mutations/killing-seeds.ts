import { readFileSync, writeFileSync } from 'node:fs';

/** Title of a mutation to the seed that killed it. */
export type KillingSeeds = Readonly<Record<string, number>>;

const killingSeedsFile = new URL('./killing-seeds.json', import.meta.url);

export function readKillingSeeds(): KillingSeeds {
  return JSON.parse(readFileSync(killingSeedsFile, 'utf8')) as KillingSeeds;
}

export function writeKillingSeeds(seeds: KillingSeeds): void {
  const sorted = Object.entries(seeds).sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }));
  writeFileSync(killingSeedsFile, `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`);
}
