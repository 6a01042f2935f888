import type { Logger, PeerIdentity, TlsOptions, TlsSource } from '@flotilla/platform';
import { requiresClientCertificate, type TlsSettings } from '../../configuration/tls-settings.ts';
import { refusalOf } from '../../tls/admission.ts';
import { CredentialFiles } from './credential-files.ts';

/** What listeners with TLS do: towards clients, and between members. */
export interface ListenerTls {
  readonly source: TlsSource;
  /** See `Http2ServerOptions.refuse`. */
  readonly refuse: (identity: PeerIdentity) => string | null;
}

/** Throws `FLOTILLA_TLS_INVALID` when the files cannot be used. */
export function listenerTls(
  settings: TlsSettings,
  certificate: { readonly certificate: string; readonly key: string },
  log: Logger,
): ListenerTls {
  const { trustedCaFile, revocationFile } = settings;
  const files = new CredentialFiles(
    {
      ...certificate,
      ca: trustedCaFile === '' ? null : trustedCaFile,
      revocations: revocationFile === '' ? null : revocationFile,
    },
    { ...protocolOptions(settings), requireClientCertificate: requiresClientCertificate(settings) },
    log,
  );
  return {
    source: () => files.current(),
    refuse: (identity) => refusalOf(identity, settings, files.revocations()),
  };
}

export function protocolOptions(settings: TlsSettings): Partial<TlsOptions> {
  const { minVersion, maxVersion, cipherSuites } = settings;
  return {
    minVersion,
    ...(maxVersion === null ? {} : { maxVersion }),
    ...(cipherSuites === null ? {} : { cipherSuites }),
  };
}
