import { execFileSync, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = realpathSync(fileURLToPath(new URL('../../../../', import.meta.url)));

/**
 * The commit named in `compatibility/baseline`: the oldest build whose members must work with the present ones, in both
 * directions. Null when this checkout does not hold it (a shallow clone).
 */
export function baselineCommit(): string | null {
  const commit = readFileSync(join(root, 'compatibility/baseline'), 'utf8').trim();
  const found = spawnSync('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd: root, stdio: 'ignore' });
  return found.status === 0 ? commit : null;
}

/** A checkout of the baseline that runs; gone after {@link BaselineCheckout.remove}. */
export class BaselineCheckout {
  readonly launcher: string;
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
    this.launcher = join(directory, 'packages/server/bin/flotilla.js');
  }

  static create(commit: string): BaselineCheckout {
    const directory = realpathSync(mkdtempSync(join(tmpdir(), 'flotilla-baseline-')));
    const archive = execFileSync('git', ['archive', commit], { cwd: root, maxBuffer: 256 * 1024 * 1024 });
    execFileSync('tar', ['-x', '-C', directory], { input: archive });
    const present = new Set(runtimeDependencies(root));
    if (runtimeDependencies(directory).every((pinned) => present.has(pinned))) shareModules(directory);
    else execFileSync('npm', ['ci', '--ignore-scripts'], { cwd: directory, stdio: 'ignore' });
    return new BaselineCheckout(directory);
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** What the member's own code depends on, as the lock file pins it; development tools may differ. */
function runtimeDependencies(checkout: string): string[] {
  const lock = JSON.parse(readFileSync(join(checkout, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly version?: string; readonly dev?: boolean }>>;
  };
  const pinned = Object.entries(lock.packages).filter(
    ([path, { dev }]) => path.includes('node_modules/') && dev !== true,
  );
  return pinned.map(([path, { version }]) => `${path} ${version ?? ''}`);
}

/** Libraries are this checkout's; the packages of the workspace are the other one's own. */
function shareModules(directory: string): void {
  const from = join(root, 'node_modules');
  const to = join(directory, 'node_modules');
  for (const name of readdirSync(from).flatMap((entry) => modulesOf(from, entry))) {
    const target = realpathSync(join(from, name));
    const inside = relative(root, target);
    const isWorkspace = inside.startsWith('packages/');
    mkdirSync(dirname(join(to, name)), { recursive: true });
    symlinkSync(isWorkspace ? join(directory, inside) : target, join(to, name));
  }
}

function modulesOf(directory: string, entry: string): string[] {
  if (entry.startsWith('.')) return [];
  return entry.startsWith('@')
    ? readdirSync(join(directory, entry)).map((name) => join(entry, name))
    : [entry];
}
