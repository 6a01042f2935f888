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

/**
 * A Python that can import the module, or null, which is reported as by {@link requireProgram}. The system's own comes
 * first: Debian installs modules for it, whichever `python3` is first in the path.
 */
export function requirePython(module: string, whatIsLeftOut: string): string | null {
  for (const python of ['/usr/bin/python3', 'python3']) {
    if (spawnSync(python, ['-c', `import ${module}`]).status === 0) return python;
  }
  requireProgram(`python3-${module}`, whatIsLeftOut);
  return null;
}
