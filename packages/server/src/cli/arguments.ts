import { FlotillaError } from '@flotilla/platform';
import { findSetting } from '../configuration/settings.ts';

/**
 * Go's flag syntax in commander's: `-name n1` is `--name n1`, and a switch stands alone or has its value behind `=`,
 * never in the next argument.
 *
 * @example
 * likeGo(['-name', 'n1', '--pre-vote']) // ['--name', 'n1', '--pre-vote=true']
 */
export function likeGo(args: readonly string[]): string[] {
  const result: string[] = [];
  for (let i = 0; i < args.length; i += 1) {
    const match = /^--?([a-zA-Z][a-zA-Z0-9-]+)(=[\s\S]*)?$/.exec(args[i] as string);
    if (match === null) {
      result.push(args[i] as string);
      continue;
    }
    const name = match[1] as string;
    const value = match[2];
    const setting = findSetting(name);
    if (setting?.kind === 'switch') {
      result.push(`--${name}=${switchValue(name, value)}`);
    } else if (value === undefined && setting !== null && i + 1 < args.length) {
      // The next argument is the value even when it starts with a dash, as in `--quota-backend-bytes -1`.
      i += 1;
      result.push(`--${name}=${chosen(name, args[i] as string)}`);
    } else {
      if (value !== undefined) chosen(name, value.slice(1));
      result.push(`--${name}${value ?? ''}`);
    }
  }
  return result;
}

/** Flags that take one of a few values, which etcd checks while it reads them. */
const choices: Readonly<Record<string, readonly string[]>> = {
  'v2-deprecation': ['write-only', 'write-only-drop-data', 'gone'],
};

function chosen(name: string, value: string): string {
  if (choices[name]?.includes(value) ?? true) return value;
  const text = JSON.stringify(value);
  throw new FlotillaError(
    'FLOTILLA_CONFIGURATION',
    `invalid value ${text} for flag -${name}: invalid value ${text}`,
  );
}

function switchValue(name: string, value: string | undefined): string {
  if (value === undefined) return 'true';
  const text = value.slice(1);
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return 'true';
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return 'false';
  throw new FlotillaError(
    'FLOTILLA_CONFIGURATION',
    `--${name} ${JSON.stringify(text)}: must be true or false`,
  );
}
