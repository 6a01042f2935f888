import type { TraceDetail } from '@flotilla/platform';
import type { Configuration } from '../configuration/configuration.ts';
import type { ListenUrl } from '../configuration/listen-url.ts';
import { type Setting, settings } from '../configuration/settings.ts';
import { API_VERSION } from '../member/version.ts';
import { productVersion } from './version.ts';

/**
 * What a member is started with, for the line of the log that etcd has, too: every setting by its flag's name, as it is
 * in force. One that has no effect is in force with its default, whatever was given.
 */
export function startingFields(values: ReadonlyMap<string, string>): TraceDetail {
  const fields: Record<string, string | number | boolean> = {
    'etcd-version': API_VERSION,
    'flotilla-version': productVersion,
    'node-version': process.version,
  };
  for (const setting of settings) {
    if (setting.effect === 'refused' || /password|-user$/.test(setting.name)) continue;
    fields[setting.name] = typed(setting, values.get(setting.name) ?? setting.defaultValue);
  }
  return fields;
}

/** One for each address that clients are served at. */
export function servingFields(configuration: Configuration): readonly TraceDetail[] {
  const { clientListeners, httpListeners } = configuration;
  const shared = httpListeners.length === 0 ? 'grpc+http' : 'grpc';
  return [
    ...clientListeners.map((url) => fieldsOf(url, shared)),
    ...httpListeners.map((url) => fieldsOf(url, 'http')),
  ];
}

function fieldsOf({ address, socketPath, secure, cleartext }: ListenUrl, traffic: string): TraceDetail {
  return { traffic, address: socketPath ?? `${address.host}:${address.port}`, secure, cleartext };
}

function typed({ kind }: Setting, value: string): string | number | boolean {
  if (kind === 'switch') return value === 'true';
  return kind === 'count' || kind === 'size' ? Number(value) : value;
}
