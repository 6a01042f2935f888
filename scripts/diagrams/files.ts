import { format } from 'prettier';
import type { Options } from 'prettier';
import { toDot } from './dot.ts';
import { toPage } from './page.ts';
import { toSvg } from './svg.ts';
import { tables } from './tables.ts';
import { toXState } from './xstate.ts';

/** Everything that belongs into `docs/state-machines`, by the name of the file. */
export async function diagramFiles(): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  files.set('README.md', await format(toPage(tables), { ...likeTheRest, parser: 'markdown' }));
  for (const entry of tables) {
    files.set(`${entry.file}.mmd`, entry.table.toMermaid());
    files.set(`${entry.file}.svg`, await toSvg(toDot(entry), entry.title));
    const machine = JSON.stringify(toXState(entry), null, 2);
    files.set(`${entry.file}.xstate.json`, await format(machine, { ...likeTheRest, parser: 'json' }));
  }
  return files;
}

/** As `.prettierrc.json` has it. */
const likeTheRest: Options = { printWidth: 110, singleQuote: true };
