import { FlotillaError } from '@flotilla/platform';

const millisecondsPer: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * Milliseconds of a duration in Go's notation.
 *
 * @example
 * parseDuration('1m30s') // 90_000
 */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  const part = /([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)/gy;
  let total = 0;
  let end = 0;
  for (let match = part.exec(text); match !== null; match = part.exec(text)) {
    total += Number(match[1]) * (millisecondsPer[match[2] as string] as number);
    end = part.lastIndex;
  }
  if (end === 0 || end !== text.length) {
    throw new FlotillaError(
      'FLOTILLA_CONFIGURATION',
      `not a duration: ${JSON.stringify(text)} (for example 5m)`,
    );
  }
  return total;
}
