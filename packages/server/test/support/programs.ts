import { spawnSync } from 'node:child_process';

/**
 * Whether a program that the suite does not install is there. Without it the tests pass and say what they left out;
 * with `CI=true` that is a failure, because there it was to be installed.
 *
 * @example
 * describe.skipIf(!requireProgram('etcdctl', 'etcdctl against a cluster'))('etcdctl', …)
 */
export function requireProgram(name: string, whatIsLeftOut: string): boolean {
  if (spawnSync('sh', ['-c', `command -v ${name}`]).status === 0) return true;
  const message = `left out, because ${name} is not installed: ${whatIsLeftOut}`;
  if (process.env['CI'] === 'true') throw new Error(message);
  console.warn(message);
  return false;
}
