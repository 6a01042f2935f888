import { createSecureContext } from 'node:tls';
import type { DetailedPeerCertificate, SecureContext, SecureContextOptions, TLSSocket } from 'node:tls';
import { FlotillaError, messageOf } from '../errors.ts';
import type { PeerIdentity, TlsOptions } from '../network.ts';

/** Throws `FLOTILLA_TLS_INVALID` when the certificate, the key or the authorities cannot be used. */
export function secureContext(options: TlsOptions): SecureContext {
  try {
    return createSecureContext(secureContextOptions(options));
  } catch (cause) {
    throw new FlotillaError(
      'FLOTILLA_TLS_INVALID',
      `certificate or key cannot be used: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/** {@link TlsOptions} in Node's words. */
export function secureContextOptions(options: TlsOptions): SecureContextOptions {
  const { ca, minVersion, maxVersion, cipherSuites } = options;
  return {
    cert: options.certificate,
    key: options.key,
    ...(ca === undefined ? {} : { ca, ...trustAnchors }),
    ...(minVersion === undefined ? {} : { minVersion }),
    ...(maxVersion === undefined ? {} : { maxVersion }),
    ...(cipherSuites === undefined ? {} : { ciphers: cipherSuites.join(':') }),
  };
}

/** An intermediate authority may be trusted without its root, as Go has it. Missing in the types of Node.js 20. */
const trustAnchors = { allowPartialTrustChain: true } as SecureContextOptions;

/** Null: the other side has shown no certificate, or one that nobody vouches for. */
export function identityOf(socket: TLSSocket): PeerIdentity | null {
  if (!socket.authorized) return null;
  const certificate = socket.getPeerCertificate(true);
  if (certificate.subject === undefined) return null;
  const names = certificate.subjectaltname?.split(', ') ?? [];
  return {
    commonName: certificate.subject.CN === undefined ? '' : [certificate.subject.CN].flat().join(' '),
    subjectAlternativeNames: names.map((name) => name.replace(/^(DNS|IP Address|URI|email):/, '')),
    serialNumbers: serialNumbersOf(certificate),
  };
}

/** A root is its own issuer, which ends the chain. */
function serialNumbersOf(leaf: DetailedPeerCertificate): string[] {
  const serialNumbers: string[] = [];
  const seen = new Set<string>();
  let current: DetailedPeerCertificate | undefined = leaf;
  while (current?.serialNumber !== undefined && !seen.has(current.fingerprint256)) {
    seen.add(current.fingerprint256);
    serialNumbers.push(current.serialNumber);
    current = current.issuerCertificate;
  }
  return serialNumbers;
}
