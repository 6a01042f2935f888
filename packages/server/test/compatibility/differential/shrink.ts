/**
 * A short list that still fails, by delta debugging: first the shortest tail that fails, then without ever smaller
 * parts. `fails` runs a list from an empty state; not more than `maxRuns` times.
 */
export async function shrink<T>(
  failing: readonly T[],
  fails: (list: readonly T[]) => Promise<boolean>,
  maxRuns = MAX_RUNS,
): Promise<readonly T[]> {
  let runs = 0;
  const stillFails = async (list: readonly T[]): Promise<boolean> => {
    runs += 1;
    return await fails(list);
  };
  let best = failing;
  for (let length = FIRST_TAIL; length < failing.length && runs < maxRuns; length *= 4) {
    const tail = failing.slice(-length);
    if (!(await stillFails(tail))) continue;
    best = tail;
    break;
  }
  let parts = 2;
  while (best.length > 1 && runs < maxRuns) {
    const size = Math.ceil(best.length / parts);
    let smaller: readonly T[] | null = null;
    // From the front: what happened long before the failure matters least.
    for (let start = 0; start < best.length && runs < maxRuns && smaller === null; start += size) {
      const candidate = [...best.slice(0, start), ...best.slice(start + size)];
      if (candidate.length > 0 && (await stillFails(candidate))) smaller = candidate;
    }
    if (smaller !== null) {
      best = smaller;
      parts = Math.max(parts - 1, 2);
    } else if (size === 1) {
      break;
    } else {
      parts = Math.min(parts * 2, best.length);
    }
  }
  return best;
}

const FIRST_TAIL = 40;
export const MAX_RUNS = 150;
