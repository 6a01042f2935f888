import type { Call } from './history.ts';
import { encodeValue } from './files/json-values.ts';
import { readHistoryFile, type HistoryFileOptions, type HistoryFormat } from './files/history-file.ts';

/**
 * Histories as text: one JSON object a line, one line a call. What JSON cannot say is tagged: `{"$bigint":"12"}`,
 * `{"$bytes":"00ff"}` (hexadecimal). Integers beyond 2^53 must be bigints on both sides: a number that JSON would
 * round is refused, because a rounded revision is another revision.
 */
export function writeHistory<Operation, Result>(calls: readonly Call<Operation, Result>[]): string {
  let text = '';
  for (const call of calls) {
    try {
      text += `${JSON.stringify(encodeValue(call))}\n`;
    } catch (error) {
      throw new Error(`call ${call.id} ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  }
  return text;
}

/**
 * The inverse of {@link writeHistory}, which also takes calls whose two ends are lines of their own (see the README).
 * Throws a `HistoryError` with the line number on anything that is not a history. Operations and results are trusted
 * to be what the caller wrote; `judgeHistory` trusts nothing.
 */
export function readHistory<Operation, Result>(
  text: string,
  options: HistoryFileOptions = {},
): readonly Call<Operation, Result>[] {
  const trusting: HistoryFormat<Operation, Result> = {
    operation: (value) => value as Operation,
    result: (value) => value as Result,
  };
  return readHistoryFile(text, trusting, options).calls;
}
