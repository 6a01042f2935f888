import * as nodeModule from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Builtins } from './builtins.ts';
import { globalNames } from './global-names.ts';
import { resolveImport, resolveRequire } from './module-resolver.ts';
import type { ModuleTarget } from './module-resolver.ts';
import type { AnyFunction, CommonJsUnit, EsmUnit, ModuleUnits } from './module-unit.ts';
import { nodeError } from './program-error.ts';
import type { ProgramRuntime } from './runtime.ts';
import { trackedModule } from './tracked.ts';

const { builtinModules, isBuiltin } = nodeModule;

/** A namespace: the exports of a module by their names. */
export type Namespace = Record<string, unknown>;

interface EsmInstance {
  readonly unit: EsmUnit;
  readonly namespace: Namespace;
  /** Of the variables that it exports, once it has begun. */
  getters: Readonly<Record<string, () => unknown>> | null;
  state: 'new' | 'running' | 'done';
  /** While something in it, or before it, is awaited; and for good when it has failed. */
  pending: Promise<void> | null;
  thrown: { readonly cause: unknown } | null;
}

interface CommonJsModule {
  readonly id: string;
  readonly filename: string;
  readonly path: string;
  exports: unknown;
  loaded: boolean;
  readonly children: unknown[];
  readonly paths: string[];
}

/** The modules of one life of a program: each is evaluated once, in the order of ECMAScript or at its `require`. */
export class ModuleInstances {
  readonly #runtime: ProgramRuntime;
  readonly #units: ModuleUnits;
  readonly #builtins: Builtins;
  readonly #globals: readonly unknown[];
  readonly #esm = new Map<string, EsmInstance>();
  readonly #commonJs = new Map<string, CommonJsModule>();
  readonly #cache: Record<string, CommonJsModule> = {};

  constructor(runtime: ProgramRuntime) {
    this.#runtime = runtime;
    this.#units = runtime.options.units;
    this.#builtins = new Builtins(runtime);
    this.#globals = globalNames.map((name) => this.#builtins.globals[name]);
  }

  /** Evaluates a module and all that it imports; answers its namespace when that is done. */
  async import(target: ModuleTarget): Promise<Namespace> {
    const pending = this.#evaluate(target, new Set());
    if (pending !== null) await pending;
    return this.#namespace(target);
  }

