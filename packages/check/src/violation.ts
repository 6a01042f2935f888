/** One thing that must not have happened, in words that stand alone. */
export interface Violation {
  /** Names the rule, stable: `revisions/real-time`, `watch/unique`, `linearizability/register`. */
  readonly rule: string;
  readonly message: string;
  /** The calls of the history that show it together, by id. */
  readonly calls: readonly number[];
}

/**
 * What a checker found. `unknown` means that a step budget ran out before an answer: treat it as a failure, because a
 * check that gave up has shown nothing (MIT's 6.5840 counts its checker's time-outs as passes, and so may miss bugs).
 */
export type Verdict =
  | { readonly outcome: 'ok' }
  | { readonly outcome: 'illegal'; readonly violations: readonly Violation[] }
  | { readonly outcome: 'unknown'; readonly reason: string };

/**
 * The verdict as an exception, for tests: returns quietly only for `ok`.
 *
 * @example
 * assertOk(checkRevisions(history.calls).verdict);
 */
export function assertOk(verdict: Verdict): void {
  if (verdict.outcome !== 'ok') throw new Error(describeVerdict(verdict));
}

/** The verdict for people: one line, or one line for each violation. */
export function describeVerdict(verdict: Verdict): string {
  switch (verdict.outcome) {
    case 'ok':
      return 'ok';
    case 'unknown':
      return `unknown, which counts as a failure: ${verdict.reason}`;
    case 'illegal':
      return verdict.violations.map((violation) => `${violation.rule}: ${violation.message}`).join('\n');
  }
}

/** `ok` without violations, `illegal` with them. */
export function verdictOf(violations: readonly Violation[]): Verdict {
  return violations.length === 0 ? { outcome: 'ok' } : { outcome: 'illegal', violations };
}
