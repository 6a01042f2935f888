import { FlotillaError, type TlsVersion } from '@flotilla/platform';
import { cipherSuites } from './cipher-suites.ts';

/** What a side of TLS, towards clients or towards members, is told to do. Empty paths: not given. */
export interface TlsSettings {
  readonly certificateFile: string;
  readonly keyFile: string;
  /** Shown where this member connects; empty: the same as where it listens. */
  readonly clientCertificateFile: string;
  readonly clientKeyFile: string;
  readonly trustedCaFile: string;
  readonly revocationFile: string;
  /** Clients must show a certificate. Towards clients: its common name is that of a user. */
  readonly clientCertAuth: boolean;
  /** Certificates are made at the first start when none are given. */
  readonly auto: boolean;
  readonly selfSignedYears: number;
  /** Of the common names, one must be the certificate's; empty: any will do. */
  readonly allowedCommonNames: readonly string[];
  /** Of the host names, the certificate must be good for one; empty: any will do. */
  readonly allowedHostnames: readonly string[];
  /** Whether the certificate must be good for the address that its owner connects from. */
  readonly verifyClientAddress: boolean;
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion | null;
  /** OpenSSL's names; null: what OpenSSL thinks best. */
  readonly cipherSuites: readonly string[] | null;
}

/** The raw values of the flags that have to do with TLS. */
export interface RawTlsSettings {
  readonly 'cert-file': string;
  readonly 'key-file': string;
  readonly 'trusted-ca-file': string;
  readonly 'client-crl-file': string;
  readonly 'client-cert-auth': boolean;
  readonly 'client-cert-allowed-hostname': readonly string[];
  readonly 'auto-tls': boolean;
  readonly 'peer-cert-file': string;
  readonly 'peer-key-file': string;
  readonly 'peer-client-cert-file': string;
  readonly 'peer-client-key-file': string;
  readonly 'peer-trusted-ca-file': string;
  readonly 'peer-crl-file': string;
  readonly 'peer-client-cert-auth': boolean;
  readonly 'peer-cert-allowed-cn': readonly string[];
  readonly 'peer-cert-allowed-hostname': readonly string[];
  readonly 'peer-auto-tls': boolean;
  readonly 'peer-skip-client-san-verification': boolean;
  readonly 'self-signed-cert-validity': number;
  readonly 'cipher-suites': readonly string[];
  readonly 'tls-min-version': string;
  readonly 'tls-max-version': string;
}

/** Rules and messages are those of etcd's `embed.Config.Validate` and `transport.TLSInfo`. */
export function tlsSettings(raw: RawTlsSettings): {
  readonly client: TlsSettings;
  readonly peer: TlsSettings;
} {
  const common = { ...protocolOf(raw), selfSignedYears: raw['self-signed-cert-validity'] };
  const client: TlsSettings = {
    ...common,
    certificateFile: raw['cert-file'],
    keyFile: raw['key-file'],
    clientCertificateFile: '',
    clientKeyFile: '',
    trustedCaFile: raw['trusted-ca-file'],
    revocationFile: raw['client-crl-file'],
    clientCertAuth: raw['client-cert-auth'],
    auto: raw['auto-tls'],
    allowedCommonNames: [],
    allowedHostnames: raw['client-cert-allowed-hostname'],
    verifyClientAddress: false,
  };
  const peer: TlsSettings = {
    ...common,
    certificateFile: raw['peer-cert-file'],
    keyFile: raw['peer-key-file'],
    clientCertificateFile: raw['peer-client-cert-file'],
    clientKeyFile: raw['peer-client-key-file'],
    trustedCaFile: raw['peer-trusted-ca-file'],
    revocationFile: raw['peer-crl-file'],
    clientCertAuth: raw['peer-client-cert-auth'],
    auto: raw['peer-auto-tls'],
    allowedCommonNames: raw['peer-cert-allowed-cn'],
    allowedHostnames: raw['peer-cert-allowed-hostname'],
    verifyClientAddress: !raw['peer-skip-client-san-verification'],
  };
  checkFiles(client, '');
  checkFiles(peer, 'peer-');
  return { client, peer };
}

/** Whether there is, or will be, a certificate to show. */
export function hasCertificate(settings: TlsSettings): boolean {
  return settings.certificateFile !== '' || settings.auto;
}

/** In etcd, too, an authority alone is enough to require certificates that it signed. */
export function requiresClientCertificate(settings: TlsSettings): boolean {
  return settings.clientCertAuth || settings.trustedCaFile !== '';
}

function protocolOf(raw: RawTlsSettings): Pick<TlsSettings, 'minVersion' | 'maxVersion' | 'cipherSuites'> {
  const minVersion = versionOf(raw['tls-min-version']) ?? 'TLSv1.2';
  const maxVersion = versionOf(raw['tls-max-version']);
  if (maxVersion !== null && minVersion > maxVersion) {
    throw invalid(
      `min version (${raw['tls-min-version']}) is greater than max version (${raw['tls-max-version']})`,
    );
  }
  const suites = raw['cipher-suites'];
  if (suites.length === 0) return { minVersion, maxVersion, cipherSuites: null };
  if (minVersion === 'TLSv1.3') {
    throw invalid('cipher suites cannot be configured when only TLS1.3 is enabled');
  }
  return { minVersion, maxVersion, cipherSuites: cipherSuites(suites) };
}

function versionOf(text: string): TlsVersion | null {
  if (text === '') return null;
  if (text === 'TLS1.2') return 'TLSv1.2';
  if (text === 'TLS1.3') return 'TLSv1.3';
  throw invalid(`unexpected TLS version ${JSON.stringify(text)}`);
}

function checkFiles(settings: TlsSettings, prefix: string): void {
  const { certificateFile, keyFile, clientCertificateFile, clientKeyFile } = settings;
  if ((certificateFile === '') !== (keyFile === '')) {
    throw invalid(
      `--${prefix}key-file and --${prefix}cert-file must both be present ` +
        `[key: ${keyFile}, cert: ${certificateFile}]`,
    );
  }
  if ((clientCertificateFile === '') !== (clientKeyFile === '')) {
    throw invalid(
      `--${prefix}client-key-file and --${prefix}client-cert-file must both be present or both absent ` +
        `[key: ${clientKeyFile}, cert: ${clientCertificateFile}]`,
    );
  }
  if (settings.allowedCommonNames.length > 0 && settings.allowedHostnames.length > 0) {
    throw invalid(
      `--${prefix}cert-allowed-cn and --${prefix}cert-allowed-hostname are mutually exclusive ` +
        `(cns=${settings.allowedCommonNames.join(',')}, hostnames=${settings.allowedHostnames.join(',')})`,
    );
  }
  if (settings.auto && settings.selfSignedYears < 1) {
    throw invalid('--self-signed-cert-validity must be greater than 0');
  }
}

function invalid(message: string): FlotillaError {
  return new FlotillaError('FLOTILLA_CONFIGURATION', message);
}
