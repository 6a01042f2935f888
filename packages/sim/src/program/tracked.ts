import type { AnyFunction } from './module-unit.ts';
import type { ProgramRuntime } from './runtime.ts';

/** What stands in for the members of a module that are not as Node has them. */
export interface Controlled {
  /** In the place of Node's own. */
  readonly own: Readonly<Record<string, unknown>>;
  /** Passed on as they are: pure functions and classes, constants. `all`: the whole module. */
  readonly pure: readonly string[] | 'all';
}

/**
 * A module of Node as a program under simulation sees it. Every function and class that is neither stood in for nor
 * known to be pure tells of its use before anything happens.
 */
export function trackedModule(
  runtime: ProgramRuntime,
  name: string,
  real: object,
  { own, pure }: Controlled,
): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(real), ...Object.keys(own)])) {
    if (key in own) result[key] = own[key];
    else if (pure === 'all' || pure.includes(key)) result[key] = Reflect.get(real, key);
    else defineTracked(result, key, () => tracked(runtime, name, key, Reflect.get(real, key)));
  }
  return result;
}

/** Found out at the first look: to read some members is an act of its own, such as a deprecation. */
function defineTracked(target: object, key: string, value: () => unknown): void {
  const set = (given: unknown): void => {
    Object.defineProperty(target, key, {
      value: given,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  };
  const get = (): unknown => {
    const found = value();
    set(found);
    return found;
  };
  Object.defineProperty(target, key, { get, set, enumerable: true, configurable: true });
}

/** A function or class that tells of its use; what is none has no use to tell of. */
export function tracked(runtime: ProgramRuntime, name: string, key: string, value: unknown): unknown {
  const what = `${name} ${key}`;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return isPlain(value) ? value : trackedModule(runtime, what, value, { own: {}, pure: [] });
  }
  if (typeof value !== 'function') return value;
  return new Proxy(value as AnyFunction, {
    apply: (target, self, values: unknown[]) =>
      runtime.uncontrolled(what, () => Reflect.apply(target, self, values)),
    construct: (target, values: unknown[], newTarget) =>
      runtime.uncontrolled(what, () => Reflect.construct(target, values, newTarget) as object),
  });
}

/** Whether an object only holds values, as `constants` do. */
function isPlain(value: object): boolean {
  return Object.values(value).every((member) => typeof member !== 'function');
}
