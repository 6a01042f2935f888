import { lookup, reverse } from 'node:dns/promises';
import { FlotillaError, type Logger, type TlsOptions, type TlsSource } from '@flotilla/platform';
import type { TransportFactory } from '@flotilla/raft';
import { requiresClientCertificate, type TlsSettings } from '../../configuration/tls-settings.ts';
import { refusalOf, type Resolver } from '../../tls/admission.ts';
import { peerTransport } from '../../tls/peer-transport.ts';
import { CredentialFiles, type CredentialPaths } from './credential-files.ts';
import { protocolOptions } from './client-tls.ts';

/**
 * The transport between members with the certificates of the settings. `certificate` is theirs or the one that was
 * made; `secure`: this member listens by TLS. Throws `FLOTILLA_TLS_INVALID` when the files cannot be used.
 */
export function peerTls(
  settings: TlsSettings,
  certificate: { readonly certificate: string; readonly key: string },
  secure: boolean,
  log: Logger,
): TransportFactory {
  const { clientCertificateFile, clientKeyFile } = settings;
  // Against the system's authorities OpenSSL itself has to check; see `peerTransport` for why not otherwise.
  const isCheckedBySystem = settings.clientCertAuth && settings.trustedCaFile === '';
  const listening = credentialFiles(settings, certificate, log, {
    requireClientCertificate: isCheckedBySystem,
  });
  const shown =
    clientCertificateFile === '' ? certificate : { certificate: clientCertificateFile, key: clientKeyFile };
  const connecting = credentialFiles(settings, shown, log, settings.auto ? { verifyPeer: false } : {});
  return peerTransport({
    listen: () => listening.current(),
    connect: () => connecting.current(),
    secure,
    requireCertificate: requiresClientCertificate(settings),
    refuse: (identity) => refusalOf(identity, settings, listening.revocations()),
    resolver: settings.verifyClientAddress ? systemResolver : null,
  });
}

/** Of a member without a certificate, which reaches only those that do without, too. */
export function withoutCertificate(): TransportFactory {
  const none: TlsSource = () => {
    throw new FlotillaError(
      'FLOTILLA_TLS_INVALID',
      'a member is reached by https, and --peer-cert-file and --peer-key-file are not given',
    );
  };
  return peerTransport({
    listen: none,
    connect: none,
    secure: false,
    requireCertificate: false,
    refuse: () => null,
    resolver: null,
  });
}

function credentialFiles(
  settings: TlsSettings,
  shown: { readonly certificate: string; readonly key: string },
  log: Logger,
  extra: Partial<TlsOptions> = {},
): CredentialFiles {
  const { trustedCaFile, revocationFile } = settings;
  const paths: CredentialPaths = {
    ...shown,
    ca: trustedCaFile === '' ? null : trustedCaFile,
    revocations: revocationFile === '' ? null : revocationFile,
  };
  return new CredentialFiles(paths, { ...protocolOptions(settings), ...extra }, log);
}

const systemResolver: Resolver = {
  namesOf: (address) => reverse(address).catch(() => []),
  addressesOf: async (name) => {
    const found = await lookup(name, { all: true }).catch(() => []);
    return found.map(({ address }) => address);
  },
};
