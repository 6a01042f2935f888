import type { Call } from '../src/history.ts';
import type { Verdict } from '../src/violation.ts';

/** A call as tests write it down; `returned` unless something else is said. */
export type Row = readonly [
  from: number,
  to: number,
  text: string,
  outcome?: 'returned' | 'failed' | 'unknown',
];

/** Each row is a call of a client of its own. `parse`: what it asked for, and was answered. */
export function callsOf<Operation, Result>(
  rows: readonly Row[],
  parse: (text: string) => { readonly operation: Operation; readonly result: Result },
): Call<Operation, Result>[] {
  return rows.map(([from, to, text, type = 'returned'], id) => {
    const { operation, result } = parse(text);
    const call = { id, client: id, operation, calledAt: from };
    switch (type) {
      case 'returned':
        return { ...call, outcome: { type, at: to, result } };
      case 'failed':
        return { ...call, outcome: { type, at: to, reason: 'refused' } };
      case 'unknown':
        return { ...call, outcome: { type, reason: 'no answer' } };
    }
  });
}

/** The rules that are broken, or what else there is to say. */
export function rulesIn(verdict: Verdict): readonly string[] {
  return verdict.outcome === 'illegal' ? verdict.violations.map(({ rule }) => rule) : [verdict.outcome];
}
