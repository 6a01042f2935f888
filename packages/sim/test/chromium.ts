import { spawnSync } from 'node:child_process';

/**
 * Where the system's Chromium is, or null. Without it the tests that need it are left out and say so; with `CI=true`
 * that is a failure, because there it was to be installed.
 */
export function findChromium(whatIsLeftOut: string): string | null {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    const { status, stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
    if (status === 0) return stdout.trim();
  }
  const message = `left out, because chromium is not installed: ${whatIsLeftOut}`;
  if (process.env['CI'] === 'true') throw new Error(message);
  console.warn(message);
  return null;
}
