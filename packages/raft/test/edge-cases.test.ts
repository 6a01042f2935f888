import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { mutations as coreMutations } from '../mutations/core.ts';
import { mutations as leaseMutations } from '../mutations/host-leases.ts';
import { mutations as snapshotMutations } from '../mutations/host-snapshots.ts';
import { mutations as hostMutations } from '../mutations/host.ts';
import { mutations as logMutations } from '../mutations/log.ts';
import { scenarios } from '../simulation/scenarios/all.ts';

const page = fileURLToPath(new URL('../../../docs/edge-cases.md', import.meta.url));
const text = readFileSync(page, 'utf8');
const spec = readFileSync(fileURLToPath(new URL('../SPEC.md', import.meta.url)), 'utf8');

interface Trap {
  readonly title: string;
  readonly section: string;
  readonly here: string;
  readonly proof: string;
}

function traps(): Trap[] {
  return text
    .split('\n## ')
    .slice(1)
    .flatMap((part) => {
      const section = part.slice(0, part.indexOf('\n'));
      return part
        .split('\n### ')
        .slice(1)
        .map((body) => ({
          title: body.slice(0, body.indexOf('\n')),
          section,
          here: /\*\*Here:\*\* (.*)/.exec(body)?.[1] ?? '',
          proof: /\*\*Proof:\*\* (.*)\.$/m.exec(body)?.[1] ?? '',
        }));
    });
}

/** Links of Markdown, with what they show. */
function linksIn(markdown: string): { readonly shown: string; readonly path: string }[] {
  return [...markdown.matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)].map(([, shown = '', path = '']) => ({
    shown,
    path: join(dirname(page), path),
  }));
}

const mutations = new Set(
  [...coreMutations, ...hostMutations, ...logMutations, ...leaseMutations, ...snapshotMutations].map(
    ({ number, name }) => `${number} «${name}»`,
  ),
);
const numbers = new Set(scenarios.map(({ number }) => number));

/** What a proof names does not exist, in words; null: it does. */
function problemOf(proof: string): string | null {
  if (/^[IH]\d+$/.test(proof)) return spec.includes(`| ${proof} |`) ? null : `no invariant ${proof}`;
  const mutation = /^mutation (.*)$/.exec(proof)?.[1];
  if (mutation !== undefined) return mutations.has(mutation) ? null : `no mutation ${mutation}`;
  const scenario = /^scenario (.*)$/.exec(proof)?.[1];
  if (scenario !== undefined) return numbers.has(scenario) ? null : `no scenario ${scenario}`;
  const [, name] = /^«(.*)» \(\[.*\]\(.*\)\)$/.exec(proof) ?? [];
  const [link] = linksIn(proof);
  if (name === undefined || link === undefined) return `cannot read «${proof}»`;
  const source = existsSync(link.path) ? readFileSync(link.path, 'utf8') : '';
  return [`'${name}'`, `"${name}"`, `\`${name}\``].some((quoted) => source.includes(quoted))
    ? null
    : `no test «${name}» in ${link.shown}`;
}

describe('docs/edge-cases.md', () => {
  it.each(traps().filter(({ section }) => section !== 'What is not here yet'))(
    '$title: names code and proofs that exist',
    ({ here, proof }) => {
      expect(here).not.toBe('');
      const proofs = proof.split(/; (?=[IH]\d|mutation |scenario |«)/);
      expect(proofs.map(problemOf).filter((problem) => problem !== null)).toEqual([]);
      for (const { shown, path } of linksIn(here)) {
        expect([path, existsSync(path)]).toEqual([path, true]);
        const name = /^`#?(\w+)`$/.exec(shown)?.[1];
        if (name !== undefined)
          expect([shown, new RegExp(`\\b${name}\\b`).test(readFileSync(path, 'utf8'))]).toEqual([
            shown,
            true,
          ]);
      }
    },
  );

  it('claims nothing for what is not here yet', () => {
    const open = traps().filter(({ section }) => section === 'What is not here yet');
    expect(open.map(({ proof }) => proof)).toEqual(open.map(() => ''));
  });

  it('links to nothing that is missing', () => {
    expect(linksIn(text).filter(({ path }) => !existsSync(path))).toEqual([]);
  });
});
