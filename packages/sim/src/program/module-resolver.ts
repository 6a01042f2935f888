import { createRequire, isBuiltin } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { nodeError } from './program-error.ts';
import { isDirectory, isFile, readText, realPath } from './program-files.ts';

/** What a module request means: a module of Node itself, without `node:`, or a file. */
export type ModuleTarget =
  { readonly type: 'builtin'; readonly name: string } | { readonly type: 'file'; readonly path: string };

/** The value of `exports` or `imports` in a `package.json`, or a part of it. */
type Conditional = string | null | readonly Conditional[] | { readonly [condition: string]: Conditional };

interface PackageJson {
  readonly name?: string;
  readonly type?: string;
  readonly main?: string;
  readonly exports?: Conditional;
  readonly imports?: Conditional;
}

/** Finds the module that `import` of `request` in the file `from` names, by the rules of Node. */
export function resolveImport(request: string, from: string): ModuleTarget {
  if (isBuiltin(request)) return builtin(request);
  if (/^\.{0,2}\//.test(request) || request.startsWith('file:')) {
    return file(fileURLToPath(new URL(request, pathToFileURL(from))), request, from);
  }
  if (request.startsWith('#')) return resolveInternal(request, from);
  const [, name = '', rest = ''] = /^((?:@[^/]+\/)?[^/]+)(.*)$/.exec(request) ?? [];
  const own = packageOf(from);
  const directory =
    own?.json.name === name && own.json.exports !== undefined ? own.directory : installed(name, from);
  if (directory === null) throw notFound(request, from);
  const json = packageJson(directory);
  if (json?.exports !== undefined && json.exports !== null) {
    const found = exported(json.exports, `.${rest}`);
    if (found === null) {
      throw nodeError(
        'ERR_PACKAGE_PATH_NOT_EXPORTED',
        `the package ${name} does not export .${rest} (imported from ${from})`,
      );
    }
    return file(join(directory, found), request, from);
  }
  if (rest !== '') return file(join(directory, rest), request, from);
  return resolveRequire(request, from);
}

/** Finds the module that `require` of `request` in the file `from` names. */
export function resolveRequire(request: string, from: string): ModuleTarget {
  if (isBuiltin(request)) return builtin(request);
  return { type: 'file', path: createRequire(from).resolve(request) };
}

/** Whether a file is an ECMAScript module by its name and its package; null: neither says so. */
export function isModuleFile(path: string): boolean | null {
  if (/\.m[jt]s$/.test(path)) return true;
  if (/\.c[jt]s$/.test(path)) return false;
  const type = packageOf(path)?.json.type;
  return type === undefined ? null : type === 'module';
}

function builtin(request: string): ModuleTarget {
  return { type: 'builtin', name: request.replace(/^node:/, '') };
}

function file(path: string, request: string, from: string): ModuleTarget {
  if (!isFile(path)) throw notFound(request, from);
  return { type: 'file', path: realPath(path) };
}

function notFound(request: string, from: string): Error {
  return nodeError('ERR_MODULE_NOT_FOUND', `cannot find «${request}», which ${from} imports`);
}

function resolveInternal(request: string, from: string): ModuleTarget {
  const own = packageOf(from);
  const found = own === null ? null : exported(own.json.imports ?? null, request);
  if (own === null || found === null) throw notFound(request, from);
  if (found.startsWith('./')) return file(join(own.directory, found), request, from);
  return resolveImport(found, from);
}

/** Where `subpath` leads by a map of exports, or null. */
function exported(map: Conditional, subpath: string): string | null {
  const isMap = typeof map === 'object' && map !== null && Object.keys(map).some((key) => /^[.#]/.test(key));
  if (!isMap) return subpath === '.' ? conditional(map, '') : null;
  const entries = Object.entries(map as Record<string, Conditional>);
  const exact = entries.find(([key]) => key === subpath);
  if (exact !== undefined) return conditional(exact[1], '');
  const patterns = entries.filter(([key]) => key.includes('*')).sort(([a], [b]) => b.length - a.length);
  for (const [key, value] of patterns) {
    const [before = '', after = ''] = key.split('*');
    if (!subpath.startsWith(before) || !subpath.endsWith(after) || subpath.length < key.length) continue;
    return conditional(value, subpath.slice(before.length, subpath.length - after.length));
  }
  return null;
}

function conditional(value: Conditional, star: string): string | null {
  if (typeof value === 'string') return value.replaceAll('*', star);
  if (value === null) return null;
  const isList = (candidate: unknown): candidate is readonly Conditional[] => Array.isArray(candidate);
  const choices = isList(value)
    ? value
    : Object.entries(value).flatMap(([condition, choice]) =>
        ['node', 'import', 'module-sync', 'default'].includes(condition) ? [choice] : [],
      );
  for (const choice of choices) {
    const found = conditional(choice, star);
    if (found !== null) return found;
  }
  return null;
}

function installed(name: string, from: string): string | null {
  for (let directory = dirname(from); ; directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', name);
    if (isDirectory(candidate)) return realPath(candidate);
    if (directory === dirname(directory)) return null;
  }
}

/** The package that a file belongs to. */
function packageOf(path: string): { readonly directory: string; readonly json: PackageJson } | null {
  for (let directory = dirname(resolve(path)); ; directory = dirname(directory)) {
    const json = packageJson(directory);
    if (json !== null) return { directory, json };
    if (directory === dirname(directory)) return null;
  }
}

function packageJson(directory: string): PackageJson | null {
  const path = join(directory, 'package.json');
  return isFile(path) ? (JSON.parse(readText(path)) as PackageJson) : null;
}
