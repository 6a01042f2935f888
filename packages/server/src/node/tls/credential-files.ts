import { readFileSync, statSync } from 'node:fs';
import { FlotillaError, type Logger, messageOf, type TlsOptions } from '@flotilla/platform';
import { secureContext } from '@flotilla/platform/node';
import { limits } from '../../limits.ts';
import { parseRevocations, type Revocations } from '../../tls/revocations.ts';

/** Paths; null: there is none. */
export interface CredentialPaths {
  readonly certificate: string;
  readonly key: string;
  readonly ca: string | null;
  readonly revocations: string | null;
}

/**
 * A certificate, its key and what others are checked against, from files that may change at any time. They are looked
 * at whenever they are needed, once a connection: what was renewed counts from the next connection on. What cannot be
 * used, as a key that does not fit the certificate yet, leaves the former in force and says so once.
 */
export class CredentialFiles {
  readonly #paths: CredentialPaths;
  readonly #common: Partial<TlsOptions>;
  readonly #log: Logger;
  #options: TlsOptions;
  #revocations: Revocations;
  /** Of the files when they were looked at last. */
  #seen: string;

  /** Throws `FLOTILLA_TLS_INVALID` when the files cannot be used. `common`: what no file says. */
  constructor(paths: CredentialPaths, common: Partial<TlsOptions>, log: Logger) {
    this.#paths = paths;
    this.#common = common;
    this.#log = log;
    this.#seen = this.#look();
    const found = this.#read();
    this.#options = found.options;
    this.#revocations = found.revocations;
  }

  /** The same object as long as the files are the same. */
  current(): TlsOptions {
    this.#renew();
    return this.#options;
  }

  revocations(): Revocations {
    this.#renew();
    return this.#revocations;
  }

  #renew(): void {
    const now = this.#look();
    if (now === this.#seen) return;
    this.#seen = now;
    try {
      const found = this.#read();
      this.#options = found.options;
      this.#revocations = found.revocations;
      this.#log.info('certificate files have changed and are in use', {
        certificate: this.#paths.certificate,
      });
    } catch (error) {
      this.#log.warn('changed certificate files cannot be used; the former stay in force', {
        certificate: this.#paths.certificate,
        error: messageOf(error),
      });
    }
  }

  #read(): { readonly options: TlsOptions; readonly revocations: Revocations } {
    const { certificate, key, ca, revocations } = this.#paths;
    const options: TlsOptions = {
      ...this.#common,
      certificate: contentOf(certificate).toString(),
      key: contentOf(key).toString(),
      ...(ca === null ? {} : { ca: authoritiesIn(ca) }),
    };
    try {
      secureContext(options);
    } catch (cause) {
      throw new FlotillaError('FLOTILLA_TLS_INVALID', `${certificate}, ${key}: ${messageOf(cause)}`, {
        cause,
      });
    }
    return { options, revocations: revocations === null ? new Set() : revocationsIn(revocations) };
  }

  /** What changes when a file does. A file that is not there is a state, too. */
  #look(): string {
    const { certificate, key, ca, revocations } = this.#paths;
    return [certificate, key, ca, revocations].map(markOf).join(' ');
  }
}

function markOf(path: string | null): string {
  if (path === null) return '-';
  // Follows links: Kubernetes renews a mounted secret by pointing a link elsewhere.
  const status = statSync(path, { bigint: true, throwIfNoEntry: false });
  return status === undefined ? 'none' : `${status.ino}.${status.mtimeNs}.${status.size}`;
}

function contentOf(path: string): Buffer {
  try {
    const { size } = statSync(path);
    if (size > limits.credentialFileBytes) throw new Error(`${size} bytes are too many`);
    return readFileSync(path);
  } catch (cause) {
    throw new FlotillaError('FLOTILLA_TLS_INVALID', `cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
}

/** OpenSSL takes a file without a certificate for a list of none, which would trust nobody without a word. */
function authoritiesIn(path: string): string {
  const text = contentOf(path).toString();
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new FlotillaError('FLOTILLA_TLS_INVALID', `${path} has no certificate in PEM`);
}

function revocationsIn(path: string): Revocations {
  try {
    return parseRevocations(contentOf(path));
  } catch (cause) {
    throw new FlotillaError('FLOTILLA_TLS_INVALID', `${path}: ${messageOf(cause)}`, { cause });
  }
}
