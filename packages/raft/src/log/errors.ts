import { FlotillaError } from '@flotilla/platform';

/** What is on disk cannot be what a crash leaves behind: nothing was changed, and the member must not start. */
export function damaged(path: string, offset: number, why: string, cause?: unknown): FlotillaError {
  const message = `log damaged: ${path} at offset ${offset}: ${why}`;
  return new FlotillaError('FLOTILLA_LOG_DAMAGED', message, cause === undefined ? undefined : { cause });
}
