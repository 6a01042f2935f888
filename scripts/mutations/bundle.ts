import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { loadedMark } from './job.ts';
import type { Patch } from './mutation.ts';
import { applyPatches, repository } from './registry.ts';

/**
 * One file with `entry` (a module's text, at the root of the repository), the patched modules and all that they import:
 * a thread has it running in a tenth of the time that it takes to load the modules one by one. Answers its path.
 */
export async function bundle(entry: string, patches: readonly Patch[]): Promise<string> {
  const outfile = join(mkdtempSync(join(tmpdir(), 'mutation-')), 'job.mjs');
  await build({
    stdin: { contents: entry, resolveDir: repository },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    keepNames: true,
    logLevel: 'silent',
    plugins: [...applyPatches(patches)].map(([file, text]) => patch(file, text)),
    // Bundled CommonJS asks for Node's modules by `require`.
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
    },
  });
  return outfile;
}

/** Serves the patched text of one module; everything else is read as always. */
function patch(file: string, text: string): Plugin {
  const mark = `(globalThis.${loadedMark} ??= []).push(${JSON.stringify(file)});`;
  return {
    name: 'mutation',
    setup(building) {
      building.onLoad({ filter: new RegExp(`^${escapeRegExp(join(repository, file))}$`) }, () => ({
        contents: mark + text,
        loader: 'ts',
      }));
    },
  };
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
