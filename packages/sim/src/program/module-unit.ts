import * as nodeModule from 'node:module';
import { extname, relative } from 'node:path';
import { Script } from 'node:vm';
import { messageOf } from '@flotilla/platform';
import { globalNames } from './global-names.ts';
import { isModuleFile, resolveImport } from './module-resolver.ts';
import type { ModuleTarget } from './module-resolver.ts';
import { moduleNames, moduleSyntax } from './module-syntax.ts';
import type { ModuleSyntax } from './module-syntax.ts';
import { programInvalid, programNotFound } from './program-error.ts';
import { isFile, readText } from './program-files.ts';

/** Makes JavaScript of a source: for TypeScript, JSX, or whatever else the program is written in. */
export type SourceTransform = (source: string, path: string) => string;

/** A module as it was read and compiled, once for all nodes, lives and runs. */
export type ModuleUnit =
  | { readonly type: 'json'; readonly path: string; readonly text: string }
  | { readonly type: 'addon'; readonly path: string }
  | CommonJsUnit
  | EsmUnit;

export interface CommonJsUnit {
  readonly type: 'commonjs';
  readonly path: string;
  /** Called with the globals of a node; answers the function that `require` runs. */
  readonly factory: AnyFunction;
}

export interface EsmUnit {
  readonly type: 'esm';
  readonly path: string;
  readonly syntax: ModuleSyntax;
  readonly targets: readonly ModuleTarget[];
  /** As {@link CommonJsUnit.factory}, with what the module imports besides: an object in `with`, then constants. */
  readonly factory: AnyFunction;
  /** Local names of imports whose value may still change after they were imported. */
  readonly liveImports: ReadonlySet<string>;
}

export type AnyFunction = (this: unknown, ...values: unknown[]) => unknown;

/** All modules of a program. */
export class ModuleUnits {
  readonly #units = new Map<string, ModuleUnit>();
  readonly #directory: string;
  readonly #transform: SourceTransform | undefined;

  constructor(directory: string, transform: SourceTransform | undefined) {
    this.#directory = directory;
    this.#transform = transform;
  }

  /**
   * The module in a file, and all that it imports.
   *
   * @throws FlotillaError `FLOTILLA_PROGRAM_NOT_FOUND`, `FLOTILLA_PROGRAM_INVALID`.
   */
  unit(path: string): ModuleUnit {
    const known = this.#units.get(path);
    if (known !== undefined) return known;
    if (!isFile(path)) throw programNotFound(path);
    const extension = extname(path);
    if (extension === '.json') return this.#keep({ type: 'json', path, text: readText(path) });
    if (extension === '.node') return this.#keep({ type: 'addon', path });
    const source = this.#javaScript(path);
    const syntax = parsed(source, path);
    const isModule = isModuleFile(path) ?? syntax.isModule;
    return isModule
      ? this.#esm(path, syntax)
      : this.#keep({ type: 'commonjs', path, factory: commonJs(syntax.code, path) });
  }

  has(path: string): boolean {
    return this.#units.has(path);
  }

  /** A path as messages tell it: from the folder of the program, so that it is the same on every machine. */
  shortName(path: string): string {
    return relative(this.#directory, path);
  }

  #keep<Unit extends ModuleUnit>(unit: Unit): Unit {
    this.#units.set(unit.path, unit);
    return unit;
  }

  #esm(path: string, syntax: ModuleSyntax): EsmUnit {
    const targets = syntax.requests.map((request) => resolveImport(request, path));
    // Kept before it is whole: modules that import each other find each other here.
    const liveImports = new Set<string>();
    const unit: { -readonly [Key in keyof EsmUnit]: EsmUnit[Key] } = {
      type: 'esm', path, syntax, targets, liveImports, factory: () => undefined,
    }; // prettier-ignore
    this.#units.set(path, unit);
    for (const target of targets) if (target.type === 'file') this.unit(target.path);
    for (const { local, imported, request } of syntax.imports) {
      if (!this.#isConstant(targets[request], imported, path)) liveImports.add(local);
    }
    unit.factory = esm(syntax, liveImports, path);
    return unit;
  }