  /** Null: it is done already. */
  #evaluate(target: ModuleTarget, importers: ReadonlySet<string>): Promise<void> | null {
    if (target.type === 'builtin') return null;
    const unit = this.#units.unit(target.path);
    if (unit.type !== 'esm') {
      this.#require(target);
      return null;
    }
    const instance = this.#instance(unit);
    if (instance.thrown !== null) throw instance.thrown.cause;
    if (instance.state === 'done') return null;
    // Modules that import each other: the one that began first goes on last.
    if (importers.has(unit.path)) return null;
    if (instance.state === 'running') return instance.pending;
    instance.state = 'running';
    const all = new Set([...importers, unit.path]);
    try {
      instance.pending = this.#evaluateFrom(instance, 0, all);
    } catch (cause) {
      instance.thrown = { cause };
      throw cause;
    }
    if (instance.pending === null) instance.state = 'done';
    return instance.pending;
  }

  /** The modules that `instance` imports from the `index`th on, then its own body. */
  #evaluateFrom(instance: EsmInstance, index: number, importers: ReadonlySet<string>): Promise<void> | null {
    const { targets } = instance.unit;
    for (let i = index; i < targets.length; i += 1) {
      const pending = this.#evaluate(targets[i] as ModuleTarget, importers);
      if (pending === null) continue;
      return pending.then(async () => {
        await this.#evaluateFrom(instance, i + 1, importers);
        instance.state = 'done';
      });
    }
    return this.#body(instance);
  }

  #body(instance: EsmInstance): Promise<void> | null {
    const { unit } = instance;
    this.#link(instance);
    const live: Namespace = {};
    const constants: unknown[] = [];
    for (const { local, imported, request } of unit.syntax.imports) {
      const target = unit.targets[request] as ModuleTarget;
      if (unit.liveImports.has(local))
        Object.defineProperty(live, local, { get: () => this.#imported(unit, target, imported) }); // prettier-ignore
      else constants.push(this.#imported(unit, target, imported));
    }
    let done = false;
    const exported = (getters: Readonly<Record<string, () => unknown>>): void => {
      instance.getters = getters;
    };
    const body = Reflect.apply(unit.factory, undefined, [
      ...this.#globals,
      (request: unknown) => this.#dynamicImport(request, unit.path),
      this.#meta(unit.path),
      exported,
      () => (done = true),
      live,
      ...constants,
    ]) as AnyFunction;
    const answer = Reflect.apply(body, undefined, []);
    if (done) return null;
    return (answer as Promise<unknown>).then(() => {
      instance.state = 'done';
    });
  }

  /** What `export * from` adds is known when those modules are. Names are in order, whosoever they are. */
  #link({ unit, namespace }: EsmInstance): void {
    const all = Object.getOwnPropertyDescriptors(namespace);
    for (const star of unit.syntax.stars) {
      const target = unit.targets[star] as ModuleTarget;
      for (const name of Object.keys(this.#namespace(target))) {
        if (name === 'default' || Object.hasOwn(all, name)) continue;
        all[name] = { enumerable: true, configurable: true, get: () => this.#namespace(target)[name] };
      }
    }
    if (unit.syntax.stars.length === 0) return;
    for (const name of Object.keys(all).sort((a, b) => (a < b ? -1 : 1))) {
      Reflect.deleteProperty(namespace, name);
      Object.defineProperty(namespace, name, all[name] as PropertyDescriptor);
    }
  }

  #imported(unit: EsmUnit, target: ModuleTarget, name: string): unknown {
    const namespace = this.#namespace(target);
    if (name === '*') return namespace;
    if (name in namespace) return namespace[name];
    const request = unit.syntax.requests[unit.targets.indexOf(target)] ?? '';
    throw new SyntaxError(`The requested module '${request}' does not provide an export named '${name}'`);
  }

  #namespace(target: ModuleTarget): Namespace {
    if (target.type === 'builtin') return this.#asNamespace(this.#builtin(target.name));
    const unit = this.#units.unit(target.path);
    if (unit.type === 'esm') return this.#instance(unit).namespace;
    return this.#asNamespace(this.#require(target));
  }

  /** The namespace of what is no ECMAScript module: its members, and itself as the default. */
  #asNamespace(exports: unknown): Namespace {
    const isObject = (typeof exports === 'object' && exports !== null) || typeof exports === 'function';
    const known = isObject ? this.#wrapped.get(exports) : undefined;
    if (known !== undefined) return known;
    const namespace: Namespace = Object.create(null) as Namespace;
    const names = isObject ? Object.keys(exports).filter((name) => name !== 'default') : [];
    for (const name of names) {
      Object.defineProperty(namespace, name, {
        enumerable: true,
        get: () => Reflect.get(Object(exports), name) as unknown,
      });
    }
    namespace['default'] = exports;
    if (isObject) this.#wrapped.set(exports, namespace);
    return namespace;
  }

  readonly #wrapped = new WeakMap<object, Namespace>();

  #instance(unit: EsmUnit): EsmInstance {
    const known = this.#esm.get(unit.path);
    if (known !== undefined) return known;
    const namespace: Namespace = Object.create(null) as Namespace;
    const instance: EsmInstance = {
      unit,
      namespace,
      getters: null,
      state: 'new',
      pending: null,
      thrown: null,
    };
    this.#esm.set(unit.path, instance);
    const names = [...unit.syntax.exports].sort((a, b) => (a.exported < b.exported ? -1 : 1));
    for (const name of names) {
      const get = (): unknown => {
        if ('request' in name)
          return this.#imported(unit, unit.targets[name.request] as ModuleTarget, name.imported);
        const getter = instance.getters?.[name.exported];
        if (getter === undefined)
          throw new ReferenceError(`Cannot access '${name.exported}' before initialization`);
        return getter();
      };
      Object.defineProperty(namespace, name.exported, { enumerable: true, configurable: true, get });
    }
    Object.defineProperty(namespace, Symbol.toStringTag, { value: 'Module' });
    return instance;
  }

  async #dynamicImport(request: unknown, from: string): Promise<Namespace> {
    return await this.import(resolveImport(String(request), from));
  }

  #meta(path: string): object {
    const url = pathToFileURL(path).href;
    const resolve = (request: string): string => {
      const target = resolveImport(request, path);
      return target.type === 'builtin' ? `node:${target.name}` : pathToFileURL(target.path).href;
    };
    return { dirname: dirname(path), filename: path, url, resolve };
  }

  #require(target: ModuleTarget): unknown {
    if (target.type === 'builtin') return this.#builtin(target.name);
    const unit = this.#units.unit(target.path);
    switch (unit.type) {
      case 'json':
        return this.#json(unit.path, unit.text);
      case 'addon':
        return this.#runtime.uncontrolled(`the native addon ${unit.path}`, () => {
          throw nodeError('ERR_DLOPEN_FAILED', 'native addons cannot be loaded in a simulation');
        });
      case 'esm':
        return this.#requireEsm(unit);
      case 'commonjs':
        return this.#requireCommonJs(unit);
    }
  }

  #requireCommonJs(unit: CommonJsUnit): unknown {
    const { path } = unit;
    const known = this.#commonJs.get(path);
    if (known !== undefined) return known.exports;
    const module: CommonJsModule = { id: path, filename: path, path: dirname(path), exports: {}, loaded: false, children: [], paths: [] }; // prettier-ignore
    this.#commonJs.set(path, module);
    this.#cache[path] = module;
    this.#runtime.watchGlobals();
    const globals = [...this.#globals, (request: unknown) => this.#dynamicImport(request, path)];
    const body = Reflect.apply(unit.factory, undefined, globals) as AnyFunction;
    try {
      Reflect.apply(body, module.exports, [
        module.exports,
        this.#requireOf(path, module),
        module,
        path,
        dirname(path),
      ]);
    } catch (cause) {
      this.#commonJs.delete(path);
      throw cause;
    }
    module.loaded = true;
    return module.exports;
  }

  #requireEsm(unit: EsmUnit): unknown {
    const target = { type: 'file', path: unit.path } as const;
    if (this.#evaluate(target, new Set()) !== null) {
      throw nodeError('ERR_REQUIRE_ASYNC_MODULE', `require() cannot be used on ${unit.path}, which awaits at its top level: use import()`); // prettier-ignore
    }
    return this.#required(this.#namespace(target));
  }

  /** What `require` makes of a namespace with a default: one that says what it is, as compilers of modules do. */
  #required(namespace: Namespace): Namespace {
    if (!('default' in namespace) || '__esModule' in namespace) return namespace;
    const known = this.#wrapped.get(namespace);
    if (known !== undefined) return known;
    const wrapped: Namespace = Object.create(namespace) as Namespace;
    for (const name of Object.keys(namespace)) Object.defineProperty(wrapped, name, { enumerable: true, get: () => namespace[name] }); // prettier-ignore
    Object.defineProperty(wrapped, '__esModule', { value: true, enumerable: true });
    this.#wrapped.set(namespace, wrapped);
    return wrapped;
  }

  #json(path: string, text: string): unknown {
    const known = this.#commonJs.get(path);
    if (known !== undefined) return known.exports;
    const module: CommonJsModule = { id: path, filename: path, path: dirname(path), exports: JSON.parse(text), loaded: true, children: [], paths: [] }; // prettier-ignore
    this.#commonJs.set(path, module);
    return module.exports;
  }

  #requireOf(path: string, module: unknown): object {
    const require = (request: string): unknown => this.#require(resolveRequire(request, path));
    const resolve = (request: string): string => {
      const target = resolveRequire(request, path);
      return target.type === 'builtin' ? request : target.path;
    };
    const { mainPath } = this.#runtime.options;
    const main = path === mainPath ? module : this.#commonJs.get(mainPath);
    return Object.assign(require, { resolve, main, cache: this.#cache, extensions: {} });
  }

  #builtin(name: string): object {
    return name === 'module' ? (this.#module ??= this.#moduleModule()) : this.#builtins.module(name);
  }

  #module: object | null = null;

  /** `node:module`, as far as programs use it. */
  #moduleModule(): object {
    const createRequire = (from: string | URL): object => {
      const path = String(from).startsWith('file:') ? fileURLToPath(from) : String(from);
      return this.#requireOf(path, undefined);
    };
    const own = { createRequire, builtinModules, isBuiltin };
    return trackedModule(this.#runtime, 'node:module', nodeModule, { own, pure: [] });
  }
}
