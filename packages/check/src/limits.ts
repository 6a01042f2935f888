/** Every bound of this package. Each is a default that callers may replace. */
export const limits = {
  /** Model steps of one linearizability check, all parts together. About ten seconds of one core. */
  linearizabilitySteps: 20_000_000,
  /** Distinct configurations that one linearizability check remembers, all parts together. About 500 MB. */
  linearizabilityConfigurations: 2_000_000,
  /** Requests tried for the gaps of one revision check. */
  gapSteps: 2_000_000,
  /** Dependencies followed in the search for the shortest cycles of one list-append check. */
  cycleSteps: 20_000_000,
  /** Violations that a checker reports before it stops looking. */
  violations: 20,
  /** Calls of a linearizable prefix that are drawn, the last ones; and of those that are left beside them. */
  drawnPrefixCalls: 40,
  /** Findings that are drawn on one page. */
  drawnFindings: 20,
  /** Longest line of a history file, in characters. */
  historyLineCharacters: 64 * 1024 * 1024,
} as const;
