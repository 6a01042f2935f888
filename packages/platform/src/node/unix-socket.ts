import { lstatSync, unlinkSync } from 'node:fs';

/**
 * A process that was killed leaves its socket behind, and nobody could listen there again. As in etcd, what was meant
 * to listen there last wins; what is no socket stays.
 */
export function removeStaleSocket(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true) unlinkSync(path);
}
