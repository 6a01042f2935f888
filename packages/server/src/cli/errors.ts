import { writeSync } from 'node:fs';
import { isFlotillaError } from '@flotilla/platform';
import { CommanderError } from 'commander';

/** One line for what a user can put right; a stack only for what is our bug. */
export function reportError(error: unknown): void {
  const text = describe(error);
  // Synchronous: the process may be about to end, and a pipe would lose what is still queued.
  if (text !== null) writeSync(2, `${text}\n`);
}

/** Commander ends `--help` and `--version` by an error too; that one is fine. */
export function exitCodeOf(error: unknown): number {
  return error instanceof CommanderError ? error.exitCode : 1;
}

function describe(error: unknown): string | null {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return null;
    return `error FLOTILLA_USAGE: ${error.message.replace(/^error: /, '')}`;
  }
  if (isFlotillaError(error)) return `error ${error.code}: ${error.message.replaceAll('\n', ' ')}`;
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `error FLOTILLA_UNEXPECTED: ${detail}`;
}
