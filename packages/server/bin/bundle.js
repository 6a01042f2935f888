// Bundles the sources of `flotilla serve`, `dev` and `maelstrom` in a checkout; published packages have `dist`.
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const packageDirectory = fileURLToPath(new URL('..', import.meta.url));
// Two levels below the package, as the sources are: their paths relative to themselves stay right.
const cacheDirectory = join(packageDirectory, '.cache');
/** A process that has found a bundle reads all of it within its first second. */
const keepOldMs = 600_000;
const manifestPath = join(cacheDirectory, 'start.json');

/** The bundle's URL, made when it is missing or older than a source; null when it cannot be made. */
export async function bundled() {
  try {
    const manifest = readManifest();
    const entry = manifest !== null && isFresh(manifest) ? manifest.entry : await build();
    return pathToFileURL(join(cacheDirectory, entry));
  } catch {
    // A checkout that cannot be written to, a source that does not compile: tsx shows what is wrong.
    return null;
  }
}

function readManifest() {
  try {
    return JSON.parse(readFileSync(manifestPath, 'utf8'));
  } catch {
    return null;
  }
}

function isFresh(manifest) {
  if (!existsSync(join(cacheDirectory, manifest.entry))) return false;
  return manifest.inputs.every(([path, stamp]) => stampOf(path) === stamp);
}

/** Path relative to the package → modification time and size; null when it is gone. */
function stampOf(path) {
  const stats = statSync(resolve(packageDirectory, path), { throwIfNoEntry: false });
  return stats === undefined ? null : `${stats.mtimeMs} ${stats.size}`;
}

async function build() {
  const require = createRequire(import.meta.url);
  const esbuild = createRequire(require.resolve('tsx'))('esbuild');
  const startedMs = Date.now();
  const result = await esbuild.build({
    entryPoints: [join(packageDirectory, 'src/cli/main.ts')],
    outdir: join(cacheDirectory, 'out'),
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    sourcemap: 'linked',
    sourcesContent: false,
    write: false,
    metafile: true,
    logLevel: 'silent',
    // Native code, and threads of its own, cannot be bundled; the other commands are not worth it.
    external: ['lmdb', 'pino', '@node-rs/bcrypt', 'jose', './simulate.ts', './bench.ts'],
    // Bundled CommonJS asks for Node's modules by `require`.
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
    },
  });
  // It keeps a process of its own, which a member has no use for.
  await esbuild.stop();
  const hash = createHash('sha256');
  for (const file of result.outputFiles) hash.update(file.contents);
  const name = `start-${hash.digest('hex').slice(0, 16)}`;
  mkdirSync(join(cacheDirectory, name), { recursive: true });
  for (const file of result.outputFiles) {
    replaceFile(join(cacheDirectory, name, relative(join(cacheDirectory, 'out'), file.path)), file.contents);
  }
  const manifest = { entry: join(name, 'main.js'), inputs: stampsOf(result.metafile, startedMs) };
  replaceFile(manifestPath, JSON.stringify(manifest));
  removeOld(name, startedMs);
  return manifest.entry;
}

/** Bundles that no process can be about to read any more. */
function removeOld(current, nowMs) {
  for (const name of readdirSync(cacheDirectory)) {
    if (!name.startsWith('start-') || name === current) continue;
    const path = join(cacheDirectory, name);
    if (nowMs - statSync(path).mtimeMs > keepOldMs) rmSync(path, { recursive: true, force: true });
  }
}

/** Manifests of packages count as inputs: they say which file a name means. */
function stampsOf(metafile, startedMs) {
  const paths = new Set(Object.keys(metafile.inputs).map((path) => resolve(path)));
  for (const path of Array.from(paths)) {
    for (let directory = dirname(path); directory !== dirname(directory); directory = dirname(directory)) {
      const manifest = join(directory, 'package.json');
      if (!existsSync(manifest)) continue;
      paths.add(manifest);
      break;
    }
  }
  return [...paths].map((path) => {
    const name = relative(packageDirectory, path);
    // What was written while it was read may or may not be in the bundle: it is not fresh at the next start.
    const { mtimeMs } = statSync(path);
    return [name, mtimeMs >= startedMs ? 'changed meanwhile' : stampOf(name)];
  });
}

/** Members of one cluster start at the same time and may all build: each file is one or the other, never a mixture. */
function replaceFile(path, contents) {
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}
