/**
 * An error with a stable code that programs can match on. The message is for people and may change; the code does
 * not. Every code starts with `FLOTILLA_` and is listed in `docs/errors.md`.
 *
 * @example
 * try { await file.sync(); } catch (error) {
 *   if (isFlotillaError(error, 'FLOTILLA_DISK_FULL')) …
 * }
 */
export class FlotillaError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'FlotillaError';
    this.code = code;
  }
}

export type ErrorCode = `FLOTILLA_${Uppercase<string>}`;

/** Whether `error` is a {@link FlotillaError}, and, when `code` is given, whether it carries that code. */
export function isFlotillaError(error: unknown, code?: ErrorCode): error is FlotillaError {
  return error instanceof FlotillaError && (code === undefined || error.code === code);
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
