import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { HuntResult } from './hunting.ts';

/** What the search for one bug came to when it was last recorded. Nothing in it depends on the machine. */
export type Found = Omit<Extract<HuntResult, { type: 'caught' }>, 'type' | 'searchSeconds' | 'html'>;

export const foundFile: string = fileURLToPath(new URL('./found.json', import.meta.url));

/** By the id of the bug. */
export function readFound(): Readonly<Record<string, Found>> {
  return JSON.parse(readFileSync(foundFile, 'utf8')) as Readonly<Record<string, Found>>;
}
