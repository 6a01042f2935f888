import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Mutation } from './mutation.ts';

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
    applyMutation(mutation);
  }
  return mutations.sort((a, b) => a.number - b.number || (a.name < b.name ? -1 : 1));
}

export function title(mutation: Mutation): string {
  return `${mutation.number} ${mutation.name}`;
}

/** The patched source text. A patch that does not fit exactly once is an error: it would test nothing. */
export function applyMutation(mutation: Pick<Mutation, 'file' | 'find' | 'replace' | 'name'>): string {
  const source = readFileSync(join(repository, mutation.file), 'utf8');
  const parts = source.split(mutation.find);
  if (parts.length !== 2) {
    const times = parts.length - 1;
    throw new Error(`"${mutation.name}" fits ${times} times into ${mutation.file}: ${mutation.find}`);
  }
  return parts.join(mutation.replace);
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
