import { join } from 'node:path';
import { type Address, FlotillaError, type Logger } from '@flotilla/platform';
import type { TransportFactory } from '@flotilla/raft';
import type { Configuration } from '../../configuration/configuration.ts';
import { requiresClientCertificate, type TlsSettings } from '../../configuration/tls-settings.ts';
import { type ListenerTls, listenerTls } from './client-tls.ts';
import { peerTls, withoutCertificate } from './peer-tls.ts';
import { selfSignedCertificate } from './self-signed.ts';

/** What a member needs for TLS on both its sides. */
export interface MemberTls {
  /** Null: no client URL says `https`. */
  readonly client: ListenerTls | null;
  readonly peer: TransportFactory;
}

/** Throws `FLOTILLA_TLS_INVALID` or `FLOTILLA_CONFIGURATION`; warns of what has no effect, in etcd's words. */
export function memberTls(configuration: Configuration, log: Logger): MemberTls {
  return { client: clientSide(configuration, log), peer: peerSide(configuration, log) };
}

function clientSide(configuration: Configuration, log: Logger): ListenerTls | null {
  const { clientTls, clientListeners, httpListeners, metricsListeners, dataDirectory } = configuration;
  const listeners = [...clientListeners, ...httpListeners, ...metricsListeners];
  const isServed = listeners.some((url) => url.secure);
  if (listeners.some((url) => url.cleartext)) warnOfCleartext(clientTls, isServed, '', log);
  if (!isServed) return null;
  const certificate = certificateOf(
    clientTls,
    join(dataDirectory, 'fixtures', 'client'),
    listeners.flatMap((url) => (url.socketPath === null ? [url.address] : [])),
    'client',
    log,
  );
  return listenerTls(clientTls, certificate, log);
}

function peerSide(configuration: Configuration, log: Logger): TransportFactory {
  const { peerTls: settings, peerAddresses, dataDirectory } = configuration;
  const isServed = peerAddresses.some((address) => address.secure);
  if (peerAddresses.some((address) => !address.secure)) warnOfCleartext(settings, isServed, 'peer-', log);
  if (settings.auto && settings.certificateFile === '' && requiresClientCertificate(settings)) {
    // etcd drops the requirement without a word.
    throw new FlotillaError(
      'FLOTILLA_CONFIGURATION',
      'nobody vouches for the certificates of --peer-auto-tls: ' +
        '--peer-client-cert-auth and --peer-trusted-ca-file need --peer-cert-file',
    );
  }
  if (settings.certificateFile === '' && !(settings.auto && isServed)) {
    return withoutCertificate();
  }
  const directory = join(dataDirectory, 'fixtures', 'peer');
  const certificate = certificateOf(settings, directory, peerAddresses, 'peer', log);
  return peerTls(
    settings.certificateFile === '' ? settings : { ...settings, auto: false },
    certificate,
    isServed,
    log,
  );
}

function certificateOf(
  settings: TlsSettings,
  directory: string,
  addresses: readonly Address[],
  side: 'client' | 'peer',
  log: Logger,
): { readonly certificate: string; readonly key: string } {
  const { certificateFile, keyFile, auto, selfSignedYears } = settings;
  if (certificateFile !== '') {
    if (auto) log.warn(`ignoring ${side} auto TLS since certs given`);
    return { certificate: certificateFile, key: keyFile };
  }
  const hosts = addresses.flatMap(({ host, path }) => (path === undefined ? [host] : []));
  // `localhost` is listened to at its address.
  const names = hosts.includes('127.0.0.1') ? [...hosts, 'localhost'] : hosts;
  return selfSignedCertificate(directory, names, selfSignedYears, log);
}

function warnOfCleartext(settings: TlsSettings, isMixed: boolean, prefix: string, log: Logger): void {
  if (settings.certificateFile !== '' && !isMixed) {
    log.warn('scheme is HTTP while key and cert files are present; ignoring key and cert files');
  }
  if (settings.clientCertAuth) {
    log.warn(
      `scheme is HTTP while --${prefix}client-cert-auth is enabled; ignoring client cert auth for this URL`,
    );
  }
}
