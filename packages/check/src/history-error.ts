/** What can be wrong with a history as such, before anything is judged. Listed in `docs/errors.md`. */
export type HistoryErrorCode =
  /** A line is damaged: no JSON, too long, or nothing that a history holds. */
  | 'FLOTILLA_HISTORY_LINE'
  /** Times that cannot be: an answer before its question, no time at all. */
  | 'FLOTILLA_HISTORY_TIME'
  /** One client has two calls open at once. */
  | 'FLOTILLA_HISTORY_OVERLAP'
  /** An answer to a call that was not made. */
  | 'FLOTILLA_HISTORY_UNMATCHED'
  /** An operation or an answer that the model does not know, or that its checker could learn nothing from. */
  | 'FLOTILLA_HISTORY_OPERATION';

/** A history that cannot be judged. The message names the line where there is one. */
export class HistoryError extends Error {
  readonly code: HistoryErrorCode;
  /** From 1; null where the history did not come from a file. */
  readonly line: number | null;
  /** By id; null where it is about no call in particular. */
  readonly call: number | null;

  constructor(
    code: HistoryErrorCode,
    message: string,
    where: { readonly line?: number; readonly call?: number } = {},
  ) {
    const line = where.line ?? null;
    super(line === null ? message : `line ${line} ${message}`);
    this.name = 'HistoryError';
    this.code = code;
    this.line = line;
    this.call = where.call ?? null;
  }
}
