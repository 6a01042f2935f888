import { FlotillaError, type Logger, messageOf, type TraceDetail } from '@flotilla/platform';
import { destination, multistream, pino } from 'pino';
import type { LogLevel } from '../configuration/configuration.ts';

/**
 * Lines of JSON, by etcd's names of where they go: `default` and `stderr`, `stdout`, or files, which are appended to.
 * Throws `FLOTILLA_CONFIGURATION` when a file cannot be written. Synchronous, so that the last words of a dying member are not lost; never per request.
 */
export function openLogger(memberName: string, level: LogLevel, outputs: readonly string[]): Logger {
  const logger = pino(
    {
      level,
      // What reads the log of etcd expects the key; of a bundle no line says anything.
      base: { caller: 'flotilla', member: memberName },
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    multistream(
      targetsOf(outputs).map((target) => ({ level, stream: open(target) })),
      { dedupe: false },
    ),
  );
  return {
    debug: (message, fields) => logger.debug(printable(fields), message),
    info: (message, fields) => logger.info(printable(fields), message),
    warn: (message, fields) => logger.warn(printable(fields), message),
    error: (message, fields) => logger.error(printable(fields), message),
  };
}

/** For commands whose output is their result. */
export function stderrLogger(name: string, level: LogLevel): Logger {
  return openLogger(name, level, ['stderr']);
}

function targetsOf(outputs: readonly string[]): (string | number)[] {
  const targets = outputs.map((output) => {
    if (output === 'stdout') return 1;
    // Whoever runs a member under systemd has its stderr in the journal.
    return ['default', 'stderr', 'systemd/journal'].includes(output) ? 2 : output;
  });
  return targets.length === 0 ? [2] : [...new Set(targets)];
}

function open(target: string | number): ReturnType<typeof destination> {
  try {
    return destination({ dest: target, sync: true, mkdir: false });
  } catch (cause) {
    throw new FlotillaError('FLOTILLA_CONFIGURATION', `--log-outputs ${target}: ${messageOf(cause)}`, {
      cause,
    });
  }
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
