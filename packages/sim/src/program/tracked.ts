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
    else defineTracked(result, key, () => tracked(runtime, name, key, real));
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

/** A member that tells of its use, where it is a function or a class; what is none has no use to tell of. */
export function tracked(runtime: ProgramRuntime, name: string, key: string, holder: object): unknown {
  const value: unknown = Reflect.get(holder, key);
  const what = `${name} ${key}`;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return isPlain(value) ? value : trackedModule(runtime, what, value, { own: {}, pure: [] });
  }
  if (typeof value !== 'function') return value;
  // Looked up again at the call: where it is let through, the guards of the simulation are not in the way then.
  const real = (): AnyFunction => Reflect.get(holder, key) as AnyFunction;
  return new Proxy(value as AnyFunction, {
    apply: (_target, self, values: unknown[]) =>
      runtime.uncontrolled(what, () => Reflect.apply(real(), self, values)),
    construct: (target, values: unknown[], newTarget) =>
      runtime.uncontrolled(
        what,
        () => Reflect.construct(real(), values, newTarget === target ? real() : newTarget) as object,
      ),
  });
}

/** Whether an object only holds values, as `constants` do. */
function isPlain(value: object): boolean {
  return Object.values(value).every((member) => typeof member !== 'function');
}