  /** Whether what is imported has its last value when the importing module begins. */
  #isConstant(target: ModuleTarget | undefined, imported: string, importer: string): boolean {
    if (target?.type !== 'file') return true;
    const unit = this.#units.get(target.path);
    if (unit?.type !== 'esm') return true;
    if (imported === '*') return true;
    if (this.#reaches(unit, importer, new Set())) return false;
    const found = unit.syntax.exports.find(({ exported }) => exported === imported);
    if (found === undefined) return unit.syntax.stars.every((star) => this.#isConstant(unit.targets[star], imported, importer)); // prettier-ignore
    if ('stable' in found) return found.stable;
    return this.#isConstant(unit.targets[found.request], found.imported, importer);
  }

  #reaches(unit: EsmUnit, path: string, seen: Set<string>): boolean {
    if (seen.has(unit.path)) return false;
    seen.add(unit.path);
    return unit.targets.some((target) => {
      if (target.type !== 'file') return false;
      if (target.path === path) return true;
      const next = this.#units.get(target.path);
      return next?.type === 'esm' && this.#reaches(next, path, seen);
    });
  }

  #javaScript(path: string): string {
    const source = readText(path);
    if (this.#transform !== undefined) return this.#transform(source, path);
    if (!/\.[cm]?tsx?$/.test(path)) return source;
    // From Node 22.13 on it is there; before that, whoever has TypeScript brings what takes the types out.
    const strip: unknown = Reflect.get(nodeModule, 'stripTypeScriptTypes');
    if (typeof strip === 'function') return String(Reflect.apply(strip, undefined, [source]));
    throw programInvalid(
      path,
      'this version of Node strips no types: give `transform`, which makes JavaScript of it',
    );
  }
}

function parsed(source: string, path: string): ModuleSyntax {
  try {
    return moduleSyntax(source);
  } catch (cause) {
    throw programInvalid(path, messageOf(cause), cause);
  }
}

/** Globals are parameters of an outer function, so that the module may declare the same names for itself. */
function commonJs(code: string, path: string): AnyFunction {
  const parameters = [...globalNames, moduleNames.dynamicImport].join(', ');
  const inner = 'function (exports, require, module, __filename, __dirname) {';
  return compiled(`(function (${parameters}) { return ${inner}\n${code}\n} })`, path);
}

/**
 * Imports are parameters, too: their values are there when the module begins. Only those that may change later are
 * looked up at each use, in an object with a getter for each.
 */
function esm(syntax: ModuleSyntax, live: ReadonlySet<string>, path: string): AnyFunction {
  const { dynamicImport, meta } = moduleNames;
  const constants = syntax.imports.flatMap(({ local }) => (live.has(local) ? [] : [local]));
  const parameters = [
    ...globalNames,
    dynamicImport,
    meta,
    '__exported',
    '__done',
    '__live',
    ...constants,
  ].join(', ');
  const getters = syntax.exports.flatMap((name) =>
    'local' in name ? [`${JSON.stringify(name.exported)}: () => ${name.local}`] : [],
  );
  const head = `${syntax.awaits ? 'async ' : ''}function () { 'use strict'; __exported({ ${getters.join(', ')} });`;
  const body = `return ${head}\n${syntax.code}\n__done(); }`;
  const scoped = live.size === 0 ? body : `with (__live) { ${body} }`;
  return compiled(`(function (${parameters}) { ${scoped} })`, path);
}

function compiled(code: string, path: string): AnyFunction {
  try {
    return new Script(code, { filename: path, lineOffset: -1 }).runInThisContext() as AnyFunction;
  } catch (cause) {
    throw programInvalid(path, `${messageOf(cause)}${placeOf(cause)}`, cause);
  }
}

/** V8 writes `file:line` at the head of the stack of a syntax error. */
function placeOf(cause: unknown): string {
  const line = cause instanceof Error ? /:(\d+)\n/.exec(cause.stack ?? '')?.[1] : undefined;
  return line === undefined ? '' : ` (line ${line})`;
}
