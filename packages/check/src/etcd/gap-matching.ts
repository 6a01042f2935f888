/**
 * Gives each gap in the revision order a lost write of its own: the maximum matching of a bipartite graph, by Kuhn's
 * augmenting paths. Two lost writes with the same content can both explain a gap, so taking the first that fits could
 * leave a later gap without any.
 */
export class GapMatching {
  readonly #candidates = new Map<number, readonly number[]>();
  readonly #gapOf = new Map<number, number>();

  /** Adds a gap with the ids of the lost calls that would explain it. False: no matching covers all gaps any more. */
  add(revision: number, candidates: readonly number[]): boolean {
    this.#candidates.set(revision, candidates);
    return this.#assign(revision, new Set());
  }

  /** The revision that each used lost call explains. */
  get explained(): ReadonlyMap<number, number> {
    return this.#gapOf;
  }

  #assign(revision: number, visited: Set<number>): boolean {
    for (const call of this.#candidates.get(revision) ?? []) {
      if (visited.has(call)) continue;
      visited.add(call);
      const holder = this.#gapOf.get(call);
      if (holder !== undefined && !this.#assign(holder, visited)) continue;
      this.#gapOf.set(call, revision);
      return true;
    }
    return false;
  }
}
