import { fileURLToPath } from 'node:url';
import type { Found } from './found.ts';
import type { Hunted } from './hunted.ts';

export const pageFile: string = fileURLToPath(new URL('../../docs/famous-bugs.md', import.meta.url));

/** `docs/famous-bugs.md`: the bugs, and what was found of each. */
export function renderPage(hunted: readonly Hunted[], found: Readonly<Record<string, Found>>): string {
  const rows = hunted.map((one) => row(one, found[one.bug.id]));
  const sections = hunted.map((one) => section(one, found[one.bug.id]));
  return `${head}\n${rows.join('\n')}\n\n${sections.join('\n\n')}\n`;
}

const head = `# Bugs of other Raft implementations, found here

Each is brought about in our own code, by a patch that \`npm run mutations\` knows as well, and searched for in the simulation of consensus with the seeds 1, 2, 3 and so on. \`npm run famous-bugs\` does it before your eyes: it searches, shrinks what it finds, says what is left in plain words, and shows that the code without the bug is clean on the same seeds. \`-- --only hashicorp-695 --reports .\` does so for one, and leaves a page that shows the run. This page is written by \`-- --record\`, and a test compares it with what was recorded. Once the simulation changes, a seed draws another run; the test then finds the bug with another one.

| Bug | Of | Mutation | First seed | Violates | Left after shrinking |
| --- | --- | --- | ---: | --- | --- |`;

function row({ bug, scenario }: Hunted, found: Found | undefined): string {
  const { name, source, mutation, id } = bug;
  const cells = [`[${name}](#${anchorOf(name)})`, `[${source.name}](${source.url})`, mutation];
  if (found === undefined) return `| ${cells.join(' | ')} | – | – | not recorded: \`${id}\` |`;
  const left = `${counted(found.faultsLeft, 'fault')} of ${found.faultsBefore}, ${counted(found.choicesLeft, 'choice')} of ${found.choicesBefore}`;
  return `| ${[...cells, `${found.seed} (${scenario})`, found.invariant, left].join(' | ')} |`;
}

function section({ bug, scenario, files }: Hunted, found: Found | undefined): string {
  const lines = [
    `## ${bug.name}`,
    `**There** ([${bug.source.name}](${bug.source.url})): ${bug.there}`,
    `**Here** (${files.map((file) => `\`${file}\``).join(', ')}): ${bug.here}`,
  ];
  if (found !== undefined) lines.push(search(scenario, found), script(found));
  lines.push(bug.explanation);
  return lines.join('\n\n');
}

function search(scenario: string, found: Found): string {
  const { seed, seedsTried, shrunkSeed, attempts } = found;
  const other =
    shrunkSeed === seed ? '' : ` Seed ${shrunkSeed} fails sooner, so that is the one that was shrunk,`;
  const shrunk = `${other === '' ? ' It was shrunk' : other} in ${counted(attempts, 'run')}.`;
  return `**Found** by \`${scenario}\`, seed ${seed}, the ${ordinal(seedsTried)} that was tried.${shrunk} What is left:`;
}

function script({ story, invariant, message, choices }: Found): string {
  const drawn = choices.map(({ label, count }) => (count === 1 ? label : `${label} (${count})`));
  return [
    '```',
    ...story,
    `VIOLATION of ${invariant}: ${message}`,
    '```',
    '',
    `Drawn besides harmless choices: ${drawn.join(', ') || 'nothing'}.`,
  ].join('\n');
}

/** As GitHub names headings. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} -]/gu, '')
    .replaceAll(' ', '-');
}

function counted(value: number, noun: string): string {
  return `${value} ${noun}${value === 1 ? '' : 's'}`;
}

function ordinal(value: number): string {
  const endings: Readonly<Record<number, string>> = { 1: 'st', 2: 'nd', 3: 'rd' };
  const isTeen = value % 100 >= 11 && value % 100 <= 13;
  return `${value}${isTeen ? 'th' : (endings[value % 10] ?? 'th')}`;
}
