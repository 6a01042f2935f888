import type { Logger, TraceDetail } from '@flotilla/platform';
import { destination, pino } from 'pino';
import type { LogLevel } from '../configuration/configuration.ts';

/** Lines of JSON on stderr. Synchronous, so that the last words of a dying member are not lost; never per request. */
export function stderrLogger(memberName: string, level: LogLevel): Logger {
  const logger = pino(
    {
      level,
      base: { member: memberName },
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination({ fd: 2, sync: true }),
  );
  return {
    debug: (message, fields) => logger.debug(printable(fields), message),
    info: (message, fields) => logger.info(printable(fields), message),
    warn: (message, fields) => logger.warn(printable(fields), message),
    error: (message, fields) => logger.error(printable(fields), message),
  };
}

/** JSON has no big integers; ids are read in hexadecimal anyway. */
function printable(fields: TraceDetail | undefined): Record<string, unknown> {
  if (fields === undefined) return {};
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    result[key] = typeof value === 'bigint' ? value.toString(16) : value;
  }
  return result;
}
