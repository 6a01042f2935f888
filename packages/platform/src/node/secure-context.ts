import type { Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { DetailedPeerCertificate, SecureContext, SecureContextOptions, TLSSocket } from 'node:tls';
import { FlotillaError, messageOf } from '../errors.ts';
import type { Address, PeerIdentity, TlsOptions } from '../network.ts';

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

/**
 * Why the certificate that the other side has shown proves nothing, in OpenSSL's words; null: it has shown none, or a
 * good one.
 */
export function distrustOf(socket: TLSSocket): string | null {
  if (socket.authorized || socket.getPeerCertificate().subject === undefined) return null;
  return authorizationErrorOf(socket);
}

/** Why a handshake failed, in a few words: OpenSSL's own text has its source lines in it. */
export function handshakeFailureOf(cause: Error, socket: TLSSocket): string {
  // Node hangs up on who shows a certificate that proves nothing, and says no more than that it did.
  const distrust = authorizationErrorOf(socket);
  if (distrust !== null) return distrust;
  return 'reason' in cause && typeof cause.reason === 'string' ? cause.reason : cause.message;
}

/**
 * Of a handshake that failed. Its socket knows nobody any more; the one below it does, when it was asked before. Where
 * Node keeps that one is not documented, so that it may be nowhere.
 */
export function remoteOfFailed(socket: TLSSocket): Address {
  const { _parent: below } = socket as { _parent?: Socket };
  return { host: below?.remoteAddress ?? 'unknown', port: below?.remotePort ?? 0 };
}

/** The declared type is wrong: on a server it is the code alone, and null before it is known. */
function authorizationErrorOf(socket: TLSSocket): string | null {
  const reason: unknown = socket.authorizationError;
  if (typeof reason === 'string') return reason;
  return reason instanceof Error ? reason.message : null;
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
