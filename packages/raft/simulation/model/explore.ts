import { type Bounds, ModelViolation, type World, Worlds } from './world.ts';

export interface Exploration {
  /** Worlds that differ in more than the names of their members. */
  readonly states: number;
  /** Steps that were taken, to known worlds as well. */
  readonly steps: number;
  /** The most steps that it takes to get anywhere. */
  readonly depth: number;
  /** Distinct states of single members that the core was in. */
  readonly memberStates: number;
  /** Everything within the bounds was seen. */
  readonly complete: boolean;
  readonly violation: ModelViolation | null;
}

export interface ExploreOptions {
  /** Infinity: until all is seen. */
  readonly statesMax: number;
  readonly onLevel?: (depth: number, states: number) => void;
}

/**
 * Every state that a small group can come to, breadth first, made by the real core: a violation is found with the
 * fewest steps that lead to it. Complete when it says so: then nothing within the bounds was left out.
 */
export function exploreModel(bounds: Bounds, { statesMax, onLevel }: ExploreOptions): Exploration {
  const worlds = new Worlds(bounds);
  const first = worlds.initial();
  const seen = new Set([worlds.keyOf(first)]);
  let level: World[] = [first];
  let depth = 0;
  let steps = 0;
  const result = (complete: boolean, violation: ModelViolation | null): Exploration => {
    return { states: seen.size, steps, depth, memberStates: worlds.members.made, complete, violation };
  };
  try {
    while (level.length > 0) {
      onLevel?.(depth, seen.size);
      const next: World[] = [];
      for (const world of level) {
        for (const after of worlds.successors(world)) {
          steps += 1;
          const key = worlds.keyOf(after);
          if (seen.has(key)) continue;
          if (seen.size >= statesMax) return result(false, null);
          seen.add(key);
          next.push(after);
        }
      }
      if (next.length > 0) depth += 1;
      level = next;
    }
  } catch (error) {
    if (error instanceof ModelViolation) return result(false, error);
    throw error;
  }
  return result(true, null);
}
