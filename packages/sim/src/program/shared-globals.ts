import type { World } from '../world.ts';

const known = new WeakMap<World, ReadonlySet<string>>();

/**
 * Looks after each event for variables that a program has made global by assigning to what was never declared, as
 * scripts that are not strict can. They are one for all nodes and all runs, and so no part of any.
 *
 * @param found is told the name of each; answers whether it may stay.
 */
export function watchSharedGlobals(world: World, found: (name: string) => boolean): void {
  if (known.has(world)) return;
  const before = new Set(Object.keys(globalThis));
  known.set(world, before);
  world.monitor(() => {
    const names = Object.keys(globalThis);
    if (names.length === before.size) return;
    for (const name of names) {
      if (before.has(name)) continue;
      if (found(name)) before.add(name);
      else Reflect.deleteProperty(globalThis, name);
    }
  });
}
