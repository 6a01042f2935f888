import * as fs from 'node:fs';

/**
 * The files of programs on the machine that simulates. Taken when this is loaded: while a simulation runs the functions
 * of `node:fs` themselves are guarded, and a program may import one of its modules at any time.
 */
const { readFileSync, realpathSync, statSync } = { ...fs };

export function readText(path: string): string {
  return readFileSync(path, 'utf8');
}

export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

export function realPath(path: string): string {
  return realpathSync(path);
}
