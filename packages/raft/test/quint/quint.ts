import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const directory = fileURLToPath(new URL('../../../../spec/', import.meta.url));
const cli = join(directory, 'node_modules/@informalsystems/quint/dist/src/cli.js');

/** The published specification. */
export const specificationFile = join(directory, 'raft.qnt');

/** Puts Quint beside the specification, from its own lock file, unless it is there. */
export function requireQuint(): void {
  if (existsSync(cli)) return;
  console.log('installing Quint into spec/node_modules');
  const { status } = spawnSync('npm', ['ci', '--ignore-scripts'], { cwd: directory, stdio: 'inherit' });
  if (status !== 0) throw new Error(`npm ci in ${directory} ended with ${status}`);
}

export interface Simulated {
  /** `violated`: an invariant does not hold. */
  readonly outcome: 'ok' | 'violated';
  /** What Quint said, for people. */
  readonly text: string;
  /** As they were asked for, in the Informal Trace Format. */
  readonly traces: readonly unknown[];
}

export interface SimulateOptions {
  readonly samples: number;
  readonly steps: number;
  readonly seed: number;
  /** Of the samples, how many are kept. */
  readonly traces: number;
}

/** Throws where the specification has no meaning. */
export function typecheck(file: string): void {
  const { status, text } = quint(['typecheck', file]);
  if (status !== 0) throw new Error(text);
}

/** Draws runs of a specification, and looks at its invariants in every state. Throws where it cannot be evaluated. */
function simulate(file: string, { samples, steps, seed, traces }: SimulateOptions): Simulated {
  const out = mkdtempSync(join(tmpdir(), 'flotilla-quint-'));
  try {
    const { status, text } = quint([
      'run',
      file,
      // The other one is a program that Quint would download.
      '--backend=typescript',
      '--invariant=invariants',
      '--verbosity=2',
      `--max-samples=${samples}`,
      `--max-steps=${steps}`,
      `--seed=${seed}`,
      ...(traces === 0
        ? []
        : ['--mbt', `--n-traces=${traces}`, `--out-itf=${join(out, 'trace_{seq}.itf.json')}`]),
    ]);
    const files = readdirSync(out).map((name) => readFileSync(join(out, name), 'utf8'));
    const isViolated = status !== 0 && text.includes('Invariant violated');
    if (status !== 0 && !isViolated) throw new Error(text);
    const outcome = isViolated ? 'violated' : 'ok';
    return { outcome, text, traces: files.map((its) => JSON.parse(its) as unknown) };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** The same for a specification that is given as text. */
export function simulateText(text: string, options: SimulateOptions): Simulated {
  const place = mkdtempSync(join(tmpdir(), 'flotilla-quint-'));
  try {
    const file = join(place, 'raft.qnt');
    writeFileSync(file, text);
    typecheck(file);
    return simulate(file, options);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

function quint(args: readonly string[]): { readonly status: number | null; readonly text: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    encoding: 'utf8',
    maxBuffer: OUTPUT_BYTES,
  });
  return { status, text: `${stdout}${stderr}`.trim() };
}

const OUTPUT_BYTES = 64 * 1024 * 1024;
