import { FlotillaError, messageOf } from '@flotilla/platform';
import { parse as parseYaml } from 'yaml';
import { asksForNothing, environmentName, findSetting, settings } from './settings.ts';

/** Raw values by setting name, and what to tell the user about them. */
export interface Collected {
  readonly values: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
}

/** Where values come from; already read, so that this stays free of files and processes. */
export interface Sources {
  /** Given on the command line, without the dashes. */
  readonly flags: ReadonlyMap<string, string>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The text of `--config-file` (or `ETCD_CONFIG_FILE`), or null. */
  readonly file: { readonly path: string; readonly text: string } | null;
}

/**
 * A flag wins over its environment variable. As in etcd, a configuration file stands alone: flags and variables
 * beside it count for nothing, and a warning names them. etcd ends when a flag shadows a variable; here it warns.
 */
export function collect(sources: Sources): Collected {
  const warnings: string[] = [];
  const environment = fromEnvironment(sources.environment, warnings);
  if (sources.file === null) {
    for (const name of sources.flags.keys()) {
      if (environment.has(name)) warnings.push(`--${name} shadows ${environmentName(name)}`);
    }
    const values = new Map([...environment, ...sources.flags]);
    return { values: judged(values, warnings), warnings };
  }
  for (const name of sources.flags.keys()) {
    warnings.push(`--${name} is ignored because a configuration file is given`);
  }
  for (const name of environment.keys()) {
    warnings.push(`${environmentName(name)} is ignored because a configuration file is given`);
  }
  return { values: judged(fromFile(sources.file, warnings), warnings), warnings };
}

/** Keeps the used settings, warns of the ignored ones and refuses what would be promised and not kept. */
function judged(values: ReadonlyMap<string, string>, warnings: string[]): Map<string, string> {
  const kept = new Map<string, string>();
  for (const [name, value] of values) {
    const setting = findSetting(name);
    if (setting === null) throw new FlotillaError('FLOTILLA_CONFIGURATION', `unknown setting ${name}`);
    if (setting.effect === 'used') {
      if (value !== '') kept.set(name, value);
    } else if (setting.deprecation !== null) {
      if (value !== '') warnings.push(setting.deprecation);
    } else if (asksForNothing(setting, value)) {
      continue;
    } else if (setting.effect === 'refused') {
      throw new FlotillaError('FLOTILLA_UNSUPPORTED_SETTING', `--${name} is refused: ${setting.note}`);
    } else {
      warnings.push(`--${name} has no effect: ${setting.note}`);
    }
  }
  return kept;
}

function fromEnvironment(environment: Sources['environment'], warnings: string[]): Map<string, string> {
  const values = new Map<string, string>();
  // The last two are switches of etcd's own, for architectures and for its tests.
  const known = new Set(['ETCD_CONFIG_FILE', 'ETCD_VERSION', 'ETCD_UNSUPPORTED_ARCH', 'ETCD_VERIFY']);
  for (const setting of settings) {
    const variable = environmentName(setting.name);
    known.add(variable);
    const value = environment[variable];
    if (value !== undefined && value !== '') values.set(setting.name, value);
  }
  for (const variable of Object.keys(environment)) {
    if (variable.startsWith('ETCD_') && !known.has(variable)) {
      warnings.push(`unknown environment variable ${variable} is ignored`);
    }
  }
  return values;
}

function fromFile(
  file: { readonly path: string; readonly text: string },
  warnings: string[],
): Map<string, string> {
  const values = new Map<string, string>();
  for (const [key, value] of Object.entries(mapping(file))) {
    if (key === 'client-transport-security' || key === 'peer-transport-security') {
      addSecurity(values, key, value, file.path);
    } else if (findSetting(key) === null) {
      // etcd drops it without a word; files are copied from one version to the next.
      warnings.push(`${file.path}: unknown key ${JSON.stringify(key)} is ignored`);
    } else {
      values.set(key, scalar(value, key, file.path));
    }
  }
  return values;
}

function mapping(file: { readonly path: string; readonly text: string }): Record<string, unknown> {
  let document: unknown;
  try {
    // Core schema: `off` stays a string. Integers beyond 2^53 would be rounded, so they stay text too.
    document = parseYaml(file.text, { intAsBigInt: true });
  } catch (error) {
    throw new FlotillaError('FLOTILLA_CONFIGURATION', `${file.path}: ${messageOf(error)}`, { cause: error });
  }
  if (document === null || document === undefined) return {};
  if (typeof document !== 'object' || Array.isArray(document)) {
    throw new FlotillaError('FLOTILLA_CONFIGURATION', `${file.path}: expected a mapping of keys to values`);
  }
  return document as Record<string, unknown>;
}

/**
 * etcd's file nests TLS: `peer-transport-security: {cert-file: …}` means `--peer-cert-file`. A key that is none there,
 * as in the files that say `peer-client-cert-auth`, etcd drops without a word, and with it what it was to protect.
 */
function addSecurity(values: Map<string, string>, section: string, content: unknown, path: string): void {
  if (content === null) return;
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw new FlotillaError('FLOTILLA_CONFIGURATION', `${path}: ${section} must be a mapping`);
  }
  const peer = section === 'peer-transport-security';
  for (const [key, value] of Object.entries(content)) {
    const text = scalar(value, `${section}.${key}`, path);
    const flag = (peer ? peerSecurityFlags : clientSecurityFlags)[key];
    if (flag !== undefined) values.set(flag, text);
    else if (text !== '' && text !== 'false') {
      throw new FlotillaError(
        'FLOTILLA_CONFIGURATION',
        `${path}: ${section} has no key ${JSON.stringify(key)}`,
      );
    }
  }
}

const clientSecurityFlags: Readonly<Record<string, string>> = {
  'cert-file': 'cert-file',
  'key-file': 'key-file',
  'client-cert-file': 'client-cert-file',
  'client-key-file': 'client-key-file',
  'client-cert-auth': 'client-cert-auth',
  'trusted-ca-file': 'trusted-ca-file',
  'auto-tls': 'auto-tls',
  'client-crl-file': 'client-crl-file',
  'crl-file': 'client-crl-file',
  'allowed-hostname': 'client-cert-allowed-hostname',
  'client-cert-allowed-hostname': 'client-cert-allowed-hostname',
};

const peerSecurityFlags: Readonly<Record<string, string>> = {
  'cert-file': 'peer-cert-file',
  'key-file': 'peer-key-file',
  'client-cert-file': 'peer-client-cert-file',
  'client-key-file': 'peer-client-key-file',
  'client-cert-auth': 'peer-client-cert-auth',
  'peer-client-cert-auth': 'peer-client-cert-auth',
  'trusted-ca-file': 'peer-trusted-ca-file',
  'peer-trusted-ca-file': 'peer-trusted-ca-file',
  'auto-tls': 'peer-auto-tls',
  'crl-file': 'peer-crl-file',
  'client-crl-file': 'peer-crl-file',
  'allowed-cn': 'peer-cert-allowed-cn',
  'allowed-hostname': 'peer-cert-allowed-hostname',
  'skip-client-san-verification': 'peer-skip-client-san-verification',
};

function scalar(value: unknown, key: string, path: string): string {
  if (value === null) return '';
  if (typeof value === 'string') return value.trim();
  if (typeof value === 'boolean' || typeof value === 'number' || typeof value === 'bigint') {
    return value.toString();
  }
  if (Array.isArray(value)) return value.map((part: unknown) => scalar(part, key, path)).join(',');
  throw new FlotillaError('FLOTILLA_CONFIGURATION', `${path}: ${key} must be a value or a list of values`);
}
