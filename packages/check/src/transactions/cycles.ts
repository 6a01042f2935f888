import { present } from '../assert.ts';
import { endOf } from '../history.ts';
import { limits } from '../limits.ts';
import { type Verdict, verdictOf, type Violation } from '../violation.ts';
import { componentsOf } from './components.ts';
import type { Dependency, DependencyGraph } from './dependency-graph.ts';

/** How a checker tells of a cycle. */
export interface CycleWords<Reason extends Dependency> {
  /** Names the checker in rules: `list-append`. */
  readonly checker: string;
  /** The phenomenon, without `-realtime`. */
  nameOf(path: readonly Reason[]): string;
  /** The transaction at this place of the graph. */
  describe(at: number): string;
  /** Why the one came before `other`, which is a name of the later one. */
  reasonOf(dependency: Reason, other: string): string;
}

/**
 * The shortest cycle of every knot of dependencies and the shortest one that needs real time, the shortest first.
 *
 * One step of real time is enough for that: of two such steps in a cycle, one leads from its beginning to the end of
 * the other as well (intervals on a line have no 2+2), and the shorter cycle is one, too. Without `realTime` the clock
 * counts for nothing: what is left is serializability.
 */
export function cycleViolations<Reason extends Dependency>(
  graph: DependencyGraph<Reason>,
  words: CycleWords<Reason>,
  maxSteps: number,
  realTime: boolean,
): Verdict {
  const search = new CycleSearch(graph, maxSteps);
  const components = componentsOf(graph);
  const knots = components.filter(({ length }) => length > 1);
  const suspects = realTime ? earlierThanAsked(graph, components) : [];
  const found: { readonly path: readonly Reason[]; readonly isRealTime: boolean }[] = [];
  for (const knot of knots.slice(0, limits.violations)) {
    const path = search.shortest(knot, new Set(knot));
    if (path !== null) found.push({ path, isRealTime: false });
  }
  const path = search.shortest(suspects, null);
  if (path !== null) found.push({ path, isRealTime: true });
  if (found.length === 0 && knots.length + suspects.length > 0) {
    return { outcome: 'unknown', reason: `there is a cycle, and none was found in ${maxSteps} steps` };
  }
  const length = (cycle: (typeof found)[number]): number => cycle.path.length + (cycle.isRealTime ? 1 : 0);
  found.sort((a, b) => length(a) - length(b));
  return verdictOf(found.map((cycle) => violationOf(graph, words, cycle.path, cycle.isRealTime)));
}

/** Transactions that something depends on which was over before they were asked for. */
function earlierThanAsked(
  { transactions, dependencies }: DependencyGraph,
  components: readonly (readonly number[])[],
): number[] {
  const call = (at: number): DependencyGraph['transactions'][number] =>
    present(transactions[at], 'a transaction');
  const overAt = Float64Array.from(transactions, endOf);
  /** By transaction, the earliest end of all that depends on it; those of its component depend on it, too. */
  const ends = new Float64Array(transactions.length).fill(Infinity);
  const suspects: number[] = [];
  for (const members of components) {
    let earliest = Infinity;
    for (const from of members) {
      for (const { to } of dependencies[from] ?? []) {
        earliest = Math.min(earliest, overAt[to] ?? Infinity, ends[to] ?? Infinity);
      }
    }
    for (const from of members) {
      ends[from] = earliest;
      if (earliest < call(from).calledAt) suspects.push(from);
    }
  }
  return suspects;
}

/** Breadth first from every transaction that may be on the shortest cycle, never deeper than the best one yet. */
class CycleSearch<Reason extends Dependency> {
  readonly #graph: DependencyGraph<Reason>;
  #steps: number;

  constructor(graph: DependencyGraph<Reason>, maxSteps: number) {
    this.#graph = graph;
    this.#steps = maxSteps;
  }

  /**
   * Within a knot back to where it began; without one (null) to whatever was over before the first was asked for.
   * Null: none was found before the steps were used up.
   */
  shortest(starts: readonly number[], knot: ReadonlySet<number> | null): Reason[] | null {
    let best: Reason[] | null = null;
    // Two is as short as a cycle can be, and a path with a step of real time is one dependency shorter.
    const least = knot === null ? 1 : 2;
    for (const start of starts) {
      if (best !== null && best.length <= least) break;
      best = this.#from(start, knot, best === null ? Infinity : best.length) ?? best;
    }
    return best;
  }

  /** A path shorter than `lessThan`. */
  #from(start: number, knot: ReadonlySet<number> | null, lessThan: number): Reason[] | null {
    const calledAt = this.#transaction(start).calledAt;
    const isEnd = (to: number): boolean =>
      knot === null ? endOf(this.#transaction(to)) < calledAt : to === start;
    const reachedBy = new Map<number, Reason>();
    let ring = [start];
    for (let length = 1; length < lessThan && ring.length > 0; length += 1) {
      const next: number[] = [];
      for (const from of ring) {
        for (const dependency of this.#graph.dependencies[from] ?? []) {
          const { to } = dependency;
          if ((this.#steps -= 1) < 0) return null;
          if (isEnd(to)) return pathTo(dependency, start, reachedBy);
          if (to === start || reachedBy.has(to) || knot?.has(to) === false) continue;
          reachedBy.set(to, dependency);
          next.push(to);
        }
      }
      ring = next;
    }
    return null;
  }

  #transaction(at: number): DependencyGraph['transactions'][number] {
    return present(this.#graph.transactions[at], 'a transaction');
  }
}

function pathTo<Reason extends Dependency>(
  last: Reason,
  start: number,
  reachedBy: ReadonlyMap<number, Reason>,
): Reason[] {
  const path = [last];
  for (let at = last.from; at !== start;) {
    const dependency = present(reachedBy.get(at), 'the way here');
    path.unshift(dependency);
    at = dependency.from;
  }
  return path;
}

function violationOf<Reason extends Dependency>(
  { transactions }: DependencyGraph<Reason>,
  words: CycleWords<Reason>,
  path: readonly Reason[],
  realTime: boolean,
): Violation {
  const idOf = (at: number): number => present(transactions[at], 'a transaction').id;
  const steps = path.map(
    (dependency) =>
      `${words.describe(dependency.from)} ${words.reasonOf(dependency, `transaction ${idOf(dependency.to)}`)}`,
  );
  const calls = path.map(({ from }) => idOf(from));
  const rule = `${words.checker}/${words.nameOf(path)}`;
  if (!realTime) return { rule, message: steps.join('; '), calls };
  const last = present(path.at(-1), 'a dependency').to;
  const end = `${words.describe(last)} was over before transaction ${calls[0]} began`;
  return { rule: `${rule}-realtime`, message: [...steps, end].join('; '), calls: [...calls, idOf(last)] };
}
