import { FlotillaError } from '@flotilla/platform';
import { parseDuration } from './duration.ts';

/** Where the members of a new cluster find each other: an etcd or Flotilla that runs already. */
export interface DiscoverySettings {
  readonly endpoints: readonly string[];
  /** Names the new cluster there, and is its cluster token. */
  readonly token: string;
  readonly requestTimeoutMs: number;
  readonly user: { readonly name: string; readonly password: string } | null;
  /** Null: endpoints without a scheme are reached without TLS. Empty paths: not given. */
  readonly tls: {
    readonly caFile: string;
    readonly certificateFile: string;
    readonly keyFile: string;
    readonly verify: boolean;
  } | null;
}

/** The raw values of the flags that have to do with discovery. */
export interface RawDiscoverySettings {
  readonly 'discovery-endpoints': readonly string[];
  readonly 'discovery-token': string;
  readonly 'discovery-request-timeout': string;
  readonly 'discovery-insecure-transport': boolean;
  readonly 'discovery-insecure-skip-tls-verify': boolean;
  readonly 'discovery-cert': string;
  readonly 'discovery-key': string;
  readonly 'discovery-cacert': string;
  readonly 'discovery-user': string;
  readonly 'discovery-password': string;
}

/** Null: the cluster is not discovered. The rules and their words are etcd's. */
export function discoverySettings(
  raw: RawDiscoverySettings,
  namesCluster: boolean,
): DiscoverySettings | null {
  const { 'discovery-endpoints': endpoints, 'discovery-token': token } = raw;
  if (endpoints.length > 0 && namesCluster) {
    throw invalid(
      'multiple discovery or bootstrap flags are set. ' +
        'Choose one of "initial-cluster", "discovery-endpoints" or "discovery-srv"',
    );
  }
  if ((token === '') !== (endpoints.length === 0)) {
    throw invalid('both --discovery-token and --discovery-endpoints must be set');
  }
  if (endpoints.length === 0) return null;
  return {
    endpoints,
    token,
    requestTimeoutMs: parseDuration(raw['discovery-request-timeout']),
    user: userOf(raw['discovery-user'], raw['discovery-password']),
    tls: tlsOf(raw),
  };
}

/** `--discovery-user` may have the password behind a colon. */
function userOf(text: string, password: string): DiscoverySettings['user'] {
  if (text === '') return null;
  if (password !== '') return { name: text, password };
  const colon = text.indexOf(':');
  if (colon < 0) throw invalid('--discovery-user has no password, and nobody can be asked for it');
  return { name: text.slice(0, colon), password: text.slice(colon + 1) };
}

function tlsOf(raw: RawDiscoverySettings): DiscoverySettings['tls'] {
  const files = {
    caFile: raw['discovery-cacert'],
    certificateFile: raw['discovery-cert'],
    keyFile: raw['discovery-key'],
  };
  if ((files.certificateFile === '') !== (files.keyFile === '')) {
    throw invalid('--discovery-cert and --discovery-key must both be present');
  }
  const verify = !raw['discovery-insecure-skip-tls-verify'];
  const isAsked =
    !raw['discovery-insecure-transport'] || !verify || Object.values(files).some((file) => file !== '');
  return isAsked ? { ...files, verify } : null;
}

function invalid(message: string): FlotillaError {
  return new FlotillaError('FLOTILLA_CONFIGURATION', message);
}
