import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Mutation, Patch } from './mutation.ts';

export const repository: string = fileURLToPath(new URL('../..', import.meta.url));

/** Every mutation of every package, sorted by number, each of them checked to be applicable. */
export async function loadMutations(): Promise<Mutation[]> {
  const mutations: Mutation[] = [];
  for (const file of mutationFiles()) {
    const module = (await import(pathToFileURL(file).href)) as { mutations?: unknown };
    if (!Array.isArray(module.mutations)) throw new Error(`${file} exports no mutations`);
    mutations.push(...(module.mutations as Mutation[]));
  }
  const names = new Set<string>();
  for (const mutation of mutations) {
    const name = title(mutation);
    if (names.has(name)) throw new Error(`two mutations are called "${name}"`);
    names.add(name);
    applyPatches(patchesOf(mutation));
  }
  return mutations.sort((a, b) => a.number - b.number || (a.name < b.name ? -1 : 1));
}

export function title(mutation: Mutation): string {
  return `${mutation.number} ${mutation.name}`;
}

/** Every patch of a mutation, the bug itself first. */
export function patchesOf(mutation: Mutation): readonly Patch[] {
  const { file, find, replace, circumstances = [] } = mutation;
  return [{ file, find, replace }, ...circumstances];
}

/**
 * The patched text of every file that the patches change. A patch that does not fit exactly once is an error: it would
 * test nothing.
 */
export function applyPatches(patches: readonly Patch[]): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const { file, find, replace } of patches) {
    const source = texts.get(file) ?? readFileSync(join(repository, file), 'utf8');
    const parts = source.split(find);
    if (parts.length !== 2) throw new Error(`a patch fits ${parts.length - 1} times into ${file}: ${find}`);
    texts.set(file, parts.join(replace));
  }
  return texts;
}

function mutationFiles(): string[] {
  const packages = join(repository, 'packages');
  return readdirSync(packages)
    .flatMap((name) => filesIn(join(packages, name, 'mutations')))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
}

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .sort()
      .map((name) => join(directory, name));
  } catch {
    return [];
  }
}
